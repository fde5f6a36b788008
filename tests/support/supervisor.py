"""The API of Home Assistant's Supervisor that names the broker, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "t0ken-of-the-supervisor"
Answer = tuple[int, Any]
NONE: Answer = (400, {"result": "error", "message": "Service not enabled"})


def broker(port: int, **more: Any) -> Answer:
    """Return the answer that names a broker."""
    data = {"host": "127.0.0.1", "port": port, "ssl": False, "protocol": "3.1.1", **more}
    return 200, {"result": "ok", "data": {"addon": "core_mosquitto", **data}}


class Supervisor:
    """Returns its answers in order, and repeats the last one."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str | None]] = []
        self.headers: dict[str, str] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content = server.answer(self.path, self.headers.get("Authorization"))
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            log_message: Callable[..., None] = lambda *_: None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, authorization: str | None) -> Answer:
        self.asked.append((path, authorization))
        if authorization != f"Bearer {TOKEN}":
            return 401, b"401: Unauthorized"
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
