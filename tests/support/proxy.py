"""A TCP proxy that can freeze: connections stay open and nothing comes through any more."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

BLOCK = 65536


class FreezingProxy:
    """Passes connections on to a port of this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._frozen: list[threading.Event] = []
        self._ending = threading.Event()
        self.silent = 0  # so many connections get nothing through
        self.cut = False  # the connections end, and new ones do at once

    def start(self) -> FreezingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        self._ending.set()
        self._listener.close()

    def freeze(self) -> None:
        """Let nothing more through on the connections there are; new ones work."""
        for one in self._frozen:
            one.set()

    @property
    def connections(self) -> int:
        """How many connections were made."""
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
                self._ending.wait()  # held open, in silence
                return
            for key, _ in selector.select(0.1):
                source = key.fileobj
                if isinstance(source, socket.socket) and not frozen.is_set():
                    yield source, key.data
