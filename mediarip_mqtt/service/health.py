"""Signs of life: a small file on this machine, written every few seconds, read by `healthcheck`.

On this machine and not on the volume or the broker, whose loss it is to tell. Times are those of
`time.monotonic`, which all processes of a machine share and no clock jump touches.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import hashlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from mediarip_mqtt import threads
from mediarip_mqtt.contract.settings import Settings

INTERVAL: Final = 5.0
STALE: Final = 20.0  # seconds without a sign after which the event loop counts as stuck
WORKER_STALE: Final = 150.0  # the queue is looked at every minute, `state` goes out every half
FROZEN: Final = 90.0  # seconds without a step of the event loop after which the process ends
BROKER_GRACE: Final = 30.0  # seconds of a lost broker that are a normal restart of it
STORE_TIME: Final = 5.0

logger = logging.getLogger(__name__)


class Signs(BaseModel):
    """What the service says of itself; ``None`` is not yet."""

    pid: int
    at: float
    queue_at: float
    published_at: float | None = None
    lost_broker_at: float | None = None
    store: str = "ok"  # or what is wrong with it
    volume: str = "ok"
    lost_threads: int = 0


class Check(BaseModel):
    """One finding; ``remedy`` says what to do where it is not ``ok``."""

    name: str
    ok: bool
    remedy: str = ""


def place(settings: Settings) -> Path:
    """Return the file of the service with these settings."""
    root = settings.storage.root.expanduser().absolute()
    name = hashlib.blake2b(f"{settings.mqtt.node_id}\0{root}".encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"mediarip-mqtt-{os.getuid()}" / f"{name}.json"


async def end_when_frozen() -> None:
    """End the process with a traceback where the event loop takes no more steps.

    Nothing else can where a regular expression, run on a hostile page, keeps Python's global lock:
    no cancel, no signal, no keepalive. What was accepted is in the store.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(FROZEN, exit=True, file=sys.__stderr__ or 2)
            await asyncio.sleep(INTERVAL)
    finally:
        faulthandler.cancel_dump_traceback_later()


class Health:
    """Writes the signs while the service runs."""

    def __init__(
        self, path: Path, signs: Callable[[], dict[str, Any]], probe: Callable[[], Any]
    ) -> None:
        self._path = path
        self._signs = signs
        self._probe = probe

    async def run(self) -> None:
        """Write again and again; the file goes when the service ends."""
        try:
            while True:
                signs = Signs(
                    pid=os.getpid(), at=0, **{**self._signs(), "store": await self._store()}
                )
                signs.at = time.monotonic()
                try:
                    await threads.call(_write, self._path, signs.model_dump_json())
                except OSError as error:
                    logger.debug("health: %s can't be written: %s", self._path, error)
                await asyncio.sleep(INTERVAL)
        finally:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    async def _store(self) -> str:
        try:
            async with asyncio.timeout(STORE_TIME):
                await self._probe()
        except TimeoutError:
            return f"it did not answer within {STORE_TIME:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            return str(error)
        return "ok"


def read(path: Path) -> Signs | None:
    """Return the signs of a service that runs here; None where there are none."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        return Signs.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        return None


def examine(signs: Signs, now: float) -> list[Check]:
    """Return a finding for each part that can fail by itself."""
    silent = now - signs.at
    found = [
        Check(
            name="process",
            ok=runs(signs.pid),
            remedy="The service's process is gone without an end in order. Start it; its log tells "
            "what it did last.",
        ),
        Check(
            name="event loop",
            ok=silent < STALE,
            remedy=f"The service has given no sign for {silent:.0f} s: it hangs. Restart it, and "
            "report its log.",
        ),
        Check(
            name="queue",
            ok=signs.at - signs.queue_at < WORKER_STALE,
            remedy="The queue's worker has stopped. Restart the service, and report its log.",
        ),
        Check(
            name="publisher",
            ok=signs.lost_broker_at is not None
            or signs.published_at is None
            or signs.at - signs.published_at < WORKER_STALE,
            remedy="Nothing is published though the broker is there. Restart the service, and "
            "report its log.",
        ),
        Check(
            name="broker",
            ok=signs.lost_broker_at is None or signs.at - signs.lost_broker_at < BROKER_GRACE,
            remedy="The broker can't be reached. Check that it runs, and the settings `mqtt`.",
        ),
        Check(
            name="store",
            ok=signs.store == "ok",
            remedy=f"The store can't be used: {signs.store}. Check the volume.",
        ),
        Check(
            name="volume",
            ok=signs.volume == "ok",
            remedy=f"The volume is lost ({signs.volume}). Check that it is mounted and writable.",
        ),
        Check(
            name="threads",
            ok=not signs.lost_threads,
            remedy=f"{signs.lost_threads} downloads could not be stopped. Restart the service when "
            "nothing runs.",
        ),
    ]
    # A gone process explains all the rest.
    return found[:1] if not found[0].ok else found


def runs(pid: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid() or path.parent.is_symlink():
        raise OSError("the folder is another user's")
    half = path.with_suffix(".half")
    half.write_text(text)
    half.replace(path)
