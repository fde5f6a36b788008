"""A file's name: what a template may say of a page, and what it is never told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import template_fields
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.engine.protocol import Extraction, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.engine.ytdlp_session import YtdlpSession
from mediarip_mqtt.volume import names
from tests.support.named import download
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)
NameOf = Callable[[str], str]
SECRET = "s3cret"
PAGE: dict[str, Any] = {
    "id": "x1",
    "title": "A film",
    "uploader": "Someone",
    "channel": "Films/2026",
    "upload_date": "20260102",
    "duration": 61,
    "playlist_index": 7,
    "playlist_title": "Best of",
    "chapter": "Opening",
    "tags": ["one", "a/b", {"url": SECRET}],
    "resolution": "1920x1080",
    "url": f"https://a.example/{SECRET}",
    "webpage_url": f"https://a.example/?token={SECRET}",
    "cookies": SECRET,
    "http_headers": {"Authorization": SECRET},
    "formats": [{"cookies": SECRET, "http_headers": {"Authorization": SECRET}}],
    "requested_formats": [{"cookies": SECRET}],
    "requested_subtitles": {"en": {"url": SECRET}},
    "thumbnails": [{"url": SECRET}],
    "filepath": f"/home/{SECRET}",
    "_filename": f"/home/{SECRET}",
    "_secret": SECRET,
}


@pytest.fixture
def name_of() -> NameOf:
    session = YtdlpSession({"quiet": True, "outtmpl_na_placeholder": ""}, OPEN, auto_init=False)

    def name_of(template: str) -> str:
        return names.safe_name(template_fields.fill(session, template, dict(PAGE), "mp4"))

    return name_of


HOSTILE = [
    "%(cookies)s",
    "%(cookies).150s",
    "%(cookies)j",
    "%(cookies.:)s",
    "%(cookies.0)s%(cookies.1)s",
    "%(formats)s",
    "%(formats)#j",
    "%(formats.0.cookies)s",
    "%(formats.-1.http_headers.Authorization)s",
    "%(formats.:.cookies)l",
    "%(formats.:.{cookies,http_headers})j",
    "%(.{cookies,url,http_headers})j",
    "%(.{formats.0.cookies})s",
    "%()s",
    "%()j",
    "%(http_headers)j",
    "%(http_headers.Authorization)q",
    "%(http_headers.Authorization)S",
    "%(nothing,cookies)s",
    "%(nothing,nowhere,formats.0.cookies|none)s",
    "%(cookies&has {})s",
    "%(cookies&{0})s",
    "%(requested_formats.0.cookies)s",
    "%(requested_subtitles.en.url)s",
    "%(thumbnails.0.url)s",
    "%(tags)j",
    "%(tags.2.url)s",
    "%(url)s",
    "%(webpage_url)s",
    "%(filepath)s",
    "%(_filename)s",
    "%(_secret)s",
    "%(cookies)c%(cookies.1)c%(cookies.2)c",
]


@pytest.mark.parametrize("template", HOSTILE)
def test_a_template_reaches_no_secret_by_any_way_of_its_language(
    template: str, name_of: NameOf
) -> None:
    name = name_of(f"x{template}.%(ext)s")
    assert SECRET not in name
    assert "s3" not in name
    assert name.endswith(".mp4")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("%(title)s.%(ext)s", "A film.mp4"),
        ("%(uploader)s/%(title).180B [%(id)s].%(ext)s", "Someone/A film [x1].mp4"),
        ("%(upload_date>%Y)s/%(upload_date>%Y-%m-%d)s %(title)s", "2026/2026-01-02 A film.mp4"),
        ("%(playlist_title)s/%(playlist_index)03d - %(title)s", "Best of/007 - A film.mp4"),
        ("%(playlist_index+10)d %(duration>%M-%S)s", "17 01-01.mp4"),
        ("%(autonumber)03d", "000.mp4"),
        ("%(duration_string)s", "1：01.mp4"),
        ("%(chapter)s %(resolution)s", "Opening 1920x1080.mp4"),
        ("%(nothing,uploader|unknown)s %(nothing|unknown)s", "Someone unknown.mp4"),
        ("%(title&Film {}|Other)s", "Film A film.mp4"),
        ("%(channel)s", "Films⧸2026.mp4"),
        ("%(tags.0)s %(tags.1)s", "one a⧸b.mp4"),
        ("%(tags)l", "one, a⧸b.mp4"),
    ],
)
def test_an_ordinary_template_names_the_file(template: str, name: str, name_of: NameOf) -> None:
    assert names.check_template(template) == template
    assert name_of(template) == name


@pytest.mark.parametrize("template", ["%(nothing|%(cookies)s)s", "%(tags)U"])
def test_a_template_that_can_t_be_filled_in_says_so(template: str, name_of: NameOf) -> None:
    with pytest.raises(DownloadError, match="another one") as caught:
        name_of(template)
    assert caught.value.code == "unsafe_path"


def test_a_page_s_endless_and_odd_values_make_a_name_too(
    name_of: NameOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {"duration": 10**5000, "view_count": float("nan"), "title": "x" * 10**6, "tags": {"a": 1}}
    for key, value in odd.items():
        monkeypatch.setitem(PAGE, key, value)
    assert name_of("%(duration)s%(view_count)s%(tags)s%(title)U") == "x" * 239 + ".mp4"


def test_no_sender_writes_the_administrator_s_secrets_into_a_name(
    media: MediaServer, tmp_path: Path
) -> None:
    jar = tmp_path / "admin.txt"
    jar.write_text(f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tSID\t{SECRET}\n")
    options = {"http_headers": {"Authorization": f"Bearer {SECRET}"}}
    engine = YtdlpEngine(
        DownloadSettings(ytdlp_options=options), OPEN, Cookies(tmp_path / "cookies", jar)
    )
    template = "%(cookies)s%(formats.0.cookies)s%(http_headers)j%(.{formats,http_headers})j"
    task = Task(
        "job",
        media.url("/bytes/1000/x.mp4"),
        tmp_path / "temp",
        DownloadOptions(output_template=template),
        session_id="bob",
    )
    task.temp_dir.mkdir()

    def extracted(extraction: Extraction) -> None:
        assert SECRET in json.dumps(extraction.handle.info, default=str)  # something to betray
        assert SECRET not in json.dumps(extraction.fields)

    (film,) = download(engine, task, extracted=extracted)
    assert SECRET not in film.filename
