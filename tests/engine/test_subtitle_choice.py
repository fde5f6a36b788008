"""Of several subtitles in one language the full ones are taken, as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.engine import subtitle_choice
from tests.support.named import NamedFile
from tests.support.server import MediaServer

Get = Callable[..., tuple[NamedFile, ...]]
HLS = "application/vnd.apple.mpegurl"


def vtt(text: str) -> str:
    return f"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{text}\n"


def film_with(media: MediaServer, *tracks: tuple[str, str]) -> str:
    """Serve an HLS film with subtitles in English: attributes of each, and its text."""
    lines = ["#EXTM3U"]
    for number, (attributes, text) in enumerate(tracks):
        media.text(f"{number}.vtt", vtt(text), "text/vtt")
        listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n/text/{number}.vtt\n#EXT-X-ENDLIST"
        media.text(f"{number}.m3u8", listed, HLS)
        lines.append(
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",LANGUAGE="en",{attributes},'
            f'URI="/text/{number}.m3u8"'
        )
    codecs = 'CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=320x240,SUBTITLES="s"'
    lines += [f"#EXT-X-STREAM-INF:BANDWIDTH=300000,{codecs}", "/media/hls/i.m3u8", ""]
    return media.text("film.m3u8", "\n".join(lines), HLS)


def page_with(media: MediaServer, *tracks: str) -> str:
    html = f'<video src="/media/video.mp4">{"".join(tracks)}</video>'
    return media.text("film.html", f"<html><title>A film</title><body>{html}</body></html>")


def texts(files: tuple[NamedFile, ...]) -> dict[str, str]:
    """Return the last line of each subtitle file, by the end of its name."""
    return {
        file.filename.partition(".")[2]: Path(file.temp_path).read_text().split("\n")[2]
        for file in files[1:]
    }


FULL = ('NAME="English",DEFAULT=YES,FORCED=NO', "Good morning")
FORCED = ('NAME="English",DEFAULT=NO,FORCED=YES', "A SIGN")
NAMED_FORCED = ('NAME="English (Forced)",DEFAULT=NO', "A SIGN")
SDH = ('NAME="English (SDH)",DEFAULT=NO', "[music]")
CHARACTERISTIC = (
    'NAME="English",CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog"',
    "[music]",
)


@pytest.mark.parametrize("other", [FORCED, NAMED_FORCED, SDH, CHARACTERISTIC])
@pytest.mark.parametrize("first", [True, False])
def test_the_full_subtitles_of_a_language_are_taken(
    other: tuple[str, str],
    first: bool,  # noqa: FBT001 - a parameter of the test
    get: Get,
    media: MediaServer,
) -> None:
    """yt-dlp/yt-dlp#16475: a master list with the standard subtitles, and those for the deaf."""
    tracks = (FULL, other) if first else (other, FULL)
    files = get(film_with(media, *tracks), subtitles="en")
    assert texts(files) == {"en.srt": "Good morning"}
    assert files[0].warning is None


def test_forced_subtitles_are_kept_apart_where_all_are_wanted(get: Get, media: MediaServer) -> None:
    files = get(film_with(media, FORCED, FULL), subtitles="all")
    assert texts(files) == {"en.srt": "Good morning", "en.forced.srt": "A SIGN"}


def test_a_language_with_forced_subtitles_only_has_a_warning(get: Get, media: MediaServer) -> None:
    files = get(film_with(media, FORCED), subtitles="en")
    assert texts(files) == {"en.forced.srt": "A SIGN"}
    assert files[0].warning == "The page has only forced subtitles in en."


def test_subtitles_for_the_deaf_are_taken_where_there_are_no_others(
    get: Get, media: MediaServer
) -> None:
    files = get(film_with(media, SDH), subtitles="en")
    assert texts(files) == {"en.srt": "[music]"}
    assert files[0].warning is None


def test_a_dash_track_s_role_says_that_it_is_forced(get: Get, media: MediaServer) -> None:
    media.text("full.vtt", vtt("Good morning"), "text/vtt")
    media.text("signs.vtt", vtt("A SIGN"), "text/vtt")
    tracks = "".join(
        '<AdaptationSet mimeType="text/vtt" lang="en">'
        f'<Role schemeIdUri="urn:mpeg:dash:role:2011" value="{role}"/>'
        f'<Representation id="{role}" bandwidth="1"><BaseURL>{name}.vtt</BaseURL>'
        "</Representation></AdaptationSet>"
        for name, role in (("full", "subtitle"), ("signs", "forced-subtitle"))
    )
    url = media.text(
        "film.mpd",
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT6S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="v" bandwidth="9" width="320" height="240" codecs="avc1.42c00d">'
        f"<BaseURL>/media/video.mp4</BaseURL></Representation></AdaptationSet>{tracks}"
        "</Period></MPD>",
        "application/dash+xml",
    )
    assert texts(get(url, subtitles="en")) == {"en.srt": "Good morning"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_page_s_labels_say_that_a_track_is_forced(
    order: tuple[int, int], get: Get, media: MediaServer
) -> None:
    media.text("a.vtt", vtt("Good morning"), "text/vtt")
    media.text("b.vtt", vtt("A SIGN"), "text/vtt")
    tracks = [
        '<track kind="subtitles" srclang="en" label="English" src="/text/a.vtt">',
        '<track kind="subtitles" srclang="en" label="English (forced)" src="/text/b.vtt">',
    ]
    files = get(page_with(media, *(tracks[number] for number in order)), subtitles="en")
    assert texts(files) == {"en.srt": "Good morning"}


# Formats


@pytest.mark.parametrize("order", [("vtt", "json"), ("json", "vtt")])
@pytest.mark.parametrize("form", ["srt", "vtt", "ass", "original"])
def test_a_text_format_is_taken_where_there_is_one(
    order: tuple[str, str], form: str, get: Get, media: MediaServer
) -> None:
    media.text("t.vtt", vtt("Hello"), "text/vtt")
    media.text("t.json", '{"events": []}', "application/json")
    tracks = [f'<track kind="subtitles" srclang="en" src="/text/t.{ext}">' for ext in order]
    wish = {"languages": ["en"], "format": form}
    film, subtitles = get(page_with(media, *tracks), subtitles=wish)
    ext = "vtt" if form == "original" else form
    assert subtitles.filename.endswith(f".en.{ext}")
    assert film.warning is None


@pytest.mark.parametrize("embed", [True, False])
def test_a_format_that_can_not_be_converted_is_kept_and_the_warning_says_so(
    embed: bool,  # noqa: FBT001 - a parameter of the test
    get: Get,
    media: MediaServer,
) -> None:
    media.text("t.json", '{"events": []}', "application/json")
    media.text("de.vtt", vtt("Guten Tag"), "text/vtt")
    url = page_with(
        media,
        '<track kind="subtitles" srclang="en" src="/text/t.json">',
        '<track kind="subtitles" srclang="de" src="/text/de.vtt">',
    )
    film, *others = get(url, subtitles={"languages": ["en", "de"], "embed": embed})
    assert film.warning
    assert "in en could not be" in film.warning
    names = [file.filename.partition(".")[2] for file in others]
    assert names == (["en.json"] if embed else ["en.json", "de.srt"])


def test_one_language_that_fails_does_not_keep_the_next_from_being_converted(
    get: Get, media: MediaServer
) -> None:
    media.text("en.ttml", "<tt><body><p begin=", "application/ttml+xml")
    media.text("de.vtt", vtt("Guten Tag"), "text/vtt")
    url = page_with(
        media,
        '<track kind="subtitles" srclang="en" src="/text/en.ttml">',
        '<track kind="subtitles" srclang="de" src="/text/de.vtt">',
    )
    film, _, german = get(url, subtitles=["en", "de"])
    assert german.filename.endswith(".de.srt")
    assert film.warning == "The subtitles in en could not be converted to srt; they stay ttml."


@pytest.mark.parametrize(
    "content", ["<!doctype html><html><body>Log in</body></html>", ""], ids=["page", "empty"]
)
def test_a_page_in_place_of_subtitles_is_not_kept(
    content: str, get: Get, media: MediaServer
) -> None:
    media.text("en.vtt", content, "text/html")
    url = page_with(media, '<track kind="subtitles" srclang="en" src="/text/en.vtt">')
    (film,) = get(url, subtitles="en")
    assert film.warning == "The subtitles in en could not be downloaded."


def test_subtitles_are_named_by_what_they_hold(get: Get, media: MediaServer) -> None:
    media.text("subtitles.php", vtt("Hello"), "text/plain")
    url = page_with(media, '<track kind="subtitles" srclang="en" src="/text/subtitles.php">')
    assert texts(get(url, subtitles="en")) == {"en.srt": "Hello"}


# Languages


def test_a_missing_language_of_several_is_named(get: Get, media: MediaServer) -> None:
    media.text("en.vtt", vtt("Hello"), "text/vtt")
    url = page_with(media, '<track kind="subtitles" srclang="en" src="/text/en.vtt">')
    film, _ = get(url, subtitles=["en", "de", "fr*"])
    assert film.warning == "The page has no subtitles in de, fr*."


@pytest.mark.parametrize("languages", ["all", "live*"])
def test_a_chat_is_no_subtitles(languages: str, get: Get, media: MediaServer) -> None:
    def chat(info: dict[str, Any]) -> None:
        track = {"url": media.url("text/chat.json"), "ext": "json"}
        info["subtitles"] = {"live_chat": [track], "rechat": [track], "danmaku": [track]}

    media.text("chat.json", "{}", "application/json")
    (film,) = get(media.url("media/video.mp4"), chat, subtitles=languages)
    assert film.warning == "The page has no subtitles in these languages."


def test_a_word_in_the_film_s_title_makes_no_track_forced() -> None:
    tracks = {"en": [{"url": "https://e.com/forced-entry.en.vtt", "ext": "vtt"}]}
    assert list(subtitle_choice.arranged(tracks)) == ["en"]


def test_an_automatic_caption_does_not_replace_one_that_was_written(
    get: Get, media: MediaServer
) -> None:
    for name, text in (("written", "Good morning"), ("automatic", "good moaning")):
        media.text(f"{name}.vtt", vtt(text), "text/vtt")

    def both(info: dict[str, Any]) -> None:
        for key, name in (("subtitles", "written"), ("automatic_captions", "automatic")):
            info[key] = {"en": [{"url": media.url(f"text/{name}.vtt"), "ext": "vtt"}]}

    wish = {"languages": ["en"], "automatic": True}
    files = get(media.url("media/video.mp4"), both, subtitles=wish)
    assert texts(files) == {"en.srt": "Good morning"}
