"""A fuzzer, bounded in time, finds nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 45
ROOT = Path(__file__).parent.parent.parent


def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        # Wheels exist for Linux on x86-64 and some versions of Python; CI has one of those.
        pytest.skip(
            "atheris has no wheel for this machine: tests/commands/test_hostile_input.py still runs"
        )
    options = [f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.fuzz", *options, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert "Done " in done.stderr  # so many runs
