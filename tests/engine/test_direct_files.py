"""A file without a page has the name and type that its server states, if its URL has none."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import direct_files
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.named import NamedFile, download
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)
Get = Callable[[str], NamedFile]


@pytest.fixture
def get(tmp_path: Path) -> Get:
    def get(url: str) -> NamedFile:
        engine = YtdlpEngine(DownloadSettings(), OPEN)
        (file,) = download(engine, Task("job", url, tmp_path))
        return file

    return get


@pytest.mark.parametrize(
    ("path", "source", "headers", "name"),
    [
        (
            "download?id=7",
            "video.mp4",
            {"Content_Disposition": "attachment; filename*=UTF-8''%C3%9Cber%20uns.mp4"},
            "Über uns.mp4",
        ),
        (
            "get.php?id=8",
            "audio.mp3",
            {
                "Content_Disposition": 'attachment; filename="Episode 8.mp3"',
                "Content_Type": "application/octet-stream",
            },
            "Episode 8.mp3",
        ),
        ("stream", "audio.mp3", {"Content_Type": "audio/mpeg"}, "stream.mp3"),
        ("show.php", "audio.mp3", {"Content_Type": "audio/mpeg"}, "show.mp3"),
        ("talk", "video.mp4", {"Content_Type": "application/octet-stream"}, "talk.mp4"),
        ("song?x=1", "audio.mp3", {"Content_Type": "binary/octet-stream"}, "song.mp3"),
        (
            "files/film.mp4",
            "video.mp4",
            {"Content_Disposition": 'inline; filename="other.mp4"'},
            "film.mp4",
        ),
        # Plex names all of its files `file`: Tanq16/danzo#2.
        (
            "library/parts/9/file.mp4",
            "video.mp4",
            {"Content_Disposition": 'attachment; filename="A film (2020).mp4"'},
            "A film (2020).mp4",
        ),
    ],
)
def test_the_server_s_name_and_type_count_where_the_url_says_nothing(
    path: str, source: str, headers: dict[str, str], name: str, media: MediaServer, get: Get
) -> None:
    assert get(media.file(path, source, **headers)).filename == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="../../etc/passwd.mp4"', "passwd.mp4"),
        ('attachment; filename="C:\\\\Windows\\\\run.exe.mp4"', "run.exe.mp4"),
        ("attachment; filename*=UTF-8''..%2F..%2F.mediarip%2Fstore.mp4", "store.mp4"),
        ("attachment; filename*=UTF-8''%E2%80%AEa%0Ab.mp4", "a b.mp4"),
        ("attachment; filename*=bogus''%C3%A4.mp4", "ä.mp4"),
        ("attachment; filename=", "file.mp4"),
        ("attachment; filename=" + "x" * 5000, "file.mp4"),
        ('attachment; filename="run.sh"', "run.sh.mp4"),
    ],
)
def test_a_hostile_header_is_only_a_title(
    header: str, name: str, media: MediaServer, get: Get
) -> None:
    url = media.file("file?7", "video.mp4", Content_Disposition=header)
    assert get(url).filename == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="plain.mp3"', "plain.mp3"),
        ("attachment; filename=\"a.mp3\"; filename*=UTF-8''%C3%A4.mp3", "ä.mp3"),
        ('attachment; filename="ä.mp3"'.encode().decode("latin-1"), "ä.mp3"),
        ('attachment; filename="=?UTF-8?B?w6QubXAz?="', "ä.mp3"),
        ('attachment; filename="%C3%A4%20b.mp3"', "ä b.mp3"),
        ('attachment; filename="100% real.mp3"', "100% real.mp3"),
        ("inline", ""),
    ],
)
def test_the_encodings_of_servers_are_understood(header: str, name: str) -> None:
    headers = Message()
    headers["Content-Disposition"] = header
    assert direct_files._name(headers) == name  # noqa: SLF001 - a table of forms


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (b"\0\0\0\x20ftypisom", "mp4"),
        (b"\0\0\0\x20ftypM4A ", "m4a"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "mkv"),
        (b"OggS" + bytes(24) + b"OpusHead", "opus"),
        (b"ID3\x04", "mp3"),
        (b"fLaC", "flac"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"G" + bytes(187) + b"G" + bytes(187), "ts"),
        (b"%PDF-1.7", "unknown_video"),
    ],
)
def test_the_content_tells_the_type_where_nothing_else_does(head: bytes, extension: str) -> None:
    headers = Message()
    headers["Content-Type"] = "application/octet-stream"
    info = {
        "direct": True,
        "extractor_key": "Generic",
        "url": "https://e.com/x",
        "title": "x",
        "ext": "unknown_video",
    }
    direct_files.describe(info, {"https://e.com/x": direct_files.ServerAnswer(headers, head)})
    assert info["ext"] == extension
