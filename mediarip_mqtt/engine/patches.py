"""Process-wide patches that report to a `WorkControl` what its threads wait for.

`install` applies them once. They act only in threads that belong to a piece of work; in all others
they call the original. tests/engine/test_work_control.py fails if a new yt-dlp bypasses one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from yt_dlp.downloader.common import FileDownloader
from yt_dlp.downloader.external import FFmpegFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.downloader.http import HttpFD
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import NO_DEFAULT, DownloadError

from mediarip_mqtt.engine import (
    child_programs,
    finished_lists,
    hls_streams,
    partial_files,
    programs,
    subtitle_choice,
)
from mediarip_mqtt.engine.ffmpeg_proxy import GuardProxy
from mediarip_mqtt.engine.work_control import attach, current

_PROXIES: Final = frozenset(("http_proxy", "https_proxy", "all_proxy"))
_lock: Final = threading.Lock()
_installed: Final[list[bool]] = []
_WITH_ADDRESS: Final = 3  # sendmsg's arguments after its buffers

_socket_init = socket.socket.__init__
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_sendto = socket.socket.sendto
_sendmsg = socket.socket.sendmsg
_getaddrinfo = socket.getaddrinfo
_popen_init = subprocess.Popen.__init__
_thread_start = threading.Thread.start
_sleep = time.sleep
_kill = os.kill
_open = FileDownloader.sanitize_open
_slow_down = FileDownloader.slow_down
_best_block_size = FileDownloader.best_block_size
_report_retry = FileDownloader.report_retry
_BLOCK_TIME: Final = 0.15  # seconds
_LEAST_BLOCK: Final = 16 * 1024
_read_hls = InfoExtractor._parse_m3u8_formats_and_subtitles  # noqa: SLF001 - every HLS master list
_read_dash = InfoExtractor._parse_mpd_periods  # noqa: SLF001 - every DASH manifest
_read_html5 = InfoExtractor._parse_html5_media_entries  # noqa: SLF001 - every page's video elements
_vod_duration = InfoExtractor._parse_m3u8_vod_duration  # noqa: SLF001 - whether a list is live
_COUNTED: Final = "_mediarip_counted"
# Set in a reader: called in each program before it begins. The program stays in the reader's group.
before_program: Callable[[], None] | None = None


def install() -> None:
    """Apply the patches, once per process."""
    with _lock:
        if _installed:
            return
        _installed.append(True)
        socket.socket.__init__ = _watched_socket_init  # type: ignore[method-assign]
        socket.socket.connect = _guarded_connect  # type: ignore[method-assign,assignment]
        socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign,assignment]
        socket.socket.sendto = _guarded_sendto  # type: ignore[method-assign,assignment]
        socket.socket.sendmsg = _guarded_sendmsg  # type: ignore[method-assign,assignment]
        socket.getaddrinfo = _watched_getaddrinfo
        subprocess.Popen.__init__ = _watched_popen_init  # type: ignore[method-assign,assignment]
        threading.Thread.start = _inheriting_start  # type: ignore[method-assign]
        time.sleep = _stoppable_sleep  # type: ignore[assignment]
        os.kill = _harmless_kill
        FFmpegFD.available = staticmethod(_has_ffmpeg)
        FileDownloader.sanitize_open = _watched_open
        FileDownloader.slow_down = _paced
        FileDownloader.best_block_size = staticmethod(_block_size)
        FileDownloader.report_retry = _retried
        HttpFD.real_download = partial_files.download
        HlsFD.real_download = hls_streams.download
        InfoExtractor._parse_m3u8_formats_and_subtitles = _noted_hls  # noqa: SLF001 - the same
        InfoExtractor._parse_m3u8_vod_duration = _whole_duration  # noqa: SLF001 - the same
        InfoExtractor._parse_mpd_periods = _noted_dash  # noqa: SLF001 - the same
        InfoExtractor._parse_html5_media_entries = _noted_html5  # noqa: SLF001 - the same


def _block_size(elapsed: float, count: int) -> int:
    """Return the number of bytes to read next: what arrives in 0.15 s.

    yt-dlp's own blocks are what arrives in a second, and it reports progress once per block.
    """
    best: int = _best_block_size(elapsed, count)
    size = int(count / max(elapsed, 0.001) * _BLOCK_TIME)
    return min(best, max(size, _LEAST_BLOCK))


def _watched_socket_init(self: socket.socket, *arguments: Any, **named: Any) -> None:
    # Also called for an SSLSocket, when it takes over its plain socket's descriptor.
    _socket_init(self, *arguments, **named)
    control = current()
    if control is not None:
        control.add_socket(self)


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _connect(self, _allowed(self, address))


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    return _connect_ex(self, _allowed(self, address))


def _allowed(connecting: socket.socket, address: Any) -> Any:
    control = current()
    if control is None:
        return address
    try:
        return control.guard(connecting, address)
    except BaseException:
        connecting.close()  # callers close it after an OSError only, which a stop isn't
        raise


def _guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
    control = current()
    if control is not None and rest:
        # The address is the last of two or three arguments.
        rest = (*rest[:-1], control.guard(self, rest[-1]))
    return _sendto(self, data, *rest)


def _guarded_sendmsg(self: socket.socket, buffers: Any, *rest: Any) -> int:
    control = current()
    if control is not None and len(rest) == _WITH_ADDRESS and rest[-1] is not None:
        rest = (*rest[:-1], control.guard(self, rest[-1]))
    return _sendmsg(self, buffers, *rest)


def _watched_getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
    control = current()
    if control is None:
        return _getaddrinfo(host, *arguments, **named)
    control.check_name(host)
    results = _getaddrinfo(host, *arguments, **named)
    control.resolved(host, [str(result[4][0]) for result in results])
    return results


def _watched_popen_init(
    self: subprocess.Popen[bytes], arguments: Any, *rest: Any, **named: Any
) -> None:
    control = current()
    if control is None:
        _popen_init(self, arguments, *rest, **named)
        return
    control.check()
    # Behind the proxy also for the URL's login, and for its patience: it asks again where a server
    # fails for seconds.
    needs_proxy = control.guards or control.login is not None
    through_proxy = needs_proxy or not _has_proxy(named.get("env") or os.environ)
    proxied = (lambda url: GuardProxy.of(control).plain(url)) if through_proxy else None
    arguments = child_programs.checked(arguments, named, control.folder, proxied)
    named["env"] = child_programs.environment(named.get("env"))
    network = child_programs.opens_network(arguments)
    if control.proxied and network:
        raise child_programs.ProgramRefusedError(
            "ffmpeg records this stream, and it can't use the configured proxy."
        )
    if proxied and network:
        named["env"] = _behind_proxy(named["env"], GuardProxy.of(control).url)
    if before_program is not None:
        named["preexec_fn"] = before_program
    else:
        named["start_new_session"] = True  # its own process group, so that all of it can be killed
    named["stdin"] = named.get("stdin") or subprocess.DEVNULL
    _popen_init(self, arguments, *rest, **named)
    child_programs.limit_extra(self.pid, arguments)
    control.add_child(self)


def _has_proxy(environment: Mapping[str, str]) -> bool:
    """Whether the environment sends requests through a proxy of its own."""
    return any(value for key, value in environment.items() if key.lower() in _PROXIES)


def _behind_proxy(environment: dict[str, str], url: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in environment.items()
        if key.lower() not in {*_PROXIES, "no_proxy"}
    }
    return {**kept, "http_proxy": url, "https_proxy": url}


def _inheriting_start(self: threading.Thread) -> None:
    control = current()
    if control is not None:
        attach(self, control)
    _thread_start(self)


def _stoppable_sleep(seconds: float) -> None:
    control = current()
    if control is None:
        _sleep(seconds)
    else:
        control.sleep(seconds)


def _watched_open(self: Any, filename: str, open_mode: str) -> Any:
    # A stopped download leaves fragment files open until they are garbage collected; on NFS the
    # folder can't be removed meanwhile.
    control = current()
    if control is not None and control.keep_part and open_mode.startswith("w"):
        control.keep_part(filename)
    opened = _open(self, filename, open_mode)
    if control is not None and opened:
        control.add_file(opened[0])
    return opened


def _paced(self: Any, start_time: float, now: float | None, byte_counter: int) -> None:
    # yt-dlp's own limit is per thread, and can't change during a download: it uses the mean rate
    # since the start.
    control = current()
    if control is None:
        _slow_down(self, start_time, now, byte_counter)
        return
    before = getattr(self, _COUNTED, 0)
    setattr(self, _COUNTED, byte_counter)
    new = byte_counter - before if byte_counter >= before else byte_counter
    control.pace.spend(new, control.sleep)


def _retried(  # noqa: PLR0913, PLR0917 - yt-dlp's signature
    self: Any,
    error: Any,
    count: int,
    retries: int,
    frag_index: Any = NO_DEFAULT,
    fatal: bool = True,  # noqa: FBT001, FBT002 - the same
) -> None:
    # yt-dlp's last report is a text: whether to try again later, and when, is lost in it.
    if current() is not None and fatal and count > retries and isinstance(error, Exception):
        raise DownloadError(f"Got error: {error}", (type(error), error, error.__traceback__))
    _report_retry(self, error, count, retries, frag_index, fatal)


def _has_ffmpeg(_path: str | None = None) -> bool:
    # yt-dlp looks on the PATH only, and by a program that work may not start. Without ffmpeg it
    # records a live stream's video and, when that has ended, its audio.
    return programs.ffmpeg() is not None


# yt-dlp drops what tells a language's subtitles apart: that they are forced, or for the hard of
# hearing.


def _noted_hls(
    self: Any, m3u8_doc: str, m3u8_url: str | None = None, *arguments: Any, **named: Any
) -> Any:
    formats, subtitles = _read_hls(self, m3u8_doc, m3u8_url, *arguments, **named)
    subtitle_choice.note_hls(m3u8_doc, m3u8_url, subtitles)
    return formats, subtitles


def _noted_dash(self: Any, mpd_doc: Any, *arguments: Any, **named: Any) -> Any:
    periods = list(_read_dash(self, mpd_doc, *arguments, **named))
    for period in periods:
        if isinstance(period, dict):
            subtitle_choice.note_dash(mpd_doc, period["subtitles"])
    return periods


def _noted_html5(self: Any, base_url: str, webpage: str, *arguments: Any, **named: Any) -> Any:
    entries = _read_html5(self, base_url, webpage, *arguments, **named)
    subtitle_choice.note_html5(webpage, base_url, entries)
    return entries


def _whole_duration(self: Any, m3u8_vod: str, video_id: str) -> Any:
    self._downloader.list_holds_first = finished_lists.holds_first(m3u8_vod)
    return _vod_duration(self, finished_lists.ended(m3u8_vod), video_id)


def _harmless_kill(pid: int, number: int) -> None:
    # yt-dlp's websocket_frag sends SIGINT to its own process, which is the whole service.
    if current() is not None and pid == os.getpid() and number == signal.SIGINT:
        raise RuntimeError("a download tried to interrupt the service")
    _kill(pid, number)
