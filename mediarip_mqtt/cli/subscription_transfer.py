"""Import of subscriptions over MQTT, by the running service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mediarip_mqtt.cli.client import Client, ServiceError, refusal
from mediarip_mqtt.cli.history_transfer import CHUNK_BYTES, ENVELOPE, ask
from mediarip_mqtt.cli.import_sources import Unreadable
from mediarip_mqtt.cli.subscription_sources.found import FoundSource, FoundSubscription
from mediarip_mqtt.contract import topics
from mediarip_mqtt.contract.urls import hide_logins
from mediarip_mqtt.subscriptions.subscription_records import (
    MAX_ITEMS,
    MAX_RECORDS,
    KnownItem,
    SubscriptionRecord,
)

STATES: Final = {  # for people
    "done": "downloaded",
    "baseline": "known",
    "expired": "removed",
    "ignored": "ignored",
}


@dataclass
class ImportLine:
    """A line of the report."""

    result: str  # new, known, refused
    name: str
    url: str
    items: dict[str, int] = field(default_factory=dict)  # by state, as the file has them
    new_items: int = 0
    notes: tuple[str, ...] = ()
    reason: str | None = None


@dataclass
class FollowedReport:
    """What became of each subscription, in the file's order."""

    lines: list[ImportLine] = field(default_factory=list)

    def count(self, result: str) -> int:
        """Return how many have a result."""
        return sum(each.result == result for each in self.lines)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "new": self.count("new"),
            "known": self.count("known"),
            "refused": self.count("refused"),
            "subscriptions": [vars(each) for each in self.lines],
        }


async def import_subscriptions(
    client: Client, found: Iterable[FoundSource], *, limit: int, dry_run: bool
) -> FollowedReport:
    """Import subscriptions in commands of less than ``limit`` bytes."""
    report = FollowedReport()
    room = min(limit, CHUNK_BYTES) - ENVELOPE
    batch: list[tuple[ImportLine, dict[str, Any]]] = []
    size = 0
    for each in found:
        if isinstance(each, Unreadable):
            report.lines.append(ImportLine("refused", each.place, "", reason=each.reason))
            continue
        line = _line(each)
        report.lines.append(line)
        for record in _records(each, room):
            length = len(topics.dumps(record).encode()) + 1
            if length > room:
                line.result, line.reason = "refused", "is too large for a command"
                continue
            if batch and (size + length > room or len(batch) >= MAX_RECORDS):
                await _send(client, batch, dry_run=dry_run)
                batch, size = [], 0
            batch.append((line, record))
            size += length
    if batch:
        await _send(client, batch, dry_run=dry_run)
    return report


async def import_archive(
    client: Client,
    found: Iterable[KnownItem | Unreadable],
    into: str,
    *,
    limit: int,
    dry_run: bool,
) -> FollowedReport:
    """Note in a subscription what was downloaded elsewhere."""
    reply = await ask(client, "subscriptions", {"id": into})
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    subscription: Mapping[str, Any] = reply["subscription"]
    items: list[KnownItem] = []
    wrong: list[Unreadable] = []
    for each in found:
        if isinstance(each, KnownItem):
            items.append(each)
        else:
            wrong.append(each)
    record = SubscriptionRecord(url=subscription["url"], name=subscription["name"])
    sources: list[FoundSource] = [FoundSubscription(record, items), *wrong]
    return await import_subscriptions(client, sources, limit=limit, dry_run=dry_run)


def _line(found: FoundSubscription) -> ImportLine:
    counts = Counter(str(item.state) for item in found.items)
    return ImportLine(
        result="new",
        name=found.record.name or "",
        url=hide_logins(found.record.url),
        items=dict(counts),
        notes=found.notes,
    )


def _records(found: FoundSubscription, room: int) -> Iterator[dict[str, Any]]:
    """Yield a subscription's records: several if its items need more than one command."""
    head = found.record.model_dump(mode="json", exclude_defaults=True)
    start = 0
    for chunk, is_last in _chunks(found.items, room - len(topics.dumps(head).encode()) - ENVELOPE):
        yield head | {"items": chunk, "first_rank": start + 1, "complete": is_last}
        start += len(chunk)


def _chunks(items: Sequence[KnownItem], room: int) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for item in items:
        value = item.model_dump(mode="json", exclude_defaults=True)
        length = len(topics.dumps(value).encode()) + 1
        if chunk and (size + length > room or len(chunk) >= MAX_ITEMS):
            yield chunk, False
            chunk, size = [], 0
        chunk.append(value)
        size += length
    yield chunk, True


async def _send(
    client: Client, batch: Sequence[tuple[ImportLine, dict[str, Any]]], *, dry_run: bool
) -> None:
    records = [record for _, record in batch]
    arguments = {"subscriptions": records, "dry_run": dry_run}
    reply = await ask(client, "import_subscriptions", arguments)
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    for (line, record), result in zip(batch, reply["results"], strict=True):
        line.new_items += result["items"]
        if result["result"] == "refused":
            line.result = "refused"
            line.reason = f"{result['message']} ({result['code']})"
        elif record["first_rank"] == 1:
            line.result = result["result"]
