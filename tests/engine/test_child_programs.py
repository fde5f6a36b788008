"""Limits of the programs that yt-dlp starts."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.engine import child_programs, patches, programs
from mediarip_mqtt.engine.work_control import WorkControl

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")


@pytest.mark.parametrize(
    ("output", "limited"), [("subtitles.srt", True), ("cover.JPG", True), ("media.mkv", False)]
)
def test_only_what_makes_subtitles_or_pictures_has_limits(
    tmp_path: Path, output: str, *, limited: bool
) -> None:
    patches.install()
    programs.programs()  # work itself may not run them to find them
    control = WorkControl(SecuritySettings())
    control.folder = tmp_path
    (tmp_path / "in.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nx\n")
    with control.working():
        program = subprocess.Popen(
            [str(programs.ffmpeg()), "-i", "-", f"file:{tmp_path / output}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        memory = resource.prlimit(program.pid, resource.RLIMIT_DATA)[0]
        time = resource.prlimit(program.pid, resource.RLIMIT_CPU)[0]
        program.kill()
        program.wait()
    assert (memory == child_programs.EXTRA_MEMORY) is limited
    assert (time == child_programs.EXTRA_TIME) is limited
