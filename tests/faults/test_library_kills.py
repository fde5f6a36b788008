"""A kill at any step of the library: no file is lost, there twice, or without its title."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from mediarip_mqtt.fault_points import Point
from tests.support.broker import Client, wait_for
from tests.support.faulty import kill, program
from tests.support.server import MediaServer
from tests.support.server import content as made_up
from tests.support.service import Service

COUNT = 6
WITH_NFO = {"completed", "archived"}


@pytest.fixture
def library(service: Service) -> Service:
    """The service with a library that asks about everything."""
    service.stop()
    service.environment |= {
        "MEDIARIP__LIBRARY__ENABLED": "true",
        "MEDIARIP__LIBRARY__REVIEW_BELOW": "1",
    }
    return service


def run_into(library: Service, point: Point, count: int) -> list[str]:
    """Start the service so that it dies at a point; return how it is usually started."""
    own, library.program = library.program, program(kill(point, count))
    library.start(wait=False)
    return own


def go_on(library: Service, own: list[str]) -> None:
    wait_for(lambda: not library.running, 60, "the kill")
    library.program = own
    library.start(wait=False)


def publish(client: Client, media: MediaServer) -> None:
    for number in range(COUNT):
        url = media.url(f"/bytes/{2000 + number}/{number}.mp4")
        client.publish("command", {"url": url, "request_id": f"r{number}"})


def all_have(client: Client, status: str) -> None:
    done = lambda: client.json("state").get("counts", {}).get(status) == COUNT  # noqa: E731 - read at once
    wait_for(done, 120, f"{COUNT} jobs in {status}")


def archived(library: Service) -> list[str]:
    base = library.root / ".mediarip" / "archive"
    return sorted(str(one.relative_to(library.root)) for one in base.rglob("*") if one.is_file())


def check(library: Service, folder: str, state: str) -> list[str]:
    """Each title has one medium with its content, and in its place an NFO: each in the store.

    Return the titles' ids.
    """
    wait_for(lambda: not library.temporary(), 10)
    everything = sorted([*library.media(), *archived(library)])
    files = [name for name in everything if name.endswith(".mp4")]
    assert len(files) == COUNT
    assert all(name.startswith(f"{folder}/") for name in everything)
    beside = [name.replace(".mp4", ".nfo") for name in files] if state in WITH_NFO else []
    assert everything == sorted([*files, *beside])
    with closing(sqlite3.connect(library.root / ".mediarip" / "store.db")) as store:
        rows = store.execute(
            "SELECT titles.id, state, filename, move_to FROM titles "
            "LEFT JOIN files ON title_id = titles.id AND main ORDER BY filename"
        ).fetchall()
        kept = store.execute("SELECT filename FROM files WHERE role = 'nfo' ORDER BY filename")
        assert [name for (name,) in kept] == sorted(beside)
    assert [row[2] for row in rows] == files
    assert {(row[1], row[3]) for row in rows} == {(state, None)}
    contents = sorted((library.root / name).read_bytes() for name in files)
    assert contents == sorted(made_up(0, 2000 + number) for number in range(COUNT))
    return [row[0] for row in rows]


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("point", ["place-committed", "before-move", "before-completion"])
def test_a_kill_while_files_are_placed_makes_each_title_once(
    point: Point, count: int, library: Service, client: Client, media: MediaServer
) -> None:
    own = run_into(library, point, count)
    publish(client, media)
    go_on(library, own)
    all_have(client, "review")
    check(library, "Unsorted", "review")


@pytest.mark.parametrize(
    ("point", "count"),
    [
        *(("furnished", 1), ("furnished", 4), ("show-furnished", 1), ("show-furnished", 4)),
        *(("place-committed", 4), ("before-completion", 4)),
        *(("before-move", 2), ("before-move", 7)),  # of a medium, or of its NFO
    ],
)
def test_a_kill_while_metadata_are_made_leaves_one_of_each(
    point: Point, count: int, library: Service, client: Client, media: MediaServer
) -> None:
    library.environment["MEDIARIP__LIBRARY__REVIEW_BELOW"] = "0"
    own = run_into(library, point, count)
    publish(client, media)
    go_on(library, own)
    all_have(client, "completed")
    check(library, "Videos", "completed")


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    "point", ["before-ack", "before-move", "title-moved", "before-write", "title-furnished"]
)
def test_a_kill_while_answers_are_carried_out_loses_no_file(
    point: Point, count: int, library: Service, client: Client, media: MediaServer
) -> None:
    library.start()
    publish(client, media)
    all_have(client, "review")
    ids = check(library, "Unsorted", "review")
    library.stop()
    own = run_into(library, point, count)
    for title_id in ids:
        client.publish("command/review", {"id": title_id, "accept": True, "request_id": title_id})
    go_on(library, own)
    all_have(client, "completed")
    check(library, "Videos", "completed")


@pytest.mark.parametrize("count", [1, 4])
def test_a_kill_while_files_are_discarded_leaves_none(
    count: int, library: Service, client: Client, media: MediaServer
) -> None:
    library.start()
    publish(client, media)
    all_have(client, "review")
    ids = check(library, "Unsorted", "review")
    library.stop()
    own = run_into(library, "before-title-removal", count)
    for title_id in ids:
        client.publish("command/review", {"id": title_id, "discard": True, "request_id": title_id})
    go_on(library, own)
    all_have(client, "cancelled")
    wait_for(lambda: not library.media(), 30, "the files to go")


def in_state(client: Client, state: str) -> None:
    done = lambda: client.json("library").get("counts", {}).get(state) == COUNT  # noqa: E731 - read at once
    wait_for(done, 120, f"{COUNT} titles in {state}")


def moved(library: Service) -> None:
    """Wait until no file of a title has a name to go to."""

    def none_waits() -> bool:
        with closing(sqlite3.connect(library.root / ".mediarip" / "store.db")) as store:
            query = "SELECT count(*) FROM files WHERE move_to IS NOT NULL"
            return not store.execute(query).fetchone()[0]

    wait_for(none_waits, 60, "the moves")


@pytest.fixture
def shelved(library: Service, client: Client, media: MediaServer) -> list[str]:
    """Titles that are completed; their ids."""
    library.environment["MEDIARIP__LIBRARY__REVIEW_BELOW"] = "0"
    library.start()
    publish(client, media)
    all_have(client, "completed")
    ids = check(library, "Videos", "completed")
    library.stop()
    return ids


def send(client: Client, command: str, ids: list[str]) -> None:
    for title_id in ids:
        payload = {"id": title_id, "request_id": f"{command} {title_id}"}
        client.publish(f"command/{command}", payload)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("point", ["before-ack", "before-move", "title-moved"])
def test_a_kill_while_titles_are_archived_or_restored_loses_no_file(
    point: Point, count: int, library: Service, client: Client, shelved: list[str]
) -> None:
    own = run_into(library, point, count)
    send(client, "archive", shelved)
    go_on(library, own)
    in_state(client, "archived")
    moved(library)
    assert sorted(check(library, ".mediarip/archive", "archived")) == sorted(shelved)
    library.stop()
    own = run_into(library, point, count)
    send(client, "restore", shelved)
    go_on(library, own)
    in_state(client, "completed")
    assert sorted(check(library, "Videos", "completed")) == sorted(shelved)
    kinds = [one["event_type"] for one in distinct_events(client)]
    assert (kinds.count("archived"), kinds.count("restored")) == (COUNT, COUNT)


def distinct_events(client: Client) -> list[dict[str, Any]]:
    return list({one["event_id"]: one for one in client.events()}.values())
