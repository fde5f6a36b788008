"""apparmor.txt is a profile that AppArmor's own parser compiles."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROFILE = Path(__file__).parents[2] / "apparmor.txt"


@pytest.fixture
def parser() -> str:
    found = shutil.which("apparmor_parser", path="/sbin:/usr/sbin")
    if not found:
        pytest.fail("apparmor_parser is missing. Debian: apt-get install apparmor.")
    return found


def compiled(parser: str, profile: str) -> subprocess.CompletedProcess[str]:
    # -Q: not into the kernel, -K: not into the cache; works without AppArmor in the kernel.
    command = [parser, "-Q", "-K", "--warn=all"]
    return subprocess.run(command, input=profile, capture_output=True, text=True, check=False)


def test_the_profile_compiles(parser: str) -> None:
    text = PROFILE.read_text("utf-8")
    done = compiled(parser, text)
    assert done.returncode == 0, done.stderr
    # As the Supervisor names it.
    assert (
        compiled(
            parser, text.replace("profile mediarip_mqtt", "profile a0_mediarip_mqtt")
        ).returncode
        == 0
    )
    # That is no matter of course.
    assert compiled(parser, text.replace("rwkl,", "rwkl")).returncode != 0
