"""What a terminal shows: numbers for people, and nothing that a title could do to it."""

from __future__ import annotations

import io

from rich.console import Console

from mediarip_mqtt.cli.client import Snapshot
from mediarip_mqtt.cli.display import (
    JobTable,
    ProgressBar,
    eta_text,
    items_text,
    numbers_text,
    short_ids,
)

JOB = {"id": "01a1fb85-0001", "url": "https://a.example/x", "status": "downloading", "title": "A"}
PROGRESS = {
    "phase": "video",
    "progress_percent": 40.0,
    "downloaded_bytes": 4_000_000,
    "total_bytes": 10_000_000,
    "speed": 2_000_000.0,
    "eta": 3.0,
}


def shown(snapshot: Snapshot, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal)
    with ProgressBar(console) as bar:
        bar.show(snapshot)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_progress_is_told_in_numbers_for_people() -> None:
    text = numbers_text(Snapshot(JOB, PROGRESS))
    assert text == "4.0 MB of 10.0 MB, 2.0 MB/s, 0:03 left"
    assert eta_text(3725) == "1:02:05"
    assert eta_text(None) == ""


def test_a_playlist_tells_its_items() -> None:
    job = {**JOB, "items": {"total": 9, "completed": 5, "failed": 1, "cancelled": 1}}
    assert items_text(job) == "5 of 9 items, 2 not downloaded"


def test_without_a_terminal_there_are_no_control_codes() -> None:
    text = shown(Snapshot(JOB, PROGRESS), terminal=False)
    assert text == "downloading   40 %  A  (4.0 MB of 10.0 MB, 2.0 MB/s, 0:03 left)\n"


def test_a_title_can_not_write_to_the_terminal() -> None:
    job = {**JOB, "title": "\x1b[2J[bold]title[/bold]\x07\r\n"}
    for terminal in (True, False):
        text = shown(Snapshot(job, PROGRESS), terminal=terminal)
        assert "\x1b[2J" not in text
        assert "\x07" not in text
        assert "[bold]title[/bold]" in text


def test_the_table_shows_running_jobs_first_and_says_what_is_left_out() -> None:
    table = JobTable()
    table.online = True
    for number, status in enumerate(("completed", "queued", "downloading", "a new status")):
        job = {**JOB, "id": f"0199000{number}-x", "status": status, "title": f"{status}-job"}
        table.update_job(job["id"], {**job, "created_at": f"2026-01-0{number + 1}"})
    table.update_progress("01990002-x", PROGRESS)
    table.update_job("01990001-x", None)
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render(2))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.index("downloading-job") < text.index("a new status-job")
    assert "completed-job" not in text
    assert "online, 1 more" in text


def test_short_ids_are_the_shortest_that_name_one_job() -> None:
    ids = ["0199aaaa-0001", "0199aaaa-0002", "0199bbbb-0001"]
    assert short_ids(ids) == {
        "0199aaaa-0001": "0199aaaa-0001",
        "0199aaaa-0002": "0199aaaa-0002",
        "0199bbbb-0001": "0199bbbb",
    }
