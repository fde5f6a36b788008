"""Recognises by its content which program wrote a file with subscriptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.cli.import_sources import SQLITE, SourceError, SourceFormat
from mediarip_mqtt.cli.subscription_sources import (
    metube_subscriptions,
    newpipe,
    opml,
    pinchflat,
    takeout,
    tubesync,
    ytdl_sub,
)
from mediarip_mqtt.cli.subscription_sources.found import TEXT_LIMIT, FoundSource, bounded
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.store.foreign import open_foreign

Read = Callable[[Path], Iterator[FoundSource]]
START: Final = 65536  # bytes that tell a text's format
READERS: Final[dict[SourceFormat, Read]] = {
    SourceFormat.OPML: opml.read,
    SourceFormat.TAKEOUT: takeout.read,
    SourceFormat.NEWPIPE: newpipe.read,
    SourceFormat.METUBE_SUBSCRIPTIONS: metube_subscriptions.read,
    SourceFormat.PINCHFLAT: pinchflat.read,
    SourceFormat.TUBESYNC: tubesync.read,
    SourceFormat.YTDL_SUB: ytdl_sub.read,
}


def subscription_format(path: Path, form: SourceFormat) -> SourceFormat | None:
    """Return the format of a file with subscriptions; None for other files."""
    if form is not SourceFormat.AUTO:
        return form if form in READERS else None
    try:
        if path.is_dir():
            has_some = (path / metube_subscriptions.NAME).is_file()
            return SourceFormat.METUBE_SUBSCRIPTIONS if has_some else None
        with path.open("rb") as file:
            start = file.read(START)
        if start.startswith(SQLITE):
            return _of_database(path)
        if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return _of_object(path)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from None
    return _of_text(start)


def read(path: Path, form: SourceFormat) -> Iterator[FoundSource]:
    """Yield the subscriptions of a file; raise `SourceError` if it can't be read."""
    try:
        yield from bounded(READERS[form](path))
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}.") from None
    except StoreError as error:
        raise SourceError(f"{path}: can't be read as a database: {error.message}.") from None


def _of_database(path: Path) -> SourceFormat | None:
    tables = {
        SourceFormat.PINCHFLAT: pinchflat.TABLES,
        SourceFormat.TUBESYNC: tubesync.TABLES,
    }
    try:
        with open_foreign(path) as database:
            return next(
                (form for form, names in tables.items() if all(map(database.has_table, names))),
                None,
            )
    except StoreError as error:
        raise SourceError(f"{path}: can't be read as a database: {error.message}.") from None


def _of_object(path: Path) -> SourceFormat | None:
    if path.stat().st_size > TEXT_LIMIT:
        return None
    try:
        content: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None  # our own export has several
    if not isinstance(content, dict):
        return None
    if metube_subscriptions.is_metube(content):
        return SourceFormat.METUBE_SUBSCRIPTIONS
    return SourceFormat.NEWPIPE if newpipe.is_newpipe(content) else None


def _of_text(start: bytes) -> SourceFormat | None:
    tests: dict[SourceFormat, Callable[[bytes], bool]] = {
        SourceFormat.OPML: opml.is_opml,
        SourceFormat.TAKEOUT: takeout.is_takeout,
        SourceFormat.YTDL_SUB: ytdl_sub.is_ytdl_sub,
    }
    return next((form for form, fits in tests.items() if fits(start)), None)
