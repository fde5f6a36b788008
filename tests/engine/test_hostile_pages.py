"""What a hostile page or media server can not do: read local files, run programs, reach inside."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.utils import ExtractorError

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaType
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import child_programs, patches, programs
from mediarip_mqtt.engine.child_programs import ProgramRefusedError
from mediarip_mqtt.engine.error_classes import classify
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.work_control import BlockedAddressError, WorkControl
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.broker import wait_for
from tests.support.named import NamedFile, download
from tests.support.server import MediaServer, SilentListener
from tests.support.work import Work

OPEN = SecuritySettings(allow_private_addresses=True)
INSIDE = SecuritySettings(allowed_hosts=("127.0.0.1",))
CLOSED = SecuritySettings()
Get = Callable[..., tuple[NamedFile, ...]]

DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT6S" minBufferTime="PT1S" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000">'
    "<BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n"
# Each kind of playlist that ffmpeg knows by content, and where it leads.
DISGUISED = {
    "hls": HLS.replace("{0}", "file://{ts}"),
    "hls, plain path": HLS.replace("{0}", "{ts}"),
    "hls, mp4": HLS.replace("{0}", "file://{mp4}"),
    "hls, relative": HLS.replace("{0}", "../private/secret.ts"),
    "dash": DASH.replace("{0}", "file://{mp4}"),
    "dash, relative": DASH.replace("{0}", "../private/secret.mp4"),
    "ffconcat": "ffconcat version 1.0\nfile {mp4}\n",
    "ffconcat, relative": "ffconcat version 1.0\nfile secret.mp4\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.fixture(params=["system", pytest.param("wheel", marks=pytest.mark.slow)])
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run with each of the two ffmpegs that the service may find."""
    if request.param == "wheel":
        wheel = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
        monkeypatch.setattr(programs, "ffmpeg", lambda: str(wheel))
    programs.programs.cache_clear()
    yield str(programs.ffmpeg())
    programs.programs.cache_clear()


@pytest.fixture
def private(tmp_path: Path, media_folder: Path) -> Path:
    """Return a folder of local media that nobody sent."""
    folder = tmp_path / "private"
    folder.mkdir()
    shutil.copy(media_folder / "hls" / "s004.ts", folder / "secret.ts")
    shutil.copy(media_folder / "video.mp4", folder / "secret.mp4")
    return folder


@pytest.fixture
def get(tmp_path: Path) -> Get:
    def get(
        url: str,
        security: SecuritySettings = OPEN,
        between: Callable[[], object] = lambda: None,
        **options: Any,
    ) -> tuple[NamedFile, ...]:
        engine = YtdlpEngine(DownloadSettings(), security)
        (tmp_path / "temp").mkdir(exist_ok=True)
        task = Task("job", url, tmp_path / "temp", DownloadOptions(**options))
        return download(engine, task, extracted=lambda _: between())

    return get


def at_work(function: Callable[[], Any], security: SecuritySettings = CLOSED) -> Any:
    """Run a function as a part of guarded work."""
    patches.install()
    programs.programs()
    control = WorkControl(security)
    with control.working():
        return function()


# Local files


@pytest.mark.parametrize("kind", DISGUISED)
@pytest.mark.parametrize(
    "options",
    [
        {"output_format": "mkv"},
        {"media_type": MediaType.AUDIO, "output_format": "mp3"},
        {"media_type": MediaType.AUDIO},
    ],
    ids=["remux", "convert", "extract"],
)
def test_a_playlist_in_the_clothes_of_a_video_reads_no_local_file(
    kind: str,
    options: dict[str, Any],
    get: Get,
    media: MediaServer,
    private: Path,
    ffmpeg: str,
    tmp_path: Path,
) -> None:
    evil = DISGUISED[kind].replace("{ts}", str(private / "secret.ts"))
    evil = evil.replace("{mp4}", str(private / "secret.mp4"))
    (tmp_path / "temp").mkdir()
    if kind.startswith("ffconcat, rel"):
        shutil.copy(private / "secret.mp4", tmp_path / "temp" / "secret.mp4")
    url = media.text("evil.mp4", b"\0" * 8000, "video/mp4")  # looks well when it is looked at
    with pytest.raises(DownloadError) as caught:
        get(url, between=lambda: media.text("evil.mp4", evil, "video/mp4"), **options)
    assert caught.value.code == "postprocessing", caught.value.message
    made = [one for one in (tmp_path / "temp").iterdir() if one.name != "secret.mp4"]
    assert all(one.stat().st_size < 5000 for one in made), made


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("kind", ["segment", "path", "variant", "key", "map"])
def test_an_hls_playlist_from_the_network_reads_no_local_file(
    kind: str,
    live: bool,  # noqa: FBT001 - a parameter of the test
    media: MediaServer,
    private: Path,
    ffmpeg: str,
    tmp_path: Path,
) -> None:
    sent = "#EXTINF:1,\n/media/hls/s000.ts\n"
    lines = {
        "segment": f"#EXTINF:1,\nfile://{private}/secret.ts\n",
        "path": f"#EXTINF:1,\n{private}/secret.ts\n",
        "variant": f"#EXT-X-STREAM-INF:BANDWIDTH=9000\nfile://{private}/secret.ts\n",
        "key": f'#EXT-X-KEY:METHOD=AES-128,URI="file://{private}/secret.ts"\n{sent}',
        "map": f'#EXT-X-MAP:URI="file://{private}/secret.ts"\n{sent}',
    }[kind]
    end = "" if live or kind == "variant" else "#EXT-X-ENDLIST\n"
    url = media.text("x.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}{end}")
    (tmp_path / "temp").mkdir()
    work = Work(url, tmp_path / "temp", OPEN)
    # A live playlist that leads nowhere is read again and again.
    wait_for(lambda: work.outcome or len(media.requests) > 5, 20)
    work.stop()
    for one in (tmp_path / "temp").rglob("*"):
        assert one.is_dir() or not leaked(private / "secret.ts", one), one


def leaked(secret: Path, found: Path) -> bool:
    """Whether a file holds any of a stream's packets."""
    stream, content = secret.read_bytes(), found.read_bytes()
    return any(stream[at : at + 24] in content for at in range(1100, len(stream) - 24, 188))


def test_ffmpeg_opens_no_file_outside_the_job_s_folder(tmp_path: Path) -> None:
    program = str(programs.ffmpeg())
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "link.mp4").symlink_to("/etc/hostname")
    good = [program, "-y", "-i", f"file:{folder}/media.mp4", "-c", "copy", f"file:{folder}/o.mkv"]
    allowed = child_programs.checked(good, {}, folder, None)
    assert allowed[allowed.index("-i") - 1].startswith("aac,")
    for url in (
        "file:/etc/hostname",
        f"file:{folder}/../other.mp4",
        f"file:{folder}/link.mp4",
        f"file:{folder}/%03d.jpg",
        f"{folder}/media.mp4",
        "/etc/hostname",
        "concat:/etc/hostname",
        "subfile,,start,0,end,9,,:/etc/hostname",
        "rtmp://a.example/x",
        "tcp://a.example:80",
        "lavfi",
        "-",
    ):
        arguments = [url if one.endswith("media.mp4") else one for one in good]
        if url == "-":
            assert "pipe" in child_programs.checked(arguments, {}, folder, None)
            continue
        with pytest.raises(ProgramRefusedError):
            child_programs.checked(arguments, {}, folder, None)
    with pytest.raises(ProgramRefusedError):
        child_programs.checked(good, {}, None, None)


@pytest.mark.parametrize(
    "line",
    [
        "file '/etc/hostname'",
        "file 'file:/etc/hostname'",
        "file 'file:{folder}/../other.mp4'",
        "file 'http://192.168.1.1/x'",
        "option protocol_whitelist file,http",
        "exact_stream_id 1",
        "inpoint 0 file '/etc/hostname'",
    ],
)
def test_a_list_of_cuts_names_only_the_job_s_files(line: str, tmp_path: Path) -> None:
    program = str(programs.ffmpeg())
    cuts = tmp_path / "media.temp.mp4.concat"
    good = f"ffconcat version 1.0\nfile 'file:{tmp_path}/media.mp4'\ninpoint 0.5\noutpoint 4\n"
    arguments = [program, "-f", "concat", "-safe", "0", "-i", f"file:{cuts}", "-c", "copy", "x.mp4"]
    cuts.write_text(good)
    assert "concat" in child_programs.checked(arguments, {}, tmp_path, None)
    cuts.write_text(good + line.format(folder=tmp_path) + "\n")
    with pytest.raises(ProgramRefusedError):
        child_programs.checked(arguments, {}, tmp_path, None)


@pytest.mark.parametrize(
    "output", ["mp4", "mkv", "webm", "mp3", "m4a", "opus", "flac", "wav", "ogg"]
)
def test_what_is_a_medium_is_read_as_ever(
    output: str, ffmpeg: str, tmp_path: Path, media_folder: Path
) -> None:
    made = tmp_path / f"media.{output}"
    codecs = ["-c:v", "libvpx", "-c:a", "libopus"] if output == "webm" else []
    source = media_folder / "video.mp4"
    subprocess.run(
        [ffmpeg, "-v", "error", "-i", source, "-t", "1", *codecs, *sound(output), made], check=True
    )
    assert readable(ffmpeg, made)


def sound(output: str) -> list[str]:
    return [] if output in {"mp4", "mkv", "webm"} else ["-vn"]


def readable(ffmpeg: str, path: Path) -> bool:
    command = [ffmpeg, "-v", "error", "-i", f"file:{path}", "-f", "ffmetadata", "-"]
    allowed = child_programs.checked(command, {}, path.parent, None)
    return subprocess.run(allowed, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("name", ["jpg", "png", "webp", "bmp", "gif"])
def test_thumbnails_are_read_as_ever(
    name: str, ffmpeg: str, tmp_path: Path, media_folder: Path
) -> None:
    made = tmp_path / f"media.{name}"
    source = media_folder / "video.mp4"
    subprocess.run([ffmpeg, "-v", "error", "-i", source, "-frames:v", "1", made], check=True)
    assert readable(ffmpeg, made)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("media.srt", "1\n00:00:00,000 --> 00:00:01,000\nHello\n"),
        ("media.vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"),
        ("media.ass", "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"),
        ("media.meta", ";FFMETADATA1\ntitle=x\n"),
    ],
)
def test_subtitles_are_read_as_ever(name: str, text: str, ffmpeg: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert readable(ffmpeg, tmp_path / name)


# Programs


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["/bin/true"], {}),
        (["phantomjs", "x.js"], {}),
        (["rtmpdump", "-h"], {}),
        (["AtomicParsley", "-v"], {}),
        (["ffmpeg"], {}),  # by PATH: nobody knows which
        (["/tmp/ffmpeg", "-version"], {}),  # noqa: S108 - a path to refuse
        ("ffmpeg -version", {}),
        ("true", {"shell": True}),
        ([], {}),
    ],
)
def test_work_starts_no_program_but_ffmpeg_and_a_javascript_runtime(
    arguments: Any, named: dict[str, Any]
) -> None:
    with pytest.raises(ProgramRefusedError):
        at_work(lambda: subprocess.run(arguments, check=False, **named))
    program = str(programs.ffmpeg())
    with pytest.raises(ProgramRefusedError):
        at_work(lambda: subprocess.run([program], executable="/bin/true", check=False))
    assert at_work(lambda: subprocess.run([program, "-version"], check=False)).returncode == 0


def test_a_child_gets_none_of_the_service_s_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDIARIP__MQTT__PASSWORD", "s3cret")
    script = tmp_path / "show"
    script.write_text(f"#!{sys.executable}\nimport os\nprint(sorted(os.environ))\n")
    script.chmod(0o755)
    monkeypatch.setattr(programs, "programs", lambda: {str(script): "javascript"})
    for environment in (None, dict(os.environ)):
        run = partial(subprocess.run, [script], env=environment, capture_output=True, check=True)
        done = at_work(run)
        assert b"PATH" in done.stdout
        assert b"MEDIARIP" not in done.stdout


# Addresses


@pytest.fixture
def inside() -> Iterator[SilentListener]:
    listener = SilentListener()
    yield listener
    listener.stop()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "", "0", b"127.0.0.1"]
)
@pytest.mark.parametrize("way", ["connect", "connect_ex", "sendto", "sendto with flags", "sendmsg"])
def test_no_spelling_of_an_inside_address_goes_around_the_guard(
    host: str | bytes, way: str, inside: SilentListener
) -> None:
    kind = socket.SOCK_STREAM if way.startswith("connect") else socket.SOCK_DGRAM
    target: Any = (host, inside.port)

    def call() -> Any:
        with socket.socket(socket.AF_INET, kind) as one:
            if way == "sendto":
                return one.sendto(b"x", target)
            if way == "sendto with flags":
                return one.sendto(b"x", 0, target)
            if way == "sendmsg":
                return one.sendmsg([b"x"], (), 0, target)
            return getattr(one, way)(target)

    with pytest.raises(BlockedAddressError):
        at_work(call)
    assert not inside.was_called()


def test_a_name_is_connected_to_at_the_address_that_was_checked(
    inside: SilentListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])
    asked: list[str] = []

    def rebinding(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    connected: list[Any] = []
    monkeypatch.setattr(patches, "_getaddrinfo", rebinding)
    monkeypatch.setattr(patches, "_connect", lambda _, address: connected.append(address))

    def call() -> None:
        with socket.socket() as one:
            one.connect(("rebound.example", 80))

    at_work(call)
    assert connected == [("93.184.216.34", 80)]
    assert asked == ["rebound.example"]


def test_an_allowed_name_is_reached_by_a_plain_connect(inside: SilentListener) -> None:
    allowed = SecuritySettings(allowed_hosts=("localhost",))

    def call() -> None:
        with socket.socket() as one:
            one.connect(("localhost", inside.port))

    at_work(call, allowed)
    assert inside.was_called()


def test_no_other_kind_of_socket_is_connected(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(path)
        server.listen()

        def call() -> None:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(path)

        with pytest.raises(BlockedAddressError):
            at_work(call)


def test_a_tls_socket_is_guarded_as_well(inside: SilentListener) -> None:
    context = ssl.create_default_context()

    def call() -> None:
        with context.wrap_socket(socket.socket(), server_hostname="localhost") as one:
            one.connect(("localhost", inside.port))

    with pytest.raises(BlockedAddressError):
        at_work(call)


def test_a_blocked_name_is_not_even_resolved(
    get: Get, media: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def resolver(host: Any, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", media.port))]

    monkeypatch.setattr(patches, "_getaddrinfo", resolver)
    blocked = OPEN.model_copy(update={"blocked_hosts": ("blocked.example",)})
    target = f"http://www.blocked.example:{media.port}/bytes/1000/x.mp4"
    with pytest.raises(DownloadError) as caught:
        get(media.url(f"/redirect/x.mp4?to={target}"), blocked)
    assert caught.value.code == "blocked_address"
    assert "www.blocked.example" not in asked
    with pytest.raises(BlockedAddressError):
        at_work(lambda: socket.socket().connect(("blocked.example.", 80)), blocked)


# Time


@pytest.mark.parametrize(
    "text", [" " * 2_000_000 + "x", "https://" * 300_000, "\x1b[" * 500_000, "[a" * 500_000]
)
def test_a_site_s_endless_message_takes_no_time(text: str) -> None:
    assert len(classify(ExtractorError(text, expected=True)).message) <= 500


# JavaScript


def test_only_the_safest_javascript_runtime_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"deno", "node", "bun", "qjs"}
    monkeypatch.setattr(programs, "find", lambda name: f"/opt/{name}" if name in there else None)
    monkeypatch.setattr(programs, "version", lambda *_: "v24.1.0")
    for expected in ("deno", "node", "quickjs", "bun"):
        programs.js_runtimes.cache_clear()
        assert list(programs.js_runtimes()) == [expected]
        there.remove(programs.JS_RUNTIMES[expected])
    programs.js_runtimes.cache_clear()
    assert programs.js_runtimes() == {}
    programs.js_runtimes.cache_clear()
