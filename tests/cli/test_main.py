"""The command line as a whole: its help, its version, and how fast it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mediarip_mqtt import __version__
from tests.support.cli import Cli

# Modules that only `run` may import; yt-dlp alone takes a second.
ONLY_FOR_RUN = ("yt_dlp", "mediarip_mqtt.service.app")


@pytest.mark.slow
def test_help_and_version_need_no_settings(lone: Cli) -> None:
    assert lone.run("--version").stdout == f"{__version__}\n"
    shown = lone.run("-h").stdout
    for name in ("run", "check-config", "download", "watch", "command", "doctor", "healthcheck"):
        assert f" {name} " in shown


def test_only_run_waits_for_the_import_of_yt_dlp(tmp_path: Path) -> None:
    program = (
        "import sys, mediarip_mqtt.cli.main\n"
        f"print([name for name in {ONLY_FOR_RUN} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
