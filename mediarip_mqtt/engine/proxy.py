"""A proxy on loopback that ffmpeg must go through: its sockets are guarded as our own are.

ffmpeg as a downloader (live streams) follows redirects and playlists by itself. Each connection it
asks for is opened here, in a thread of the job's work, so that the guard sees the address really
connected to and a stop cuts it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from mediarip_mqtt.engine.control import WorkControl, WorkStoppedError, attach

CONNECT_TIME: Final = 15.0
_CHUNK: Final = 64 * 1024
_HOP: Final = {"proxy-connection", "connection", "keep-alive", "proxy-authorization"}


class GuardProxy:
    """The proxy of one piece of work; ends with it."""

    _all: ClassVar[weakref.WeakKeyDictionary[WorkControl, GuardProxy]] = weakref.WeakKeyDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, control: WorkControl) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        thread = threading.Thread(target=self._serve, daemon=True, name="ffmpeg-proxy")
        attach(thread, control)
        thread.start()

    @classmethod
    def of(cls, control: WorkControl) -> GuardProxy:
        """Return the proxy of a piece of work; started where there is none yet."""
        with cls._lock:
            proxy = cls._all.get(control)
            if proxy is None:
                proxy = cls._all[control] = cls(control)
            return proxy

    @property
    def url(self) -> str:
        """Where ffmpeg finds it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def _serve(self) -> None:
        # The listening socket belongs to the work: its end closes it, and with it this loop.
        with contextlib.suppress(OSError, ValueError):
            self._server.serve_forever(poll_interval=0.2)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_CONNECT(self) -> None:
        """Open a tunnel."""
        host, _, port = self.path.rpartition(":")
        upstream = self._open(host.strip("[]"), int(port))
        if upstream is None:
            return
        self.send_response(200)
        self.end_headers()
        self._pump(upstream)

    def do_GET(self) -> None:
        """Pass a plain request on, and everything that follows on its connection."""
        parts = urlsplit(self.path)
        upstream = self._open(parts.hostname or "", parts.port or 80)
        if upstream is None:
            return
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        lines = [f"{self.command} {path} HTTP/1.1"]
        lines += [
            f"{key}: {value}" for key, value in self.headers.items() if key.lower() not in _HOP
        ]
        # One request a connection: the next one may name another host, which must be guarded, too.
        upstream.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        self._pump(upstream)

    def do_HEAD(self) -> None:
        """Pass it on in the same way."""
        self.do_GET()

    def do_POST(self) -> None:
        """Pass it on in the same way; ffmpeg's posts have no body."""
        self.do_GET()

    def _open(self, host: str, port: int) -> socket.socket | None:
        try:
            return socket.create_connection((host, port), CONNECT_TIME)
        except (OSError, ValueError, WorkStoppedError):
            with contextlib.suppress(OSError):
                self.send_error(403)
            return None
        finally:
            self.close_connection = True

    def _pump(self, upstream: socket.socket) -> None:
        with upstream, selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ, upstream)
            selector.register(upstream, selectors.EVENT_READ, self.connection)
            with contextlib.suppress(OSError, ValueError):
                while True:
                    for key, _ in selector.select(CONNECT_TIME * 4):
                        source: Any = key.fileobj
                        data = source.recv(_CHUNK)
                        if not data:
                            return
                        key.data.sendall(data)
