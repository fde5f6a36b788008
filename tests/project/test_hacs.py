"""HACS takes this repository as a dashboard plugin.

The rules are those of HACS 2 (`utils/validate.py`, `repositories/plugin.py` of hacs/integration):
unknown keys are refused; without `content_in_root` the file is looked for in the newest release,
then in the root and in `dist/`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from scripts.release import assets

ROOT = Path(__file__).parents[2]
# Key to type, from HACS's schema; `name` is required.
KEYS: dict[str, type | tuple[type, ...]] = {
    "content_in_root": bool,
    "country": (str, list),
    "filename": str,
    "hacs": str,
    "hide_default_branch": bool,
    "homeassistant": str,
    "name": str,
    "persistent_directory": str,
    "render_readme": bool,
    "zip_release": bool,
}


def manifest() -> dict[str, Any]:
    return dict(json.loads((ROOT / "hacs.json").read_text("utf-8")))


def test_the_manifest_has_the_keys_and_types_of_hacs() -> None:
    found = manifest()
    assert found["name"]
    for key, value in found.items():
        assert isinstance(value, KEYS[key]), key


def test_the_file_is_found_in_a_release() -> None:
    found = manifest()
    assert not found.get("content_in_root")
    # A plugin's file is served as /hacsfiles/<repository>/<filename>: no folder in it.
    assert "/" not in found["filename"]
    assert found["filename"] in {one.name for one in assets()}


def test_the_default_branch_is_not_offered_since_it_lacks_the_file_where_hacs_looks() -> None:
    found = manifest()
    here = {found["filename"], f"dist/{found['filename']}"}
    assert [one for one in here if (ROOT / one).exists()] == []
    assert found["hide_default_branch"] is True


def test_the_oldest_home_assistant_is_one_that_is_tested() -> None:
    from scripts.homeassistant import VERSIONS  # noqa: PLC0415 - beside its only use

    oldest = min(VERSIONS, key=lambda one: [int(part) for part in one.split(".")])
    assert oldest.rpartition(".")[0] == manifest()["homeassistant"].rpartition(".")[0]


def test_the_dashboard_for_older_versions_names_the_card_s_strategy() -> None:
    dashboard = yaml.safe_load(
        (ROOT / "homeassistant" / "dashboards" / "mediarip.yaml").read_text()
    )
    assert dashboard == {"strategy": {"type": "custom:mediarip"}}
    bundle = assets()[0].read_text("utf-8")
    assert "ll-strategy-dashboard-mediarip" in bundle
