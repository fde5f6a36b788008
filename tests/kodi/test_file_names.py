"""Readers of file names that are not ours find the number in each name.

What they can't be expected to read is counted: a name that gets worse fails here.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any, Final

import guessit
import pytest

from mediarip_mqtt.contract.content import ContentType, Numbering
from tests.kodi.tree import Kept

PARSERS: Final = (
    Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mediarip-mqtt" / "parsers"
)
# Reads (is an episode, name) a line, and answers with one JSON list.
RADARR: Final = """
const {filenameParse} = require("@ctrl/video-filename-parser");
const lines = require("fs").readFileSync(0, "utf8").split("\\n").filter(Boolean);
console.log(JSON.stringify(lines.map(JSON.parse).map(([tv, name]) => filenameParse(name, tv))));
"""

Library = tuple[Path, list[Kept]]


def of(library: Library, numbering: Numbering | None) -> list[Kept]:
    """Return the episodes with a numbering, or the movies."""
    if numbering is None:
        return [one for one in library[1] if one.title.content_type is ContentType.MOVIE]
    return [
        one
        for one in library[1]
        if one.title.content_type is ContentType.TV and one.show and one.show.numbering is numbering
    ]


def radarr(titles: list[Kept]) -> list[dict[str, Any]]:
    lines = [
        json.dumps([one.title.season is not None, PurePosixPath(str(one.title.organized_to)).stem])
        for one in titles
    ]
    done = subprocess.run(
        ["node", "-e", RADARR],
        input="\n".join(lines),
        cwd=PARSERS,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("numbering", "unread"),
    [
        (Numbering.DATE, {"潮汐と海 ～第１話～"}),  # "1st story" is a number to it
        (Numbering.SEASON, {"潮汐と海 ～第１話～"}),
    ],
)
def test_guessit_reads_the_number_of_each_episode(
    numbering: Numbering, unread: set[str], library: Library
) -> None:
    wrong = set()
    for one in of(library, numbering):
        found = guessit.guessit(str(one.title.organized_to))
        if (found.get("season"), found.get("episode")) != (one.title.season, one.title.episode):
            wrong.add(one.title.title)
    assert wrong == unread


def test_guessit_reads_the_year_of_each_movie(library: Library) -> None:
    for one in of(library, None):
        assert guessit.guessit(str(one.title.organized_to)).get("year") == one.title.year


def test_radarr_s_reader_finds_the_number_of_each_episode_of_a_season(library: Library) -> None:
    """It reads no numbers of six digits, as episodes by date have."""
    episodes = of(library, Numbering.SEASON)
    wrong = {
        one.title.title
        for one, found in zip(episodes, radarr(episodes), strict=True)
        if (found.get("seasons"), found.get("episodeNumbers"))
        != ([one.title.season], [one.title.episode])
    }
    assert wrong == {"x 2023-02-03 y"}  # a date counts more to it


def test_radarr_s_reader_finds_the_year_of_each_movie(library: Library) -> None:
    movies = of(library, None)
    years = [found.get("year") for found in radarr(movies)]
    assert years == [str(one.title.year) for one in movies]
