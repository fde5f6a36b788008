"""Subscriptions of other programs are recognised by their content, and read as they are there."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.cli.import_sources import SourceError, SourceFormat, Unreadable
from mediarip_mqtt.cli.subscription_sources import download_archive, found
from mediarip_mqtt.cli.subscription_sources.found import FoundSubscription
from mediarip_mqtt.cli.subscription_sources.recognise import read, subscription_format
from mediarip_mqtt.subscriptions.subscription_records import KnownItem
from tests.support import subscription_files as files
from tests.support.subscription_files import CHANNEL, OTHER, video

YOUTUBE = "https://www.youtube.com"


def taken(path: Path, form: SourceFormat) -> list[FoundSubscription | Unreadable]:
    """Recognise and read a file; nothing changes in its folder."""
    before = {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    assert subscription_format(path, SourceFormat.AUTO) is form
    result = list(read(path, form))
    after = {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    names = {each.name for each in after if not each.name.endswith("-shm")}
    assert names == {each.name for each in before if not each.name.endswith("-shm")}
    assert after[path] == before[path]
    return result


def subscriptions(path: Path, form: SourceFormat) -> list[FoundSubscription]:
    return [each for each in taken(path, form) if isinstance(each, FoundSubscription)]


def fields(each: FoundSubscription) -> dict[str, Any]:
    return each.record.model_dump(mode="json", exclude_defaults=True)


def states(each: FoundSubscription) -> list[tuple[str, str]]:
    return [(item.item_key, item.state) for item in each.items]


def test_opml(tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_text(files.OPML)
    assert [fields(each) for each in subscriptions(path, SourceFormat.OPML)] == [
        {"url": "https://pods.example/feed.xml", "name": "A & B"},
        {"url": f"{YOUTUBE}/channel/{CHANNEL}", "name": "The Tides"},
        {"url": f"{YOUTUBE}/playlist?list=PLabc", "name": "List"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_opml_with_entities_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.opml"
    text = files.OPML.replace("<opml", '<!DOCTYPE x [<!ENTITY a "b">]><opml', 1)
    path.write_text(text.replace("UTF-8", encoding), encoding=encoding)
    with pytest.raises(SourceError, match="document type"):
        taken(path, SourceFormat.OPML)


def test_takeout_in_any_language(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(files.TAKEOUT, encoding="utf-8-sig")
    first, second, wrong = taken(path, SourceFormat.TAKEOUT)
    assert isinstance(first, FoundSubscription)
    assert fields(first) == {"url": f"{YOUTUBE}/channel/{CHANNEL}", "name": "The Tides"}
    assert isinstance(second, FoundSubscription)
    assert fields(second) == {
        "url": f"{YOUTUBE}/channel/{OTHER}",
        "name": 'Sea, Salt "and" Sand',
    }
    assert isinstance(wrong, Unreadable)


def test_newpipe(tmp_path: Path) -> None:
    path = tmp_path / "newpipe.json"
    path.write_text(json.dumps(files.NEWPIPE))
    first, second, *wrong = taken(path, SourceFormat.NEWPIPE)
    assert isinstance(first, FoundSubscription)
    assert fields(first) == {"url": f"{YOUTUBE}/channel/{CHANNEL}", "name": "The Tides"}
    assert isinstance(second, FoundSubscription)
    assert second.record.url == "https://sea.bandcamp.example/"
    assert [type(each) for each in wrong] == [Unreadable, Unreadable]


def test_metube_s_options_are_carried_over(tmp_path: Path) -> None:
    path = files.metube(
        tmp_path / "subscriptions.json",
        {
            "enabled": False,
            "check_interval_minutes": 5,
            "download_type": "audio",
            "format": "mp3",
            "folder": "music",
            "title_regex": r"^Episode \d+",
            "skip_subscriber_only": True,
            "ytdl_options_overrides": {"exec": "rm -rf /"},
        },
        {"quality": "1080"},
    )
    audio, video_one = subscriptions(path, SourceFormat.METUBE_SUBSCRIPTIONS)
    assert fields(audio) == {
        "url": f"{YOUTUBE}/@tides",
        "name": "The Tides",
        "enabled": False,
        "interval": 900,
        "title_match": r"/^Episode \d+/",
        "wanted": {"media_type": "audio", "output_format": "mp3", "folder": "music"},
    }
    assert audio.notes == ("options of yt-dlp are not carried over",)
    assert video_one.record.members == "include"
    assert video_one.record.wanted.quality == "1080p"
    # In its folder, too.
    assert subscription_format(tmp_path, SourceFormat.AUTO) is SourceFormat.METUBE_SUBSCRIPTIONS
    assert len(list(read(tmp_path, SourceFormat.METUBE_SUBSCRIPTIONS))) == 2


def test_what_metube_has_seen_stays_and_the_rest_of_the_list_too(tmp_path: Path) -> None:
    seen = [video(number) for number in range(60, 0, -1)]  # the newest first
    playlist = f"{YOUTUBE}/playlist?list=PLabc"
    path = files.metube(
        tmp_path / "a.json",
        {"seen_ids": [*seen, "not an id", seen[0]]},
        {"url": playlist, "seen_ids": seen[:5]},
        {"url": playlist, "seen_ids": seen},
        {"url": "https://other.example/list", "seen_ids": ["1"]},
    )
    channel, short, long, other = subscriptions(path, SourceFormat.METUBE_SUBSCRIPTIONS)
    assert [item.item_key for item in channel.items] == [f"youtube {key}" for key in seen[::-1]]
    assert {item.state for item in channel.items} == {"baseline"}
    assert channel.record.partial
    assert (len(short.items), short.record.partial) == (5, False)
    # It may go on behind what MeTube has looked at: the first check takes it as it is.
    assert (long.items, other.items) == ([], [])


@pytest.mark.parametrize("regex", [r"(?=look)ahead", "x" * 300, "("])
def test_a_filter_that_can_t_be_used_pauses_the_subscription(tmp_path: Path, regex: str) -> None:
    path = files.metube(tmp_path / "a.json", {"title_regex": regex})
    (each,) = subscriptions(path, SourceFormat.METUBE_SUBSCRIPTIONS)
    assert (each.record.enabled, each.record.title_match) == (False, None)
    assert each.notes[0].startswith("paused, as its title filter")


@pytest.mark.parametrize("wal", [False, True])
def test_pinchflat(tmp_path: Path, *, wal: bool) -> None:
    made = files.pinchflat(tmp_path / "pinchflat.db", wal=wal)
    made.add(
        "media_profiles",
        id=2,
        name="Music",
        output_path_template="x.%(ext)s",
        preferred_resolution="audio",
        shorts_behaviour="exclude",
        livestream_behaviour="only",
    )
    files.pinchflat_source(
        made,
        download_cutoff_date="2025-01-05",
        retention_period_days=30,
        title_filter_regex="tide",
        min_duration_seconds=60,
        max_duration_seconds=3600,
        index_frequency_minutes=720,
    )
    files.pinchflat_source(made, 2, media_profile_id=2, download_media=0, fast_index=1)
    files.pinchflat_source(made, 3, enabled=0, index_frequency_minutes=-1)
    files.pinchflat_item(
        made, 9, media_filepath="/a.mp4", media_downloaded_at="2025-02-01T00:00:00Z"
    )
    files.pinchflat_item(made, 8)  # Pinchflat would still download it
    files.pinchflat_item(made, 7, prevent_download=1)
    files.pinchflat_item(made, 6, culled_at="2025-03-01T00:00:00Z")
    files.pinchflat_item(made, 2)  # older than the cutoff
    files.pinchflat_item(made, 1, media_id="no id")
    first, second, third = subscriptions(made.path, SourceFormat.PINCHFLAT)
    made.close()
    assert fields(first) == {
        "url": f"{YOUTUBE}/@tides1",
        "name": "Source 1",
        "interval": 43200,
        "date_after": "2025-01-05",
        "keep_days": 30,
        "title_match": "/tide/",
        "duration_min": 60,
        "duration_max": 3600,
        "wanted": {"quality": "1080p"},
    }
    assert states(first) == [
        (f"youtube {video(2)}", "baseline"),
        (f"youtube {video(6)}", "expired"),
        (f"youtube {video(7)}", "ignored"),
        (f"youtube {video(9)}", "done"),
    ]
    assert first.items[-1].done_at == datetime(2025, 2, 1, tzinfo=UTC)
    assert (second.record.shorts, second.record.live) == ("exclude", "only")
    assert second.record.wanted.media_type == "audio"
    assert (second.record.enabled, third.record.enabled) == (False, False)


@pytest.mark.parametrize("wal", [False, True])
def test_tubesync(tmp_path: Path, *, wal: bool) -> None:
    made = files.tubesync(tmp_path / "db.sqlite3", wal=wal)
    files.tubesync_source(
        made,
        filter_text="trailer",
        filter_text_invert=1,
        filter_seconds=90,
        delete_old_media=1,
        index_streams=1,
    )
    files.tubesync_source(
        made,
        2,
        source_type="p",
        key="PLabc",
        source_resolution="audio",
        filter_seconds=90,
        filter_seconds_min=0,
        index_schedule=0,
        delete_removed_media=1,
    )
    files.tubesync_source(made, 3, source_type="c", key="@tides", download_media=0)
    files.tubesync_item(made, 9, downloaded=1, download_date="2025-02-01 10:00:00")
    files.tubesync_item(made, 8)  # TubeSync would still download it
    files.tubesync_item(made, 7, manual_skip=1, skip=1)
    files.tubesync_item(made, 6, skip=1)
    channel, playlist, named = subscriptions(made.path, SourceFormat.TUBESYNC)
    made.close()
    assert fields(channel) == {
        "url": f"{YOUTUBE}/channel/{CHANNEL}",
        "name": "Source 1",
        "interval": 86400,
        "title_exclude": "/trailer/",
        "duration_min": 90,
        "keep_days": 14,
        "wanted": {"quality": "1080p", "folder": "source-1"},
    }
    assert states(channel) == [
        (f"youtube {video(6)}", "baseline"),
        (f"youtube {video(7)}", "ignored"),
        (f"youtube {video(9)}", "done"),
    ]
    assert fields(playlist) == {
        "url": f"{YOUTUBE}/playlist?list=PLabc",
        "name": "Source 2",
        "enabled": False,
        "duration_max": 90,
        "live": "exclude",
        "wanted": {"media_type": "audio", "folder": "source-2"},
    }
    assert (named.record.url, named.record.enabled) == (f"{YOUTUBE}/@tides", False)


def test_ytdl_sub(tmp_path: Path) -> None:
    path = tmp_path / "subscriptions.yaml"
    path.write_text(files.YTDL_SUB)
    *followed, wrong = taken(path, SourceFormat.YTDL_SUB)
    assert isinstance(wrong, Unreadable)
    records = [each.record for each in followed if isinstance(each, FoundSubscription)]
    assert [(record.name, record.url) for record in records] == [
        ("The Tides", f"{YOUTUBE}/@tides"),
        ("Sea News", f"{YOUTUBE}/@seanews"),
        ("Two Places (1)", f"{YOUTUBE}/@one"),
        ("Two Places (2)", f"{YOUTUBE}/@two"),
        ("By Season (1)", f"{YOUTUBE}/c/seasons"),
        ("By Season (2)", f"{YOUTUBE}/playlist?list=PLabc"),
        ("Salt", "https://soundcloud.example/salt"),
        ("rolling", f"{YOUTUBE}/@rolling"),
    ]
    news, show, audio = records[1], records[2], records[6]
    assert (news.keep_last, news.keep_days, news.keep_days_by) == (30, 60, "published")
    assert show.library is not None
    assert (show.library.content_type, show.library.show) == ("tv", "Two Places")
    assert audio.wanted.media_type == "audio"


def test_endless_yaml_is_refused(tmp_path: Path) -> None:
    lines = ["__preset__: {}", "a0: &a0", "  x: {y: {z: 1}}"]
    lines += [f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}}}" for n in range(1, 40)]
    path = tmp_path / "a.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(SourceError, match="endless"):
        taken(path, SourceFormat.YTDL_SUB)


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("__preset__: {}\na: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(SourceError, match="line 2: is not valid YAML"):
        taken(path, SourceFormat.YTDL_SUB)


def test_a_download_archive(tmp_path: Path) -> None:
    path = tmp_path / "archive.txt"
    path.write_text(files.ARCHIVE + "\nnonsense\n")
    first, second, third, wrong = download_archive.read(path)
    assert first == KnownItem(
        item_key="youtube abcdefghijk", url=f"{YOUTUBE}/watch?v=abcdefghijk", state="done"
    )
    assert second == KnownItem(item_key="vimeo 123456", state="done")
    assert isinstance(third, KnownItem)
    assert isinstance(wrong, Unreadable)
    path.write_text(files.ARCHIVE)
    assert subscription_format(path, SourceFormat.AUTO) is None  # it names no subscription


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 5000, b"{", b"[1]", b"SQLite format 3\0" + b"x" * 200, b"\xff\xfe<", b"a,b\n"],
)
def test_other_files_are_not_taken_for_subscriptions(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    try:
        assert subscription_format(path, SourceFormat.AUTO) is None
    except SourceError as error:
        assert "can't be read as a database" in str(error)  # noqa: PT017 - one of both


def test_random_bytes_in_each_format_end_in_an_error_with_words(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for head in (b"<opml>", b"Channel Id,Channel Url,Channel Title\n", b"__preset__: \n", b"{"):
        path.write_bytes(head + os.urandom(2000))
        form = subscription_format(path, SourceFormat.AUTO)
        if form is not None:
            try:
                list(read(path, form))
            except SourceError as error:
                assert str(path) in str(error)  # noqa: PT017 - it may also be readable


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.opml"
    path.write_bytes(b"<opml>" + b" " * found.SMALL_LIMIT)
    with pytest.raises(SourceError, match="more than 8 MiB"):
        list(read(path, SourceFormat.OPML))
    monkeypatch.setattr(found, "MAX_FOUND", 2)
    path.write_text(files.OPML)
    with pytest.raises(SourceError, match="more than 2 subscriptions"):
        list(read(path, SourceFormat.OPML))


def test_hostile_texts_in_a_database_are_cleaned(tmp_path: Path) -> None:
    made = files.pinchflat(tmp_path / "a.db")
    files.pinchflat_source(made, custom_name="a\u202eb\0c\x1b[31m" + "x" * 500)
    files.pinchflat_source(made, 2, original_url="file:///etc/passwd", custom_name=b"\xff\xfe")
    files.pinchflat_item(made, 3, title="\ud7ff" + "y" * 5000, media_filepath="/../../etc/passwd")
    first, second = subscriptions(made.close(), SourceFormat.PINCHFLAT)
    assert first.record.name is not None
    assert first.record.name.startswith("abc[31mx")
    assert len(first.record.name) <= 200
    assert len(first.items[0].title or "") <= 200
    assert second.record.url == "file:///etc/passwd"  # the service refuses it
