"""Commands about subscriptions, as the intake answers them."""

from __future__ import annotations

from typing import Any

from mediarip_mqtt.commands.subscription_commands import MAX_SESSION_REQUESTS
from mediarip_mqtt.contract.models import new_id, now
from mediarip_mqtt.contract.subscription_models import ItemState, Subscription, SubscriptionItem
from mediarip_mqtt.contract.subscription_settings import MAX_OF_SESSION, MAX_SUBSCRIPTIONS
from mediarip_mqtt.store import Tx
from tests.support.intake import Desk

URL = "https://videos.example/c/sea"


def subscription(**fields: Any) -> Subscription:
    values = {"session_id": "default", "name": "Sea", "url": URL, "created_at": now()}
    return Subscription.model_validate({"id": new_id(), **values, **fields})


async def added(desk: Desk, **fields: Any) -> Subscription:
    one = subscription(**fields)
    await desk.store.write(lambda tx: tx.insert_subscription(one))
    return one


async def test_a_subscription_that_is_not_there_is_not_found(desk: Desk) -> None:
    for name in ("unsubscribe", "check", "subscriptions"):
        reply = await desk.ask(name, {"id": "nobody"})
        assert reply["error"]["code"] == "subscription_not_found"


async def test_no_more_than_a_thousand_are_followed(desk: Desk) -> None:
    def fill(tx: Tx) -> None:
        for number in range(MAX_SUBSCRIPTIONS):
            tx.insert_subscription(subscription(url=f"{URL}/{number}"))

    await desk.store.write(fill)

    reply = await desk.ask("subscribe", {"url": URL})
    assert reply["error"]["code"] == "too_many_subscriptions"


async def test_what_is_followed_already_is_answered_at_once(desk: Desk) -> None:
    one = await added(desk)

    assert (await desk.ask("subscribe", {"url": URL}))["subscription_id"] == one.id


async def test_a_subscription_is_paused_and_changed_by_its_name(desk: Desk) -> None:
    await added(desk)
    values = {"enabled": False, "title_exclude": "*trailer*", "interval": 3600}
    reply = await desk.ask("subscriptions", {"id": "sea", "set": values})

    assert {key: reply["subscription"][key] for key in values} == values


async def test_a_wrong_option_is_refused_and_nothing_changes(desk: Desk) -> None:
    one = await added(desk)
    for values in ({"interval": 5}, {"nonsense": 1}, {"wanted": {"preset": "no such"}}):
        assert not (await desk.ask("subscriptions", {"id": "sea", "set": values}))["ok"]
    after = await desk.store.read(lambda tx: tx.subscription(one.id))
    assert after is not None
    assert after.model_dump_json() == one.model_dump_json()


async def test_a_person_gets_an_item_that_was_left_out_or_never_gets_it(desk: Desk) -> None:
    one = await added(desk)
    item = SubscriptionItem(
        item_key="site 1",
        rank=1,
        url=f"{URL}/1",
        first_seen_at=now(),
        state=ItemState.FILTERED,
        reason="duration_max",
    )
    await desk.store.write(lambda tx: tx.insert_items(one.id, [item]))

    for action, state in (("get", "queued"), ("ignore", "ignored")):
        await desk.send("command/check", {"id": "sea", "item": "site 1", "action": action})
        reply = await desk.ask("subscriptions", {"id": "sea", "items": True})
        assert [each["state"] for each in reply["items"]] == [state]


async def test_an_isolated_session_leaves_others_room(isolated: Desk) -> None:
    for number in range(MAX_SESSION_REQUESTS):
        await isolated.send("session/anna/command/subscribe", {"url": f"{URL}/{number}"})
    (full,) = await isolated.send("session/anna/command/subscribe", {"url": URL})
    assert full.error["code"] == "queue_full"
    await isolated.send("session/bob/command/subscribe", {"url": URL})
    waiting = await isolated.store.read(Tx.subscription_requests)
    assert [each.session_id for each in waiting].count("bob") == 1


async def test_an_isolated_session_can_not_follow_all_that_may_be_followed(isolated: Desk) -> None:
    def fill(tx: Tx) -> None:
        for number in range(MAX_OF_SESSION):
            tx.insert_subscription(subscription(url=f"{URL}/{number}", session_id="anna"))

    await isolated.store.write(fill)
    (full,) = await isolated.send("session/anna/command/subscribe", {"url": URL})
    assert full.error["code"] == "too_many_subscriptions"
    command = {"subscriptions": [{"url": URL}]}
    (sent,) = await isolated.send("session/anna/command/import_subscriptions", command)
    assert sent.reply["results"][0]["code"] == "too_many_subscriptions"
    (sent,) = await isolated.send("session/bob/command/import_subscriptions", command)
    assert sent.reply["results"][0]["result"] == "new"


async def test_an_isolated_session_can_not_import_items_without_end(isolated: Desk) -> None:
    limit = isolated.settings.session.session_stored_limit
    replies = []
    for start in range(0, limit + 1000, 1000):
        items = [{"item_key": f"a {number}"} for number in range(start, start + 1000)]
        command = {"subscriptions": [{"url": URL, "items": items}]}
        (sent,) = await isolated.send("session/anna/command/import_subscriptions", command)
        replies.append(sent.reply["results"][0])
    assert {reply["result"] for reply in replies[:-1]} == {"new", "known"}
    assert replies[-1]["code"] == "queue_full"
