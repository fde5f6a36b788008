"""Stopping a thread from outside, and what its sockets may connect to.

A thread can't be interrupted in Python: what it waits for is ended instead. Each piece of work has
a `WorkControl` that knows the sockets, child processes and sleeps of its threads; `patches` reports
them to it. `stop` shuts the sockets down, kills the children and wakes the sleeps, after which the
thread runs into an error of its own, within milliseconds.
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

from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_address, matches
from mediarip_mqtt.engine.pace import Pace

_ATTRIBUTE: Final = "_mediarip_control"
_IP: Final = frozenset((socket.AF_INET, socket.AF_INET6))
REAP_TIME: Final = 1.0


class WorkStoppedError(DownloadCancelled):  # type: ignore[misc] # yt-dlp has no types
    """Raised inside the work once it is stopped; yt-dlp lets this kind through."""


class BlockedAddressError(OSError):
    """The work tried to connect to an address that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WorkControl:
    """Knows all that the threads of one piece of work wait for."""

    def __init__(self, security: SecuritySettings, *, verify_tls: bool = True) -> None:
        self.verify_tls = verify_tls
        self.folder: Path | None = None  # the job's own, in which ffmpeg may open files
        self._security = security
        self._flag = threading.Event()
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._files: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cut: list[socket.socket] = []  # held, as who let go of them would not close them
        self._exempt: set[str] = set()
        self._closers: list[Callable[[], None]] = []
        self._closing = False
        self._trusted: set[str] = set()
        self.pace = Pace()
        self.proxied = False  # all goes through the administrator's proxy
        self.blocked: str | None = None  # why a connection was refused
        self.touched = time.monotonic()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._flag.is_set()

    def limit(self, rate: int) -> None:
        """Download at most so many bytes per second from now on; 0 is no limit."""
        self.pace.rate = rate

    def go_through(self, proxy: str) -> None:
        """Allow connections to the administrator's own proxy, wherever it stands."""
        self.proxied = True
        host = _name(urlsplit(proxy).hostname)
        self._trusted.add(host)
        self._exempt.add(host)

    def stop(self) -> None:
        """End all that the work waits for; returns at once, from any thread."""
        self._flag.set()
        with self._lock:
            sockets, children = list(self._sockets), list(self._children)
            self._cut += sockets
        for one in sockets:
            _shut_down(one)
        for child in children:
            _kill(child)

    def check(self, *_: object) -> None:
        """Raise `WorkStoppedError` once the work is stopped; fits every hook of yt-dlp."""
        if self._flag.is_set():
            raise WorkStoppedError("stopped")

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `WorkStoppedError` as soon as the work is stopped."""
        if self._flag.wait(seconds):
            self.check()

    def add_socket(self, one: socket.socket) -> None:
        """Know a socket; a weak reference, so that nothing is kept open by it."""
        with self._lock:
            self._sockets.add(one)

    def add_child(self, child: subprocess.Popen[bytes]) -> None:
        """Know a child process, which leads its own process group."""
        with self._lock:
            self._children = {one for one in self._children if one.returncode is None} | {child}
        if self._flag.is_set():
            _kill(child)

    def add_file(self, file: Any) -> None:
        """Know a file that the work writes."""
        with self._lock:
            self._files.add(file)

    def add_closer(self, function: Callable[[], None]) -> None:
        """Know what is to be called when the work ends."""
        with self._lock:
            self._closers.append(function)

    def guard(self, one: socket.socket, address: object) -> tuple[Any, ...]:
        """Return the address to connect to, or refuse it; after a stop, any.

        A name is resolved here: what the C library would make of it is seen by nobody.
        """
        self.check()
        if self._closing:
            raise ConnectionAbortedError("The work has ended.")
        if one.family not in _IP or not isinstance(address, tuple) or not address:
            raise BlockedAddressError("Only connections over IP are allowed.")
        host = address[0].decode("latin-1") if isinstance(address[0], bytes) else str(address[0])
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            found = socket.getaddrinfo(host or "0.0.0.0", address[1], one.family, one.type)  # noqa: S104 - what no name at all stands for
            address = found[0][4]
            host = str(address[0])
        try:
            check_address(host, self._security, exempt=host in self._exempt)
        except CommandError as error:
            self.blocked = error.message
            raise BlockedAddressError(error.message) from None
        return address

    def check_name(self, host: object) -> None:
        """Refuse a name that is blocked, before it is resolved; after a stop, any."""
        self.check()
        name = _name(host)
        if matches(name, self._security.blocked_hosts):
            self.blocked = f"The host {name} is blocked by security.blocked_hosts."
            raise BlockedAddressError(self.blocked)

    def resolved(self, host: object, addresses: list[str]) -> None:
        """Remember what an allowed host's name stands for."""
        if _name(host) in self._trusted or matches(_name(host), self._security.allowed_hosts):
            self._exempt.update(addresses)

    @property
    def guards(self) -> bool:
        """Whether inside addresses are refused."""
        return not self._security.allow_private_addresses or bool(self._security.blocked_hosts)

    def close(self) -> None:
        """Close what the work left open: a stopped download's socket, a child that still runs."""
        self._closing = True  # what its threads begin from now on would not be known here
        with self._lock:
            sockets, children = [*self._sockets, *self._cut], list(self._children)
            self._cut = []
            files = list(self._files)
            self._sockets, self._files = weakref.WeakSet(), weakref.WeakSet()
            self._children = set()
            closers, self._closers = self._closers, []
        for child in children:
            _kill(child)
        for one in sockets:
            _shut_down(one)
        for close in closers:
            close()
        for file in files:
            with contextlib.suppress(OSError, ValueError):
                file.close()
        for one in sockets:
            with contextlib.suppress(OSError):
                _socket.socket.close(one)
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(REAP_TIME)
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError, ValueError):
                        pipe.close()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make this thread, and the threads it starts, part of the work."""
        attach(threading.current_thread(), self)
        self._closing = False
        try:
            yield
        finally:
            attach(threading.current_thread(), None)
            self.close()


def attach(thread: threading.Thread, control: WorkControl | None) -> None:
    """Make a thread part of a piece of work."""
    setattr(thread, _ATTRIBUTE, control)


def current() -> WorkControl | None:
    """Return the control of the calling thread's work; None outside of any."""
    return getattr(threading.current_thread(), _ATTRIBUTE, None)


def _name(host: object) -> str:
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host or "")
    return text.lower().rstrip(".")


def _shut_down(one: socket.socket) -> None:
    # The base class's method: SSLSocket's own would take its state away from under its thread.
    with contextlib.suppress(OSError, ValueError):
        _socket.socket.shutdown(one, socket.SHUT_RDWR)


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
