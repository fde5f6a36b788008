"""What may be asked beside the medium itself: subtitles, chapters, thumbnail, SponsorBlock."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.postprocessor import get_postprocessor
from yt_dlp.postprocessor.sponsorblock import SponsorBlockPP

from mediarip_mqtt.commands import parse
from mediarip_mqtt.contract.errors import CommandError, DownloadError
from mediarip_mqtt.contract.media_options import (
    CATEGORIES,
    DownloadOptions,
    Embed,
    SponsorBlock,
    Subtitles,
)
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Extraction, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from mediarip_mqtt.engine.ytdlp_session import (
    CONVERT_SUBTITLES,
    EMBED_SUBTITLES,
    METADATA,
    OPTIONAL,
    SPLIT_CHAPTERS,
)
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.faulty import freeze, program
from tests.support.named import NamedFile, download
from tests.support.server import MediaServer
from tests.support.service import Service

Change = Callable[[dict[str, Any]], None]
Get = Callable[..., tuple[NamedFile, ...]]

VTT = "WEBVTT\n\n00:00.000 --> 00:02.000\nHello there\n"
PAGE = """<!doctype html><html><head><title>A film</title>
<script type="application/ld+json">%s</script></head><body></body></html>"""


@pytest.fixture
def get(tmp_path: Path) -> Get:
    """Return what runs a download as the engine does; ``change`` may act as an extractor."""

    def get(
        url: str, change: Change | None = None, downloads: dict[str, Any] | None = None, **wish: Any
    ) -> tuple[NamedFile, ...]:
        settings = DownloadSettings(**(downloads or {}))
        engine = YtdlpEngine(settings, SecuritySettings(allow_private_addresses=True))
        (tmp_path / "temp").mkdir(exist_ok=True)
        task = Task("job", url, tmp_path / "temp", DownloadOptions(**wish))

        def extracted(extraction: Extraction) -> None:
            if change:
                change(extraction.handle.info)

        return download(engine, task, settings, extracted=extracted)

    return get


def page_with_tracks(media: MediaServer) -> str:
    media.text("en.vtt", VTT, "text/vtt")
    media.text("de.vtt", VTT.replace("Hello there", "Guten Tag"), "text/vtt")
    tracks = "".join(
        f'<track kind="subtitles" src="/text/{one}.vtt" srclang="{one}">' for one in ("en", "de")
    )
    html = f'<video src="/media/video.mp4">{tracks}</video>'
    return media.text("film.html", f"<html><title>A film</title><body>{html}</body></html>")


def page_with_chapters(media: MediaServer) -> str:
    parts = [("Opening", 0, 2), ("../../The / middle", 2, 4), ("End", 4, 6)]
    content = {
        "@context": "https://schema.org",
        "@type": "VideoObject",
        "name": "A film",
        "description": "Two people meet. " * 20_000,
        "duration": "PT6S",
        "thumbnailUrl": media.url("media/cover.png"),
        "contentUrl": media.url("media/video.mp4"),
        "hasPart": [
            {"@type": "Clip", "name": name, "startOffset": start, "endOffset": end}
            for name, start, end in parts
        ],
    }
    return media.text("chapters.html", PAGE % json.dumps(content))


def look(path: str) -> dict[str, Any]:
    """Return what ffprobe finds in a file."""
    shown = ["-show_format", "-show_streams", "-show_chapters", "-of", "json"]
    done = subprocess.run(["ffprobe", "-v", "error", *shown, path], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def streams(path: str) -> list[str]:
    return [one["codec_type"] for one in look(path)["streams"]]


@pytest.mark.slow
def test_subtitles_lie_beside_the_film_under_its_name(media: MediaServer, get: Get) -> None:
    film, *others = get(page_with_tracks(media), subtitles="en,de")
    assert [one.filename for one in others] == ["A film (1).en.srt", "A film (1).de.srt"]
    assert film.filename == "A film (1).mp4"
    assert film.warning is None
    assert "00:00:02,000" in Path(others[0].temp_path).read_text()
    assert "Guten Tag" in Path(others[1].temp_path).read_text()
    assert not any(one.main for one in others)


def test_only_the_languages_of_the_settings_are_taken_where_none_is_named(
    media: MediaServer, get: Get
) -> None:
    _, only = get(page_with_tracks(media), subtitles=True, downloads={"subtitle_languages": ["de"]})
    assert only.filename == "A film (1).de.srt"


def test_subtitles_can_be_embedded(media: MediaServer, get: Get) -> None:
    wish = {"languages": ["en", "de"], "embed": True}
    (film,) = get(page_with_tracks(media), subtitles=wish)
    assert streams(film.temp_path).count("subtitle") == 2


def test_a_film_is_not_lost_for_want_of_subtitles(media: MediaServer, get: Get) -> None:
    page = page_with_tracks(media)
    del media.texts["de.vtt"]
    film, only = get(page, subtitles=["de", "en"])
    assert only.filename == "A film (1).en.srt"
    assert film.warning == "The subtitles in de could not be downloaded."
    (film,) = get(page, subtitles="fr")
    assert film.warning == "The page has no subtitles in these languages."


def test_a_page_s_language_can_t_lead_out_of_the_folder(
    media: MediaServer, get: Get, tmp_path: Path
) -> None:
    media.text("x.vtt", VTT, "text/vtt")
    track = '<track kind="subtitles" src="/text/x.vtt" srclang="../../../out">'
    html = f'<video src="/media/video.mp4">{track}</video>'
    page = media.text("evil.html", f"<html><title>x</title><body>{html}</body></html>")
    files = get(page, subtitles="all")
    assert len(files) == 1
    assert not list(tmp_path.rglob("*out*"))


def test_metadata_chapters_and_thumbnail_are_embedded(media: MediaServer, get: Get) -> None:
    (film,) = get(page_with_chapters(media), embed="metadata,chapters,thumbnail")
    found = look(film.temp_path)
    assert film.warning is None
    assert found["format"]["tags"]["title"] == "A film"
    assert [one["tags"]["title"] for one in found["chapters"]] == [
        "Opening",
        "../../The / middle",
        "End",
    ]
    assert any(one["disposition"]["attached_pic"] for one in found["streams"])


def test_audio_has_its_cover(media: MediaServer, get: Get) -> None:
    (song,) = get(
        page_with_chapters(media), media_type="audio", output_format="mp3", embed=["thumbnail"]
    )
    assert song.filename.endswith(".mp3")
    assert streams(song.temp_path) == ["audio", "video"]


def test_a_film_is_not_lost_for_want_of_a_thumbnail(media: MediaServer, get: Get) -> None:
    page = page_with_chapters(media)
    kind, content = media.texts["chapters.html"]
    broken = media.text("broken.png", b"no picture", "image/png")
    changed = content.replace(media.url("media/cover.png").encode(), broken.encode())
    media.texts["chapters.html"] = (kind, changed)
    (film,) = get(page, embed=["thumbnail"], output_format="mkv")
    assert streams(film.temp_path) == ["video", "audio"] or film.warning is None


def test_a_film_is_split_by_its_chapters(media: MediaServer, get: Get) -> None:
    film, *parts = get(page_with_chapters(media), split_chapters=True)
    assert [one.filename for one in (film, *parts)] == [
        "A film.mp4",
        "A film - 001 Opening.mp4",
        "A film - 002 ..⧸..⧸The ⧸ middle.mp4",
        "A film - 003 End.mp4",
    ]
    assert 1 < float(look(parts[0].temp_path)["format"]["duration"]) < 3


def test_what_has_no_chapters_is_not_split_and_says_so(media: MediaServer, get: Get) -> None:
    (film,) = get(media.url("media/video.mp4"), split_chapters=True)
    assert film.warning == "The media has no chapters to split at."


def test_a_page_that_claims_thousands_of_chapters_is_not_split(
    media: MediaServer, get: Get
) -> None:
    def many(info: dict[str, Any]) -> None:
        info["chapters"] = [
            {"start_time": n / 1000, "end_time": (n + 1) / 1000, "title": "x"} for n in range(5000)
        ]

    (film,) = get(media.url("media/video.mp4"), many, split_chapters=True)
    assert film.warning == "It has more than 200 chapters and was not split."


def test_what_is_optional_is_known_by_yt_dlp_s_names() -> None:
    steps = {"FFmpegEmbedSubtitle", "FFmpegSubtitlesConvertor", "SponsorBlock", "EmbedThumbnail"}
    assert {get_postprocessor(one).pp_key() for one in steps} == {
        *OPTIONAL,
        CONVERT_SUBTITLES,
        EMBED_SUBTITLES,
    }
    assert get_postprocessor("FFmpegMetadata").pp_key() == METADATA
    assert get_postprocessor("FFmpegSplitChapters").pp_key() == SPLIT_CHAPTERS


@pytest.mark.parametrize("embed", [True, False])
def test_a_film_is_not_lost_for_broken_subtitles(
    embed: bool,  # noqa: FBT001 - a parameter of the test
    media: MediaServer,
    get: Get,
) -> None:
    media.text("broken.ttml", "<tt><body><p begin=", "application/ttml+xml")
    track = '<track kind="subtitles" src="/text/broken.ttml" srclang="en">'
    html = f'<video src="/media/video.mp4">{track}</video>'
    page = media.text("broken.html", f"<html><title>x</title><body>{html}</body></html>")
    film, *_ = get(page, subtitles={"languages": ["en"], "embed": embed})
    assert streams(film.temp_path)[:2] == ["video", "audio"]
    assert film.warning


def test_a_film_is_not_lost_for_subtitles_by_another_protocol(media: MediaServer, get: Get) -> None:
    track = '<track kind="subtitles" src="ftp://127.0.0.1/a.vtt" srclang="en">'
    html = f'<video src="/media/video.mp4">{track}</video>'
    page = media.text("ftp.html", f"<html><title>x</title><body>{html}</body></html>")
    (film,) = get(page, subtitles="en")
    assert film.warning == "The subtitles in en could not be downloaded."


def test_subtitles_of_one_name_are_one(media: MediaServer, get: Get) -> None:
    media.text("a.vtt", VTT, "text/vtt")
    tracks = "".join(
        f'<track kind="subtitles" src="/text/a.vtt" srclang="{one}">' for one in ("en", "EN", "en.")
    )
    html = f'<video src="/media/video.mp4">{tracks}</video>'
    page = media.text("twice.html", f"<html><title>x</title><body>{html}</body></html>")
    _, *others = get(page, subtitles="all")
    assert len(others) == 1


def of_youtube(info: dict[str, Any]) -> None:
    """Make an extraction look as one of YouTube's, which is what SponsorBlock knows."""
    info.update(extractor_key="Youtube", extractor="youtube", id="abcdefghijk", duration=6.0)


def sponsors(media: MediaServer, *segments: tuple[str, float, float]) -> dict[str, Any]:
    """Serve SponsorBlock's API for that film; return the setting that leads there."""
    digest = hashlib.sha256(b"abcdefghijk").hexdigest()[:4]
    found = [
        {
            "category": category,
            "segment": [start, end],
            "videoDuration": 6.0,
            "actionType": "skip",
            "description": "",
        }
        for category, start, end in segments
    ]
    answer = json.dumps([{"videoID": "abcdefghijk", "segments": found}])
    media.text(f"sb/api/skipSegments/{digest}", answer, "application/json")
    return {"sponsorblock_api": media.url("text/sb")}


def test_sponsored_segments_are_marked_as_chapters(media: MediaServer, get: Get) -> None:
    api = sponsors(media, ("sponsor", 2.0, 4.0))
    (film,) = get(media.url("media/video.mp4"), of_youtube, api, sponsorblock="mark")
    titles = [one["tags"]["title"] for one in look(film.temp_path)["chapters"]]
    assert "[SponsorBlock]: Sponsor" in titles
    assert film.warning is None


def test_sponsored_segments_are_cut_out(media: MediaServer, get: Get) -> None:
    api = sponsors(media, ("sponsor", 2.0, 4.0))
    (film,) = get(
        media.url("media/video.mp4"), of_youtube, api, sponsorblock={"remove": ["sponsor"]}
    )
    assert 3 < float(look(film.temp_path)["format"]["duration"]) < 5


def test_a_film_is_not_lost_where_sponsorblock_does_not_answer(
    media: MediaServer, get: Get
) -> None:
    api = {"sponsorblock_api": media.url("status/400")}
    (film,) = get(media.url("media/video.mp4"), of_youtube, api, sponsorblock="mark")
    assert film.warning == "SponsorBlock could not be reached; nothing was marked or removed."
    (film,) = get(media.url("media/video.mp4"), sponsorblock="mark")
    assert film.warning == "SponsorBlock does not support this site."


def test_the_categories_are_those_that_yt_dlp_knows() -> None:
    assert set(CATEGORIES) == set(SponsorBlockPP.CATEGORIES)


@pytest.mark.parametrize(
    ("key", "value", "meaning"),
    [
        ("subtitles", True, Subtitles()),
        ("subtitles", False, None),
        ("subtitles", "en, de-AT", Subtitles(languages=("en", "de-AT"))),
        ("subtitles", ["en*"], Subtitles(languages=("en*",))),
        ("subtitles", {"languages": "en", "embed": True}, Subtitles(languages=("en",), embed=True)),
        ("sponsorblock", "mark", SponsorBlock(mark=CATEGORIES)),
        ("sponsorblock", {"remove": "sponsor,intro"}, SponsorBlock(remove=("sponsor", "intro"))),
        ("embed", True, tuple(Embed)),
        ("embed", "metadata", (Embed.METADATA,)),
        ("rate_limit", "2M", 2 * 2**20),
    ],
)
def test_wishes_can_be_written_in_short(key: str, value: object, meaning: object) -> None:
    payload = json.dumps({"url": "https://example.org/x", key: value})
    assert getattr(parse.parse(payload.encode(), "download"), key) == meaning


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("subtitles", "(a+)+$"),
        ("subtitles", "../x"),
        ("subtitles", ["en"] * 21),
        ("subtitles", {"langs": ["en"]}),
        ("sponsorblock", "everything"),
        ("sponsorblock", {"remove": ["adverts"]}),
        ("sponsorblock", {}),
        ("embed", "infojson"),
        ("rate_limit", 10),
        ("rate_limit", "fast"),
    ],
)
def test_a_wish_that_can_t_be_is_refused_by_its_name(key: str, value: object) -> None:
    payload = json.dumps({"url": "https://example.org/x", key: value})
    with pytest.raises(CommandError) as caught:
        parse.parse(payload.encode(), "download")
    assert (caught.value.code, caught.value.field) == ("invalid_payload", key)


def test_a_live_stream_is_refused_where_the_settings_say_so(media: MediaServer, get: Get) -> None:
    with pytest.raises(DownloadError, match="live_streams") as caught:
        get(media.url("live/i.m3u8"), downloads={"live_streams": "refuse"})
    assert caught.value.code == "unavailable"


@pytest.mark.slow
def test_files_that_belong_together_are_named_and_removed_together(
    service: Service, client: Client, media: MediaServer
) -> None:
    page = page_with_tracks(media)
    first = client.download(page, subtitles="en")
    client.wait_status(first, "completed", "failed")
    assert service.media() == ["A film (1).en.srt", "A film (1).mp4"]
    (service.root / "A film (1).mp4").rename(service.root / "elsewhere.mp4")
    second = client.download(page, subtitles={"languages": ["en", "fr"]}, on_duplicate="again")
    job = client.wait_status(second, "completed", "failed")
    assert job["filename"] == "A film (1) (2).mp4"
    assert job["subtitles"]["languages"] == ["en", "fr"]
    assert "A film (1) (2).en.srt" in service.media()
    assert client.request("delete", id=second, files=True)["ok"]
    assert service.media() == ["A film (1).en.srt", "elsewhere.mp4"]


def test_what_could_not_be_had_is_told_with_the_job(
    service: Service, client: Client, media: MediaServer
) -> None:
    url = media.url("media/video.mp4")
    job = client.wait_status(client.download(url, subtitles=True), "completed", "failed")
    assert job["status"] == "completed"
    assert "no subtitles" in job["warning"]
    assert service.running


@pytest.mark.slow
def test_a_name_that_is_taken_in_the_last_moment_costs_no_second_download(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port)
    service.program = program(freeze("before-move", 2, seconds=2))
    service.start()
    try:
        job_id = client.download(page_with_tracks(media), subtitles="en")
        wait_for(lambda: service.media() == ["A film (1).mp4"])
        (service.root / "A film (1).en.srt").write_text("another's")
        job = client.wait_status(job_id, "completed", "failed")
        assert (job["status"], job["attempt"]) == ("completed", 1)
        assert service.media() == ["A film (1).en (2).srt", "A film (1).en.srt", "A film (1).mp4"]
        assert (service.root / "A film (1).en.srt").read_text() == "another's"
    finally:
        service.stop()
