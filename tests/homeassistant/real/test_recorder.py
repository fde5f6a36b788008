"""A long download adds little to Home Assistant's database, also beside many other jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.homeassistant.real.device import found
from tests.support.broker import Client, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

SIZE = 100_000_000
SPEED = 2_500_000  # 40 s: what a download of 2 GB takes at 400 Mbit/s
WAITING = 50
FINISHED = 100
MOST_ROWS = 60
MOST_BYTES = 40_000


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


def fill(client: Client, media: MediaServer) -> None:
    """Have jobs that wait until tomorrow, and finished ones."""
    now = datetime.now(UTC)
    client.request(
        "import",
        jobs=[
            {
                "url": f"https://videos.example/watch/{number}",
                "title": f"An evening in the harbour, part {number}",
                "status": "completed",
                "filename": f"Harbour films/An evening in the harbour, part {number}.mp4",
                "filesize": 734_003_200 + number,
                "duration": 1830 + number,
                "completed_at": (now - timedelta(days=2, minutes=number)).isoformat(),
            }
            for number in range(FINISHED)
        ],
    )
    tomorrow = (now + timedelta(days=1)).isoformat()
    for number in range(WAITING):
        url = media.url(f"/bytes/1000/A walk through the old town {number}.mp4")
        assert client.request("download", url=url, not_before=tomorrow)["ok"]


def test_a_long_download_beside_many_jobs_adds_little(
    ha: HomeAssistant,
    run: Callable[..., Service],
    client_of: Callable[[str], Client],
    media: MediaServer,
) -> None:
    run("recorded")
    names = found(ha, "recorded")
    entity_ids = list(names.values())
    client = client_of("recorded")
    wait_for(lambda: client.kept("status") == "online")
    fill(client, media)
    before = settled(ha, entity_ids)
    bytes_before = ha.recorded_bytes(entity_ids)
    ha.mark()
    job_id = client.download(media.url(f"/slow/{SPEED}/bytes/{SIZE}/film.mp4"))
    client.wait_status(job_id, "completed", timeout=400)
    ha.wait(names["completed_today"], "1")
    ha.wait(names["status"], "idle")
    after = settled(ha, entity_ids)
    added = {key: after[name] - before.get(name, 0) for key, name in names.items() if name in after}
    added = {key: rows for key, rows in added.items() if rows}
    size = ha.recorded_bytes(entity_ids) - bytes_before
    complaints = ha.complaints()
    print(  # noqa: T201 - the figures that this is about
        f"\n{ha.version}: {sum(added.values())} rows, {size} bytes, {len(complaints)} warnings: "
        f"{added}"
    )
    assert complaints == []
    assert sum(added.values()) <= MOST_ROWS
    assert size <= MOST_BYTES
