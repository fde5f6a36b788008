"""Names on the volume: as media servers find them, safe, short enough, and always the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract.content import ContentType, Numbering
from mediarip_mqtt.contract.library_settings import FOLDERS, LibrarySettings
from mediarip_mqtt.contract.titles import Show, Title
from mediarip_mqtt.library import layout
from mediarip_mqtt.volume import names

DAY = datetime(2026, 1, 5, 12, tzinfo=UTC)


def title(name: str = "Low tide", **values: Any) -> Title:
    return Title(
        id="t", session_id="s", title=name, created_at=DAY, **{"source_id": "x1", **values}
    )


def show(name: str = "Tides", **values: Any) -> Show:
    fields = {"content_type": ContentType.TV, "folder": layout.show_folder(name), **values}
    return Show(id="s", name=name, created_at=DAY, **fields)


@pytest.mark.parametrize(
    ("of", "of_show", "path"),
    [
        (
            title(content_type="tv", season=2026, episode=10549),
            show(),
            "Shows/Tides/Season 2026/Tides - s2026e010549 - Low tide [x1]",
        ),
        (
            title(content_type="tv", season=1, episode=2),
            show(numbering="season", folder="Tides (2020)"),
            "Shows/Tides (2020)/Season 01/Tides (2020) - S01E02 - Low tide",
        ),
        (title(content_type="movie", year=2019), None, "Movies/Low tide (2019)/Low tide (2019)"),
        (
            title(content_type="music", album="Sea", track=1, year=2020),
            show("Anna"),
            "Music/Anna/Sea (2020)/01 - Low tide",
        ),
        (title(content_type="music"), show("Anna"), "Music/Anna/Singles/Low tide"),
        (
            title(content_type="podcast", published_at=DAY),
            show(),
            "Podcasts/Tides/2026-01-05 - Low tide",
        ),
        (title(content_type="other"), None, "Videos/Low tide [x1]"),
        (title(), None, "Videos/Low tide [x1]"),
    ],
)
def test_each_type_has_its_place(of: Title, of_show: Show | None, path: str) -> None:
    assert layout.place(of, of_show, FOLDERS) == path


def test_the_settings_choose_some_folders() -> None:
    folders = LibrarySettings.model_validate({"folders": {"tv": "TV/All"}}).folders
    assert folders[ContentType.TV] == "TV/All"
    assert folders[ContentType.MOVIE] == "Movies"


@pytest.mark.parametrize("bad", ["/abs", "../up", "a/../b", ".hidden", "a\\b", "a//b", "a\x00"])
def test_a_folder_outside_of_the_root_is_no_setting(bad: str) -> None:
    with pytest.raises(ValueError, match="folders"):
        LibrarySettings.model_validate({"folders": {"tv": bad}})


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("x S01E09 y", "x S01·E09 y"),
        ("S1E9-E10", "S1·E9-E·10"),
        ("E05 x", "E·05 x"),
        ("a sample", "a ·sample"),
        ("samples", "samples"),
        ("The trailer", "The·trailer"),
        ("Level3 1x07, part 2", "Level3 1x07, part 2"),
    ],
)
def test_no_title_is_taken_for_a_number_or_for_another_kind_of_file(
    name: str, written: str
) -> None:
    of = title(name, content_type="tv", season=1, episode=2)
    path = layout.place(of, show(numbering="season"), FOLDERS)
    assert path == f"Shows/Tides/Season 01/Tides - S01E02 - {written}"


@given(
    st.text(min_size=1), st.text(min_size=1), st.sampled_from([*ContentType]), st.integers(100, 255)
)
def test_side_files_have_the_whole_stem_also_where_names_are_short(
    text: str, name: str, content_type: ContentType, limit: int
) -> None:
    """Encrypted shares of a NAS take names of 143 bytes."""
    of = title(text * 30, content_type=content_type, season=2026, episode=10549)
    stem = layout.place(of, show(name * 30), FOLDERS, limit).rpartition("/")[2]
    medium = names.safe_name(f"{stem}.webm", limit=limit)
    assert medium == f"{stem}.webm"
    for tail in ("-thumb.jpg", "-fanart.jpg", ".info.json", ".en-US.forced.srt"):
        assert names.beside(medium, tail, limit=limit) == f"{stem}{tail}"


TYPES = st.sampled_from([*ContentType])


@given(
    st.text(max_size=300), st.text(min_size=1, max_size=300), TYPES, st.sampled_from([*Numbering])
)
def test_no_text_leaves_the_root_or_is_too_long(
    text: str, name: str, content_type: ContentType, numbering: Numbering
) -> None:
    of = title(
        text,
        content_type=content_type,
        season=2026,
        episode=10549,
        album=text,
        source_id=text or None,
    )
    of_show = show(name, numbering=numbering)
    path = layout.place(of, of_show, FOLDERS)
    parts = PurePosixPath(path).parts
    assert parts[0] == FOLDERS[content_type]
    assert all(part not in {".", ".."} and part.strip() for part in parts)
    assert all(len(part.encode()) <= layout.STEM_BYTES for part in parts[1:])
    assert path.isprintable() or any(ord(char) > 0x10000 for char in path)
    assert not set(path) & set('<>:"\\|?*')
    if content_type is ContentType.TV:
        assert len(re.findall(r"s\d+[ ._x-]*e\d+", parts[-1], re.IGNORECASE)) == 1
    assert layout.place(of, of_show, FOLDERS) == path
