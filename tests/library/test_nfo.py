"""NFO files: well-formed whatever a page says, and read back as they were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.titles import Show, Title
from mediarip_mqtt.library import nfo

DAY = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)


def title(name: str = "Low tide", **values: Any) -> Title:
    fields = {"content_type": "tv", "season": 1, "episode": 2, "extractor": "Youtube", **values}
    return Title(id="t1", session_id="s", title=name, created_at=DAY, **fields)


def show(name: str = "Tides", **values: Any) -> Show:
    fields = {"content_type": ContentType.TV, "folder": "Tides", **values}
    return Show(id="s1", name=name, created_at=DAY, **fields)


def read(content: bytes) -> dict[str, list[str]]:
    """Return the texts in an NFO by their tags, and the root's tag as `root`."""
    root = ET.fromstring(content)  # noqa: S314 - our own file
    found: dict[str, list[str]] = {"root": [root.tag]}
    for element in root:
        if isinstance(element.tag, str):
            found.setdefault(element.tag, []).append(element.text or "")
    return found


def test_an_episode_has_what_media_servers_show_and_sort_by() -> None:
    of = title(
        source_id="x1",
        description="One.\nTwo & <three>.",
        published_at=DAY,
        duration=125.0,
        tags=("sea", "calm"),
        category="Nature",
        channel="Harbour TV",
    )
    content = nfo.of_title(of, show(), lock=True)
    assert content.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    assert read(content) == {
        "root": ["episodedetails"],
        "title": ["Low tide"],
        "showtitle": ["Tides"],
        "season": ["1"],
        "episode": ["2"],
        "plot": ["One.\nTwo & <three>."],
        "aired": ["2026-01-05"],
        "runtime": ["2"],
        "uniqueid": ["x1"],
        "dateadded": ["2026-01-05 12:30:00"],
        "studio": ["Harbour TV"],
        "genre": ["Nature"],
        "tag": ["sea", "calm"],
        "lockdata": ["true"],
    }
    (number,) = ET.fromstring(content).iter("uniqueid")  # noqa: S314 - our own file
    assert number.attrib == {"type": "youtube", "default": "true"}


def test_an_episode_0_keeps_its_numbers() -> None:
    found = read(nfo.of_title(title(season=0, episode=0), show(), lock=False))
    assert (found["season"], found["episode"]) == (["0"], ["0"])
    assert "lockdata" not in found


@pytest.mark.parametrize(
    ("content_type", "root"),
    [("movie", "movie"), ("other", "movie"), ("music", "musicvideo"), ("podcast", "movie")],
)
def test_each_type_has_the_root_that_media_servers_expect(content_type: str, root: str) -> None:
    of = title(content_type=content_type, season=None, episode=None)
    assert read(nfo.of_title(of, show(), lock=False))["root"] == [root]


def test_the_upload_of_an_old_movie_is_not_its_premiere() -> None:
    old = read(
        nfo.of_title(title(content_type="movie", year=1954, published_at=DAY), None, lock=False)
    )
    assert (old["year"], old.get("premiered")) == (["1954"], None)
    new = read(
        nfo.of_title(title(content_type="movie", year=2026, published_at=DAY), None, lock=False)
    )
    assert new["premiered"] == ["2026-01-05"]


def test_a_show_names_its_seasons_and_first_day() -> None:
    of = show(extractor="Youtube", channel_id="UC1")
    found = read(nfo.of_show(of, DAY, [2026, 2025, 0], lock=True))
    assert found["premiered"] == ["2026-01-05"]
    assert found["namedseason"] == ["2025", "2026"]
    assert (found["uniqueid"], found["studio"]) == (["UC1"], ["Youtube"])
    numbered = read(nfo.of_show(show(numbering=Numbering.SEASON, year=2020), DAY, [1], lock=False))
    assert (numbered["premiered"], numbered.get("namedseason")) == (["2020-01-01"], None)


def test_the_nfo_of_a_show_knows_whether_somebody_edited_it() -> None:
    content = nfo.of_show(show(), DAY, [2026], lock=True)
    assert nfo.is_unchanged(content)
    assert not nfo.is_unchanged(content.replace(b"Tides", b"Tides!"))
    assert not nfo.is_unchanged(b"<tvshow><title>mine</title></tvshow>")
    assert not nfo.is_unchanged(b"")
    read(content)


TEXTS = st.text(st.characters(exclude_categories=()), max_size=80)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from([*ContentType]))
def test_no_text_makes_an_nfo_that_is_not_well_formed(
    name: str, description: str, tag: str, content_type: ContentType
) -> None:
    of = title(name, description=description, tags=(tag,), content_type=content_type, channel=name)
    found = read(nfo.of_title(of, show(name or "x"), lock=True))
    assert found["root"]
    for content in (
        nfo.of_show(show(name), DAY, [1], lock=True),
        nfo.of_album(of, show(name), lock=False),
        nfo.of_artist(show(name), lock=False),
        nfo.of_season(1, lock=False),
    ):
        assert nfo.is_unchanged(content)
        read(content)


PLAIN = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=200)


@given(PLAIN, st.lists(PLAIN, min_size=1, max_size=4))
def test_texts_are_read_back_as_they_were(name: str, lines: list[str]) -> None:
    plot = "\n".join(lines)
    found = read(nfo.of_title(title(name, description=plot), show(), lock=False))
    assert (found["title"], found["plot"]) == ([name], [plot])
