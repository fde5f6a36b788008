"""Process-wide wrappers that tell a `WorkControl` what its threads wait for.

Applied once, in `install`. They act only in threads that are part of a piece of work; for all
others they are the originals. tests/engine/test_work_control.py fails where a new yt-dlp goes
around one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Final

from yt_dlp.downloader.common import FileDownloader
from yt_dlp.extractor.common import InfoExtractor

from mediarip_mqtt.engine import child_programs, page_guard
from mediarip_mqtt.engine.ffmpeg_proxy import GuardProxy
from mediarip_mqtt.engine.work_control import attach, current

_lock: Final = threading.Lock()
_installed: Final[list[bool]] = []
_WITH_ADDRESS: Final = 3  # arguments of sendmsg behind its buffers

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
_BLOCK_TIME: Final = 0.15  # seconds
_LEAST_BLOCK: Final = 16 * 1024
_read_page = InfoExtractor._webpage_read_content  # noqa: SLF001 - where all pages become text
_COUNTED: Final = "_mediarip_counted"


def install() -> None:
    """Apply the wrappers; once for the process."""
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
        FileDownloader.sanitize_open = _watched_open
        FileDownloader.slow_down = _paced
        FileDownloader.best_block_size = staticmethod(_block_size)
        InfoExtractor._webpage_read_content = _checked_page  # noqa: SLF001 - the same


def _block_size(elapsed: float, count: int) -> int:
    """Return how many bytes are read next: no more than come in a moment.

    yt-dlp reads what comes in a second, and reports once in that time.
    """
    best: int = _best_block_size(elapsed, count)
    moment = int(count / max(elapsed, 0.001) * _BLOCK_TIME)
    return min(best, max(moment, _LEAST_BLOCK))


def _watched_socket_init(self: socket.socket, *arguments: Any, **named: Any) -> None:
    # An SSLSocket comes by here, too, when it takes over its plain socket's descriptor.
    _socket_init(self, *arguments, **named)
    control = current()
    if control is not None:
        control.add_socket(self)


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _connect(self, _allowed(self, address))


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    return _connect_ex(self, _allowed(self, address))


def _allowed(one: socket.socket, address: Any) -> Any:
    control = current()
    if control is None:
        return address
    try:
        return control.guard(one, address)
    except BaseException:
        one.close()  # who calls does so for an OSError only, which a stop is not
        raise


def _guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
    control = current()
    if control is not None and rest:
        rest = (
            *rest[:-1],
            control.guard(self, rest[-1]),
        )  # the address is the last of two or three
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
    found = _getaddrinfo(host, *arguments, **named)
    control.resolved(host, [str(one[4][0]) for one in found])
    return found


def _watched_popen_init(
    self: subprocess.Popen[bytes], arguments: Any, *rest: Any, **named: Any
) -> None:
    control = current()
    if control is None:
        _popen_init(self, arguments, *rest, **named)
        return
    control.check()
    proxied = (lambda url: GuardProxy.of(control).plain(url)) if control.guards else None
    arguments = child_programs.checked(arguments, named, control.folder, proxied)
    named["env"] = child_programs.environment(named.get("env"))
    network = child_programs.opens_network(arguments)
    if control.proxied and network:
        raise child_programs.ProgramRefusedError(
            "This stream is recorded by ffmpeg, which can't go through the proxy of the settings."
        )
    if proxied and network:
        named["env"] = _behind_proxy(named["env"], GuardProxy.of(control).url)
    named["start_new_session"] = True  # a group of its own, so that all of it can be ended
    named["stdin"] = named.get("stdin") or subprocess.DEVNULL
    _popen_init(self, arguments, *rest, **named)
    control.add_child(self)


def _behind_proxy(environment: dict[str, str], url: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in environment.items()
        if key.lower() not in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
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
    # A stopped download leaves its fragments' files open until they are garbage; on NFS that keeps
    # the folder from being removed.
    found = _open(self, filename, open_mode)
    control = current()
    if control is not None and found:
        control.add_file(found[0])
    return found


def _paced(self: Any, start_time: float, now: float | None, byte_counter: int) -> None:
    # yt-dlp's own limit is one for each thread, and can't change on the way: it goes by the mean
    # since the beginning.
    control = current()
    if control is None:
        _slow_down(self, start_time, now, byte_counter)
        return
    before = getattr(self, _COUNTED, 0)
    setattr(self, _COUNTED, byte_counter)
    new = byte_counter - before if byte_counter >= before else byte_counter
    control.pace.spend(new, control.sleep)


def _checked_page(self: Any, *arguments: Any, **named: Any) -> Any:
    page = _read_page(self, *arguments, **named)
    if page and current() is not None:
        page_guard.check(page)
    return page


def _harmless_kill(pid: int, number: int) -> None:
    # yt-dlp's websocket_frag interrupts its own process, which is all of the service.
    if current() is not None and pid == os.getpid() and number == signal.SIGINT:
        raise RuntimeError("a download tried to interrupt the service")
    _kill(pid, number)
