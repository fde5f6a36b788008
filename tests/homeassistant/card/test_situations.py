"""What the card is shown here is what the service publishes."""

from __future__ import annotations

import json

import jsonschema
import pytest

from tests.homeassistant.card.bench import ROOT
from tests.homeassistant.card.situations import HOSTILE_TITLES, SITUATIONS, many

LISTS = ("now", "finished", "failed")


@pytest.mark.parametrize("name", [*SITUATIONS, "200 jobs"])
def test_a_situation_fits_the_service_s_schemas(name: str) -> None:
    situation = SITUATIONS.get(name, many(200))
    for one in LISTS:
        schema = json.loads((ROOT / "docs" / "schemas" / f"jobs.{one}.json").read_text("utf-8"))
        jsonschema.validate(situation.message(one), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", [name for name, one in SITUATIONS.items() if one.library])
def test_a_library_fits_the_service_s_schema(name: str) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / "library.json").read_text("utf-8"))
    jsonschema.validate(SITUATIONS[name].library, schema, jsonschema.Draft202012Validator)


def test_two_hundred_jobs_are_two_hundred() -> None:
    one = many(200)
    ids = {job["id"] for job in (*one.jobs, *one.finished, *one.failed)}
    assert len(ids) == len(one.jobs) + len(one.finished) + len(one.failed) >= 190


def test_hostile_titles_are_all_shown() -> None:
    shown = [job["title"] for job in SITUATIONS["hostile titles"].jobs]
    assert shown == list(HOSTILE_TITLES.values())
