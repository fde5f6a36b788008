"""What can be said and what is answered, checked with the library that Home Assistant uses.

Home Assistant 2025.4 has an older one: tests/homeassistant/real says every sample to both versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hassil.intents import Intents, WildcardSlotList
from hassil.recognize import recognize_all
from hassil.util import (
    PUNCTUATION_END,
    PUNCTUATION_END_WORD,
    PUNCTUATION_START,
    PUNCTUATION_START_WORD,
)

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.models import PauseReason
from scripts import voice
from tests.support.blueprint_files import read_blueprint

DOC = voice.source()
TRIGGERS = voice.triggers(DOC)
WILDCARDS = {"query", "latest", "title"}
PUNCTUATION = (PUNCTUATION_START, PUNCTUATION_END, PUNCTUATION_START_WORD, PUNCTUATION_END_WORD)
TABLES = ("answers", "times", "pauses", "reasons")
SEQUENCE = voice.SEQUENCE.read_text("utf-8")


def texts() -> Iterator[tuple[str, dict[str, str]]]:
    for table in TABLES:
        for key, languages in DOC[table].items():
            yield f"{table}.{key}", languages
    yield "search", DOC["search"]


@pytest.fixture(scope="module")
def heard() -> Intents:
    """All triggers, as Home Assistant loads them."""
    data = {name: {"data": [{"sentences": one}]} for name, one in TRIGGERS.items()}
    found = Intents.from_dict({"language": "en", "intents": data})
    for name in WILDCARDS:
        found.slot_lists[name] = WildcardSlotList(name)
    return found


def matched(text: str, heard: Intents) -> dict[str, dict[str, str]]:
    """Return the triggers that run, with their slots: of each, the first sentence that matches."""
    found: dict[str, dict[str, str]] = {}
    for result in recognize_all(text, heard):
        if result.intent.name in found:
            break
        found[result.intent.name] = {
            name: str(entity.value).strip() for name, entity in result.entities.items()
        }
    return found


def test_each_sample_runs_one_trigger_in_its_language(heard: Intents) -> None:
    wrong = [
        (text, found)
        for intent, languages in DOC["samples"].items()
        for language, samples in languages.items()
        for text in samples
        if list(found := matched(text, heard)) != [f"{intent}.{language}"]
    ]
    assert wrong == []
    assert DOC["samples"].keys() == DOC["intents"].keys()
    assert all(set(one) == set(voice.LANGUAGES) for one in DOC["samples"].values())


@pytest.mark.parametrize(
    ("sentence", "slots"),
    [
        ("download me the ocean song", {"query": "the ocean song"}),
        ("Download https//youtu.be/dQw4w9WgXcQ", {"query": "https//youtu.be/dQw4w9WgXcQ"}),
        ("download the latest episode of tatort", {"latest": "tatort"}),
        ("Lade bitte das Hafenlied herunter.", {"query": "bitte das Hafenlied"}),
        ("télécharge-moi le dernier épisode de la mer", {"latest": "la mer"}),
        ("cancel the download of big buck bunny", {"title": "big buck bunny"}),
        ("can you pause the downloads please?", {}),
    ],
)
def test_the_words_of_a_sentence_arrive(
    sentence: str, slots: dict[str, str], heard: Intents
) -> None:
    assert list(matched(sentence, heard).values()) == [slots]


def test_the_examples_of_own_sentences_run_only_their_own_trigger(heard: Intents) -> None:
    wrong = [
        (text, found)
        for intent, own in DOC["own"].items()
        for text in own
        if list(found := matched(text.replace("{query}", "moon river"), heard)) != [f"{intent}.own"]
    ]
    assert wrong == []
    assert DOC["own"].keys() == DOC["intents"].keys()


def test_what_belongs_to_home_assistant_is_left_to_it(heard: Intents) -> None:
    assert {text: found for text in DOC["not_ours"] if (found := matched(text, heard))} == {}


def test_sentences_have_no_punctuation_and_only_the_known_wildcards() -> None:
    for text in (one for sentences in TRIGGERS.values() for one in sentences):
        bare = re.sub(r"\{[^{}]*\}", "", text)
        assert not any(pattern.search(bare) for pattern in PUNCTUATION), text
        assert set(re.findall(r"\{(\w+)\}", text)) <= WILDCARDS, text


def test_every_answer_exists_in_every_language_with_the_same_parts() -> None:
    for key, languages in texts():
        assert set(languages) == set(voice.LANGUAGES), key
        parts = {
            language: set(re.findall(r"\{(\w+)\}", text)) for language, text in languages.items()
        }
        assert len(set(map(frozenset, parts.values()))) == 1, (key, parts)


def test_every_answer_is_given_and_every_given_answer_exists() -> None:
    said = set(re.findall(r"(?:say\(|answers\.|several\()'?(\w+)'?", SEQUENCE)) - {"key"}
    said |= set(re.findall(r"'(\w+)' if found == 2 else '(\w+)'", SEQUENCE)[0])
    said |= {"room_low", "room", "waiting_one", "which_of"}  # chosen inside an expression
    assert said == set(DOC["answers"])
    assert set(re.findall(r"\bt\.(\w+)", SEQUENCE)) | {"ampersand"} == set(DOC["times"])


def test_reasons_are_those_of_the_contract() -> None:
    assert set(DOC["pauses"]) == set(PauseReason)
    assert set(DOC["reasons"]) <= set(ErrorCode)


def test_the_blueprint_has_every_trigger_and_asks_for_a_version() -> None:
    found = read_blueprint(voice.blueprint(DOC))
    assert found["blueprint"]["homeassistant"] == {"min_version": "2025.4.0"}
    own = found["blueprint"]["input"]["own"]["input"]
    commands = {
        one["id"]: own.get(one["command"], {}).get("default")
        if isinstance(one["command"], str)
        else one["command"]
        for one in found["triggers"]
    }
    assert commands == TRIGGERS
    assert set(found["variables"]["said"]) == set(voice.LANGUAGES)


def test_custom_sentences_and_intents_have_the_same_names() -> None:
    package = yaml.safe_load(voice.package(DOC))
    for language in voice.LANGUAGES:
        found: dict[str, Any] = yaml.safe_load(voice.sentences(DOC, language))
        assert set(found["intents"]) == set(package["intent_script"])
        assert found["language"] == language


@pytest.mark.parametrize(
    "path",
    sorted((voice.ROOT / "homeassistant/blueprints").rglob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_no_template_trusts_a_title(path: Path) -> None:
    assert "| safe" not in path.read_text("utf-8")
