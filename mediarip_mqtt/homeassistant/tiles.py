"""The thumbnails of the listed jobs as tiles of one picture, in one image entity.

A list names a job's tile only after the picture with it was sent. A tile keeps its place while a
list names it: the place is free again once that list was published without it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.engine import thumbnail
from mediarip_mqtt.engine.protocol import Engine
from mediarip_mqtt.homeassistant.pictures import BLANK, fetch_picture

PLACES: Final = thumbnail.COLUMNS * thumbnail.ROWS
WANTED: Final = PLACES - 4  # jobs; some places wait until a list no longer names them
INTERVAL: Final = 10.0  # seconds between two pictures

logger = logging.getLogger(__name__)


class TiledJob(Protocol):
    """A job in a published list, with the place that the list names."""

    @property
    def id(self) -> str:
        """The job's id."""

    @property
    def thumbnail(self) -> str | None:
        """The URL of its thumbnail."""

    @property
    def tile(self) -> int | None:
        """The place that the list names."""


@dataclass(frozen=True)
class _Place:
    index: int
    url: str


class Tiles:
    """Fetches thumbnails and makes the picture.

    ``changed`` is called for a new picture, and ``named`` with the lists that may name more tiles
    since it was sent.
    """

    def __init__(
        self,
        engine: Engine,
        changed: Callable[[], None],
        named: Callable[[Iterable[str]], None],
    ) -> None:
        self._engine = engine
        self._changed = changed
        self._named = named
        self._lists: dict[str, Sequence[TiledJob]] = {}
        self._wanted: dict[str, str] = {}  # job id to URL
        self._tiles: dict[str, bytes] = {}  # by URL
        self._failed: set[str] = set()  # URLs of listed jobs, not asked for again
        self._places: dict[str, _Place] = {}  # by job id, in the newest picture
        self._sent: dict[str, _Place] = {}  # the same in the picture that was sent last
        self._blank: bytes | None = None
        self._wake = asyncio.Event()
        self.picture: str | None = None  # base64: readers of all topics expect text

    def tile(self, job_id: str) -> int | None:
        """Return the place of a job's thumbnail in the picture that was sent."""
        place = self._sent.get(job_id)
        if place is None or place != self._places.get(job_id):
            return None
        return place.index if self._wanted.get(job_id) == place.url else None

    def follow(self, name: str, jobs: Sequence[TiledJob]) -> None:
        """Take the jobs of a list that is being published: those that matter most first."""
        self._lists[name] = jobs
        order = [job for kept in sorted(self._lists, key=_rank) for job in self._lists[kept]]
        wanted: dict[str, str] = {}
        for job in order:
            if job.thumbnail and job.thumbnail not in self._failed and len(wanted) < WANTED:
                wanted.setdefault(job.id, job.thumbnail)
        gone = self._places.keys() - {job.id for job in order}
        if gone or any(self._is_new(job_id, url) for job_id, url in wanted.items()):
            self._wake.set()
        self._wanted = wanted

    def sent(self) -> None:
        """Let lists name the tiles of the newest picture."""
        new = self._places.keys() - self._sent.keys()
        self._sent = dict(self._places)
        self._named([name for name, jobs in self._lists.items() if any(j.id in new for j in jobs)])

    async def run(self) -> None:
        """Make pictures until cancelled; none without ffmpeg."""
        if not await threads.call(thumbnail.has_ffmpeg):
            return
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._fetch_missing()
                await self._make()
            except (DownloadError, OSError, subprocess.TimeoutExpired) as error:
                logger.debug("no tiles: %s", error)
            except Exception:
                logger.exception("no tiles")
            await asyncio.sleep(INTERVAL)

    def _is_new(self, job_id: str, url: str) -> bool:
        place = self._places.get(job_id)
        return place is None or place.url != url

    async def _fetch_missing(self) -> None:
        """Fetch for at most `INTERVAL` seconds; the rest follows with the next picture."""
        began = time.monotonic()
        listed = {job.thumbnail for jobs in self._lists.values() for job in jobs}
        self._failed &= listed
        kept = {*self._wanted.values(), *(place.url for place in self._places.values())}
        self._tiles = {url: tile for url, tile in self._tiles.items() if url in kept}
        for url in dict.fromkeys(self._wanted.values()):
            if url in self._tiles or url in self._failed:
                continue
            if time.monotonic() - began > INTERVAL:
                self._wake.set()
                return
            if tile := await fetch_picture(self._engine, url, thumbnail.tile):
                self._tiles[url] = tile
            else:
                self._failed.add(url)

    async def _make(self) -> None:
        """Make the picture if its tiles changed."""
        places = self._next_places()
        if places == self._places:
            return
        self._places = places
        if not places:
            self.picture, self._sent = None, {}
            self._changed()
            return
        if self._blank is None:
            self._blank = await threads.call(thumbnail.tile, BLANK)
        cells = [self._blank] * PLACES
        for place in places.values():
            cells[place.index] = self._tiles.get(place.url) or self._blank
        picture = await threads.call(thumbnail.tiled, cells)
        self.picture = base64.b64encode(picture).decode()
        self._changed()

    def _next_places(self) -> dict[str, _Place]:
        """Return the places of the next picture: those that lists name stay as they are."""
        named = {job.id for jobs in self._lists.values() for job in jobs if job.tile is not None}
        places = {
            job_id: place
            for job_id, place in self._places.items()
            if job_id in named or self._wanted.get(job_id) == place.url
        }
        # Not those of the picture before: a list that names them may be on its way.
        taken = {place.index for place in (*places.values(), *self._places.values())}
        free = (index for index in range(PLACES) if index not in taken)
        for job_id, url in self._wanted.items():
            if job_id in places or not self._tiles.get(url):
                continue
            index = next(free, None)
            if index is None:
                self._wake.set()
                break
            places[job_id] = _Place(index, url)
        return places


def _rank(name: str) -> int:
    return ("now", "finished", "failed").index(name)
