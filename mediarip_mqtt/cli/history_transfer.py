"""Export and import of jobs over MQTT, with the running service."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from mediarip_mqtt.cli.client import Client, ServiceError, refusal
from mediarip_mqtt.cli.import_sources import Found, KnownEntry, Pending, Unreadable
from mediarip_mqtt.contract import topics
from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.urls import hide_logins
from mediarip_mqtt.jobs.history_records import NAMESPACE, KnownMedium, Record

PAGE: Final = 100  # jobs per `list`
CHUNK: Final = 100  # records per `import`
KNOWN_BYTES: Final = 512  # of a known medium in a command
CHUNK_BYTES: Final = 64 * 1024
ENVELOPE: Final = 256  # bytes of a command around its records
PAUSE: Final = 1.0  # seconds between two attempts at a command that is refused for now
PATIENCE: Final = 30  # attempts
NAMED: Final = 20  # reasons that are printed


Read = Callable[[], Iterable[Found]]


@dataclass
class Totals:
    """Counts of an import."""

    imported: int = 0
    known: int = 0  # media that were downloaded elsewhere
    skipped: int = 0  # already known
    queued: int = 0  # unfinished jobs queued as downloads
    left_out: int = 0  # unfinished jobs that were skipped
    refused: int = 0  # unreadable, or rejected by the service
    reasons: list[str] = field(default_factory=list)

    def refuse(self, what: str, reason: str) -> None:
        """Count an entry that was not imported, and keep the reason."""
        self.refused += 1
        if len(self.reasons) < NAMED:
            self.reasons.append(f"{what}: {reason}")


async def export(client: Client) -> AsyncIterator[dict[str, Any]]:
    """Yield each job once, newest first; jobs added during the export are left out."""
    page = await _page(client, None)
    while page:
        for job in page:
            yield job
        page = await _page_behind(client, page)


async def _page_behind(client: Client, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the jobs after a page, even if its last ones were deleted meanwhile."""
    for last in reversed(page):
        try:
            following = await _page(client, last["id"])
        except _GoneError:
            continue
        seen = {job["id"] for job in page}
        return [job for job in following if job["id"] not in seen]
    raise ServiceError("Too many jobs were removed during the export. Export again.")


class _GoneError(Exception):
    """The job that the page was to follow was deleted."""


async def _page(client: Client, before: str | None) -> list[dict[str, Any]]:
    position = {} if before is None else {"before": before}
    reply = await ask(client, "list", {"limit": PAGE, **position})
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
    """Import what ``read`` yields in commands of less than ``limit`` bytes.

    ``pending``: queue unfinished jobs as downloads. The source is read several times: playlists are
    imported before their items.
    """
    totals = Totals()
    room = min(limit, CHUNK_BYTES) - ENVELOPE
    for items in (False, True):
        records = (
            entry for entry in read() if isinstance(entry, Record) and _is_item(entry) is items
        )
        for chunk in _chunks(records, room, totals):
            await _send(client, chunk, totals, dry_run=dry_run)
    for entry in read():
        if isinstance(entry, Unreadable):
            totals.refuse(entry.place, entry.reason)
        elif isinstance(entry, Pending):
            if pending:
                await _queue(client, entry, totals, dry_run=dry_run)
            else:
                totals.left_out += 1
    media = (entry.medium for entry in read() if isinstance(entry, KnownEntry))
    # A medium takes at most `KNOWN_BYTES`, most of them far less.
    while known := list(islice(media, max(1, room // KNOWN_BYTES))):
        await _send_known(client, known, totals, dry_run=dry_run)
    return totals


async def _send_known(
    client: Client, chunk: list[KnownMedium], totals: Totals, *, dry_run: bool
) -> None:
    known = [medium.model_dump(mode="json") for medium in chunk]
    reply = await ask(client, "import", {"known": known, "dry_run": dry_run})
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    totals.known += reply["known"]
    totals.skipped += reply["skipped"]


def _is_item(record: Record) -> bool:
    return record.parent_id is not None


def _chunks(records: Iterable[Record], room: int, totals: Totals) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for record in records:
        value = record.model_dump(mode="json", exclude_defaults=True)
        length = len(topics.dumps(value).encode()) + 1
        if length > room:
            totals.refuse(
                hide_logins(record.url)[:80], "is too large for a command (mqtt.max_payload)"
            )
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
    # A new request id each time: known jobs are recognised by their ids. With a fixed one, the kept
    # reply of an earlier import would prevent importing again after the history was deleted.
    reply = await ask(client, "import", {"jobs": chunk, "dry_run": dry_run})
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    totals.imported += reply["imported"]
    totals.skipped += reply["skipped"]
    for entry in reply["refused"]:
        url = hide_logins(chunk[entry["index"]]["url"])
        totals.refuse(url[:80], f"{entry['message']} ({entry['code']})")


async def _queue(client: Client, pending: Pending, totals: Totals, *, dry_run: bool) -> None:
    """Queue a download; a repeated import does not queue it again."""
    arguments = pending.wanted.model_dump(mode="json", exclude_defaults=True)
    if dry_run:
        totals.queued += 1
        return
    name = uuid.uuid5(NAMESPACE, f"{pending.wanted.url}\n{pending.key}")
    reply = await ask(client, "download", arguments | {"on_duplicate": "reuse"}, f"import-{name}")
    if reply.get("ok"):
        totals.queued += 1
    elif _code(reply) == ErrorCode.QUEUE_FULL:
        raise ServiceError(refusal(reply))
    else:
        totals.refuse(hide_logins(pending.wanted.url)[:80], refusal(reply))


async def ask(
    client: Client, name: str, arguments: Mapping[str, Any], request_id: str | None = None
) -> dict[str, Any]:
    """Send a command; try again while the queue is full or the session is rate-limited.

    The service repeats its reply to a request id, also a refusal, so each attempt has its own id.
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
