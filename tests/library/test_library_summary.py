"""The topic `library` fits into attributes of Home Assistant, whatever the titles are."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from mediarip_mqtt.contract.content import ContentType, ReviewReason
from mediarip_mqtt.contract.titles import Candidate, Title, TitleState
from mediarip_mqtt.mqtt.library_summary import LIBRARY_LIMIT, library_json, render_library
from mediarip_mqtt.store import Store, Tx

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WIDE = "\U0001f30a" * 200  # 800 bytes


def title(number: int, text: str, state: TitleState) -> Title:
    candidate = Candidate(content_type=ContentType.TV, show=text, title=text, season=1, episode=2)
    return Title(
        id=f"01990000-0000-7000-8000-{number:012d}",
        session_id="",
        state=state,
        content_type=ContentType.TV,
        title=text,
        artist=text,
        album=text,
        channel=text,
        candidates=(candidate,) * 5,
        review_reason=ReviewReason.LOW_CONFIDENCE if state is TitleState.REVIEW else None,
        created_at=NOW,
    )


async def _payload(store: Store, text: str) -> str:
    def fill(tx: Tx) -> None:
        for number in range(40):
            state = TitleState.REVIEW if number < 15 else TitleState.COMPLETED
            tx.insert_title(title(number, text, state))

    await store.write(fill)
    return library_json(await store.read(render_library))


async def test_usual_titles_all_fit_and_unknown_keys_are_left_out(store: Store) -> None:
    payload = await _payload(store, "Ebb and flow at the harbour")
    told = json.loads(payload)
    assert (len(told["reviews"]), told["waiting"], len(told["newest"])) == (10, 15, 20)
    assert "season" not in told["newest"][0]
    assert len(told["reviews"][0]["candidates"]) == 3
    assert "year" not in told["reviews"][0]["candidates"][0]


async def test_long_titles_leave_out_the_oldest_ones_first(store: Store) -> None:
    payload = await _payload(store, WIDE)
    told = json.loads(payload)
    assert len(payload.encode()) <= LIBRARY_LIMIT
    assert told["waiting"] == 15
    assert told["reviews"]
    assert told["newest"] == []
