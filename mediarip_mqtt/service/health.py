"""Signs of life: a small file, written every few seconds and read by `healthcheck`.

The file is on this machine, as the volume or the broker may be what failed. Its times are
`time.monotonic`, which all processes of a machine share and setting the clock does not change.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from mediarip_mqtt import threads
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.service import logs
from mediarip_mqtt.volume.files import own_folder

INTERVAL: Final = 5.0
STALE: Final = 20.0  # seconds without a sign after which the event loop counts as stuck
WORKER_STALE: Final = (
    150.0  # seconds; the queue is read every 60 s, `state` is published every 30 s
)
FROZEN: Final = 90.0  # seconds for which the event loop may be blocked; then the process ends
BROKER_GRACE: Final = 30.0  # seconds without the broker that count as a normal restart of it
TEMPORARY: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - in a folder of this user
STORE_TIME: Final = 5.0  # seconds for the store to answer

logger = logging.getLogger(__name__)


class Signs(BaseModel):
    """What the service reports about itself; ``None``: has not happened yet."""

    pid: int
    at: float
    queue_at: float
    published_at: float | None = None
    lost_broker_at: float | None = None
    rival: str = ""  # why the service gives way to another one
    store: str = "ok"  # or what is wrong with it
    volume: str = "ok"
    lost_threads: int = 0


class Check(BaseModel):
    """The result of one check; ``remedy`` says what to do if it is not ``ok``."""

    name: str
    ok: bool
    remedy: str = ""


def signs_paths(settings: Settings) -> list[Path]:
    """Return the files into which the service with these settings may write its signs of life.

    The first that can be written is used: a container may have a read-only root without /tmp. The
    volume comes last, as it may be what failed.
    """
    root = settings.storage.root.expanduser().absolute()
    name = hashlib.blake2b(f"{settings.mqtt.node_id}\0{root}".encode(), digest_size=8).hexdigest()
    chosen = os.environ.get("TMPDIR")
    folders = [Path(folder) for folder in (chosen, *TEMPORARY) if folder]
    folders.append(own_folder(settings))
    return [folder / f"mediarip-mqtt-{os.getuid()}" / f"{name}.json" for folder in folders]


async def end_when_frozen() -> None:
    """End the process with a traceback if the event loop is blocked for too long.

    If a regular expression on a hostile page holds the GIL, no cancellation, signal handler or
    keep-alive runs. Accepted commands are in the store and are not lost.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(FROZEN, exit=True, file=logs.raw_stderr())
            await asyncio.sleep(INTERVAL)
    finally:
        faulthandler.cancel_dump_traceback_later()


class Health:
    """Writes the signs of life while the service runs.

    ``probe`` uses the store; its error or time-out is reported as the sign `store`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        signs: Callable[[], Signs],
        probe: Callable[[], Awaitable[object]],
    ) -> None:
        self._paths = paths
        self._written: Path | None = None
        self._warned = False
        self._signs = signs
        self._probe = probe

    async def run(self) -> None:
        """Write the file every `INTERVAL` seconds; remove it at the end."""
        try:
            while True:
                store = await self._examine_store()
                signs = self._signs().model_copy(update={"store": store})
                await threads.call(self._write, signs.model_dump_json())
                await asyncio.sleep(INTERVAL)
        finally:
            if self._written is not None:
                with contextlib.suppress(OSError):
                    self._written.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        problems = []
        for path in self._paths if self._written is None else (self._written,):
            try:
                _write(path, text)
            except OSError as error:
                problems.append(f"{path.parent}: {error.strerror or error}")
            else:
                self._written = path
                return
        if self._written is None and not self._warned:
            self._warned = True
            logger.warning("health: `healthcheck` can't work, %s", "; ".join(problems))

    async def _examine_store(self) -> str:
        try:
            async with asyncio.timeout(STORE_TIME):
                await self._probe()
        except TimeoutError:
            return f"it did not answer within {STORE_TIME:.0f} s"
        except Exception as error:  # noqa: BLE001 - any error is a result of the check
            return str(error)
        return "ok"


def read(paths: Iterable[Path]) -> Signs | None:
    """Return the signs of life in the first file that has any; None without one."""
    return next((signs for path in paths if (signs := _read(path)) is not None), None)


def _read(path: Path) -> Signs | None:
    """Return the signs of life in a file; None if it is missing, foreign or unreadable."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        return Signs.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        return None


def examine(signs: Signs, now: float) -> list[Check]:
    """Check each part that can fail on its own; only the process if that is gone."""
    silent = now - signs.at
    checks = [
        Check(
            name="process",
            ok=runs(signs.pid),
            remedy="The service's process is gone: it did not shut down by itself. Start it; its "
            "log says what it did last.",
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
            remedy="Nothing is published although the broker is connected. Restart the service, "
            "and report its log.",
        ),
        Check(
            name="broker",
            ok=signs.lost_broker_at is None
            or bool(signs.rival)
            or signs.at - signs.lost_broker_at < BROKER_GRACE,
            remedy="The broker can't be reached. Check that it runs, and the settings `mqtt`.",
        ),
        Check(name="only service", ok=not signs.rival, remedy=signs.rival),
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
    # If the process is gone, all other checks fail for that reason.
    return checks if checks[0].ok else checks[:1]


def runs(pid: int) -> bool:
    """Whether a process has this id, even one of another user."""
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
