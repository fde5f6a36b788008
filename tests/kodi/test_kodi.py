"""A real Kodi finds the library as the store has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mediarip_mqtt.contract.content import ContentType, FileRole, Numbering
from tests.kodi.conftest import Scanned
from tests.kodi.tree import PLOT, Kept
from tests.support.kodi import Kodi

SEPARATOR = " / "  # Kodi splits names of artists there


def day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def number_of(kept: Kept) -> dict[str, str | None]:
    return {(kept.title.extractor or "mediarip-mqtt").lower(): kept.title.source_id}


def pictures(item: dict[str, Any], root: Path) -> dict[str, str]:
    """Return the paths of an item's own pictures by their kinds."""
    return {
        kind: unquote(url.removeprefix("image://").rstrip("/")).removeprefix(f"{root}/")
        for kind, url in item["art"].items()
        if "." not in kind and kind != "icon"  # of its show; Kodi's own
    }


def stem(kept: Kept) -> str:
    return str(kept.title.organized_to).rpartition(".")[0]


def names(text: str) -> list[str]:
    return text.split(SEPARATOR)


def test_the_library_is_large_and_of_all_kinds(scanned: Scanned) -> None:
    counts = Counter(one.title.content_type for one in scanned.kept)
    assert sum(counts.values()) >= 120
    assert set(counts) == set(ContentType)
    assert all((scanned.root / str(one.title.organized_to)).exists() for one in scanned.kept)


def test_every_episode_is_found_with_its_number_date_and_text(scanned: Scanned) -> None:
    expected = {
        one.title.organized_to: (
            one.title.title,
            one.title.show,
            (one.title.season, one.title.episode),
            day(one.title.published_at),
            PLOT,
            number_of(one),
        )
        for one in scanned.of("tv")
    }
    found = {
        name: (
            item["title"],
            item["showtitle"],
            (item["season"], item["episode"]),
            item["firstaired"],
            item["plot"],
            item["uniqueid"],
        )
        for name, item in scanned.episodes.items()
    }
    assert found == expected


def test_every_episode_has_its_own_picture(scanned: Scanned) -> None:
    for one in scanned.of("tv"):
        item = scanned.episodes[str(one.title.organized_to)]
        assert pictures(item, scanned.root)["thumb"] == f"{stem(one)}-thumb.jpg"


def test_every_show_and_season_is_found_once_with_its_pictures(scanned: Scanned) -> None:
    shows: dict[str, list[Kept]] = defaultdict(list)
    for one in scanned.of("tv"):
        assert one.show
        shows[f"Shows/{one.show.folder}"].append(one)
    assert set(scanned.shows) == set(shows)
    for folder, titles in shows.items():
        item, show = scanned.shows[folder], titles[0].show
        assert show
        first = min(one.title.published_at for one in titles if one.title.published_at)
        number = {(show.extractor or "").lower(): show.channel_id}
        assert item["title"] == show.name
        assert item["premiered"] == day(first)
        assert item["uniqueid"] == (number if show.channel_id else {"mediarip-mqtt": show.id})
        assert item["episode"] == len(titles)
        assert pictures(item, scanned.root) == {
            kind: f"{folder}/{kind}.jpg" for kind in ("poster", "fanart")
        }
    expected = Counter((one.title.show, one.title.season) for one in scanned.of("tv")).keys()
    seasons = {(one["showtitle"], one["season"]) for one in scanned.seasons}
    assert seasons - {("Ebb & <flow>", 2)} == expected
    assert all("poster" in one["art"] for one in scanned.seasons)


def test_episodes_by_date_are_in_the_order_of_their_publication(scanned: Scanned) -> None:
    by_date = [one for one in scanned.of("tv") if one.show and one.show.numbering is Numbering.DATE]
    in_kodi = sorted(
        by_date,
        key=lambda one: (
            one.title.show,
            scanned.episodes[str(one.title.organized_to)]["season"],
            scanned.episodes[str(one.title.organized_to)]["episode"],
        ),
    )
    assert in_kodi == sorted(by_date, key=lambda one: (one.title.show, one.title.published_at))


def test_every_movie_and_video_is_found_with_its_text_and_pictures(scanned: Scanned) -> None:
    films = scanned.of("movie", "other")
    assert set(scanned.movies) == {one.title.organized_to for one in films}
    for one in films:
        item, title = scanned.movies[str(title_of(one))], one.title
        assert (item["title"], item["plot"], item["uniqueid"]) == (
            title.title,
            PLOT,
            number_of(one),
        )
        kinds = {"thumb"}
        if title.content_type is ContentType.MOVIE:
            kinds |= {"poster", "fanart"}
            assert item["year"] == title.year
        else:
            assert item["premiered"] == day(title.published_at)
        assert pictures(item, scanned.root) == {kind: f"{stem(one)}-{kind}.jpg" for kind in kinds}


def title_of(kept: Kept) -> str | None:
    return kept.title.organized_to


def test_music_is_found_by_its_albums_and_artists(scanned: Scanned, kodi: Kodi) -> None:
    songs = scanned.of("music")
    for one in songs:
        item, title = scanned.songs[str(title_of(one))], one.title
        assert (item["title"], item["album"], item["track"], item["year"]) == (
            title.title,
            title.album,
            title.track,
            title.year,
        )
        assert item["albumartist"] == [title.show]
        assert ", ".join(item["artist"]) == title.artist
        assert any(url.endswith("cover.jpg/") for url in map(unquote, item["art"].values()))
    found = kodi.call("AudioLibrary.GetAlbums", properties=["title", "artist", "year"])["albums"]
    albums = {(one["title"], *one["artist"]) for one in found}
    assert {(one.title.album, one.title.show) for one in songs} <= albums


def test_a_podcast_is_an_album_of_its_show(scanned: Scanned) -> None:
    podcasts = scanned.of("podcast")
    assert set(scanned.songs) == {title_of(one) for one in (*podcasts, *scanned.of("music"))}
    for one in podcasts:
        item = scanned.songs[str(title_of(one))]
        assert (item["title"], item["album"], item["genre"]) == (
            one.title.title,
            one.title.show,
            ["Podcast"],
        )
        assert item["albumartist"] == names(str(one.title.show))


def test_what_the_service_downloads_with_yt_dlp_is_found(
    downloaded: tuple[Path, list[dict[str, Any]]], kodi: Kodi
) -> None:
    root, titles = downloaded
    found = kodi.call(
        "VideoLibrary.GetEpisodes",
        filter={"field": "tvshow", "operator": "is", "value": "Ebb & <flow>"},
        properties=["title", "season", "episode", "firstaired", "plot", "art", "file"],
    )["episodes"]
    keys = ("title", "season", "episode", "plot")
    assert {tuple(item[key] for key in keys) for item in found} == {
        tuple(title[key] for key in ("title", "season", "episode", "description"))
        for title in titles
    }
    assert {len(title["description"]) for title in titles} == {879}
    for item in found:
        assert item["firstaired"] == f"2026-01-0{item['episode']}"
        assert pictures(item, root)["thumb"].endswith("-thumb.jpg")


def test_nothing_but_media_is_taken_for_media(scanned: Scanned) -> None:
    found = {*scanned.episodes, *scanned.movies, *scanned.songs}
    media = {name for one in scanned.kept for name in one.files[FileRole.MAIN]}
    assert found == media
