"""Two hundred days of a site that grows, fails and lies, with kills and clocks that jump."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Tx
from tests.support.simulated_site import Page, Station, killed_at

DAYS = 200
LOOK = timedelta(minutes=1)
INTERVALS = (6, 12, 24)  # hours
JITTER = 0.2
UNWANTED = ("Trailer", "Stream")
KILLS = ("list-read", "items-known", "items-queued")
OUTAGES = (ErrorCode.NETWORK, ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED, ErrorCode.TIMEOUT)

logger = logging.getLogger(__name__)


class Months:
    """Lets a site live; what is asked of it, and when, is noted by the site."""

    def __init__(self, station: Station, seed: int) -> None:
        self.station = station
        self.site = station.site
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.pages = [
            self.site.page("feed", feed=True),
            self.site.page("channel"),
            self.site.page("playlist", appends=True, dated=False),
        ]
        self.wanted: list[str] = []
        self.ended: Counter[str] = Counter()  # completed jobs by URL
        self.disturbed: list[timedelta] = []  # kills and jumps of the clock
        self.quiet_until: dict[str, timedelta] = {}  # by page: after a 429

    async def begin(self) -> None:
        for page, hours in zip(self.pages, INTERVALS, strict=True):
            for _ in range(30):
                self.site.publish(page, "Old")
            filters = {"title_exclude": "*trailer*", "live": "exclude"}
            await self.station.follow(page, interval=hours * 3600, **filters)
        for _ in range(11):
            await self.station.pass_time(minutes=1)

    async def day(self, number: int) -> None:
        """Pass a day in steps; at random times something happens."""
        times = sorted(self.random.random() * 86_400 for _ in range(6))
        start = timedelta(days=number)
        for seconds in times:
            await self._until(start + timedelta(seconds=seconds))
            await self._happen()
        await self._until(start + timedelta(days=1))

    async def _until(self, moment: timedelta) -> None:
        """Pass the time in looks; nothing is due between two of them."""
        time, store = self.station.time, self.station.store
        while time.passed < moment:
            due = await store.read(
                lambda tx: min(
                    (each.next_check_at for each in tx.subscriptions() if each.next_check_at),
                    default=time.now() + LOOK,
                )
            )
            wait = min(max(due - time.now(), LOOK), timedelta(hours=4))
            time.passed = min(time.passed + wait, moment)
            await self.station.look()
            for url in await self.station.end_jobs(self._outcome()):
                self._note(url)

    def _outcome(self) -> JobStatus:
        self.failing = self.random.random() < 0.15
        return JobStatus.FAILED if self.failing else JobStatus.COMPLETED

    def _note(self, url: str) -> None:
        if not self.failing:
            self.ended[url] += 1

    async def _happen(self) -> None:
        page = self.random.choice(self.pages)
        what = self.random.random()
        if what < 0.55:
            self._publish(page)
        elif what < 0.65:
            page.fault = self.random.choice(OUTAGES)
        elif what < 0.70:
            page.feed_fault = ErrorCode.NOT_FOUND
        elif what < 0.75:
            self._hide(page)
        elif what < 0.90:
            for each in self.pages:
                each.fault = each.feed_fault = None
                each.hidden = set()
        elif what < 0.96:
            await self._kill()
        else:
            await self._set_clock()

    def _publish(self, page: Page) -> None:
        for _ in range(self.random.choice((1, 1, 1, 2, 25))):
            title = self.random.choice(("Film", "Film", "Trailer", "Stream"))
            status = "was_live" if title == "Stream" else None
            item = self.site.publish(page, title, live_status=status)
            if title not in UNWANTED:
                self.wanted.append(item.url)

    def _hide(self, page: Page) -> None:
        share = self.random.choice((0.1, 0.6, 1.0))
        page.hidden = {item.key for item in page.items if self.random.random() < share}

    async def _kill(self) -> None:
        self.disturbed.append(self.station.time.passed)
        with killed_at(self.random.choice(KILLS)):
            self.station.time.passed += timedelta(hours=1)
            task = asyncio.ensure_future(self.station.look())
            await asyncio.wait({task})
            task.exception()
        await self.station.restart()

    async def _set_clock(self) -> None:
        self.disturbed.append(self.station.time.passed)
        days = self.random.choice((-40.0, -1.0, -0.1, 0.1, 1.0, 40.0))
        await self.station.set_clock(days=days if not self.station.time.error else 0.0)
        if self.station.time.error and self.random.random() < 0.5:
            error = self.station.time.error.total_seconds()
            await self.station.set_clock(seconds=-error)

    async def end(self) -> None:
        """Let all that is left be downloaded."""
        for page in self.pages:
            page.fault = page.feed_fault = None
            page.hidden = set()
        error = self.station.time.error.total_seconds()
        await self.station.set_clock(seconds=-error)
        self.random.random = lambda: 1.0  # type: ignore[method-assign] # nothing fails any more
        for _ in range(120):
            await self.station.pass_time(hours=6)
            for url in await self.station.end_jobs(self._outcome()):
                self._note(url)


async def test_in_200_days_each_wanted_item_is_downloaded_once(station: Station) -> None:
    months = Months(station, seed=17)
    await months.begin()
    for number in range(DAYS):
        await months.day(number)
    passed = station.time.passed
    asked = {page.url: [at for at in page.asked if at <= passed] for page in months.pages}
    await months.end()

    assert len(months.wanted) > 500
    assert set(months.ended) == set(months.wanted)
    assert set(months.ended.values()) == {1}
    for (url, times), hours in zip(asked.items(), INTERVALS, strict=True):
        shortest = timedelta(hours=hours) * (1 - JITTER)
        # A feed and the list that is read beside it are one check.
        gaps = [(at, later - at) for at, later in pairwise(times) if later > at]
        early = [at for at, gap in gaps if gap < shortest]
        unexplained = [at for at in early if not _disturbed(at, months.disturbed)]
        logger.warning(
            "%s: asked %d times in %d days, %d of them early, after %d kills and jumps",
            url,
            len(times),
            DAYS,
            len(early),
            len(months.disturbed),
        )
        assert not unexplained
        assert len(early) <= len(months.disturbed)
        assert len(times) <= 2 * DAYS * 24 / hours / (1 - JITTER)
    for followed in await station.store.read(Tx.subscriptions):
        assert followed.enabled


def _disturbed(at: timedelta, moments: list[timedelta]) -> bool:
    """Whether a kill or a jump of the clock is near: a check is done again."""
    return any(abs(at - moment) <= timedelta(hours=30) for moment in moments)
