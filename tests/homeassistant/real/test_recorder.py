"""A long download adds few rows to Home Assistant's database."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.homeassistant.real.device import found
from tests.support.broker import Client, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

SIZE = 100_000_000
SPEED = 2_500_000  # 40 s: what a download of 2 GB takes at 400 Mbit/s


def settled(ha: HomeAssistant, names: list[str]) -> dict[str, int]:
    """Return the rows once the entities' first states are all in: when no more are added."""
    seen: dict[str, int] = {}

    def unchanged() -> bool:
        nonlocal seen
        ha.wait_recorded()
        time.sleep(2)  # the recorder writes once a second
        before, seen = seen, ha.rows(names)
        return seen == before

    wait_for(unchanged, 90, "the first states to be recorded")
    return seen


def test_a_download_adds_at_most_a_few_dozen_rows(
    ha: HomeAssistant,
    run: Callable[..., Service],
    client_of: Callable[[str], Client],
    media: MediaServer,
) -> None:
    run("recorded")
    names = found(ha, "recorded")
    client = client_of("recorded")
    wait_for(lambda: client.kept("status") == "online")
    before = settled(ha, list(names.values()))
    job_id = client.download(media.url(f"/slow/{SPEED}/bytes/{SIZE}/film.mp4"))
    client.wait_status(job_id, "completed", timeout=120)
    ha.wait(names["completed_today"], "1")
    ha.wait(names["status"], "idle")
    ha.wait_recorded()
    after = ha.rows(list(names.values()))
    added = {name: number - before.get(name, 0) for name, number in after.items()}
    added = {name: number for name, number in added.items() if number}
    print(  # noqa: T201 - the figure that this is about
        f"\n{ha.version}: {sum(added.values())} rows: {added}"
    )
    assert sum(added.values()) <= 72
    assert added[names["progress"]] <= 22
