"""Titles in the store: each with its number, found by words, also among 100,000."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.content import ContentType
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.contract.titles import (
    PRESENT,
    TITLE_MOVES,
    Candidate,
    Chapter,
    Show,
    Title,
    TitleState,
)
from mediarip_mqtt.store import Store, TitleFilter, Tx
from tests.support.stores import NOW, OpenStore, insert, job


def title(number: int = 1, **fields: Any) -> Title:
    values = {"session_id": "default", "title": f"Tide {number}", "created_at": NOW, **fields}
    return Title(id=f"0199-t{number:06d}", slug="tide", **values)


async def add(store: Store, *titles: Title) -> None:
    def insert_all(tx: Tx) -> None:
        for each in titles:
            tx.insert_title(each)

    await store.write(insert_all)


async def add_show(store: Store, name: str = "Tides") -> Show:
    show = Show(
        id=f"show-{name}", content_type=ContentType.TV, name=name, folder=name, created_at=NOW
    )
    await store.write(lambda tx: tx.insert_show(show, name_key=name, folder_key=name))
    return show


async def found(
    store: Store, limit: int = 50, before: str | None = None, **wanted: Any
) -> list[str]:
    titles = await store.read(lambda tx: tx.titles(TitleFilter(**wanted), limit, before))
    return [each.title for each in titles]


async def test_a_title_is_read_as_it_was_written(open_store: OpenStore) -> None:
    store = await open_store()
    show = await add_show(store)
    one = title(
        show_id=show.id,
        show=show.name,
        content_type=ContentType.TV,
        season=1,
        episode=2,
        candidates=(Candidate(content_type=ContentType.MOVIE, confidence=0.5),),
        fields={"rating": 5},
        published_at=NOW,
        keep=True,
        extractor="Youtube",
        source_id="x1",
    )
    await add(store, one)
    assert await store.read(lambda tx: tx.title(one.id)) == one
    assert await store.read(lambda tx: tx.title_of_source("Youtube", "x1")) == one


async def test_two_titles_never_have_the_same_number(open_store: OpenStore) -> None:
    store = await open_store()
    show = await add_show(store)
    numbered = {"show_id": show.id, "season": 1, "episode": 2, "state": TitleState.COMPLETED}
    await add(store, title(1, **numbered))
    with pytest.raises(StoreError):
        await add(store, title(2, **numbered))
    await add(store, title(3, **{**numbered, "state": TitleState.ARCHIVED}))
    await add(store, title(4, **numbered, title_index=1))


@pytest.mark.parametrize("state", TitleState)
async def test_a_title_takes_only_the_moves_of_the_table(
    state: TitleState, open_store: OpenStore
) -> None:
    store = await open_store()
    for number, other in enumerate(TitleState):
        await add(store, title(number, state=state))
        move = partial(Tx.update_title, title_id=title(number).id, state=other)
        if other is state or other in TITLE_MOVES[state]:
            assert (await store.write(move)).state is other
        else:
            with pytest.raises(ValueError, match="can't become"):
                await store.write(move)


def test_every_state_can_be_reached_and_only_deleted_is_the_end() -> None:
    reached = {TitleState.PENDING}
    for _ in TitleState:
        reached |= {state for known in reached for state in TITLE_MOVES[known]}
    assert reached == set(TitleState)
    assert {state for state, moves in TITLE_MOVES.items() if not moves} == {TitleState.DELETED}
    assert set(TITLE_MOVES) == set(TitleState)
    assert TitleState.COMPLETED in PRESENT


async def test_words_find_titles_by_title_show_and_description(open_store: OpenStore) -> None:
    store = await open_store()
    show = await add_show(store, "Gezeiten")
    await add(
        store,
        title(1, title="Niedrigwasser", show_id=show.id),
        title(2, title="Müller's Ebbe", description="at the harbour"),
    )
    assert await found(store, query="gezeit") == ["Niedrigwasser"]
    assert await found(store, query="muller ebbe") == ["Müller's Ebbe"]
    assert await found(store, query="HARBOUR") == ["Müller's Ebbe"]
    assert await found(store, query='"NEAR( OR *') == []
    assert await found(store, query="😀") == []
    await store.write(lambda tx: tx.update_title(title(1).id, title="Flut"))
    assert await found(store, query="niedrigwasser") == []
    assert await found(store, query="flut gezeiten") == ["Flut"]
    await store.write(lambda tx: tx.delete_title(title(1).id))
    assert await found(store, query="flut") == []


async def test_filters_and_pages_go_together(open_store: OpenStore) -> None:
    store = await open_store()
    show = await add_show(store)
    for number in range(6):
        kind = ContentType.TV if number % 2 else ContentType.MOVIE
        of = {"show_id": show.id} if number == 1 else {}
        await add(store, title(number, content_type=kind, state=TitleState.COMPLETED, **of))
    await store.write(lambda tx: tx.add_tags(title(3).id, [("sea", "Sea")], NOW))
    await store.write(lambda tx: tx.update_title(title(5).id, watched_at=NOW))
    assert await found(store, content_type=ContentType.TV) == ["Tide 5", "Tide 3", "Tide 1"]
    assert await found(store, tag="sea") == ["Tide 3"]
    assert await found(store, show_key="Tides") == ["Tide 1"]
    assert await found(store, watched=True) == ["Tide 5"]
    assert await found(store, 2, query="tide") == ["Tide 5", "Tide 4"]
    assert await found(store, 2, title(4).id, query="tide") == ["Tide 3", "Tide 2"]
    assert await found(store, 2, title(4).id) == ["Tide 3", "Tide 2"]


async def test_a_title_keeps_its_files_when_its_job_is_deleted(open_store: OpenStore) -> None:
    store = await open_store()
    done = job(status="completed")
    await insert(store, done)
    await add(store, title(job_id=done.id))

    def place(tx: Tx) -> None:
        tx.plan_files(done.id, [JobFile(filename="a", filesize=1, temp_path="t")])
        tx.files_placed(done.id)
        tx.give_files_to_title(done.id, title().id)

    await store.write(place)
    await store.write(lambda tx: tx.delete(done))
    kept = await store.read(lambda tx: tx.title(title().id))
    assert kept is not None
    assert kept.job_id is None
    files = await store.read(lambda tx: tx.title_files(title().id))
    assert [file.filename for file in files] == ["a"]


async def test_the_files_of_a_job_without_a_title_go_with_it(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = await open_store()
    await insert(store, job())
    await store.write(lambda tx: tx.plan_files(job().id, [JobFile(filename="a", filesize=1)]))
    await store.write(lambda tx: tx.delete(job()))
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        assert connection.execute("SELECT count(*) FROM files").fetchone()[0] == 0


async def test_counts_follow_every_change(open_store: OpenStore) -> None:
    store = await open_store()
    kind = ContentType.TV
    await add(store, *(title(number, content_type=kind, filesize=10) for number in range(3)))
    await store.write(
        lambda tx: tx.update_title(title(1).id, state=TitleState.MATCHING, filesize=15)
    )
    await store.write(lambda tx: tx.delete_title(title(2).id))
    counts = await store.read(lambda tx: tx.count_titles())
    assert {(count.state, count.count, count.size) for count in counts} == {
        (TitleState.PENDING, 1, 10),
        (TitleState.MATCHING, 1, 15),
    }


async def test_chapters_are_replaced_as_a_whole(open_store: OpenStore) -> None:
    store = await open_store()
    await add(store, title())
    chapters = [Chapter(title="One", start_time=0, end_time=5), Chapter(title="Two", start_time=5)]
    await store.write(lambda tx: tx.set_chapters(title().id, chapters, NOW))
    await store.write(lambda tx: tx.set_chapters(title().id, chapters[1:], NOW))
    assert await store.read(lambda tx: tx.chapters(title().id)) == chapters[1:]
    kept = await store.read(lambda tx: tx.title(title().id))
    assert kept is not None
    assert kept.has_chapters


async def test_tags_that_no_title_has_are_forgotten(open_store: OpenStore, tmp_path: Path) -> None:
    store = await open_store()
    await add(store, title(1), title(2))
    for number in (1, 2):
        tagged = title(number).id
        await store.write(partial(Tx.add_tags, title_id=tagged, tags=[("sea", "Sea")], now=NOW))
    await store.write(lambda tx: tx.remove_tags(title(1).id, ["sea"]))
    kept = await store.read(lambda tx: tx.title(title(2).id))
    assert kept is not None
    assert kept.tags == ("Sea",)
    await store.write(lambda tx: tx.remove_tags(title(2).id, ["sea"]))
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        assert connection.execute("SELECT count(*) FROM tags").fetchone()[0] == 0


READS: dict[str, Callable[[Tx], object]] = {
    "by its id": lambda tx: tx.title("0199-t000500"),
    "by the site's id": lambda tx: tx.title_of_source("Youtube", "id500"),
    "the newest": lambda tx: tx.titles(TitleFilter(), 50),
    "of a type": lambda tx: tx.titles(TitleFilter(content_type=ContentType.TV), 50),
    "with a word that all have": lambda tx: tx.titles(TitleFilter(query="tide"), 50),
    "with two beginnings of words": lambda tx: tx.titles(TitleFilter(query="tid harb"), 50),
    "with a rare word": lambda tx: tx.titles(TitleFilter(query="word000500"), 50),
    "how many": lambda tx: tx.count_titles(),
}


async def test_a_hundred_times_the_titles_take_no_longer_to_search(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    await add_show(store)
    _fill(tmp_path / "s.db", 0, 1000)
    few = {name: await _seconds(store, read) for name, read in READS.items()}
    _fill(tmp_path / "s.db", 1000, 100_000)
    many = {name: await _seconds(store, read) for name, read in READS.items()}
    slow = {name: (few[name], many[name]) for name in READS if many[name] > 10 * few[name] + 0.002}
    assert not slow


async def _seconds(store: Store, read: Callable[[Tx], object]) -> float:
    """Return the shortest time of some reads."""

    def timed(tx: Tx) -> float:
        begin = time.perf_counter()
        read(tx)
        return time.perf_counter() - begin

    return min([await store.read(timed) for _ in range(15)])


def _fill(path: Path, first: int, last: int) -> None:
    """Add many titles; the triggers would take minutes for them, one second for a thousand."""
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'titles'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.executemany(
            "INSERT INTO titles (number, id, session_id, show_id, title, slug, content_type, "
            "state, extractor, source_id, description, created_at, filesize) VALUES "
            "(?, ?, 'default', 'show-Tides', ?, '', 'tv', 'completed', 'Youtube', ?, "
            "'at the harbour', '2026-01-01T00:00:00.000Z', 1)",
            [(n + 1, f"0199-t{n:06d}", f"Tide word{n:06d}", f"id{n}") for n in range(first, last)],
        )
        connection.execute(
            "INSERT INTO title_words (rowid, title, show, description, transcript) "
            "SELECT number, title, 'Tides', description, '' FROM titles WHERE number > ?",
            (first,),
        )
        connection.execute("DELETE FROM title_counts")
        connection.execute(
            "INSERT INTO title_counts SELECT session_id, state, content_type, count(*), "
            "sum(filesize) FROM titles GROUP BY 1, 2, 3"
        )
        for _, sql in triggers:
            connection.execute(sql)
