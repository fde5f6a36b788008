"""Checks subscriptions when they are due, answers `subscribe`, and queues what waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, Protocol, TypeVar

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, MediaripError, StoreError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.subscription_models import Subscription
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.store import Changes, Store, SubscriptionRequest, Tx
from mediarip_mqtt.subscriptions import schedule
from mediarip_mqtt.subscriptions.expiry import Expiry
from mediarip_mqtt.subscriptions.following import Following, Found, Reading, memory_of
from mediarip_mqtt.subscriptions.item_queue import ItemQueue
from mediarip_mqtt.subscriptions.list_readings import ListReadings

T = TypeVar("T")
INTERVAL: Final = 60.0  # seconds between two looks for what is due
SHORTEST: Final = 1.0
STORE_RETRY: Final = 2.0
EXPIRY_INTERVAL: Final = 600.0
OUTAGE_JUMP: Final = 300.0  # seconds by which a clock is set that count as an outage
MANY: Final = 2000
INTERNAL: Final = "The service failed at this; see its log."

logger = logging.getLogger(__name__)


class AnswerRequest(Protocol):
    """Writes the reply to a `subscribe`: what was found, or why it could not be read."""

    def __call__(
        self, tx: Tx, request: SubscriptionRequest, result: Found | MediaripError, /
    ) -> None:
        """Write it in the caller's transaction."""


class Checker:
    """Runs the checks: a few at once, and one at a time of each site.

    ``is_lost`` returns whether the volume is lost: then nothing is done.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        store: Store,
        following: Following,
        queue: ItemQueue,
        readings: ListReadings,
        expiry: Expiry,
        settings: Settings,
        *,
        answer: AnswerRequest,
        is_lost: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._following = following
        self._queue = queue
        self._readings = readings
        self._expiry = expiry
        self._settings = settings
        self._answer = answer
        self._is_lost = is_lost
        self._monotonic = monotonic
        self._changed = asyncio.Event()
        # Checks that run: subscription or request to site and session.
        self._running: dict[str, tuple[str, str]] = {}
        self._started: dict[str, float] = {}  # site: when its last check began
        self._after_outage = True
        self._expired_at = -EXPIRY_INTERVAL
        self._problem: str | None = None  # logged once

    def changed(self, changes: Changes) -> None:
        """Look again after a transaction."""
        if changes.subscriptions or changes.checks:
            self._changed.set()

    def clock_was_set(self, jump: float) -> None:
        """Spread the checks that a clock makes due that was set by ``jump`` seconds."""
        if abs(jump) > OUTAGE_JUMP:
            self._after_outage = True
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                await self._try(group)
                await asyncio.sleep(SHORTEST)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._wait()):
                        await self._changed.wait()

    async def look(self, group: asyncio.TaskGroup) -> None:
        """Do what is due now; checks run as tasks of the group. Raises `StoreError`."""
        if self._is_lost():
            self._after_outage = True
            return
        await self._spread()
        if await self._store.read(self._queue.work_waits):
            await self._store.write(self._queue.fill_all)
        if self._monotonic() - self._expired_at >= EXPIRY_INTERVAL:
            self._expired_at = self._monotonic()
            await self._expiry.work()
        await self._start_requests(group)
        await self._start_checks(group)

    async def _try(self, group: asyncio.TaskGroup) -> None:
        try:
            await self.look(group)
        except (OSError, StoreError) as error:
            if str(error) != self._problem:
                logger.warning("subscriptions: postponed: %s", error)
            self._problem = str(error)
        except Exception:
            # One subscription must not stop the service.
            logger.exception("subscriptions: failed")
        else:
            self._problem = None

    def _wait(self) -> float:
        """Return the seconds until the next look; a site's pause may end before."""
        pauses = [pause for site in self._started if (pause := self._pause_left(site)) > 0]
        return min([INTERVAL, *pauses])

    # What is due

    async def _spread(self) -> None:
        """Spread what became due together: after a start, a jump of the clock, or an outage."""
        if not self._after_outage:
            return
        now = self._following.clock()
        due = await self._store.read(partial(Tx.due_subscriptions, now=now, limit=MANY))
        plans = {each.id: schedule.spread(len(due), each.id, now) for each in due}
        if len(plans) > 1:
            await self._store.write(partial(Tx.postpone_checks, plans=plans))
        self._after_outage = False

    async def _start_requests(self, group: asyncio.TaskGroup) -> None:
        for request in await self._store.read(Tx.subscription_requests):
            key, session = f"request-{request.id}", request.session_id
            site = self._following.site_of(request.subscription.url)
            # A person waits: no pause.
            if self._has_slot(session) and key not in self._running:
                self._begin(group, key, (site, session), self._answer_request(request))

    async def _start_checks(self, group: asyncio.TaskGroup) -> None:
        now = self._following.clock()
        due = await self._store.read(partial(Tx.due_subscriptions, now=now, limit=MANY))
        if not due:
            return
        stops = await self._store.read(Tx.site_stops)
        postponed = {}
        for subscription in due:
            site = self._following.site_of(subscription.url)
            stop = stops.get(site)
            if stop is not None and now < stop.until < now + 2 * schedule.LONGEST_BACKOFF:
                postponed[subscription.id] = schedule.spread(MANY, subscription.id, stop.until)
            elif self._may_start(subscription, site):
                place = (site, subscription.session_id)
                self._begin(group, subscription.id, place, self._check(subscription))
        if postponed:
            await self._store.write(partial(Tx.postpone_checks, plans=postponed))

    def _has_slot(self, session_id: str) -> bool:
        """Whether a check of a session may run; an isolated one's slow lists must not take all."""
        if len(self._running) >= self._settings.subscriptions.max_concurrent:
            return False
        isolated = self._settings.session.mode == "isolated" and session_id != ROOT_SESSION
        return not isolated or session_id not in {session for _, session in self._running.values()}

    def _may_start(self, subscription: Subscription, site: str) -> bool:
        busy = {running for running, _ in self._running.values()}
        is_free = site not in busy and self._pause_left(site) <= 0
        has_slot = self._has_slot(subscription.session_id)
        return has_slot and subscription.id not in self._running and is_free

    def _pause_left(self, site: str) -> float:
        settings = self._settings.downloads.sites.get(site)
        started = self._started.get(site)
        if settings is None or started is None:
            return 0.0
        return started + settings.pause - self._monotonic()

    def _begin(
        self,
        group: asyncio.TaskGroup,
        key: str,
        place: tuple[str, str],
        work: Coroutine[None, None, None],
    ) -> None:
        self._running[key] = place
        self._started[place[0]] = self._monotonic()
        group.create_task(self._guarded(key, work), name=f"check-{key}")

    async def _guarded(self, key: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("subscriptions: the check %s failed", key)
        finally:
            self._running.pop(key, None)
            self._changed.set()

    # One check

    async def _check(self, subscription: Subscription) -> None:
        key = subscription.id
        failure: MediaripError
        memory, known, login = await self._store.read(partial(memory_of, subscription_id=key))
        try:
            reading = await self._readings.next(subscription, memory, known, login)
            fault("list-read")
            await self._commit(lambda tx: self._following.checked(tx, key, reading))
        except MediaripError as error:
            logger.info("subscription %s (%s): %s", key, subscription.name, error.message)
            failure = error
        except Exception:
            logger.exception("subscription %s: its check failed", key)
            failure = DownloadError(ErrorCode.INTERNAL, INTERNAL)
        else:
            return
        # Otherwise it would stay due, and the site would be asked again at once.
        await self._commit(lambda tx: self._following.check_failed(tx, key, failure))

    async def _answer_request(self, request: SubscriptionRequest) -> None:
        result: Reading | MediaripError
        try:
            result = await self._readings.first(request.subscription, request.login)
        except MediaripError as error:
            result = error
        except Exception:
            logger.exception("subscribe to %s failed", request.subscription.url)
            result = DownloadError(ErrorCode.INTERNAL, INTERNAL)
        fault("list-read")
        settle = partial(self._settle_request, request=request)
        try:
            await self._commit(partial(settle, result=result))
        except MediaripError as error:  # its options can't be used any more
            await self._commit(partial(settle, result=error))

    def _settle_request(
        self, tx: Tx, request: SubscriptionRequest, result: Reading | MediaripError
    ) -> None:
        """Add the subscription and answer, once: a kill before this has it read again."""
        if not tx.end_subscription_request(request.id):
            return
        if isinstance(result, MediaripError):
            self._answer(tx, request, result)
        elif request.dry_run:
            self._answer(tx, request, self._following.preview(request.subscription, result))
        else:
            found = self._following.begin(tx, request.subscription, result, request.login)
            self._answer(tx, request, found)

    async def _commit(self, function: Callable[[Tx], T]) -> T:
        """Write, repeated until it succeeds: the site is not asked again for what was read."""
        while True:
            try:
                return await self._store.write(function)
            except StoreError as error:
                logger.debug("subscriptions: the store can't be written (%s); again", error)
                await asyncio.sleep(STORE_RETRY)
