"""`subscriptions.csv` of Google Takeout: id, URL and title of YouTube channels.

The names of its columns are in the account's language.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from mediarip_mqtt.cli.import_sources import SourceError, Unreadable
from mediarip_mqtt.cli.subscription_sources.found import (
    SMALL_LIMIT,
    Draft,
    FoundSource,
    is_channel_id,
    line,
    read_bytes,
)

_COLUMNS = 3


def is_takeout(start: bytes) -> bool:
    """Whether a file has a line of titles, and then a channel."""
    lines = [text for text in start.decode("utf-8-sig", "replace").splitlines()[:3] if text.strip()]
    if not lines or lines[0].count(",") != _COLUMNS - 1:
        return False
    if len(lines) == 1:
        return lines[0].casefold().startswith("channel id,")
    return is_channel_id(lines[1].split(",")[0].strip())


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the channels."""
    text = read_bytes(path, SMALL_LIMIT).decode("utf-8-sig", "replace")
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), start=1):
            if number == 1 or not any(cell.strip() for cell in row):
                continue
            if not is_channel_id(row[0].strip()):
                yield Unreadable(f"line {number}", "its first column is no channel's id")
                continue
            draft = Draft(f"line {number}")
            url = f"https://www.youtube.com/channel/{row[0].strip()}"
            draft.put(url=url, name=line(row[2]) if len(row) >= _COLUMNS else None)
            yield draft.found()
    except csv.Error as error:
        raise SourceError(f"{path}: is not valid CSV ({error}).") from None
