"""What the engine makes of pages, of errors and of an administrator's options."""

from __future__ import annotations

import contextlib
import errno
import io
import re
import subprocess
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    ProxyError,
    SSLError,
    TransportError,
)
from yt_dlp.utils import DownloadError as YtdlpError
from yt_dlp.utils import ExtractorError, GeoRestrictedError, PostProcessingError, UnsupportedError

from mediarip_mqtt.contract.errors import CommandError, ConfigError, DownloadError, Stopped
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Phase
from mediarip_mqtt.contract.presets import Preset, preset_names, resolve_preset
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings, SiteSettings
from mediarip_mqtt.engine import patches, template_fields, ytdlp_engine
from mediarip_mqtt.engine.error_classes import classify, clean
from mediarip_mqtt.engine.progress_meter import ProgressMeter
from mediarip_mqtt.engine.protocol import Report, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine, prepare_temp
from mediarip_mqtt.engine.ytdlp_options import build, check_options
from mediarip_mqtt.engine.ytdlp_session import YtdlpSession
from mediarip_mqtt.jobs.steps.step import PageData
from mediarip_mqtt.volume import names
from tests.support.broker import wait_for
from tests.support.named import NamedFile, download
from tests.support.server import MediaServer
from tests.support.server import content as made_up

OPEN = SecuritySettings(allow_private_addresses=True)
Get = Callable[..., tuple[NamedFile, ...]]


@pytest.fixture
def get(tmp_path: Path) -> Get:
    def get(url: str, security: SecuritySettings = OPEN, **options: Any) -> tuple[NamedFile, ...]:
        downloads = DownloadSettings(**options.pop("downloads", {}))
        engine = YtdlpEngine(downloads, security)
        (tmp_path / "temp").mkdir(exist_ok=True)
        task = Task("job", url, tmp_path / "temp", DownloadOptions(**options))
        return download(engine, task, downloads)

    return get


def wrapped(cause: BaseException) -> YtdlpError:
    """Return an error as yt-dlp raises it: the cause hidden in ``exc_info``."""
    return YtdlpError(f"ERROR: {cause}", (type(cause), cause, None))


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (UnsupportedError("https://a.example/x?token=s3cret"), "unsupported_url", False),
        (GeoRestrictedError("not here"), "geo_restricted", False),
        (ExtractorError("Sign in to confirm your age", expected=True), "age_restricted", False),
        (ExtractorError("Private video. Sign in", expected=True), "private", False),
        (ExtractorError("This video is only for members. Log in"), "login_required", False),
        (ExtractorError("The video is DRM protected", expected=True), "drm_protected", False),
        (ExtractorError("Premieres in 3 hours", expected=True), "not_yet_live", False),
        (ExtractorError("This live event will begin in 2 days."), "not_yet_live", False),
        (ExtractorError("Requested format is not available"), "unavailable", False),
        (ExtractorError("Unable to extract thing"), "unavailable", False),
        (ExtractorError("No supported JavaScript runtime"), "js_runtime_missing", False),
        (TransportError("Connection refused"), "network", True),
        (TransportError("The read operation timed out"), "timeout", True),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "network", True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "network", True),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", False),
        (OSError(errno.EROFS, "Read-only file system"), "storage_unavailable", True),
        (PostProcessingError("Conversion failed!"), "postprocessing", False),
        (YtdlpError("ERROR: Got error: 5 bytes read, 7 more expected"), "network", True),
        (YtdlpError("ERROR: Got error: HTTP Error 404: Not Found"), "not_found", False),
        (YtdlpError("ERROR: Got error: HTTP Error 503: Unavailable"), "unavailable", True),
        (YtdlpError("ERROR: Initialization fragment found after media"), "unsupported_url", False),
        (YtdlpError("ERROR: fragment 7 not found, unable to continue"), "network", True),
        (ExtractorError("The playlist is empty", expected=True), "unavailable", False),
        (ExtractorError("No fragment of hdrmovie 1429 was found"), "unavailable", False),
        (CertificateVerifyError("certificate verify failed"), "network", False),
        (SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "network", False),
        (SSLError("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred"), "network", True),
        (ProxyError("Tunnel connection failed: 407 Authentication Required"), "network", False),
        (ProxyError("Tunnel connection failed: 503 Service Unavailable"), "network", True),
        (KeyError("z"), "internal", False),
    ],
)
def test_an_error_becomes_a_code_and_a_sentence(
    error: BaseException,
    code: str,
    transient: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for one in (error, wrapped(error)):
        found = classify(one)
        assert (found.code, found.transient) == (code, transient), found.message
        assert 10 < len(found.message) <= 500
        assert "s3cret" not in found.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 7.5 "}, 7.5),
        # By the site's clock: the machine's may be wrong.
        (
            {
                "Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
                "Date": "Fri, 31 Dec 1999 23:59:29 GMT",
            },
            30,
        ),
        ({"Retry-After": "Friday, 31-Dec-99 23:59:59 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    response = Response(io.BytesIO(), "https://a.example/", headers, status=503)
    waited = classify(HTTPError(response)).retry_after
    assert waited == seconds


def test_retry_after_is_a_date_by_the_machine_s_clock_if_the_site_names_no_other() -> None:
    headers = {"Retry-After": formatdate(time.time() + 9e5, usegmt=True)}
    response = Response(io.BytesIO(), "https://a.example/", headers, status=503)
    assert classify(HTTPError(response)).retry_after == pytest.approx(9e5, rel=0.001)


def test_a_message_holds_no_colours_no_secrets_and_no_advice_to_report_to_yt_dlp() -> None:
    text = (
        "ERROR: \x1b[0;31m[generic]\x1b[0m x: HTTP Error https://me:pw@a.example/p?token=s3cret; "
        "please report this issue on  https://github.com/yt-dlp/yt-dlp/issues"
    )
    assert clean(text) == "HTTP Error https://a.example/p"


@pytest.mark.parametrize(
    "option",
    [
        "exec_cmd",
        "external_downloader",
        "paths",
        "outtmpl",
        "cookiefile",
        "cookiesfrombrowser",
        "postprocessors",
        "enable_file_urls",
        "ffmpeg_location",
        "download_archive",
        "cachedir",
    ],
)
def test_no_option_that_runs_programs_or_touches_files_can_be_configured(option: str) -> None:
    with pytest.raises(ConfigError, match=f"ytdlp_options.{option}"):
        check_options(DownloadSettings(ytdlp_options={option: "x"}))
    check_options(DownloadSettings(ytdlp_options={"proxy": "http://p", "format_sort": ["res"]}))


def test_presets_are_named_where_one_is_not_known_and_may_be_one_s_own() -> None:
    downloads = DownloadSettings(presets={"phone": {"quality": "480p", "output_format": "mp4"}})
    assert {"best", "2160p", "1440p", "1080p", "720p", "480p", "360p", "audio", "phone"} == set(
        preset_names(downloads)
    )
    assert resolve_preset("phone", downloads).quality == "480p"
    with pytest.raises(CommandError, match=r"1080p.*phone"):
        resolve_preset("8k", downloads)


def test_a_wrong_preset_of_one_s_own_is_named_at_the_start(tmp_path: Path) -> None:
    engine = YtdlpEngine(DownloadSettings(presets={"x": {"qualty": "1p"}}), OPEN)
    with pytest.raises(ConfigError, match=r"presets\.x\.qualty"):
        engine.check()


def test_one_s_own_preset_remuxes(get: Get, media: MediaServer) -> None:
    files = get(
        media.url("/media/video.mp4"),
        preset="phone",
        downloads={"presets": {"phone": {"output_format": "mkv"}}},
    )
    assert [one.filename for one in files] == ["video.mkv"]


def test_sites_have_templates_of_their_own(get: Get, media: MediaServer) -> None:
    files = get(
        media.url("/bytes/1000/clip.mp4"),
        downloads={"output_templates": {"127.0.0.1": "%(extractor)s/%(title)s-%(id)s.%(ext)s"}},
    )
    assert files[0].filename == "generic/clip-clip.mp4"


@pytest.mark.parametrize("rest", ["", "tail"])
def test_a_complete_or_too_long_partial_file_does_not_end_in_a_loop(
    rest: str, get: Get, media: MediaServer, tmp_path: Path
) -> None:
    (tmp_path / "temp").mkdir()
    (tmp_path / "temp" / "media.mp4.part").write_bytes(made_up(0, 50_000) + rest.encode())
    files = get(media.url("/bytes/50000/x.mp4"))
    assert Path(files[0].temp_path).read_bytes() == made_up(0, 50_000)


def test_only_what_can_go_on_is_kept_of_an_unclean_end(tmp_path: Path) -> None:
    for name in ("media.mp4.part", "media.f1.mp4", "media.f1.mp4.origin.json"):
        (tmp_path / name).write_bytes(b"x")
    known = set(tmp_path.iterdir())
    for name in ("media.mkv", "media.temp.mp4", "media.en.vtt", "media.jpg"):
        (tmp_path / name).write_bytes(b"x")
    prepare_temp(tmp_path)
    assert set(tmp_path.iterdir()) == known
    (tmp_path / "media.mp4.ytdl").write_bytes(b"x")
    prepare_temp(tmp_path)
    assert not list(tmp_path.iterdir())


def test_success_without_a_file_is_a_failure_with_a_reason(get: Get, media: MediaServer) -> None:
    with pytest.raises(DownloadError, match="made no file"):
        get(media.url("/bytes/50000/x.mp4"), downloads={"ytdlp_options": {"max_filesize": 10}})
    with pytest.raises(DownloadError) as caught:
        get(media.url("/bytes/0/x.mp4"))
    assert caught.value.code in {"network", "unavailable"}


def test_a_missing_fragment_is_not_left_out_in_silence(get: Get, media: MediaServer) -> None:
    text = (media.media / "hls" / "i.m3u8").read_text().replace("s00", "/media/hls/s00")
    playlist = media.text("broken.m3u8", text.replace("hls/s002", "hls/gone"))
    with pytest.raises(DownloadError):
        get(playlist)


@pytest.mark.parametrize(
    "lines",
    [
        "#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "#EXTINF:1,\nfile:///etc/passwd\n",
        '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/hostname"\n#EXTINF:1,\ns0.ts\n#EXT-X-ENDLIST\n',
    ],
)
def test_a_playlist_that_names_local_files_reads_none(
    lines: str, get: Get, media: MediaServer, tmp_path: Path
) -> None:
    playlist = media.text("evil.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}")
    with pytest.raises(DownloadError):
        get(playlist)
    for one in (tmp_path / "temp").rglob("*"):
        assert not one.is_file() or b"root:" not in one.read_bytes()


INSIDE = SecuritySettings(allowed_hosts=("127.0.0.1",))


def test_a_playlist_leads_no_one_inside(get: Get, media: MediaServer) -> None:
    inside = f"http://127.0.0.2:{media.port}/media/hls/s000.ts"
    lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inside}\n#EXT-X-ENDLIST\n"
    with pytest.raises(DownloadError) as caught:
        get(media.text("inside.m3u8", lines), INSIDE)
    assert caught.value.code == "blocked_address"
    assert not any("s000" in one.path for one in media.requests)


def test_a_live_playlist_leads_ffmpeg_not_inside(media: MediaServer, tmp_path: Path) -> None:
    inside = f"http://127.0.0.2:{media.port}/media/hls/s000.ts"
    lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inside}\n"
    url = media.text("live.m3u8", lines)
    engine = YtdlpEngine(DownloadSettings(), INSIDE)
    control = engine.control()
    task = Task("job", url, tmp_path)
    found = engine.extract(task, control)

    def work() -> None:
        with contextlib.suppress(Stopped):
            engine.download(task, found, control, lambda _: None)

    thread = threading.Thread(target=work)
    thread.start()
    before = len(media.requests)
    # ffmpeg reads the playlist again and again while it does not get the segment.
    wait_for(lambda: len(media.requests) > before + 3, 20)
    control.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert not any("s000" in one.path for one in media.requests)


def test_a_name_that_resolves_inside_is_refused_when_it_is_connected_to(
    get: Get, media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = patches._getaddrinfo  # noqa: SLF001 - the original

    def lying(host: Any, *rest: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == "rebound.example" else host, *rest, **named)

    monkeypatch.setattr("mediarip_mqtt.engine.patches._getaddrinfo", lying)
    url = f"http://rebound.example:{media.port}/bytes/1000/x.mp4"
    with pytest.raises(DownloadError) as caught:
        get(url, SecuritySettings())
    assert caught.value.code == "blocked_address"
    assert not media.requests
    assert get(url, SecuritySettings(allowed_hosts=("rebound.example",)))


def test_the_page_is_not_read_again_for_the_download(
    media: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = media.text("p.html", "<title>T</title><video src='/media/video.mp4'></video>")
    engine = YtdlpEngine(DownloadSettings(), OPEN)
    task = Task("job", page, tmp_path)
    found = engine.extract(task, engine.control())
    once = len([one for one in media.requests if "p.html" in one.path])
    assert found.is_fresh
    engine.download(task, found, engine.control(), lambda _: None)
    assert len([one for one in media.requests if "p.html" in one.path]) == once
    monkeypatch.setattr(ytdlp_engine, "HANDLE_AGE", -1)
    assert not engine.extract(task, engine.control()).is_fresh


@pytest.mark.parametrize("name", ["autonumber", "video_autonumber"])
def test_a_counter_in_a_name_is_one(name: str, get: Get, media: MediaServer) -> None:
    files = get(media.url("/bytes/1000/x.mp4"), output_template=f"%({name})d %(title)s.%(ext)s")
    assert files[0].filename == "1 x.mp4"


def test_the_time_in_a_name_is_that_of_the_extraction(media: MediaServer, tmp_path: Path) -> None:
    engine = YtdlpEngine(DownloadSettings(), OPEN)
    task = Task("job", media.url("/bytes/1000/x.mp4"), tmp_path)
    found = engine.extract(task, engine.control())
    assert engine.fill_template("%(epoch)d", found.fields, "mp4") == f"{found.fields['epoch']}.mp4"


def test_a_title_of_half_characters_can_be_stored_and_names_the_file(tmp_path: Path) -> None:
    engine = YtdlpEngine(DownloadSettings(), OPEN)
    page = PageData(fields=template_fields.harmless({"title": "a\ud800b", "tags": ["\udfff"]}))
    stored = PageData.model_validate_json(page.model_dump_json())
    name = names.safe_name(engine.fill_template("%(title)s %(tags)l", stored.fields, "mp4"))
    assert name == "a？b ？.mp4"


def test_progress_covers_all_parts_and_never_falls() -> None:
    reports: list[Report] = []
    meter = ProgressMeter(reports.append)
    video = {"format_id": "v", "vcodec": "h264", "acodec": "none", "filesize": 900}
    audio = {"format_id": "a", "vcodec": "none", "acodec": "aac", "filesize": 100}
    meter.plan({"requested_formats": [video, audio]}, processed=False)
    for part, steps in ((video, (0, 450, 300, 900)), (audio, (0, 100))):
        for received in steps:
            last = "finished" if received == part["filesize"] else "downloading"
            hook = {"status": last, "downloaded_bytes": received, "total_bytes": part["filesize"]}
            meter.downloading({**hook, "info_dict": part})
    meter.processing({"status": "started", "postprocessor": "Merger"})
    percents = [one.percent for one in reports]
    assert percents == sorted(percents)
    assert [one.phase for one in reports][-1] is Phase.MERGING
    assert {one.phase for one in reports} >= {Phase.VIDEO, Phase.AUDIO}
    assert 94 <= max(one.percent for one in reports if one.phase is Phase.AUDIO) <= 95
    assert percents[-1] < 100


def test_an_unknown_size_still_moves_and_does_not_end_too_early() -> None:
    reports: list[Report] = []
    meter = ProgressMeter(reports.append)
    meter.plan({"format_id": "0"}, processed=False)
    for received in (10**6, 10**8, 10**10):
        meter.downloading(
            {"status": "downloading", "downloaded_bytes": received, "info_dict": {"format_id": "0"}}
        )
    meter.downloading({"status": "finished", "info_dict": {"format_id": "0"}})
    assert [one.percent for one in reports][-1] == 100
    assert all(one.total_bytes is None for one in reports)
    assert all(one.percent < 96 for one in reports[:-1])


def test_one_video_of_unknown_length_is_downloaded(get: Get, media: MediaServer) -> None:
    files = get(media.url("/unknown/bytes/30000/x.mp4"))
    assert files[0].filesize == 30_000


def test_downloads_go_through_the_proxy_of_the_settings(get: Get, media: MediaServer) -> None:
    closed = SecuritySettings()  # the proxy may stand inside, what it is asked for may not
    proxy = {"proxy": media.url("")}
    (film,) = get("http://films.example/bytes/1000/x.mp4", closed, downloads=proxy)
    assert film.filesize == 1000
    assert any(one.path.startswith("http://films.example/") for one in media.requests)
    with pytest.raises(DownloadError) as caught:
        get("http://192.168.1.1/bytes/1000/x.mp4", closed, downloads=proxy)
    assert caught.value.code == "blocked_address"


def test_a_site_may_have_a_proxy_of_its_own_or_none(get: Get, media: MediaServer) -> None:
    sites = {"films.example": {"proxy": media.url("")}, "127.0.0.1": {"proxy": ""}}
    downloads = {"proxy": "http://127.0.0.1:1", "sites": sites}
    assert get("http://www.films.example/bytes/1000/x.mp4", downloads=downloads)
    assert get(media.url("bytes/1000/y.mp4"), downloads=downloads)


@pytest.mark.parametrize(
    "where", ["usual", "of the picture's site", "of some site", "of some site, and none for it"]
)
def test_a_picture_is_fetched_through_the_proxy_that_downloads_use(
    where: str, media: MediaServer
) -> None:
    source = ["-f", "lavfi", "-i", "testsrc=size=64x36", "-frames:v", "1"]
    command = ["ffmpeg", "-v", "error", *source, "-f", "image2pipe", "-c:v", "png", "-"]
    picture = subprocess.run(command, capture_output=True, check=True).stdout
    media.text("poster.png", picture, "image/png")
    proxy: dict[str, Any] = {"proxy": media.url("")}
    sites: dict[str, Any] = {
        "of the picture's site": {"pictures.example": proxy},
        "of some site": {"direct.example": {"proxy": ""}, "films.example": proxy},
        "of some site, and none for it": {
            "films.example": proxy,
            "pictures.example": {"proxy": ""},
        },
    }
    downloads = {"sites": sites[where]} if where in sites else proxy
    engine = YtdlpEngine(DownloadSettings(**downloads), SecuritySettings())
    url = "http://pictures.example/text/poster.png"
    if "none for it" in where:
        with pytest.raises(DownloadError):
            engine.picture(url, engine.control())
        assert not media.requests
        return
    assert engine.picture(url, engine.control()).startswith(b"\xff\xd8\xff")
    assert [one.path for one in media.requests] == [url]


def test_metadata_are_embedded_behind_a_proxy_too(get: Get, media: MediaServer) -> None:
    url = "http://films.example/media/video.mp4"
    (film,) = get(url, embed=["metadata"], downloads={"proxy": media.url("")})
    assert film.filesize > 1000
    assert film.warning is None


def test_a_stream_that_ffmpeg_records_does_not_go_round_the_proxy(
    get: Get, media: MediaServer
) -> None:
    with pytest.raises(DownloadError, match="proxy"):
        get("http://films.example/live/i.m3u8", downloads={"proxy": media.url("")})


def test_a_site_has_its_own_arguments_for_extractors(tmp_path: Path) -> None:
    arguments = {"youtube": {"player_client": ["web"]}}
    downloads = DownloadSettings(
        sites={"youtube.com": SiteSettings(extractor_args=arguments)},
        ytdlp_options={"extractor_args": {"twitch": {"x": ["y"]}}},
    )
    task = Task("job", "https://www.youtube.com/watch?v=x", tmp_path)
    built = build(task, Preset(), downloads, SecuritySettings(), None)
    assert built["extractor_args"] == {**arguments, "twitch": {"x": ["y"]}}


def test_a_page_s_title_makes_a_name_that_is_safe_everywhere(get: Get, media: MediaServer) -> None:
    title = '-.a:b?c*|&lt;"d\u202e\u200b \x07/../..'
    video = '<video src="/media/video.mp4"></video>'
    html = f"<html><head><title>{title}</title></head><body>{video}</body></html>"
    (film,) = get(media.text("title.html", html))
    assert film.filename.isprintable()
    assert not set(film.filename) & set('/\\:*?"<>|')
    assert not film.filename.startswith((".", "-", " "))


@pytest.mark.parametrize(
    ("setting", "wish", "from_start"),
    [
        ("now", None, False),
        ("now", True, True),
        ("from_start", None, True),
        ("from_start", False, False),
    ],
)
def test_a_live_stream_is_taken_from_its_start_where_that_is_wanted(
    setting: Any,
    wish: bool | None,  # noqa: FBT001 - a parameter of the test
    from_start: bool,  # noqa: FBT001 - the same
    tmp_path: Path,
) -> None:
    task = Task("job", "https://a.example/x", tmp_path, DownloadOptions(live_from_start=wish))
    downloads = DownloadSettings(live_streams=setting)
    built = build(task, Preset(), downloads, SecuritySettings(), None)
    assert built.get("live_from_start", False) is from_start


def test_the_time_is_in_a_live_recording_s_title_once(
    media: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # yt-dlp appends it each time it processes a page; in a template that names the title twice
    # it is there four times: ytdl-org/youtube-dl#29293.
    titles: list[str] = []

    def dl(_: object, name: str, info: dict[str, Any], *rest: object, **named: object) -> Any:
        del rest, named
        titles.append(info["title"])
        Path(name).write_bytes((media.media / "hls" / "s000.ts").read_bytes())
        return True, True

    engine = YtdlpEngine(DownloadSettings(), OPEN)
    task = Task("job", media.url("/live/i.m3u8"), tmp_path)
    found = engine.extract(task, engine.control())
    monkeypatch.setattr(YtdlpSession, "dl", dl)
    for _ in range(2):  # as after a failed attempt
        engine.download(task, found, engine.control(), lambda _: None)
        assert titles.pop() == found.info.title == found.fields["title"]
    assert len(re.findall(r"\d\d:\d\d", found.info.title or "")) == 1


def test_a_format_s_long_id_makes_no_name_that_is_too_long(get: Get, media: MediaServer) -> None:
    # Unfinished files are named by the ids of their formats: yt-dlp/yt-dlp#1136, #11364.
    long = "ä" * 200
    lines = [
        "#EXTM3U",
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{long}",NAME="{long}",URI="/media/hls/i.m3u8"',
        f'#EXT-X-STREAM-INF:BANDWIDTH=90000,RESOLUTION=64x64,CODECS="avc1,mp4a",AUDIO="{long}"',
        "/media/hls/i.m3u8",
    ]
    (file,) = get(media.text("film.m3u8", "\n".join([*lines, ""])))
    assert file.filename == "film.mp4"
