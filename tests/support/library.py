"""A library on a real store and a real volume, with an engine that is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mediarip_mqtt.contract.content import Classification
from mediarip_mqtt.contract.library_settings import LibrarySettings
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.titles import Title
from mediarip_mqtt.library.reviews import ReviewAnswer, answer
from mediarip_mqtt.store import Store, TitleFilter, Tx
from tests.support.engine import FakeEngine
from tests.support.steps import Bench

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHANNEL = {"channel": "Harbour TV", "channel_id": "UC1", "extractor_key": "Youtube"}
NEVER_SURE = {"review_below": 1.0}


@dataclass
class Moment:
    """A clock that a test sets."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Shelf:
    """Downloads into a library: what `place` and the organizer do, without a runner.

    Metadata and pictures are only made where ``settings`` have them.
    """

    def __init__(
        self, store: Store, root: Path, *, meets_rivals: bool = False, **settings: Any
    ) -> None:
        self.store = store
        self.root = root
        self.clock = Moment()
        self.engine = FakeEngine()
        values = {"enabled": True, "nfo": False, "artwork": False, **settings}
        self.settings = LibrarySettings.model_validate(values)
        self.bench = Bench(
            store,
            root,
            self.engine,
            library=self.settings,
            clock=self.clock,
            meets_rivals=meets_rivals,
        )
        self.catalogue = self.bench.catalogue
        self.organizer = self.bench.organizer

    async def download(self, title: str = "film", **fields: Any) -> Job:
        """Download what a page with these fields offers; an option's name begins with `by_`."""
        options = {key[3:]: fields.pop(key) for key in list(fields) if key.startswith("by_")}
        self.engine.fields = {"id": "x1", **fields}
        work = await self.bench.begin(title, **options)
        await self.bench.run(work)
        return await self.bench.job(work.job.id)

    async def title(self, job: Job) -> Title:
        assert job.title_id
        found = await self.store.read(lambda tx: tx.title(str(job.title_id)))
        assert found is not None
        return found

    async def titles(self) -> list[Title]:
        return await self.store.read(lambda tx: tx.titles(TitleFilter(), 100))

    async def answer(self, job: Job, *, organize: bool = True, **given: Any) -> Title:
        """ReviewAnswer a review; keys of `ReviewAnswer`, and what is said."""
        own = {
            key: given.pop(key)
            for key in ("choice", "conflict", "discard", "remember")
            if key in given
        }
        said = ReviewAnswer(said=Classification(**given), **own)

        def act(tx: Tx) -> Title:
            title = tx.title(str(job.title_id))
            assert title is not None
            return answer(tx, self.catalogue, title, said)

        await self.store.write(act)
        if organize:
            await self.organizer.work()
        return await self.title(job)

    async def job(self, job: Job) -> Job:
        return await self.bench.job(job.id)

    def files(self) -> list[str]:
        return self.bench.media()

    async def events(self) -> list[str]:
        """Return the types of the events in the outbox."""
        rows = await self.store.read(lambda tx: tx.outbox(1000))
        return [row.payload.partition('"event_type":"')[2].partition('"')[0] for row in rows]
