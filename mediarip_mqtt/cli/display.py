"""Shows jobs on a terminal: a progress bar, plain lines, a live table."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import IO, Any, Final, Self

from rich import box
from rich.console import Console, Group
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from mediarip_mqtt.cli.client import ENDED, Snapshot
from mediarip_mqtt.contract.models import ACTIVE, JobStatus, Phase

PLAIN_STEP: Final = 10.0  # percent between two plain lines
PLAIN_INTERVAL: Final = 5.0  # seconds after which a smaller step is printed, too
ID_LEAST: Final = 8  # characters
# Phases that are shown instead of the less precise status `processing`.
AFTERWARDS: Final = (Phase.MERGING, Phase.CONVERTING, Phase.MOVING)
COLOURS: Final[dict[str, str]] = {
    JobStatus.COMPLETED: "green",
    JobStatus.FAILED: "red",
    JobStatus.CANCELLED: "yellow",
    JobStatus.PAUSED: "yellow",
    JobStatus.RETRYING: "yellow",
    JobStatus.REVIEW: "magenta",
}


def clean(text: object) -> str:
    """Replace control characters: titles are untrusted."""
    return "".join(char if char.isprintable() else " " for char in str(text or ""))


def title_of(job: Mapping[str, Any]) -> str:
    """Return a job's title, else its URL or id, without control characters."""
    return clean(job.get("title") or job.get("url") or job.get("id"))


def speed_text(value: object) -> str:
    """Format bytes per second; empty if unknown or zero."""
    return f"{decimal(int(value))}/s" if isinstance(value, int | float) and value > 0 else ""


def eta_text(value: object) -> str:
    """Format seconds as ``m:ss`` or ``h:mm:ss``; empty if unknown."""
    if not isinstance(value, int | float):
        return ""
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def items_text(job: Mapping[str, Any]) -> str:
    """Format a playlist's counts; empty for a single file."""
    items = job.get("items")
    if not items:
        return ""
    text = f"{items.get('completed', 0)} of {items.get('total', 0)} items"
    failed = items.get("failed", 0) + items.get("cancelled", 0)
    return f"{text}, {failed} not downloaded" if failed else text


def doing_text(snapshot: Snapshot) -> str:
    """Return the current activity of a job."""
    job, progress = snapshot.job, snapshot.progress
    if not snapshot.online:
        return "the service is offline; waiting"
    status = str(job.get("status") or "")
    if status == JobStatus.RETRYING:
        return f"retrying: {clean(job.get('error_message'))}"
    if status == JobStatus.QUEUED or not progress:
        return status
    phase = progress.get("phase")
    return str(phase) if phase in AFTERWARDS and not snapshot.ended else status


def numbers_text(snapshot: Snapshot) -> str:
    """Format size, speed and time left, as far as known."""
    job, progress = snapshot.job, snapshot.progress
    done, total = progress.get("downloaded_bytes"), progress.get("total_bytes")
    size = ""
    if snapshot.ended:
        size = decimal(int(job["filesize"])) if job.get("filesize") else ""
    elif done:
        size = f"{decimal(int(done))} of {decimal(int(total))}" if total else decimal(int(done))
    eta = eta_text(progress.get("eta"))
    if snapshot.ended:
        parts = [items_text(job), size]
    else:
        parts = [items_text(job), size, speed_text(progress.get("speed"))]
        parts.append(f"{eta} left" if eta else "")
    return ", ".join(part for part in parts if part)


class ProgressBar:
    """Progress of one download: a bar on a terminal, otherwise plain lines."""

    def __init__(self, console: Console) -> None:
        self.job_id: str | None = None
        self._console = console
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_printed: tuple[str, float, float] = ("", -PLAIN_STEP, 0.0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[numbers]}", markup=False),
                console=self._console,
            )
            self._bar.start()
        return self

    def __rich__(self) -> Progress | str:
        return self._bar or ""

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Show the current state of the job."""
        self.job_id = str(snapshot.job["id"])
        title = title_of(snapshot.job)
        short = title if len(title) <= 40 else f"{title[:39]}…"  # noqa: PLR2004 - leaves room for the bar
        description = f"{short} ({doing_text(snapshot)})"
        if self._bar is None:
            self._print_line(snapshot, title)
            return
        if self._task is None:
            self._task = self._bar.add_task(description, total=100, numbers="")
        self._bar.update(
            self._task,
            description=description,
            completed=snapshot.percent,
            numbers=numbers_text(snapshot),
        )

    def _print_line(self, snapshot: Snapshot, title: str) -> None:
        doing, percent, now = doing_text(snapshot), snapshot.percent, time.monotonic()
        last_doing, last_percent, last_time = self._last_printed
        step = percent - last_percent
        if (
            doing == last_doing
            and step < PLAIN_STEP
            and not (step and now - last_time > PLAIN_INTERVAL)
        ):
            return
        self._last_printed = (doing, percent, now)
        numbers = numbers_text(snapshot)
        print_line(
            self._console.file,
            f"{doing:<12} {percent:3.0f} %  {title}" + (f"  ({numbers})" if numbers else ""),
        )


def plain_line(job: Mapping[str, Any]) -> str:
    """Format a job as one line without control codes: status, id, title, error."""
    line = f"{job.get('status'):<12} {job.get('id')}  {title_of(job)}"
    return f"{line}  {clean(job.get('error_message'))}".rstrip()


def print_line(file: IO[str], text: str) -> None:
    """Write a line without wrapping or colours, and flush."""
    file.write(text + "\n")
    file.flush()


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Map each id to its shortest unambiguous prefix; commands accept the prefix."""
    ordered = sorted(set(ids))
    short = {}
    for index, job_id in enumerate(ordered):
        neighbours = ordered[max(0, index - 1) : index] + ordered[index + 1 : index + 2]
        shared = max((_shared_length(job_id, neighbour) for neighbour in neighbours), default=0)
        short[job_id] = job_id[: max(ID_LEAST, shared + 1)]
    return short


def _shared_length(left: str, right: str) -> int:
    """Return the length of the common prefix."""
    for position, (left_char, right_char) in enumerate(zip(left, right, strict=False)):
        if left_char != right_char:
            return position
    return min(len(left), len(right))


def job_table(snapshots: Iterable[Snapshot], names: Mapping[str, str]) -> Table:
    """Return a table with one row per job; ``names`` maps ids to the shown ids."""
    table = Table(expand=True, box=box.SIMPLE_HEAD, header_style="bold")
    for name in ("id", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("title", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for snapshot in snapshots:
        job = snapshot.job
        status = str(job.get("status"))
        note = clean(job.get("error_message")) if status == JobStatus.FAILED else ""
        table.add_row(
            names[str(job["id"])],
            Text(doing_text(snapshot), style=COLOURS.get(status, "")),
            Text(title_of(job)),
            f"{snapshot.percent:.0f} %",
            Text(note or numbers_text(snapshot)),
        )
    return table


class JobTable:
    """The table of `watch`: all retained jobs, running ones first."""

    def __init__(self) -> None:
        self.online: bool | None = None
        self.state: Mapping[str, Any] = {}
        self.jobs: dict[str, Mapping[str, Any]] = {}
        self.progress: dict[str, Mapping[str, Any]] = {}

    def update_job(self, job_id: str, job: Mapping[str, Any] | None) -> None:
        """Set a job's state; empty or None removes the job."""
        if job:
            self.jobs[job_id] = job
        else:
            self.jobs.pop(job_id, None)
            self.progress.pop(job_id, None)

    def update_progress(self, job_id: str, progress: Mapping[str, Any] | None) -> None:
        """Set a job's progress; empty or None clears it."""
        if progress:
            self.progress[job_id] = progress
        else:
            self.progress.pop(job_id, None)

    def render(self, rows: int) -> Group:
        """Return the table of at most ``rows`` jobs, and a footer."""
        ordered = self._ordered()
        shown = [Snapshot(job, self.progress.get(str(job["id"]), {})) for job in ordered[:rows]]
        table = job_table(shown, short_ids(self.jobs))
        more = len(ordered) - rows
        return Group(table, Text(self._footer() + (f", {more} more" if more > 0 else "")))

    def _ordered(self) -> list[Mapping[str, Any]]:
        """Return running (newest first), waiting (oldest first), ended jobs (newest first)."""
        oldest_first = sorted(self.jobs.values(), key=lambda job: str(job.get("created_at")))
        running = [job for job in oldest_first if job.get("status") in ACTIVE]
        ended = [job for job in oldest_first if job.get("status") in ENDED]
        waiting = [job for job in oldest_first if job.get("status") not in ACTIVE | ENDED]
        return [*reversed(running), *waiting, *reversed(ended)]

    def _footer(self) -> str:
        if self.online is None:
            return "no service found yet"
        parts = ["online" if self.online else "OFFLINE"]
        if self.state.get("paused"):
            parts.append(f"paused ({clean(self.state.get('pause_reason'))})")
        if speed := speed_text(self.state.get("speed")):
            parts.append(speed)
        if isinstance(free := self.state.get("disk_free"), int):
            parts.append(f"{decimal(free)} free")
        return ", ".join(parts)
