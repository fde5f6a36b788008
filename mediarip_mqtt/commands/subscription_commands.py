"""Commands about subscriptions: `subscribe`, `unsubscribe`, `subscriptions`, `check`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from pydantic import AliasChoices, Field, ValidationError

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.download_commands import AboutPage, Url
from mediarip_mqtt.commands.family import Command, JobRef
from mediarip_mqtt.commands.replies import Accepted, Refused
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode, MediaripError
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import new_id
from mediarip_mqtt.contract.subscription_models import (
    ItemState,
    Subscription,
    SubscriptionItem,
    SubscriptionOptions,
    option_values,
)
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.contract.urls import Target, read_target
from mediarip_mqtt.store import SubscriptionRequest, Tx
from mediarip_mqtt.subscriptions.following import Found
from mediarip_mqtt.subscriptions.subscription_reference import find_item, find_subscription

MAX_LISTED: Final = 200
PREVIEWED: Final = 20  # items in the reply to a `dry_run`
MAX_REQUESTS: Final = 100  # that wait for their answer
MAX_SESSION_REQUESTS: Final = 10  # of these, of one isolated session
_NAMED: Final = frozenset({"name", *SubscriptionOptions.model_fields})

SubscriptionRef = JobRef
# What a person gets of what was found.
_TAKEN: Final = (ItemState.WAITING, ItemState.QUEUED, ItemState.DONE)


class _Name(Frozen):
    name: texts.Line


class OneSubscription(Accepted):
    """The subscription, as it is after the command."""

    subscription_id: str
    subscription: Subscription

    @classmethod
    def of(cls, subscription: Subscription) -> OneSubscription:
        """Return the reply for a subscription."""
        return cls(subscription_id=subscription.id, subscription=subscription)


class Subscribed(Accepted):
    """What was found; with `dry_run` nothing is stored, and `items` says what would happen."""

    subscription_id: str | None = Field(description="Null with `dry_run`.")
    subscription: Subscription
    found: int = Field(description="Items in the list.")
    queued: int = Field(description="Jobs that were added.")
    waiting: int = Field(description="Wanted items whose jobs are added later.")
    baseline: int = Field(description="Items that are known, and stay.")
    filtered: int = Field(description="Items that filters left out.")
    hint: str | None = Field(description="For people: what comes next.")
    items: list[SubscriptionItem] = Field(
        description="With `dry_run`: the first 20, each with what would become of it and why."
    )
    dry_run: bool = False


class ManySubscriptions(Accepted):
    """The subscriptions on which a command for all was carried out."""

    subscription_ids: list[str]
    count: int


class ListedSubscriptions(Accepted):
    """Subscriptions, the oldest first."""

    subscriptions: list[Subscription]
    count: int
    total: int = Field(description="Number of all subscriptions.")
    truncated: bool = Field(
        default=False,
        description="The broker does not take more in one packet: the next page has the rest.",
    )


class ListedItems(Accepted):
    """Items of a subscription, the newest first."""

    subscription_id: str
    subscription: Subscription
    items: list[SubscriptionItem]
    count: int
    truncated: bool = Field(
        default=False,
        description="The broker does not take more in one packet: the next page has the rest.",
    )


class Unsubscribed(Accepted):
    """The subscription as it was; its downloads stay."""

    subscription_id: str
    subscription: Subscription
    cancelled: int = Field(description="Waiting jobs that were cancelled.")


class Subscribe(AboutPage, SubscriptionOptions):
    """Follow a channel, playlist, feed or search: what is new there is downloaded."""

    example: ClassVar = {
        "url": "https://videos.example/@tides",
        "backfill": 5,
        "title_exclude": "*trailer*",
        "wanted": {"preset": "1080p"},
    }

    command: Literal["subscribe"] = "subscribe"
    url: Url = Field(description="http or https URL of a channel, playlist, feed or search.")
    name: texts.Line | None = Field(None, description="A name of your own; default: its title.")
    dry_run: bool = Field(default=False, description="Only say what would be downloaded.")

    def run(
        self, tx: Tx, context: Context, origin: Origin, _: None
    ) -> OneSubscription | Subscribed | None:
        """Store the request; `answer_subscribe` replies once the list is read."""
        target = read_target(self.url, context.settings.security)
        subscription = self._subscription(target, context, origin)
        context.following.check_options(subscription)
        if not self.dry_run:
            known = tx.subscription_of_url(target.url, origin.session_id)
            if known is not None:
                return OneSubscription.of(known)
            context.following.check_room(tx, origin.session_id)
        waiting = tx.subscription_requests()
        sender = (origin.session_id, origin.request_id)
        if origin.request_id and sender in {
            (request.session_id, request.request_id) for request in waiting
        }:
            return None  # the same request: it gets one reply
        most = MAX_REQUESTS
        if len(waiting) < most and context.is_restricted(origin.session_id):
            most = MAX_SESSION_REQUESTS
            waiting = [each for each in waiting if each.session_id == origin.session_id]
        if len(waiting) >= most:
            raise CommandError(
                ErrorCode.QUEUE_FULL, f"{len(waiting)} lists wait to be read. Try again later."
            )
        request = SubscriptionRequest(
            id=0,
            subscription=subscription,
            dry_run=self.dry_run,
            session_id=origin.session_id,
            request_id=origin.request_id,
            response_topic=origin.response_topic,
            correlation=origin.correlation,
            login=target.login,
        )
        tx.add_subscription_request(request, context.clock())
        return None

    def _subscription(self, target: Target, context: Context, origin: Origin) -> Subscription:
        return Subscription(
            id=new_id(),
            session_id=origin.session_id,
            name=self.name or "",
            url=target.url,
            created_at=context.clock(),
            **option_values(self),
        )


def answer_subscribe(
    topics: Topics,
    clock: Callable[[], datetime],
    tx: Tx,
    request: SubscriptionRequest,
    result: Found | MediaripError,
) -> None:
    """Reply to `subscribe` with what was found, or with the error."""
    name, request_id = Subscribe.command_name, request.request_id
    if isinstance(result, Found):
        payload = _subscribed(request, result).to_json(name, request_id)
    else:
        payload = Refused.of(result, name, request_id).model_dump_json()
    if request_id:
        tx.remember_request(request.session_id, request_id, payload, clock())
    tx.reply(topics.of(request.session_id).response, payload, clock())
    if request.response_topic:
        tx.reply(request.response_topic, payload, clock(), request.correlation)


def _subscribed(request: SubscriptionRequest, found: Found) -> Subscribed:
    states = [item.state for item in found.items]
    baseline = states.count(ItemState.BASELINE)
    if not request.dry_run:
        wanted = sum(found.subscription.counts.get(state, 0) for state in _TAKEN)
    else:
        wanted = states.count(ItemState.WAITING)
    hint = None
    if baseline and not wanted:
        hint = (
            f"{baseline} items are known and stay; new ones come from now on. `backfill: 5` "
            "fetches the newest five."
        )
    return Subscribed(
        subscription_id=None if request.dry_run else found.subscription.id,
        subscription=found.subscription,
        found=len(found.items),
        queued=found.queued,
        waiting=wanted - found.queued,
        baseline=baseline,
        filtered=states.count(ItemState.FILTERED),
        hint=hint,
        items=list(found.items[:PREVIEWED]) if request.dry_run else [],
        dry_run=request.dry_run,
    )


class Unsubscribe(Command):
    """Follow a source no longer; what was downloaded stays."""

    example: ClassVar = {"id": "Tides", "waiting": "cancel"}
    main_argument = "id"

    command: Literal["unsubscribe"] = "unsubscribe"
    id: SubscriptionRef = Field(
        validation_alias=AliasChoices("id", "subscription_id"),
        description="A subscription: its id, the first 4 or more characters, or a clear name.",
    )
    waiting: Literal["keep", "cancel"] = Field(
        "keep", description="What happens to its jobs that have not ended."
    )

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Unsubscribed:
        """Delete the subscription with what it knows."""
        subscription = find_subscription(tx, self.id, context.scope(origin.session_id))
        _refuse_declared(subscription)
        cancelled = context.following.remove(tx, subscription, cancel=self.waiting == "cancel")
        return Unsubscribed(
            subscription_id=subscription.id, subscription=subscription, cancelled=cancelled
        )


class Subscriptions(Command):
    """List subscriptions, change one, or show its items and why they were left out."""

    example: ClassVar = {"id": "Tides", "set": {"enabled": False}}
    main_argument = "id"
    skips_empty = True

    command: Literal["subscriptions"] = "subscriptions"
    id: SubscriptionRef | None = Field(
        None,
        validation_alias=AliasChoices("id", "subscription_id"),
        description="A subscription: its id, the first 4 or more characters, or a clear name; "
        "without it, all are listed.",
    )
    set: dict[str, Any] = Field(
        default_factory=dict,
        max_length=len(_NAMED),
        description="New values of its `name` and of the options of `subscribe`.",
    )
    items: bool = Field(default=False, description="Show its items.")
    state: ItemState | None = Field(None, description="Only items with this state.")
    limit: int = Field(50, ge=1, le=MAX_LISTED, description="How many.")
    before: str | int | None = Field(
        None,
        description="For the next page: the last item's `rank`, or the last subscription's id.",
    )

    def run(
        self, tx: Tx, context: Context, origin: Origin, _: None
    ) -> OneSubscription | ListedSubscriptions | ListedItems:
        """List or change."""
        scope = context.scope(origin.session_id)
        if self.id is None:
            if self.set or self.items or self.state is not None:
                raise CommandError(
                    ErrorCode.INVALID_PAYLOAD, "Say which subscription, by its `id`.", field="id"
                )
            return self._all(tx, scope)
        subscription = find_subscription(tx, self.id, scope)
        if self.set:
            values = _changed(subscription, self.set)
            if set(values) - {"enabled"}:
                _refuse_declared(subscription)
            subscription = context.following.change(tx, subscription, values)
        if self.items or self.state is not None:
            return self._items(tx, subscription)
        return OneSubscription.of(subscription)

    def _all(self, tx: Tx, scope: str | None) -> ListedSubscriptions:
        found = tx.subscriptions(scope)
        ids = [each.id for each in found]
        start = ids.index(str(self.before)) + 1 if str(self.before) in ids else 0
        page = found[start : start + self.limit]
        return ListedSubscriptions(subscriptions=page, count=len(page), total=len(found))

    def _items(self, tx: Tx, subscription: Subscription) -> ListedItems:
        number = str(self.before)
        before = int(number) if number.isascii() and number.isdecimal() else None
        states = (self.state,) if self.state is not None else ()
        items = tx.items_in(subscription.id, states, self.limit, before=before)
        return ListedItems(
            subscription_id=subscription.id,
            subscription=subscription,
            items=items,
            count=len(items),
        )


class CheckSubscriptions(Command):
    """Check a subscription now, or all; or decide about one of its items."""

    example: ClassVar = {"id": "all"}
    main_argument = "id"

    command: Literal["check"] = "check"
    id: SubscriptionRef = Field(
        validation_alias=AliasChoices("id", "subscription_id"),
        description="A subscription: its id, the first 4 or more characters, a clear name, or "
        "`all`.",
    )
    full: bool = Field(default=False, description="Read the whole list, and not only its feed.")
    item: texts.Line | None = Field(None, description="One of its items: its `item_key`.")
    action: Literal["get", "ignore"] = Field(
        "get", description="With `item`: `get` downloads it, `ignore` never does."
    )

    def run(
        self, tx: Tx, context: Context, origin: Origin, _: None
    ) -> OneSubscription | ManySubscriptions:
        """Plan the check; the subscription's topic shows when it is done."""
        scope, following = context.scope(origin.session_id), context.following
        if self.id == "all":
            if self.item is not None:
                raise CommandError(
                    ErrorCode.INVALID_PAYLOAD, "Say whose item it is, by the `id`.", field="id"
                )
            found = [each for each in tx.subscriptions(scope) if each.enabled]
            following.check_all_now(tx, found, full=self.full)
            return ManySubscriptions(subscription_ids=[each.id for each in found], count=len(found))
        subscription = find_subscription(tx, self.id, scope)
        if self.item is None:
            following.check_all_now(tx, [subscription], full=self.full)
        else:
            item = find_item(tx, subscription, self.item)
            decide = following.get_item if self.action == "get" else following.ignore_item
            decide(tx, subscription, item)
        return OneSubscription.of(tx.subscription(subscription.id) or subscription)


def _refuse_declared(subscription: Subscription) -> None:
    if subscription.declared is not None:
        raise CommandError(
            ErrorCode.FORBIDDEN,
            f"{subscription.name!r} is declared in the configuration file as "
            f"subscriptions.follow.{subscription.declared}: change it there.",
            field="id",
        )


def _changed(subscription: Subscription, values: dict[str, Any]) -> dict[str, Any]:
    """Return new values of a subscription, validated. Raises `CommandError`."""
    for key in values:
        if key not in _NAMED:
            known = ", ".join(sorted(_NAMED))
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                f"set: there is no option {key[:64]!r}. There are: {known}.",
                field="set",
            )
    try:
        name = _Name.model_validate({"name": values.get("name", subscription.name)}).name
        options = SubscriptionOptions.model_validate(
            option_values(subscription)
            | {key: value for key, value in values.items() if key != "name"}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD, f"set.{place}: {first['msg']}.", field="set"
        ) from None
    new = {"name": name, **option_values(options)}
    return {key: new[key] for key in values}
