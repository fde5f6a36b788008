"""What a page says decides what a title is; no title takes long to read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from mediarip_mqtt.contract.content import Classification, ContentType, Numbering
from mediarip_mqtt.contract.library_settings import LibraryMatch, LibraryRule
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.titles import MAX_CANDIDATES, ClassificationSource
from mediarip_mqtt.library import patterns
from mediarip_mqtt.library.classify import classify
from mediarip_mqtt.library.page_facts import PageFacts, page_facts
from mediarip_mqtt.store import RememberedAnswer

DAY = datetime(2026, 1, 5, tzinfo=UTC)
SOURCE = ClassificationSource


def facts(title: str = "clip", **values: Any) -> PageFacts:
    return PageFacts(title=title, **values)


def rule(content_type: ContentType = ContentType.TV, **values: Any) -> LibraryRule:
    match = LibraryMatch(**values.pop("match"))
    return LibraryRule(match=match, content_type=content_type, **values)


@pytest.mark.parametrize(
    ("page", "content_type", "source", "confidence"),
    [
        (facts(series="T", season=1, episode=2), ContentType.TV, SOURCE.EXTRACTOR, 0.95),
        (facts(series="T", episode=2), ContentType.TV, SOURCE.EXTRACTOR, 0.7),
        (facts(track="a", artist="b", is_audio=True), ContentType.MUSIC, SOURCE.EXTRACTOR, 0.95),
        (facts(extractor="Podbean", is_audio=True), ContentType.PODCAST, SOURCE.EXTRACTOR, 0.9),
        (
            facts(extractor="Generic", playlist="Feed", is_audio=True),
            ContentType.PODCAST,
            SOURCE.EXTRACTOR,
            0.9,
        ),
        (facts("Tides S01E02 Low"), ContentType.TV, SOURCE.HEURISTIC, 0.8),
        (facts("Tides 1x07"), ContentType.TV, SOURCE.HEURISTIC, 0.7),
        (facts("Tides Folge 3 Staffel 2"), ContentType.TV, SOURCE.HEURISTIC, 0.6),
        (facts("Tides: Season 2, Episode 3"), ContentType.TV, SOURCE.HEURISTIC, 0.6),
        (facts("The Sea (2019)", duration=3600.0), ContentType.MOVIE, SOURCE.HEURISTIC, 0.6),
        (
            facts("Anna - Low tide", categories=("Music",), is_audio=True),
            ContentType.MUSIC,
            SOURCE.HEURISTIC,
            0.6,
        ),
        (facts(channel="H", published=DAY), ContentType.TV, SOURCE.CHANNEL, 0.75),
        (
            facts(channel="H", published=DAY, is_audio=True),
            ContentType.PODCAST,
            SOURCE.CHANNEL,
            0.75,
        ),
        (facts("The Sea (2019)", duration=3599.0), ContentType.OTHER, SOURCE.NONE, 0.5),
        (facts("Anna - Low tide", is_audio=True), ContentType.OTHER, SOURCE.NONE, 0.5),
        (facts(), ContentType.OTHER, SOURCE.NONE, 0.5),
    ],
)
def test_the_first_hit_says_what_it_is(
    page: PageFacts, content_type: ContentType, source: ClassificationSource, confidence: float
) -> None:
    first = classify(page)[0]
    assert (first.content_type, first.source, first.confidence) == (
        content_type,
        source,
        confidence,
    )


def test_a_command_counts_more_than_memory_and_memory_more_than_a_rule() -> None:
    page = facts(channel="Harbour", channel_id="c", extractor="Y", published=DAY)
    told = Classification(content_type=ContentType.MOVIE)
    memory = RememberedAnswer("Y", "c", ContentType.TV, "Remembered")
    rules = (rule(match={"channel": "harb*"}, show="Ruled"),)
    guesses = classify(page, told=told, remembered=memory, rules=rules)
    assert [guess.source for guess in guesses[:3]] == [
        SOURCE.COMMAND,
        SOURCE.REMEMBERED,
        SOURCE.RULE,
    ]
    assert len(guesses) <= MAX_CANDIDATES


def test_a_rule_names_the_show_and_the_page_its_numbers() -> None:
    rules = (
        rule(match={"channel": "other"}, show="Other"),
        rule(match={"channel": "HARBOUR*", "title": "*tide*"}, show="Tides", numbering="season"),
    )
    guess = classify(facts("High tide S02E05", channel="Harbour TV"), rules=rules)[0]
    assert (guess.show, guess.season, guess.episode) == ("Tides", 2, 5)
    assert (guess.numbering, guess.confidence) == (Numbering.SEASON, 0.95)
    assert classify(facts("else", channel="Harbour TV"), rules=rules)[0].source is SOURCE.NONE


@pytest.mark.parametrize(
    ("title", "season", "episode", "show", "rest"),
    [
        ("Tides - S01E02 - Low tide", 1, 2, "Tides", "Low tide"),
        ("tides.s01.e02", 1, 2, "tides", ""),
        ("Tides S2026E010549", 2026, 10549, "Tides", ""),
        ("Tides 3x04: Low", 3, 4, "Tides", "Low"),
        ("Tides (Staffel 2, Folge 3)", 2, 3, "Tides", ""),
        ("Folge 3, Staffel 2 | Tides", 2, 3, "", "Tides"),
    ],
)
def test_an_episode_is_read_from_a_title(
    title: str, season: int, episode: int, show: str, rest: str
) -> None:
    found = patterns.episode_in(title)
    assert found is not None
    assert (found.season, found.episode, found.show, found.title) == (season, episode, show, rest)


@pytest.mark.parametrize(
    "title",
    ["1920x1080 test", "4x4 driving", "Boeing 737", "2x1080", "plans01e02x", "v1.2x30", "Part 2"],
)
def test_other_numbers_are_no_episode(title: str) -> None:
    assert patterns.episode_in(title) is None


HOSTILE = [
    "s1" * 100,
    "s" * 200,
    "1x0" * 66,
    "season 1 " * 22,
    "staffel " * 25,
    "folge1,,,,,," * 16,
    "(" * 200,
    "a (" * 66,
    " - " * 66,
    "- " * 100,
    "s0001   e" * 22,
    "season....1" * 18,
    "\u0130" * 200,
    "1" * 200,
]


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_takes_longer_than_a_few_times_a_plain_one(title: str) -> None:
    rules = tuple(rule(match={"title": pattern}) for pattern in ("*a*b*c*d*e*f*", "*s*1*s*1*x"))

    def read(text: str) -> float:
        page = facts(text, channel="c", published=DAY, duration=9999.0, categories=("Music",))
        begin = time.process_time()
        for _ in range(50):
            classify(page, rules=rules)
        return time.process_time() - begin

    plain = "Low tide at the harbour wall, and what the sea has left there "
    usual = min(read((plain * 4)[:200]) for _ in range(3))
    assert min(read(title[:200]) for _ in range(3)) < 20 * usual


def test_ten_times_the_text_takes_no_longer() -> None:
    def read(text: str) -> float:
        begin = time.process_time()
        for _ in range(200):
            patterns.episode_in(text)
            patterns.year_in(text)
            patterns.artist_in(text)
        return time.process_time() - begin

    short = min(read("season 1 " * 22) for _ in range(3))
    assert min(read("season 1 " * 2200) for _ in range(3)) < 5 * short


def test_a_page_may_say_anything() -> None:
    job = Job(id="j", session_id="s", url="https://e.com/", created_at=DAY)
    hostile: dict[str, Any] = {
        "title": ["x"],
        "season_number": "12",
        "episode_number": float("nan"),
        "track_number": 10**30,
        "timestamp": -1e300,
        "upload_date": "20269999",
        "release_date": "２０２６０１０１",
        "duration": True,
        "categories": {"a": 1},
        "artist": [],
        "channel": "\u202eevil\x00",
        "width": "0x10",
        "series": 12,
    }
    found = page_facts(job, hostile, "MP4")
    assert (found.title, found.season, found.episode) == ("x", 12, None)
    assert (found.track_number, found.published, found.duration) == (None, None, None)
    assert (found.artist, found.channel, found.width, found.series) == (None, "evil", None, "12")
    assert classify(found)
