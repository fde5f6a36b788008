"""Only a tag that is the package's version, with its notes, is released."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mediarip_mqtt import __version__
from scripts.release import assets, notes, problems

ROOT = Path(__file__).parents[2]
PROJECT = '[project]\nname = "x"\nversion = "1.2.3"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-21\n\n- All of it.\n"


def test_the_version_s_tag_is_released() -> None:
    assert problems("v1.2.3", PROJECT, CHANGELOG) == []


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3rc1", "v1.2.30", ""])
def test_another_tag_is_not(tag: str) -> None:
    assert "1.2.3" in problems(tag, PROJECT, CHANGELOG)[0]


@pytest.mark.parametrize(
    "notes", ["", "## [Unreleased]\n", "## [1.2.3]\n", "## [1x2.3] - 2026-11-21"]
)
def test_a_version_without_dated_notes_is_not(notes: str) -> None:
    assert "CHANGELOG.md" in problems("v1.2.3", PROJECT, notes)[0]


def test_the_program_refuses_a_wrong_tag_with_its_exit_code() -> None:
    command = [sys.executable, "-m", "scripts.release", "v999.0.0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert __version__ in done.stderr


def test_the_notes_are_the_version_s_section() -> None:
    older = "## [1.2.2] - 2026-10-01\n\n- Old.\n"
    assert notes("v1.2.3", CHANGELOG + "\n" + older) == "- All of it."


def test_the_release_carries_the_card_alone() -> None:
    # HACS copies every file of a release into Home Assistant's public folder.
    assert [one.name for one in assets()] == ["mediarip-card.js", "mediarip-library.js"]
    assert all(one.is_file() for one in assets())
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    commands = [
        step.get("run", "") for job in workflow["jobs"].values() for step in job.get("steps", ())
    ]
    [release] = [one for one in commands if "gh release" in one]
    assert "$(python -m scripts.release --assets" in release
    assert "dist/" not in release
