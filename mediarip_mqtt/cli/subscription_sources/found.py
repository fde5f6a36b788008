"""What a file with subscriptions holds, and what its readers share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mediarip_mqtt.cli.import_sources import SourceError, Unreadable
from mediarip_mqtt.contract import texts, title_patterns
from mediarip_mqtt.subscriptions.subscription_records import KnownItem, SubscriptionRecord

TEXT_LIMIT: Final = 64 * 2**20  # bytes of a file; MeTube keeps 50,000 ids of a channel
SMALL_LIMIT: Final = 8 * 2**20
ITEM_LIMIT: Final = 100_000  # of one subscription
MAX_FOUND: Final = 10_000  # subscriptions in one file
_VIDEO: Final = re.compile(r"[\w-]{11}", re.ASCII)
_CHANNEL: Final = re.compile(r"UC[\w-]{22}", re.ASCII)
_QUALITY: Final = re.compile(r"(\d{3,4})p?", re.ASCII)
_SECONDS: Final = (900, 30 * 86400)  # what an interval may be


@dataclass(frozen=True)
class FoundSubscription:
    """A subscription; ``items`` are what the program knows of it, the oldest first.

    ``notes`` say what is not carried over.
    """

    record: SubscriptionRecord
    items: Sequence[KnownItem] = ()
    notes: tuple[str, ...] = ()


FoundSource = FoundSubscription | Unreadable


@dataclass
class Draft:
    """The fields of a subscription while they are collected; those that are None stay unset."""

    place: str
    fields: dict[str, Any] = field(default_factory=dict)
    wanted: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, **values: Any) -> None:
        """Set fields."""
        self.fields |= {name: value for name, value in values.items() if value is not None}

    def want(self, **values: Any) -> None:
        """Set options of the downloads."""
        self.wanted |= {name: value for name, value in values.items() if value is not None}

    def pause(self, note: str) -> None:
        """Import it paused: something that would be downloaded otherwise can't be left out."""
        self.fields["enabled"] = False
        self.notes.append(note)

    def match_title(self, option: str, expression: object) -> None:
        """Filter titles by a regular expression of the other program."""
        text = str(expression or "").strip()
        if not text:
            return
        pattern = f"/{text}/"
        if len(pattern) > title_patterns.MAX_PATTERN:
            self.pause("paused, as its title filter is longer than 200 characters")
            return
        try:
            title_patterns.matches(pattern, "")
        except ValueError as error:
            reason = str(error).splitlines()[0][:200]
            self.pause(f"paused, as its title filter can't be used: {reason}")
        else:
            self.fields[option] = pattern

    def found(self, items: Sequence[KnownItem] = ()) -> FoundSource:
        """Return the subscription, or why it can't be imported."""
        values = self.fields | ({"wanted": self.wanted} if self.wanted else {})
        try:
            record = SubscriptionRecord.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"]))
            return Unreadable(self.place, f"{where}: {first['msg']}")
        return FoundSubscription(record, items[-ITEM_LIMIT:], tuple(self.notes))


def read_bytes(path: Path, limit: int = TEXT_LIMIT) -> bytes:
    """Return a file's content; raise `SourceError` for one above ``limit`` bytes."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SourceError(f"{path}: has more than {limit >> 20} MiB, so it is not read.")
    return data


def read_object(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; raise `SourceError` if it has none."""
    try:
        value = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        raise SourceError(f"{path}: is not valid JSON.") from None
    if not isinstance(value, dict):
        raise SourceError(f"{path}: is not a JSON object.")
    return value


def bounded(found: Iterator[FoundSource]) -> Iterator[FoundSource]:
    """Yield subscriptions up to the limit; raise `SourceError` above it."""
    for number, each in enumerate(found):
        if number >= MAX_FOUND:
            raise SourceError(f"The file has more than {MAX_FOUND} subscriptions.")
        yield each


def youtube_item(video_id: object, **fields: Any) -> KnownItem | None:
    """Return an item of YouTube; None if its id or a field is not valid."""
    text = str(video_id or "")
    if not _VIDEO.fullmatch(text):
        return None
    try:
        return KnownItem(
            item_key=f"youtube {text}", url=f"https://www.youtube.com/watch?v={text}", **fields
        )
    except ValidationError:
        return None


def is_youtube(url: str) -> bool:
    """Whether a URL is YouTube's."""
    return bool(re.match(r"https?://(?:[\w-]+\.)*(?:youtube\.com|youtu\.be)(?:[:/]|$)", url))


def is_channel_id(text: str) -> bool:
    """Whether a text is the id of a YouTube channel."""
    return _CHANNEL.fullmatch(text) is not None


def line(value: object) -> str | None:
    """Return a text as a name or tag, cleaned; None if nothing is left."""
    return texts.clean(value, 200) or None if isinstance(value, str) else None


def quality(value: object) -> str | None:
    """Return a quality such as `1080p`."""
    match = _QUALITY.fullmatch(str(value))
    return f"{match[1]}p" if match else None


def interval(seconds: object) -> int | None:
    """Return an interval within the bounds; None for none."""
    number = whole(seconds)
    if number is None or number <= 0:
        return None
    return min(max(number, _SECONDS[0]), _SECONDS[1])


def whole(value: object) -> int | None:
    """Return a whole number; None for other values."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def positive(value: object) -> int | None:
    """Return a whole number above 0."""
    number = whole(value)
    return number if number is not None and number > 0 else None


def moment(value: object) -> datetime | None:
    """Return a time with its zone, UTC if it has none; None if it is not a time."""
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def by_time(items: Sequence[KnownItem]) -> list[KnownItem]:
    """Return items by publication, the oldest first; those without a date before the others."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return sorted(items, key=lambda item: item.published_at or epoch)


def text_of(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of these columns that is a text, else an empty one."""
    return next((str(row[name]) for name in names if isinstance(row.get(name), str)), "")
