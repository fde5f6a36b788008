"""The payload of `subscriptions`, which sums up all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mediarip_mqtt.contract.subscription_models import FAILING, ItemState, Subscription
from mediarip_mqtt.contract.topic_payloads import (
    FoundItem,
    SubscriptionBrief,
    SubscriptionsState,
    SubscriptionSwitch,
)
from mediarip_mqtt.store import Tx

SUBSCRIPTIONS_LIMIT: Final = 16 * 1024  # bytes; Home Assistant does not record larger attributes
LISTED: Final = 20
TEXT: Final = 120  # characters


def render_subscriptions(
    tx: Tx, session_id: str | None = None, switches: Sequence[str] = ()
) -> SubscriptionsState:
    """Return the payload, of one session or of all: at most `SUBSCRIPTIONS_LIMIT` bytes.

    ``switches`` are the names of subscriptions that have one in Home Assistant.
    """
    found = tx.subscriptions(session_id)
    failing = [each for each in found if each.failures >= FAILING]
    items: dict[ItemState, int] = {}
    for each in found:
        for state, number in each.counts.items():
            items[state] = items.get(state, 0) + number
    last = max(
        (each for each in found if each.last_new_at is not None),
        key=lambda each: (str(each.last_new_at), each.id),
        default=None,
    )
    names = {each.id: each.name for each in found}
    enabled = {each.name.casefold(): each.enabled for each in found}
    planned = [each.next_check_at for each in found if each.enabled and each.next_check_at]
    summary = SubscriptionsState(
        count=len(found),
        paused=sum(not each.enabled for each in found),
        failing=len(failing),
        items=items,
        next_check_at=min(planned, default=None),
        last_new=last.last_new if last else None,
        last_new_at=last.last_new_at if last else None,
        last_new_in=last.name if last else None,
        switches=[
            SubscriptionSwitch(name=name, enabled=enabled.get(name.casefold())) for name in switches
        ],
        problems=[_brief(each) for each in failing[:LISTED]],
        newest=[
            FoundItem(
                subscription_id=subscription_id,
                name=names.get(subscription_id, "")[:TEXT],
                title=(item.title or item.url)[:TEXT],
                state=item.state,
                job_id=item.job_id,
                found_at=item.first_seen_at,
            )
            for subscription_id, item in tx.last_found(LISTED, session_id)
        ],
    )
    return _fitted(summary)


def _fitted(summary: SubscriptionsState) -> SubscriptionsState:
    """Leave out the oldest items, then the last problems, until the payload fits."""
    while len(summary.model_dump_json().encode()) > SUBSCRIPTIONS_LIMIT:
        if summary.newest:
            summary = summary.model_copy(update={"newest": summary.newest[:-1]})
        else:
            summary = summary.model_copy(update={"problems": summary.problems[:-1]})
    return summary


def _brief(subscription: Subscription) -> SubscriptionBrief:
    message = subscription.error_message
    return SubscriptionBrief(
        id=subscription.id,
        name=subscription.name[:TEXT],
        failures=subscription.failures,
        enabled=subscription.enabled,
        error_code=subscription.error_code,
        error_message=message[:TEXT] if message else None,
    )
