"""What `doctor` finds on a machine."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from mediarip_mqtt.cli.doctor import check_machine
from mediarip_mqtt.cli.doctor.check_machine import judge_age
from mediarip_mqtt.cli.doctor.findings import Severity
from mediarip_mqtt.contract.settings import DownloadSettings, Settings
from tests.support.broker import Mosquitto
from tests.support.cli import SECONDS
from tests.support.doctor import checks, lone

slow = pytest.mark.slow


def test_the_configured_cookies_file(tmp_path: Path) -> None:
    assert check_machine.cookies(Settings()) == []
    file = tmp_path / "cookies.txt"
    settings = Settings(downloads=DownloadSettings(cookies_file=file))
    line = "a.example\tFALSE\t/\tFALSE\t{}\tn\ts3cr3t\n"
    for content, state in (
        ("a.example\tFALSE\ts3cr3t\n", Severity.PROBLEM),
        (line.format(1), Severity.WARNING),  # expired
        (line.format(4_000_000_000), Severity.OK),
    ):
        file.write_text(f"# Netscape HTTP Cookie File\n{content}")
        (finding,) = check_machine.cookies(settings)
        assert finding.state is state
        assert "s3cr3t" not in finding.found + finding.remedy


@slow
def test_missing_programs(tmp_path: Path, mosquitto: Mosquitto) -> None:
    cli = lone(tmp_path, mosquitto.port)
    # The wheel with ffmpeg is a dependency of the tests alone.
    program = (
        "import sys; sys.modules['imageio_ffmpeg'] = None; sys.argv = ['x', 'doctor', '--json'];"
        "from mediarip_mqtt.engine import programs;"
        "programs.sys = type('', (), {'executable': '/x/y'});"
        "from mediarip_mqtt.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**cli.environment, "PATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    found = checks(done)
    assert found["ffmpeg"]["state"] == "problem"
    assert "ffprobe" not in found
    assert found["JavaScript"]["state"] == "warning"


def test_an_old_ytdlp_is_told() -> None:
    assert judge_age("2026.8.19", "", date(2026, 10, 18)).state == "ok"
    old = judge_age("2026.8.19", ", fetched", date(2026, 10, 19))
    assert old.state == "warning"
    assert old.found.startswith("2026.08.19, fetched, 61 days old")
    assert "update_ytdlp" in old.remedy
    assert judge_age("2026.8.19.232846.dev0", "", date(2026, 8, 20)).state == "ok"
    assert judge_age("1.0", "", date(2026, 8, 20)).state == "warning"
