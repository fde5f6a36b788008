"""Writes paho's data once the socket can take it; aiomqtt's own way raises for a closed socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


def write_when_possible(
    loop: asyncio.AbstractEventLoop, disconnected: Callable[[], asyncio.Future[None]]
) -> Callable[[Any, Any, Any], None]:
    """Return paho's callback for data to be written; paho calls it in any thread.

    ``disconnected`` returns the future that gets the error of a broken connection.
    """

    def on_writable(client: Any, _: Any, socket: Any) -> None:
        loop.call_soon_threadsafe(register, client, socket)

    def register(client: Any, socket: Any) -> None:
        if socket.fileno() >= 0:  # it may have been closed meanwhile
            loop.add_writer(socket.fileno(), write, client)

    def write(client: Any) -> None:
        try:
            client.loop_write()
        except Exception as error:  # noqa: BLE001 - as aiomqtt does: the connection broke
            if not disconnected().done():
                disconnected().set_exception(error)

    return on_writable
