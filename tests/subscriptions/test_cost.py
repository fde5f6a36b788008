"""What a thousand subscriptions cost, compared with ten."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from mediarip_mqtt.contract.subscription_models import ItemState, Subscription, SubscriptionItem
from mediarip_mqtt.store import Tx
from mediarip_mqtt.subscriptions.following import Reading
from tests.support.simulated_site import Site, Station, Time

ITEMS = 100  # of each
REPEATED = 15


async def cost(root: Path, count: int) -> float:
    """Return the seconds that the commit of a check takes, beside so many subscriptions."""
    clock = Time()
    site = Site(clock)
    page = site.page("one")
    for _ in range(ITEMS):
        site.publish(page, "Film")
    station = await Station(root, site, clock).open()

    def fill(tx: Tx) -> None:
        for number in range(count):
            subscription = Subscription(
                id=f"s{number}",
                session_id="default",
                name=f"Channel {number}",
                url=page.url,
                created_at=clock.now(),
                check_method="flat",
            )
            tx.insert_subscription(subscription)
            tx.insert_items(
                subscription.id,
                [
                    SubscriptionItem(
                        item_key=item.key,
                        rank=rank,
                        url=item.url,
                        title=item.title,
                        published_at=item.published_at,
                        first_seen_at=clock.now(),
                        state=ItemState.DONE,
                    )
                    for rank, item in enumerate(page.items, start=1)
                ],
            )

    try:
        await station.store.write(fill)
        times = []
        for _ in range(REPEATED):
            site.publish(page, "New")
            reading = Reading("flat", tuple(page.items))
            begin = time.perf_counter()
            checked = partial(station.following.checked, subscription_id="s1", reading=reading)
            await station.store.write(checked)
            times.append(time.perf_counter() - begin)
        return sorted(times)[REPEATED // 2]
    finally:
        await station.close()


async def test_a_check_costs_the_same_beside_a_thousand_subscriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarip_mqtt.store.database.CLOSE_TIME", 60)  # it writes all to the disk
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few = await cost(tmp_path / "few", 10)
    many = await cost(tmp_path / "many", 1000)

    print(f"commit of a check: {few * 1000:.1f} ms beside 10, {many * 1000:.1f} ms beside 1,000")  # noqa: T201
    assert many < 4 * few
