"""Stops threads from outside, and restricts the addresses that they connect to.

Python can't interrupt a thread, so whatever it waits for is ended instead. Each piece of work has a
`WorkControl` that tracks the sockets, child processes and sleeps of its threads; `patches` reports
them. `stop` shuts the sockets down, kills the children and wakes the sleeps; the thread then fails
with an error of its own, within milliseconds.
"""

from __future__ import annotations

import _socket
import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from yt_dlp.utils import DownloadCancelled

from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_address, matches
from mediarip_mqtt.engine import own_networks
from mediarip_mqtt.engine.rate_limiter import Pace
from mediarip_mqtt.engine.site_login import SiteLogin
from mediarip_mqtt.volume.space import is_full

_ATTRIBUTE: Final = "_mediarip_control"
_IP: Final = frozenset((socket.AF_INET, socket.AF_INET6))
REAP_TIME: Final = 1.0  # seconds


class WorkStoppedError(DownloadCancelled):  # type: ignore[misc] # yt-dlp has no types
    """Raised in work that was stopped; yt-dlp doesn't catch `DownloadCancelled`."""


class RecordingEndedError(DownloadCancelled):  # type: ignore[misc] # yt-dlp has no types
    """Raised in a recording that `WorkControl.finish` ended; what it has is kept."""


class BlockedAddressError(OSError):
    """Work tried to connect to an address that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WorkControl:
    """Tracks what the threads of one piece of work wait for; usable from any thread."""

    def __init__(self, security: SecuritySettings, *, verify_tls: bool = True) -> None:
        self.verify_tls = verify_tls
        self.folder: Path | None = None  # the job's own; ffmpeg may open files in it only
        self._security = security
        self._flag = threading.Event()
        self._wake = threading.Event()  # ends sleeps: after `stop`, and while `finish` takes effect
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._files: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cut: list[socket.socket] = []  # sockets that were shut down; kept open until `close`
        self._exempt: set[str] = set()
        self._closers: list[Callable[[], None]] = []
        self._closing = False
        self._trusted: set[str] = set()
        self.pace = Pace()
        self.provider: str | None = None  # the URL that its plugin may ask
        self._provider_addresses: set[str] = set()
        self._asking: int | None = None  # the thread that asks the provider
        self.login: SiteLogin | None = None  # from the job's URL
        self.proxied = False  # all requests use the administrator's proxy
        self.blocked: str | None = None  # why a connection was refused
        self.touched = time.monotonic()
        self.recording = False  # records something that may have no end: `finish` has an effect
        self.live = False  # the recording is surely a live stream
        self.finishing: str | None = None  # why `finish` was called
        self.failure: DownloadError | None = None  # why `give_up` was called
        self.no_space = False  # ffmpeg said that the volume is full
        self.keep_part: Callable[[str], None] | None = (
            None  # called before a file is cut to nothing
        )
        self.on_touch: Callable[[], None] | None = None
        self.out_of_memory = False  # why the work failed

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._flag.is_set()

    def limit(self, rate: int) -> None:
        """Set the rate limit in bytes per second, effective at once; 0 means no limit."""
        self.pace.rate = rate

    def go_through(self, proxy: str) -> None:
        """Allow connections to the administrator's proxy, even at a private address."""
        self.proxied = True
        host = _name(urlsplit(proxy).hostname)
        self._trusted.add(host)
        self._exempt.add(host)

    @contextmanager
    def asking_provider(self) -> Iterator[None]:
        """Let this thread connect to the provider's host and port, even at a private address."""
        self._asking = threading.get_ident()
        try:
            yield
        finally:
            self._asking = None

    @property
    def asks_provider(self) -> bool:
        """Whether this thread asks the provider."""
        return self._asking == threading.get_ident()

    def may_ask(self, url: str) -> bool:
        """Whether a URL is the provider's; raise `CommandError` unless its plugin asks it."""
        if self.provider is None or _origin(url) != _origin(self.provider):
            return False
        if not self.asks_provider:
            raise CommandError(
                ErrorCode.BLOCKED_ADDRESS, "Only the plugin for PO tokens may ask their provider."
            )
        return True

    def stop(self) -> None:
        """Set the flag, shut the sockets down and kill the children; don't wait."""
        self._flag.set()
        self._wake.set()
        self._end_waits(signal.SIGKILL)

    def finish(self, why: str) -> None:
        """End a recording, and keep it: the work goes on with what was recorded; don't wait.

        It has no effect on other work. Repeat it until `recording` is False.
        """
        if not self.recording:
            return
        self.finishing = self.finishing or why
        self._wake.set()
        self._end_waits(signal.SIGINT)  # ffmpeg completes its file

    def begin_recording(self, *, live: bool) -> None:
        """Let `finish` end what follows."""
        self.finishing = None
        self.recording, self.live = True, live

    def end_recording(self) -> None:
        """Let the rest of the work go on, even after `finish`."""
        self.recording = self.live = False
        self._wake.clear()
        if self._flag.is_set():
            self._wake.set()

    def _end_waits(self, number: signal.Signals) -> None:
        with self._lock:
            sockets, children = list(self._sockets), list(self._children)
            self._cut += sockets
        for tracked in sockets:
            _shut_down(tracked)
        for child in children:
            _kill(child, number)

    def give_up(self, failure: DownloadError) -> None:
        """End the work with this failure; don't wait."""
        self.failure = failure
        self._wake.set()
        self._end_waits(signal.SIGKILL)

    def touch(self) -> None:
        """Note that the work goes on."""
        self.touched = time.monotonic()
        if self.on_touch is not None:
            self.on_touch()

    def check(self, *_: object) -> None:
        """Raise if the work was stopped or its recording ended; usable as any hook of yt-dlp."""
        if self._flag.is_set():
            raise WorkStoppedError("stopped")
        if self.failure is not None:
            raise self.failure
        if self.recording and self.finishing is not None:
            raise RecordingEndedError(self.finishing)

    def ran_out_of_space(self) -> bool:
        """Whether a full volume is why ffmpeg failed; blocks."""
        return self.no_space or (self.folder is not None and is_full(self.folder))

    def sleep(self, seconds: float) -> None:
        """Sleep; raise `WorkStoppedError` as soon as the work is stopped."""
        if self._wake.wait(seconds):
            self.check()

    def add_socket(self, created: socket.socket) -> None:
        """Track a socket (weakly, so that it isn't kept open)."""
        with self._lock:
            self._sockets.add(created)

    def add_child(self, child: subprocess.Popen[bytes]) -> None:
        """Track a child process that leads its own process group."""
        with self._lock:
            running = {known for known in self._children if known.returncode is None}
            self._children = running | {child}
        if self._flag.is_set():
            _kill(child)

    def forget_child(self, child: subprocess.Popen[bytes]) -> None:
        """Let a child process live on after the work."""
        with self._lock:
            self._children.discard(child)

    def add_file(self, file: Any) -> None:
        """Track a file that the work writes (weakly)."""
        with self._lock:
            self._files.add(file)

    def add_closer(self, function: Callable[[], None]) -> None:
        """Call a function when the work ends."""
        with self._lock:
            self._closers.append(function)

    def guard(self, connecting: socket.socket, address: object) -> tuple[Any, ...]:
        """Return the address to connect to; raise `BlockedAddressError` or `WorkStoppedError`.

        Names are resolved here: the C library would resolve them again, unchecked.
        """
        self.check()
        if self._closing:
            raise ConnectionAbortedError("The work has ended.")
        if connecting.family not in _IP or not isinstance(address, tuple) or not address:
            raise BlockedAddressError("Only connections over IP are allowed.")
        host = address[0].decode("latin-1") if isinstance(address[0], bytes) else str(address[0])
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            family, kind = connecting.family, connecting.type
            results = socket.getaddrinfo(host or "0.0.0.0", address[1], family, kind)  # noqa: S104 - the meaning of an empty name
            address = results[0][4]
            host = str(address[0])
        exempt = host in self._exempt or (self.asks_provider and host in self._provider_addresses)
        try:
            check_address(host, self._security, exempt=exempt, is_own=own_networks.is_own)
        except CommandError as error:
            self.blocked = error.message
            raise BlockedAddressError(error.message) from None
        return address

    def check_name(self, host: object) -> None:
        """Raise `BlockedAddressError` for a blocked host, before it is resolved."""
        self.check()
        name = _name(host)
        if matches(name, self._security.blocked_hosts):
            self.blocked = f"The host {name} is blocked by security.blocked_hosts."
            raise BlockedAddressError(self.blocked)

    def resolved(self, host: object, addresses: list[str]) -> None:
        """Exempt the addresses of an allowed host from the check."""
        if _name(host) in self._trusted or matches(_name(host), self._security.allowed_hosts):
            self._exempt.update(addresses)
        if self.asks_provider and _name(host) == _origin(self.provider or "")[0]:
            self._provider_addresses.update(addresses)

    @property
    def guards(self) -> bool:
        """Whether any address is refused."""
        return not self._security.allow_private_addresses or bool(self._security.blocked_hosts)

    def close(self) -> None:
        """Close what the work left open: sockets of a stopped download, running children."""
        self._closing = True  # refuses new connections, which would not be tracked
        with self._lock:
            sockets, children = [*self._sockets, *self._cut], list(self._children)
            self._cut = []
            files = list(self._files)
            self._sockets, self._files = weakref.WeakSet(), weakref.WeakSet()
            self._children = set()
            closers, self._closers = self._closers, []
        for child in children:
            _kill(child)
        for tracked in sockets:
            _shut_down(tracked)
        for close in closers:
            close()
        for file in files:
            with contextlib.suppress(OSError, ValueError):
                file.close()
        for tracked in sockets:
            with contextlib.suppress(OSError):
                _socket.socket.close(tracked)
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(REAP_TIME)
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError, ValueError):
                        pipe.close()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make this thread, and the threads that it starts, part of the work."""
        attach(threading.current_thread(), self)
        self._closing = False
        try:
            yield
        finally:
            attach(threading.current_thread(), None)
            self.close()


def attach(thread: threading.Thread, control: WorkControl | None) -> None:
    """Make a thread part of a piece of work, or of none."""
    setattr(thread, _ATTRIBUTE, control)


def current() -> WorkControl | None:
    """Return the control of the calling thread's work; None if it belongs to none."""
    return getattr(threading.current_thread(), _ATTRIBUTE, None)


def _origin(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", None
    return _name(parts.hostname), port


def _name(host: object) -> str:
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host or "")
    return text.lower().rstrip(".")


def _shut_down(tracked: socket.socket) -> None:
    # The base class's method: SSLSocket's would drop the TLS state that its thread still uses.
    with contextlib.suppress(OSError, ValueError):
        _socket.socket.shutdown(tracked, socket.SHUT_RDWR)


def _kill(child: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(child.pid) == child.pid:
                os.killpg(child.pid, number)
            else:  # in a reader, which is killed with its whole group
                child.send_signal(number)
