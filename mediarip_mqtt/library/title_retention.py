"""Which titles have had their time: to the archive with them, or away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.library_settings import LibrarySettings, TitleLimits
from mediarip_mqtt.contract.subscription_models import ItemState
from mediarip_mqtt.contract.titles import TitleFile, TitleState
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.library.archive import archive, owned
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.library.classify import matching_rule
from mediarip_mqtt.library.page_facts import PageFacts
from mediarip_mqtt.store import RetainedTitle, Store, Tx
from mediarip_mqtt.volume.owned_files import is_owned

PAGE: Final = 1000  # titles read in one transaction
CHUNK: Final = 50  # titles that go in one transaction
MOST_GONE: Final = 1000  # titles that are archived at a time, as their sources lost them
GONE: Final = "gone"  # the reason of their items


@dataclass(frozen=True)
class Policy:
    """How long titles stay; the newest ``keep_last`` of each show or channel, 0: all."""

    keep_last: int = 0
    keep_days: int = 0
    after_watched_days: int = 0
    keep_unwatched: bool = False
    by_publication: bool = False  # `keep_days` counts from there

    @classmethod
    def of(cls, settings: TitleLimits) -> Policy:
        """Return the policy in settings."""
        return cls(
            settings.keep_last,
            settings.keep_days,
            settings.after_watched_days,
            settings.keep_unwatched,
        )

    @property
    def limits(self) -> bool:
        """Whether any title goes by it."""
        return bool(self.keep_last or self.keep_days or self.after_watched_days)

    def is_over(self, title: RetainedTitle, now: datetime, *, surplus: bool) -> bool:
        """Whether a title goes; ``surplus``: it is not one of the newest ``keep_last``."""
        if title.keep or (self.keep_unwatched and title.watched_at is None):
            return False
        if title.watched_at is not None and _is_past(
            title.watched_at, self.after_watched_days, now
        ):
            return True
        since = (title.published_at if self.by_publication else None) or title.created_at
        return _is_past(since, self.keep_days, now) or surplus


class _Member(NamedTuple):
    """A title among those that `keep_last` counts together; ``goes`` if it is one too many."""

    moment: datetime
    number: int
    title_id: str
    goes: bool


def subscription_policies(tx: Tx) -> dict[str, Policy]:
    """Return the policies of the subscriptions that limit anything, by their ids."""
    return {
        subscription.id: Policy(
            keep_last=subscription.keep_last or 0,
            keep_days=subscription.keep_days or 0,
            after_watched_days=subscription.after_watched_days or 0,
            by_publication=subscription.keep_days_by == "published",
        )
        for subscription in tx.subscriptions_with_retention()
    }


def policy_of(
    title: RetainedTitle, settings: LibrarySettings, subscriptions: Mapping[str, Policy]
) -> Policy:
    """Return the policy for a title: its subscription's, its rule's, or the library's.

    The first that limits anything counts, and counts alone.
    """
    subscription = subscriptions.get(title.subscription_id or "")
    if subscription is not None and subscription.limits:
        return subscription
    rule = matching_rule(_facts(title), settings.rules)
    if rule is not None and (policy := Policy.of(rule)).limits:
        return policy
    return Policy.of(settings)


class _Choice:
    """Chooses the titles that go, page by page."""

    def __init__(
        self, settings: LibrarySettings, subscriptions: Mapping[str, Policy], now: datetime
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._now = now
        self._over: dict[str, None] = {}
        self._groups: dict[tuple[Policy, object], list[_Member]] = {}

    def add(self, page: Sequence[RetainedTitle]) -> None:
        """Look at more titles; takes long with many rules."""
        for title in page:
            policy = policy_of(title, self._settings, self._subscriptions)
            if not policy.limits or title.keep:
                continue
            if policy.is_over(title, self._now, surplus=False):
                self._over[title.id] = None
            if policy.keep_last:
                goes = policy.is_over(title, self._now, surplus=True)
                moment = title.published_at or title.created_at
                member = _Member(moment, title.number, title.id, goes)
                self._groups.setdefault((policy, _group(title)), []).append(member)

    def result(self) -> list[str]:
        """Return the ids of the titles that go."""
        for (policy, _), members in self._groups.items():
            members.sort(reverse=True)
            surplus = members[policy.keep_last :]
            self._over.update({member.title_id: None for member in surplus if member.goes})
        return list(self._over)


class TitleRetention:
    """Lets titles go by their policies, and deletes what was in the archive for long enough.

    ``subscriptions`` returns the policies of subscriptions by their ids.
    """

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        root: Path,
        subscriptions: Callable[[Tx], Mapping[str, Policy]] = subscription_policies,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._root = root
        self._subscriptions = subscriptions

    async def apply(self) -> int:
        """Let go the titles whose time is over; return how many."""
        settings = self._catalogue.settings
        subscriptions = await self._store.read(self._subscriptions)
        policies = [Policy.of(settings), *map(Policy.of, settings.rules), *subscriptions.values()]
        if not any(policy.limits for policy in policies):
            return 0
        over = await self._over(subscriptions)
        done = 0
        for start in range(0, len(over), CHUNK):
            chunk = await self._ours(over[start : start + CHUNK])
            done += await self._store.write(partial(self._let_go, title_ids=chunk))
            fault("titles-let-go")
        return done

    async def archive_gone(self) -> int:
        """Archive what has disappeared from its source, if its subscription says so; once."""
        gone = await self._store.read(partial(Tx.titles_gone_from_source, limit=MOST_GONE))
        done = 0
        for start in range(0, len(gone), CHUNK):
            chunk = gone[start : start + CHUNK]
            ours = set(await self._ours([title_id for title_id, _, _ in chunk]))
            taken = [each for each in chunk if each[0] in ours]
            done += await self._store.write(partial(self._archive_gone, gone=taken))
        return done

    def _archive_gone(self, tx: Tx, gone: Sequence[tuple[str, str, str]]) -> int:
        done = 0
        for title_id, subscription_id, item_key in gone:
            title = tx.title(title_id)
            if title is None or title.state is not TitleState.COMPLETED:
                continue
            if tx.is_title_kept(title_id):
                continue
            with suppress(CommandError):  # its files are being moved
                archive(tx, self._catalogue, title)
                # Whoever restores it has it for good.
                tx.update_item(subscription_id, item_key, state=ItemState.EXPIRED, reason=GONE)
                done += 1
        return done

    async def empty_archive(self) -> int:
        """Delete the titles that were archived for `archive_days`; return how many."""
        days = self._catalogue.settings.archive_days
        if not days:
            return 0
        before = self._catalogue.clock() - timedelta(days=days)

        def empty(tx: Tx) -> int:
            ids = tx.archived_before(before, CHUNK)
            for title_id in ids:
                self._catalogue.give_up(tx, title_id)
            return len(ids)

        total = 0
        while count := await self._store.write(empty):
            total += count
        return total

    async def _over(self, subscriptions: Mapping[str, Policy]) -> list[str]:
        """Return the ids of the titles that go, the oldest first."""
        choice = _Choice(self._catalogue.settings, subscriptions, self._catalogue.clock())
        after = 0
        while page := await self._store.read(partial(Tx.retained_titles, after=after, limit=PAGE)):
            after = page[-1].number
            await threads.call(choice.add, page)
        return await threads.call(choice.result)

    async def _ours(self, title_ids: Sequence[str]) -> list[str]:
        """Return the titles whose media are there, and are not those of other programs."""

        def media(tx: Tx) -> dict[str, TitleFile]:
            files = {title_id: tx.title_files(title_id) for title_id in title_ids}
            return {title_id: own[0] for title_id, own in files.items() if own and own[0].main}

        found = await self._store.read(media)

        def check() -> list[str]:
            return [key for key, file in found.items() if is_owned(self._root, owned(file))]

        return await threads.call(check)

    def _let_go(self, tx: Tx, title_ids: Sequence[str]) -> int:
        """Archive or delete titles, except those that were changed since they were chosen."""
        done = 0
        for title_id in title_ids:
            title = tx.title(title_id)
            if title is None or title.state is not TitleState.COMPLETED:
                continue
            if tx.is_title_kept(title_id):
                continue
            if self._catalogue.settings.retention_action == "delete":
                self._catalogue.give_up(tx, title_id)
            else:
                try:
                    archive(tx, self._catalogue, title)
                except CommandError:
                    continue  # it has no file
            done += 1
        return done


def _group(title: RetainedTitle) -> object:
    """Return what `keep_last` counts in: a subscription, a show, or a channel."""
    if title.subscription_id:
        return title.subscription_id
    return title.show_id or (title.extractor, title.channel_id or title.channel)


def _is_past(moment: datetime, days: int, now: datetime) -> bool:
    return bool(days) and moment + timedelta(days=days) <= now


def _facts(title: RetainedTitle) -> PageFacts:
    return PageFacts(
        title=title.title,
        channel=title.channel,
        channel_id=title.channel_id,
        extractor=title.extractor,
        playlist=title.playlist,
    )
