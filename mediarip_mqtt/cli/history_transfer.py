"""Export and import of jobs over MQTT, with the service that runs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mediarip_mqtt.cli.client import Client, ServiceError, refusal
from mediarip_mqtt.cli.import_sources import Found, Pending, Unreadable
from mediarip_mqtt.contract import topics
from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.jobs.history_records import NAMESPACE, Record

PAGE: Final = 100  # jobs
CHUNK: Final = 100  # records
CHUNK_BYTES: Final = 64 * 1024
ENVELOPE: Final = 256  # bytes of a command around its records
PAUSE: Final = 1.0  # seconds before what was refused for now is asked for again
PATIENCE: Final = 30
NAMED: Final = 20  # reasons that are told


Read = Callable[[], Iterable[Found]]


@dataclass
class Totals:
    """What became of what was read."""

    imported: int = 0
    skipped: int = 0  # known already
    queued: int = 0  # unfinished ones that are downloads now
    left_out: int = 0  # unfinished ones
    refused: int = 0  # not readable, or not accepted
    reasons: list[str] = field(default_factory=list)

    def refuse(self, what: str, reason: str) -> None:
        """Count something that was not taken, and why."""
        self.refused += 1
        if len(self.reasons) < NAMED:
            self.reasons.append(f"{what}: {reason}")


async def export(client: Client) -> AsyncIterator[dict[str, Any]]:
    """Yield all jobs, the newest first, each once; those that come meanwhile are left out."""
    page = await _page(client, None)
    while page:
        for job in page:
            yield job
        page = await _page_behind(client, page)


async def _page_behind(client: Client, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the jobs that follow a page; the last of it may have been deleted meanwhile."""
    for last in reversed(page):
        try:
            behind = await _page(client, last["id"])
        except _GoneError:
            continue
        seen = {job["id"] for job in page}
        return [job for job in behind if job["id"] not in seen]
    raise ServiceError("Many jobs were removed during the export. Export again.")


class _GoneError(Exception):
    """The job that a page should follow is not there any more."""


async def _page(client: Client, before: str | None) -> list[dict[str, Any]]:
    where = {} if before is None else {"before": before}
    reply = await _ask(client, "list", {"limit": PAGE, **where})
    if not reply.get("ok"):
        if before is not None and _code(reply) == ErrorCode.JOB_NOT_FOUND:
            raise _GoneError
        raise ServiceError(refusal(reply))
    return list(reply["jobs"])


async def import_found(
    client: Client,
    read: Read,
    *,
    limit: int,
    pending: bool = False,
    dry_run: bool = False,
) -> Totals:
    """Import what ``read`` yields; commands stay below ``limit`` bytes.

    ``pending`` orders what had not ended as downloads. It is read twice: an item needs its playlist
    to be there.
    """
    totals = Totals()
    room = min(limit, CHUNK_BYTES) - ENVELOPE
    for items in (False, True):
        records = (one for one in read() if isinstance(one, Record) and _is_item(one) is items)
        for chunk in _chunks(records, room, totals):
            await _send(client, chunk, totals, dry_run=dry_run)
    for one in read():
        if isinstance(one, Unreadable):
            totals.refuse(one.place, one.reason)
        elif isinstance(one, Pending):
            if pending:
                await _queue(client, one, totals, dry_run=dry_run)
            else:
                totals.left_out += 1
    return totals


def _is_item(record: Record) -> bool:
    return record.parent_id is not None


def _chunks(records: Iterable[Record], room: int, totals: Totals) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for record in records:
        value = record.model_dump(mode="json", exclude_defaults=True)
        length = len(topics.dumps(value).encode()) + 1
        if length > room:
            totals.refuse(record.url[:80], "is larger than a command may be (mqtt.max_payload)")
            continue
        if size + length > room or len(chunk) >= CHUNK:
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += length
    if chunk:
        yield chunk


async def _send(
    client: Client, chunk: list[dict[str, Any]], totals: Totals, *, dry_run: bool
) -> None:
    # With a request id of its own: the ids of the jobs say what is known. A kept reply to an
    # earlier import would keep a history from coming back that was deleted since.
    reply = await _ask(client, "import", {"jobs": chunk, "dry_run": dry_run})
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    totals.imported += reply["imported"]
    totals.skipped += reply["skipped"]
    for one in reply["refused"]:
        totals.refuse(chunk[one["index"]]["url"][:80], f"{one['message']} ({one['code']})")


async def _queue(client: Client, pending: Pending, totals: Totals, *, dry_run: bool) -> None:
    """Order a download; however often it is imported, it is ordered once."""
    arguments = pending.wanted.model_dump(mode="json", exclude_defaults=True)
    if dry_run:
        totals.queued += 1
        return
    name = uuid.uuid5(NAMESPACE, f"{pending.wanted.url}\n{pending.key}")
    reply = await _ask(client, "download", arguments | {"on_duplicate": "reuse"}, f"import-{name}")
    if reply.get("ok"):
        totals.queued += 1
    elif _code(reply) == ErrorCode.QUEUE_FULL:
        raise ServiceError(refusal(reply))
    else:
        totals.refuse(pending.wanted.url[:80], refusal(reply))


async def _ask(
    client: Client, name: str, arguments: Mapping[str, Any], request_id: str | None = None
) -> dict[str, Any]:
    """Ask, and ask again where the queue is full or a session's commands are used up for now.

    The service keeps a refusal, too, under its request id: each further try has another one.
    """
    reply: dict[str, Any] = {}
    for number in range(PATIENCE):
        identity = {} if request_id is None else {"request_id": f"{request_id}-{number}"}
        reply = await client.ask(name, {**arguments, **identity})
        if _code(reply) not in {ErrorCode.RATE_LIMITED, ErrorCode.QUEUE_FULL}:
            break
        await asyncio.sleep(PAUSE)
    return reply


def _code(reply: Mapping[str, Any]) -> str | None:
    return (reply.get("error") or {}).get("code")
