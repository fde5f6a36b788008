"""Which subscription a command means: by its id, the beginning of one, or a clear name."""

from __future__ import annotations

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.subscription_models import Subscription, SubscriptionItem
from mediarip_mqtt.jobs.job_reference import PREFIX_LENGTH, the_one
from mediarip_mqtt.store import Tx


def find_subscription(tx: Tx, ref: str, scope: str | None = None) -> Subscription:
    """Return the subscription; ``scope`` limits it to one session's. Raises `CommandError`."""
    if (exact := tx.subscription(ref)) and scope in {None, exact.session_id}:
        return exact
    matches = []
    if len(ref) >= PREFIX_LENGTH:
        matches = tx.subscriptions_by_prefix(ref.lower(), scope, 2)
    if not matches:
        matches = _named(tx.subscriptions(scope), ref.casefold())
    missing = f"There is no subscription {ref[:40]!r}. The command `subscriptions` shows them."
    several = f"Several subscriptions fit {ref[:40]!r}. Give the id, or more of the name."
    return the_one(matches, ErrorCode.SUBSCRIPTION_NOT_FOUND, missing, several)


def find_item(tx: Tx, subscription: Subscription, ref: str) -> SubscriptionItem:
    """Return an item by its key, or by the id of the site alone. Raises `CommandError`."""
    if item := tx.item(subscription.id, ref):
        return item
    if subscription.extractor and (
        item := tx.item(subscription.id, f"{subscription.extractor.split(':')[0].lower()} {ref}")
    ):
        return item
    raise CommandError(
        ErrorCode.SUBSCRIPTION_NOT_FOUND,
        f"The subscription {subscription.name!r} knows no item {ref[:80]!r}. `subscriptions` with "
        "`items: true` shows them, with their `item_key`.",
        field="item",
    )


def _named(subscriptions: list[Subscription], name: str) -> list[Subscription]:
    """Return the subscriptions with a name or URL, else those whose name contains it."""
    exact = [each for each in subscriptions if name in {each.name.casefold(), each.url.casefold()}]
    return exact or [each for each in subscriptions if name in each.name.casefold()]
