"""A TCP proxy that can freeze: connections stay open but pass no data."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

BLOCK = 65536


class FreezingProxy:
    """Forwards connections to a local port."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._frozen: list[threading.Event] = []
        self._ending = threading.Event()
        self.silent = 0  # number of further connections that pass no data
        self.cut = False  # close all connections, and new ones at once

    def start(self) -> FreezingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        self._ending.set()
        self._listener.close()

    def freeze(self) -> None:
        """Freeze the open connections; new ones work."""
        for frozen in self._frozen:
            frozen.set()

    @property
    def connections(self) -> int:
        """Number of connections so far."""
        return len(self._frozen)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.cut:
                    client.close()
                    continue
                frozen = threading.Event()
                if self.silent:
                    self.silent -= 1
                    frozen.set()
                self._frozen.append(frozen)
                threading.Thread(target=self._pump, args=(client, frozen), daemon=True).start()

    def _pump(self, client: socket.socket, frozen: threading.Event) -> None:
        with client, contextlib.suppress(OSError):
            upstream = socket.create_connection(("127.0.0.1", self._target))
            with upstream, selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ, upstream)
                selector.register(upstream, selectors.EVENT_READ, client)
                for source, target in self._ready(selector, frozen):
                    data = source.recv(BLOCK)
                    if not data:
                        return
                    target.sendall(data)

    def _ready(
        self, selector: selectors.BaseSelector, frozen: threading.Event
    ) -> Iterator[tuple[socket.socket, socket.socket]]:
        while not self._ending.is_set() and not self.cut:
            if frozen.is_set():
                self._ending.wait()  # keep it open without data
                return
            for key, _ in selector.select(0.1):
                source = key.fileobj
                if isinstance(source, socket.socket) and not frozen.is_set():
                    yield source, key.data
