"""docs/configuration.md is what the settings say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mediarip_mqtt.settings import sections

ROOT = Path(__file__).parent.parent


def test_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/configuration_page.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_is_on_the_page() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    for section, cls in sections():
        for key in cls.model_fields:
            assert f"`MEDIARIP__{section.upper()}__{key.upper()}`" in page
