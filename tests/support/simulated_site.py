"""A site, a store and a clock in which days pass at once: what subscriptions do in months."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mediarip_mqtt import fault_points
from mediarip_mqtt.contract import title_patterns
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, MediaripError
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.subscription_models import Subscription
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.protocol import Control, FeedAnswer, ListAnswer, ListedItem, Task
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.service.clock_watch import ClockWatch
from mediarip_mqtt.store import Store, SubscriptionRequest, Tx
from mediarip_mqtt.subscriptions.checker import Checker
from mediarip_mqtt.subscriptions.expiry import Expiry
from mediarip_mqtt.subscriptions.following import Following, Found
from mediarip_mqtt.subscriptions.item_queue import ItemQueue
from mediarip_mqtt.subscriptions.list_readings import ListReadings
from tests.support.engine import FakeControl

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FEED_LENGTH = 15


class Killed(BaseException):
    """The process ends here."""


class Time:
    """What passes, and what the system's clock says of it."""

    def __init__(self) -> None:
        self.passed = timedelta()
        self.error = timedelta()  # of the system's clock

    def now(self) -> datetime:
        return BEGIN + self.passed + self.error

    def monotonic(self) -> float:
        return self.passed.total_seconds() + 1e6


@dataclass
class Page:
    """A channel or playlist of the site; newest first unless ``appends``."""

    url: str
    items: list[ListedItem] = field(default_factory=list)
    feed: bool = False
    appends: bool = False
    dated: bool = True
    hidden: set[str] = field(default_factory=set)  # keys that lists leave out
    fault: ErrorCode | None = None  # every reading fails
    feed_fault: ErrorCode | None = None
    asked: list[timedelta] = field(default_factory=list)

    def listed(self) -> list[ListedItem]:
        shown = [item for item in self.items if item.key not in self.hidden]
        return shown if self.appends else shown[::-1]


class Site:
    """Answers as `ListReader`; ``asked`` says when."""

    def __init__(self, time: Time) -> None:
        self.pages: dict[str, Page] = {}
        self._time = time
        self._numbers = itertools.count(1)

    def page(
        self, name: str, *, feed: bool = False, appends: bool = False, dated: bool = True
    ) -> Page:
        url = f"https://{name}.example/list"
        page = Page(url, feed=feed, appends=appends, dated=dated)
        self.pages[page.url] = page
        return page

    def publish(self, page: Page, title: str, **fields: object) -> ListedItem:
        """Add an item, as of the true time."""
        number = next(self._numbers)
        values: dict[str, object] = {
            "key": f"site {number}",
            "url": f"{page.url.rpartition('/')[0]}/v/{number}",
            "title": f"{title} {number}",
            "published_at": BEGIN + self._time.passed if page.dated else None,
        }
        item = ListedItem.model_validate(values | fields)
        page.items.append(item)
        return item

    def read_feed(
        self,
        task: Task,
        control: Control,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> FeedAnswer:
        del control, last_modified
        page = self.pages[task.url.removesuffix("/feed")]
        page.asked.append(self._time.passed)
        if code := page.fault or page.feed_fault:
            return FeedAnswer("failed", error=DownloadError(code, "The site failed."))
        entries = page.listed()[:FEED_LENGTH]
        version = f"{len(page.items)} {len(entries)}"
        if etag == version:
            return FeedAnswer("unchanged", etag=version)
        return FeedAnswer("new", tuple(entries), etag=version)

    def read_list(
        self, task: Task, control: Control, stop: Callable[[ListedItem], bool]
    ) -> ListAnswer:
        del control
        page = self.pages[task.url]
        page.asked.append(self._time.passed)
        if page.fault:
            raise DownloadError(page.fault, "The site failed.")
        taken, whole = [], True
        for item in page.listed():
            taken.append(item)
            if stop(item):
                whole = False
                break
        return ListAnswer(
            tuple(taken),
            whole,
            title="A list",
            channel_id=None if page.appends else "c1",
            extractor="Site",
            feed_url=f"{page.url}/feed" if page.feed else None,
        )


class Station:
    """The parts that follow, on a real store; `kill` ends them, and they begin again."""

    def __init__(self, root: Path, site: Site, time: Time, **settings: object) -> None:
        self.root = root
        self.site = site
        self.time = time
        self.settings = Settings.model_validate({"storage": {"root": root}, **settings})
        self.answers: list[Found | MediaripError] = []
        (root / ".mediarip").mkdir(exist_ok=True)

    async def open(self) -> Station:
        self.store = Store(
            self.root / ".mediarip" / "store.db", journal_mode="wal", exclusive=False
        )
        await self.store.open()
        now = self.time.now
        preferences = Preferences(self.settings)
        self.jobs = Jobs(Topics("mediarip"), preferences, clock=now)
        queue = ItemQueue(self.jobs, self.settings, preferences, now)
        self.following = Following(self.jobs, queue, self.settings, title_patterns.matches, now)
        self.checker = Checker(
            self.store,
            self.following,
            queue,
            ListReadings(self.site, FakeControl, self.root, now),
            Expiry(self.store, self.jobs, self.root, now, enabled=True),
            self.settings,
            answer=self._answer,
            monotonic=self.time.monotonic,
        )
        self.clock_watch = ClockWatch(
            self.store,
            self.checker.clock_was_set,
            wall=lambda: self.time.now().timestamp(),
            monotonic=self.time.monotonic,
            boot=lambda: "boot",
        )
        await self.clock_watch.begin()
        return self

    def _answer(self, tx: Tx, request: SubscriptionRequest, result: Found | MediaripError) -> None:
        del tx, request
        self.answers.append(result)

    async def close(self) -> None:
        await self.store.close()

    async def restart(self) -> None:
        """Begin again after a kill: what is not committed is gone."""
        await self.close()
        await self.open()

    async def follow(self, page: Page, **options: object) -> Subscription:
        """Follow a page, as the configuration file does; its list is read by `look`."""
        number = len(await self.store.read(Tx.subscriptions)) + 1
        values = {
            "id": f"0199{number:08d}",
            "session_id": "default",
            "name": f"List {number}",
            "url": page.url,
            "created_at": self.time.now(),
        }
        subscription = Subscription.model_validate(values | options)
        return await self.store.write(lambda tx: self.following.add_unread(tx, subscription))

    async def look(self) -> None:
        """Do all that is due now, until nothing is."""
        for _ in range(20):
            before = sum(len(page.asked) for page in self.site.pages.values())
            async with asyncio.TaskGroup() as group:
                await self.checker.look(group)
            if before == sum(len(page.asked) for page in self.site.pages.values()):
                return

    async def pass_time(self, **parts: float) -> None:
        self.time.passed += timedelta(**parts)
        await self.look()

    async def set_clock(self, **parts: float) -> None:
        """Set the system's clock, as NTP or a person does."""
        self.time.error += timedelta(**parts)
        await self.clock_watch.check()

    async def subscription(self, key: str) -> Subscription:
        found = await self.store.read(lambda tx: tx.subscription(key))
        assert found is not None
        return found

    async def states(self, key: str) -> dict[str, str]:
        """Return the state of each item by its title."""
        items = await self.store.read(lambda tx: tx.items_in(key, limit=10_000))
        return {item.title or item.item_key: item.state.value for item in items}

    async def waiting_jobs(self) -> list[Job]:
        return await self.store.read(
            lambda tx: tx.jobs(statuses={JobStatus.QUEUED}, limit=100_000, newest_first=False)
        )

    async def end_jobs(
        self, status: JobStatus = JobStatus.COMPLETED, limit: int = 1000
    ) -> list[str]:
        """End waiting jobs; return their URLs."""
        jobs = (await self.waiting_jobs())[:limit]

        def end(tx: Tx) -> None:
            for job in jobs:
                tx.update(job.id, status=status, completed_at=self.time.now())

        await self.store.write(end)
        return [job.url for job in jobs]


@contextmanager
def killed_at(point: str) -> Iterator[None]:
    """End the process at a fault point, once."""
    armed = [True]

    def reached(at: str) -> None:
        if at == point and armed:
            armed.clear()
            raise Killed

    before, fault_points.reached = fault_points.reached, reached
    try:
        yield
    finally:
        fault_points.reached = before
