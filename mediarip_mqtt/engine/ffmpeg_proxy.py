"""A loopback proxy for ffmpeg, which applies the address guard to its connections.

ffmpeg as a downloader (live streams) follows redirects and playlists by itself. Its connections are
opened here, in a thread of the job's work: the guard checks the address that is connected to, and a
stop cuts the connection.

ffmpeg may only use plain HTTP; TLS is done here. For a CONNECT tunnel it would need its protocol
``httpproxy``, and a playlist with ``httpproxy://192.168.1.1:80/`` would make it connect there
directly. So ``https`` is replaced by ``http`` in ffmpeg's first URL, in redirects and in playlists,
and the proxy connects to the origins of replaced URLs with TLS.

ffmpeg ends a recording at the first list that it can't get, so a request is sent again while a
server fails for seconds; and the proxy notes what became of the lists, which ffmpeg doesn't tell.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
import threading
import time
import weakref
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, ClassVar, Final
from urllib.parse import SplitResult, urlsplit

import certifi

from mediarip_mqtt.engine.live_lists import Lists
from mediarip_mqtt.engine.site_login import SiteLogin
from mediarip_mqtt.engine.work_control import BlockedAddressError, WorkControl, attach

CONNECT_TIME: Final = 15.0  # seconds
SILENCE: Final = 60.0  # seconds without a byte after which a connection is closed
END_TIME: Final = 1.0  # seconds that each thread has to end
PATIENCE: Final = 20.0  # seconds for which a failed request is sent again; ffmpeg waits for 60
PAUSE: Final = 1.0  # seconds between two of these requests
_SERVER_FAULT: Final = 500
_CLIENT_FAULT: Final = 400
_TLS_PORT: Final = 443
_CHUNK: Final = 64 * 1024
_PLAYLIST_LIMIT: Final = 8 * 2**20
_HOP: Final = {"proxy-connection", "connection", "keep-alive", "proxy-authorization", "host"}
_HOP_BACK: Final = {"connection", "keep-alive", "transfer-encoding", "content-length", "location"}
# Where a link may start: at the start of a line, an attribute or an element's text.
_LINK: Final = re.compile(
    rb"""(^|["'>])([ \t]{0,8})(https:)?//(\[[0-9a-f:.]{2,50}\]|[^\s/?#"'<>:@\[\]]{1,255})"""
    rb"""(:[0-9]{1,5})?(?=[\s/?#"'<>]|$)""",
    re.IGNORECASE | re.MULTILINE,
)


class GuardProxy:
    """The proxy of one piece of work; it ends together with the work."""

    _all: ClassVar[weakref.WeakKeyDictionary[WorkControl, GuardProxy]] = weakref.WeakKeyDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, control: WorkControl) -> None:
        self._control = weakref.ref(control)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.verified = control.verify_tls
        self._server.login = control.login
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), daemon=True, name="ffmpeg-proxy"
        )
        attach(self._thread, control)
        self._thread.start()
        control.add_closer(self.close)

    @classmethod
    def known(cls, control: WorkControl) -> GuardProxy | None:
        """Return the proxy of a piece of work if ffmpeg has used one."""
        with cls._lock:
            return cls._all.get(control)

    @classmethod
    def of(cls, control: WorkControl) -> GuardProxy:
        """Return the proxy of a piece of work; start it on first use."""
        with cls._lock:
            proxy = cls._all.get(control)
            if proxy is None:
                proxy = cls._all[control] = cls(control)
            return proxy

    @property
    def url(self) -> str:
        """The proxy's URL for ffmpeg."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def lists(self) -> Lists:
        """What became of the lists that ffmpeg read."""
        return self._server.lists

    def plain(self, url: str) -> str:
        """Return the URL without TLS that ffmpeg requests instead."""
        return self._server.plain(url)

    def close(self) -> None:
        """End its threads; none of them blocks, as the work's sockets are shut down by then."""
        with self._lock:
            control = self._control()
            if control is not None:
                self._all.pop(control, None)
        self._server.shutdown()
        self._server.server_close()
        for thread in (self._thread, *self._server.threads):
            thread.join(END_TIME)


class _Server(ThreadingMixIn, TCPServer):
    request_queue_size = 32
    verified = True
    login: SiteLogin | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.lists = Lists()
        self._secure: set[tuple[str, int]] = set()
        self._context: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread that is tracked before it starts."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
            name="ffmpeg-request",
        )
        self.threads.add(thread)
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore broken connections: a stop causes them."""

    def plain(self, url: str) -> str:
        """Return a URL without TLS, and remember to use TLS for its origin."""
        parts = urlsplit(url)
        if parts.scheme.lower() != "https":
            return url
        self._secure.add((parts.hostname or "", parts.port or _TLS_PORT))
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return parts._replace(scheme="http", netloc=f"{host}:{parts.port or _TLS_PORT}").geturl()

    def plain_text(self, playlist: bytes, *, secure: bool) -> bytes:
        """Return a playlist with TLS removed from its links."""

        def link(match: re.Match[bytes]) -> bytes:
            begin, space, scheme, host, port = match.groups(b"")
            if not scheme and not secure:
                return match[0]
            try:
                url = self.plain(f"https://{(host + port).decode('latin-1')}")
            except ValueError:
                return match[0]
            return begin + space + url.encode("latin-1")

        return _LINK.sub(link, playlist)

    def connection(self, parts: SplitResult) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection to a request's origin, and whether it uses TLS."""
        host, port = parts.hostname or "", parts.port or 80
        if (host, port) not in self._secure:
            return http.client.HTTPConnection(host, port, timeout=CONNECT_TIME), False
        if self._context is None:
            self._context = _context(verified=self.verified)
        context = self._context
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_TIME, context=context), True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Forward the request to the origin, and its response to ffmpeg."""
        self.close_connection = True
        try:
            parts = urlsplit(self.path)
            connection, secure = self.server.connection(parts)
        except ValueError:
            self.send_error(400)
            return
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.closing(connection):
                answer = self._answer(connection, parts, secure=secure)
                if self._is_worth_another(answer) and time.monotonic() < until:
                    time.sleep(PAUSE)  # ends with an error when the work is stopped
                    connection, secure = self.server.connection(parts)
                    continue
                self._pass_on(answer, secure=secure)
                return

    def _answer(
        self, connection: http.client.HTTPConnection, parts: SplitResult, *, secure: bool
    ) -> http.client.HTTPResponse | Exception:
        try:
            self._forward_request(connection, parts, secure=secure)
            return connection.getresponse()
        except (OSError, ValueError, http.client.HTTPException) as error:
            return error

    def _is_worth_another(self, answer: http.client.HTTPResponse | Exception) -> bool:
        """Whether a request failed that may succeed in seconds."""
        if isinstance(answer, Exception):
            refused = isinstance(answer, BlockedAddressError | ssl.SSLError | ValueError)
            return not refused and self.server.lists.any
        # A list that was there may be gone while its stream is published again.
        least = _CLIENT_FAULT if self.server.lists.knows(self.path) else _SERVER_FAULT
        return answer.status >= least

    def _pass_on(self, answer: http.client.HTTPResponse | Exception, *, secure: bool) -> None:
        if isinstance(answer, Exception) or answer.status >= _CLIENT_FAULT:
            self.server.lists.failed(self.path)
        if isinstance(answer, Exception):
            self.send_error(403 if isinstance(answer, BlockedAddressError) else 502)
            return
        with answer, contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            self._forward_response(answer, secure=secure)

    do_HEAD = do_GET  # noqa: N815 - http.server's name
    do_POST = do_GET  # noqa: N815 - the same; ffmpeg's POST requests have no body

    def _forward_request(
        self, connection: http.client.HTTPConnection, parts: SplitResult, *, secure: bool
    ) -> None:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        path = "".join(char if char.isascii() else f"%{ord(char):02X}" for char in path)
        connection.connect()
        connection.sock.settimeout(SILENCE)
        connection.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        host = parts.netloc.rpartition("@")[2]
        connection.putheader("Host", host.removesuffix(f":{_TLS_PORT}") if secure else host)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
        if self.server.login is not None:
            self.server.login.apply(f"http{'s' if secure else ''}://{host}", headers)
        for key, value in headers.items():
            connection.putheader(key, value)
        # One request per connection: the next one may be for another host, which must be checked.
        connection.putheader("Connection", "close")
        connection.endheaders()

    def _forward_response(self, response: http.client.HTTPResponse, *, secure: bool) -> None:
        data = response.read1(_CHUNK) if self.command != "HEAD" else b""
        size = response.headers.get("Content-Length")
        if _is_playlist(data):
            rest = response.read(_PLAYLIST_LIMIT)
            data += rest
            self.server.lists.read(self.path, data)
            data = self.server.plain_text(data, secure=secure)
            # ffmpeg reads no DASH manifest without a length.
            size = str(len(data)) if len(rest) < _PLAYLIST_LIMIT else None
        self.send_response_only(response.status)
        for key, value in response.headers.items():
            if key.lower() not in _HOP_BACK:
                self.send_header(key, value)
        if target := response.headers.get("Location"):
            scheme = "https:" if secure and target.startswith("//") else ""
            self.send_header("Location", self.server.plain(scheme + target))
        if size is not None:
            self.send_header("Content-Length", size)
        self.send_header("Connection", "close")
        self.end_headers()
        while data:
            self.wfile.write(data)
            data = response.read1(_CHUNK)


def _is_playlist(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"#EXTM3U") or b"<MPD" in data[:4096]


def _context(*, verified: bool) -> ssl.SSLContext:
    """Return a TLS context with the system's and certifi's authorities."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
