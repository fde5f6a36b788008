"""Live streams behind the guard: ffmpeg reaches nothing but by us, and nothing of it stays."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mediarip_mqtt.contract.errors import Stopped
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.engine.protocol import Made
from tests.support.broker import wait_for
from tests.support.server import MediaServer, SilentListener
from tests.support.work import Work

GUARDED = SecuritySettings(allowed_hosts=("127.0.0.1",))
OPEN = SecuritySettings(allow_private_addresses=True)


@pytest.fixture
def leaves_nothing() -> Iterator[None]:
    """Hold that no thread, child or descriptor stays; the server's own are gone by then, too."""
    threads = set(threading.enumerate())
    files = psutil.Process().num_fds()
    children = set(psutil.Process(os.getpid()).children(recursive=True))
    yield
    wait_for(
        lambda: not {one.name for one in set(threading.enumerate()) - threads},
        5,
        "the threads to end",
    )
    assert not set(psutil.Process(os.getpid()).children(recursive=True)) - children
    wait_for(lambda: psutil.Process().num_fds() <= files, 5, "the descriptors to close")


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., Work]:
    return lambda url, **options: Work(url, tmp_path, GUARDED, **options)


def live_playlist(*segments: str, end: bool = False) -> str:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"]
    for one in segments:
        lines += ["#EXTINF:1.0,", one]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if end else []), ""])


def asked(server: MediaServer, path: str) -> Callable[[], bool]:
    return lambda: any(path in one.path for one in server.requests)


def test_a_live_stream_that_was_stopped_leaves_no_thread(
    media: MediaServer, leaves_nothing: None, begin: Callable[..., Work]
) -> None:
    work = begin(media.url("/live/i.m3u8"))
    wait_for(asked(media, "/media/hls/s"), 20, "a segment")
    work.stop()
    assert isinstance(work.outcome, Stopped)


def test_a_live_stream_that_ends_leaves_no_thread(
    media: MediaServer, leaves_nothing: None, begin: Callable[..., Work]
) -> None:
    segments = [f"/media/hls/s{number:03d}.ts" for number in range(3)]
    url = media.text("ends.m3u8", live_playlist(*segments))
    work = begin(url)
    wait_for(asked(media, "s000"), 20, "a segment")
    media.text("ends.m3u8", live_playlist(*segments, end=True))
    work.thread.join(20)
    assert isinstance(work.outcome, Made), work.outcome
    assert work.outcome.files[0].size > 10_000


@pytest.mark.parametrize("guarded", [True, False])
def test_ffmpeg_s_requests_get_the_login_of_the_url_on_its_host_only(
    guarded: bool,  # noqa: FBT001 - a parameter of the test
    media: MediaServer,
    tmp_path: Path,
    leaves_nothing: None,
) -> None:
    media.login = "me:pa55"
    away = media.url("/media/hls/s001.ts", "localhost")
    url = media.text("ends.m3u8", live_playlist("/media/hls/s000.ts", away))
    both = SecuritySettings(allowed_hosts=("127.0.0.1", "localhost"))
    work = Work(url, tmp_path, both if guarded else OPEN, login="me:pa55")
    wait_for(asked(media, "s001"), 20, "a segment")
    media.text("ends.m3u8", live_playlist("/media/hls/s000.ts", away, end=True))
    work.thread.join(20)
    assert isinstance(work.outcome, Made), work.outcome
    assert {one.authorization for one in media.requests if "localhost" in str(one.host)} == {None}


def test_a_live_stream_whose_server_falls_silent_leaves_no_thread(
    media: MediaServer, leaves_nothing: None, begin: Callable[..., Work]
) -> None:
    work = begin(media.text("mute.m3u8", live_playlist("/stall/2000/media/hls/s000.ts")))
    wait_for(asked(media, "s000"), 20, "a segment")
    work.stop()
    assert isinstance(work.outcome, Stopped)


def test_a_live_stream_over_tls_passes_with_a_certificate_that_is_checked(
    media_tls: MediaServer,
    leaves_nothing: None,
    begin: Callable[..., Work],
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    segments = [media_tls.url(f"/media/hls/s{number:03d}.ts") for number in range(3)]
    url = media_tls.text("tls.m3u8", live_playlist(*segments))
    work = begin(media_tls.url("/redirect/x.m3u8?to=" + url), compat_opts=["no-certifi"])
    wait_for(asked(media_tls, "s000"), 20, "a segment")
    media_tls.text("tls.m3u8", live_playlist(*segments, end=True))
    work.thread.join(20)
    assert isinstance(work.outcome, Made), work.outcome


@pytest.mark.parametrize("unchecked", [True, False])
def test_a_live_stream_over_tls_is_not_taken_from_a_server_that_proves_nothing(
    unchecked: bool,  # noqa: FBT001 - a parameter of the test
    media: MediaServer,
    media_tls: MediaServer,
    leaves_nothing: None,
    begin: Callable[..., Work],
) -> None:
    url = media.text("mixed.m3u8", live_playlist(media_tls.url("/media/hls/s000.ts")))
    work = begin(url, nocheckcertificate=unchecked)
    wait_for(lambda: len([one for one in media.requests if "mixed" in one.path]) > 4, 20)
    work.stop()
    assert asked(media_tls, "s000")() is unchecked


@pytest.mark.parametrize("kind", ["httpproxy", "http", "https"])
def test_a_live_playlist_leads_ffmpeg_not_inside_by_any_protocol(
    kind: str, media: MediaServer, begin: Callable[..., Work]
) -> None:
    inside = SilentListener("127.0.0.2")
    lines = live_playlist(f"{kind}://127.0.0.2:{inside.port}/x.ts")
    work = begin(media.text("inside.m3u8", lines))
    wait_for(lambda: len([one for one in media.requests if "inside" in one.path]) > 3, 20)
    work.stop()
    assert not inside.was_called()
    inside.stop()
