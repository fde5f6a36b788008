"""The commands `list`, `cancel`, `retry` and `purge`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import typer
from rich.filesize import decimal

from mediarip_mqtt.cli.client import Client, Snapshot, open_client, reachable, refusal
from mediarip_mqtt.cli.display import job_table, plain_line, print_line, short_ids, title_of
from mediarip_mqtt.cli.terminal import AsJson, Config, Exit, carry_out, load, out, print_json
from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.contract.settings import Settings

NAMED: Final = 20  # removed jobs that `purge` lists with their titles
UNITS: Final = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?[wdhms])+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")

Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...", help="Ids, or their first 4 or more characters; or last, current, all."
    ),
]
RetryableStatus = Literal["failed", "cancelled"]


class EndedStatus(StrEnum):
    """Statuses of finished jobs, as an option's values."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def parse_duration(text: str) -> float:
    """Parse ``30d``, ``1d12h``, ``90m`` or ``0`` to seconds; raise `typer.BadParameter`."""
    clean = text.replace(" ", "").lower()
    if clean.replace(".", "", 1).isdecimal():
        clean += "s"
    if not _DURATION.fullmatch(clean):
        raise typer.BadParameter(
            f"{text!r} is not a duration; use 30d, 12h, 1d12h, 90m, or seconds."
        )
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(clean))


def list_jobs(
    *,
    status: Annotated[
        list[JobStatus] | None, typer.Option(help="Only this status; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Maximum number of jobs.")] = 50,
    session: Annotated[str | None, typer.Option(help="Only jobs of this session.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List jobs, newest first."""
    given = {"status": status or None, "limit": limit, "session_id": session}
    carry_out(_list(load(config, quiet=True), _present(given), as_json=as_json))


async def _list(loaded: Settings, arguments: Mapping[str, Any], *, as_json: bool) -> int:
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        reply = await client.ask("list", arguments)
    if _refused(reply):
        return Exit.FAILED
    jobs = reply["jobs"]
    if as_json:
        print_json(jobs)
    elif out.is_terminal:
        out.print(job_table(map(Snapshot, jobs), short_ids(str(job["id"]) for job in jobs)))
    else:
        for job in jobs:
            print_line(sys.stdout, plain_line(job))
    return Exit.OK


def cancel(ids: Ids, *, as_json: AsJson = False, config: Config = None) -> None:
    """Cancel jobs and remove their partial files."""
    carry_out(_each(load(config, quiet=True), "cancel", ids, {}, as_json=as_json))


def retry(
    ids: Ids,
    *,
    status: Annotated[
        RetryableStatus | None, typer.Option(help="With all: only jobs of this status.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Put failed or cancelled jobs back in the queue."""
    given = _present({"status": status})
    carry_out(_each(load(config, quiet=True), "retry", ids, given, as_json=as_json))


async def _each(
    loaded: Settings, name: str, ids: Sequence[str], given: Mapping[str, Any], *, as_json: bool
) -> int:
    """Send a command for each id; continue after a refusal."""
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        replies = [await client.ask(name, {"id": job_id, **given}) for job_id in ids]
    if as_json:
        print_json(replies)
    else:
        for job_id, reply in zip(ids, replies, strict=True):
            if not _refused(reply, job_id):
                _print_effect(name, reply)
    return Exit.OK if all(reply.get("ok") for reply in replies) else Exit.FAILED


def _print_effect(name: str, reply: Mapping[str, Any]) -> None:
    job = reply.get("job")
    if job:
        print_line(sys.stdout, plain_line({**job, "error_message": None}))
    else:
        print_line(sys.stdout, f"{name}: {_count(reply.get('count'))}")


def purge(  # noqa: PLR0913 - one parameter per option
    *,
    older_than: Annotated[
        float | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="Age since their end: 30d, 12h, 1d12h. Default: the setting purge.max_age.",
        ),
    ] = None,
    status: Annotated[
        list[EndedStatus] | None, typer.Option(help="Only this status; may be repeated.")
    ] = None,
    keep_newest: Annotated[
        int | None, typer.Option(min=0, help="Number of newest jobs to keep.")
    ] = None,
    max_total_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Remove the oldest until the files of the rest fit: 500G."
        ),
    ] = None,
    files: Annotated[
        bool | None,
        typer.Option(
            "--files/--no-files", help="Also remove their files. Default: the setting purge.files."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Remove finished jobs by age, number or size, and list them."""
    given = {
        "older_than": older_than,
        "keep_newest": keep_newest,
        "max_total_size": max_total_size,
        "status": status or None,
        "files": files,
    }
    carry_out(_purge(load(config, quiet=True), _present(given), dry_run=dry_run, as_json=as_json))


async def _purge(
    loaded: Settings, arguments: Mapping[str, Any], *, dry_run: bool, as_json: bool
) -> int:
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        preview = await client.ask("purge", {**arguments, "dry_run": True})
        titles = {} if as_json else await _titles(client, preview.get("removed") or [])
        reply = preview if dry_run else await client.ask("purge", arguments)
    if _refused(reply):
        return Exit.FAILED
    if as_json:
        print_json(reply)
        return Exit.OK
    for job_id in reply["removed"][:NAMED]:
        print_line(sys.stdout, f"{job_id}  {titles.get(job_id, '')}".rstrip())
    count = reply["count"]
    if count > NAMED:
        print_line(sys.stdout, f"... and {count - NAMED} more")
    size = f" ({decimal(reply['freed'])})" if reply["freed"] else ""
    print_line(sys.stdout, f"{_count(count)} {'would be removed' if dry_run else 'removed'}{size}")
    return Exit.OK


async def _titles(client: Client, ids: Sequence[str]) -> dict[str, str]:
    """Return the titles of the first jobs by id; ask before the jobs are removed."""
    replies = {job_id: await client.ask("get", {"id": job_id}) for job_id in ids[:NAMED]}
    return {job_id: title_of(reply["job"]) for job_id, reply in replies.items() if reply.get("ok")}


def _count(number: object) -> str:
    return "1 job" if number == 1 else f"{number} jobs"


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _refused(reply: Mapping[str, Any], job_id: str = "") -> bool:
    """Whether a command was refused; print the reason."""
    if reply.get("ok"):
        return False
    print_line(sys.stderr, f"{job_id}: {refusal(reply)}" if job_id else refusal(reply))
    return True
