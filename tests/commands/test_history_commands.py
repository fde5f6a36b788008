"""The command `import`, as a user of an isolated session may send it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.intake import Desk


def records(start: int, count: int) -> str:
    numbers = range(start, start + count)
    jobs: list[dict[str, Any]] = [
        {
            "url": f"https://videos.example/{number}",
            "status": "completed",
            "completed_at": "2026-01-01T00:00:00Z",
            "keep": True,
        }
        for number in numbers
    ]
    return json.dumps({"jobs": jobs})


async def test_an_isolated_session_can_not_fill_the_store_by_imports(tmp_path: Path) -> None:
    desk = await Desk(
        tmp_path, "isolated", session={"mode": "isolated", "session_stored_limit": 5}
    ).open()
    (first,) = await desk.send("session/mallory/command/import", records(0, 4))
    assert first.reply["imported"] == 4
    (second,) = await desk.send("session/mallory/command/import", records(3, 4))
    assert (second.reply["imported"], second.reply["skipped"]) == (1, 1)
    assert [entry["code"] for entry in second.reply["refused"]] == ["queue_full"] * 2
    assert "session_stored_limit" in second.reply["refused"][0]["message"]
    (other,) = await desk.send("session/anna/command/import", records(0, 5))
    assert other.reply["imported"] == 5
    (household,) = await desk.send("command/import", records(0, 9))
    assert household.reply["imported"] == 9
    await desk.close()
