"""Isolated sessions: what one files, answers or restores leaves others' titles alone."""

from __future__ import annotations

from typing import Any

import pytest

from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.titles import TitleState
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.library.archive import archive, restore
from tests.library.conftest import NewShelf
from tests.support.library import Shelf

EPISODE: dict[str, Any] = {"series": "Tides", "season_number": 1, "episode_number": 2}


def isolated(new_shelf: NewShelf, **settings: Any) -> Shelf:
    shelf = new_shelf(meets_rivals=True, **settings)
    shelf.bench.jobs._topics = Topics("mediarip", isolated=True)  # noqa: SLF001 - the mode of a service
    return shelf


async def of_bob(shelf: Shelf) -> Job:
    job = await shelf.download("Bob's", id="x1", **EPISODE)
    await shelf.store.write(lambda tx: tx.update_title(str(job.title_id), session_id="bob"))
    shelf.engine.content = bytes(reversed(shelf.engine.content))
    return job


@pytest.mark.parametrize("conflict", ["overwrite", "skip", "ask"])
async def test_a_download_with_the_number_of_anothers_title_leaves_it(
    new_shelf: NewShelf, conflict: str
) -> None:
    shelf = isolated(new_shelf, conflict=conflict)
    other = await of_bob(shelf)
    before = await shelf.title(other)
    job = await shelf.download("Mine", id="x2", **EPISODE)
    assert await shelf.title(other) == before
    assert job.status is JobStatus.COMPLETED
    assert "Mine" in str(job.filename)
    assert "Bob" not in str(job.warning)


async def test_an_answer_with_overwrite_leaves_anothers_title(new_shelf: NewShelf) -> None:
    shelf = isolated(new_shelf, review_below=1.0)
    other = await of_bob(shelf)
    await shelf.store.write(lambda tx: tx.update_title(str(other.title_id), session_id="default"))
    await shelf.answer(other)
    await shelf.store.write(lambda tx: tx.update_title(str(other.title_id), session_id="bob"))
    before = await shelf.title(other)
    job = await shelf.download("Mine", id="x2", **EPISODE)
    title = await shelf.answer(job, conflict="overwrite")
    assert await shelf.title(other) == before
    assert title.state is TitleState.COMPLETED


async def test_a_restored_title_gets_another_place_than_anothers(new_shelf: NewShelf) -> None:
    shelf = isolated(new_shelf, conflict="ask")
    mine = await shelf.download("Mine", id="x2", **EPISODE)
    title = await shelf.title(mine)
    await shelf.store.write(lambda tx: archive(tx, shelf.catalogue, title))
    await shelf.organizer.work()
    other = await of_bob(shelf)
    before = await shelf.title(other)
    archived = await shelf.title(mine)
    await shelf.store.write(lambda tx: restore(tx, shelf.catalogue, archived))
    await shelf.organizer.work()
    assert (await shelf.title(mine)).state is TitleState.COMPLETED
    assert await shelf.title(other) == before
