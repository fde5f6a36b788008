"""What was recorded of a live stream, in the job's folder; it survives retries and restarts.

yt-dlp's downloaders cut a file to nothing before they begin to record. So the file of an earlier
attempt is moved to the folder `FOLDER` first. All functions block.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "recording"  # in the job's temporary folder; `prepare_temp` leaves it alone
_PAGE: Final = "page.json"
_STATE: Final = "state.json"
_PART: Final = re.compile(r"part-(\d{4})-(\d+)-(\d+)-(.+)")
# Raw media; the names of yt-dlp's other files in the folder are no media.
_MEDIA: Final = frozenset(
    f".{name}"
    for name in (
        *("aac", "flac", "m4a", "mka", "mp3", "ogg", "opus", "wav"),
        *("flv", "mkv", "mov", "mp4", "ts", "webm"),
    )
)
_COMPARED: Final = 2**20  # bytes read at once
_TS_PACKET: Final = 188
_TS_SYNC: Final = 0x47


@dataclass(frozen=True)
class Part:
    """A file that was recorded; ``started`` and ``ended`` are Unix times."""

    path: Path
    name: str  # the file name that it is a part of
    started: float
    ended: float
    size: int


class RecordedParts:
    """The parts of one job's recording."""

    def __init__(self, temp_dir: Path) -> None:
        self._temp = temp_dir
        self._folder = temp_dir / FOLDER

    @property
    def exist(self) -> bool:
        """Whether something was, or is, recorded here."""
        return (self._folder / _STATE).is_file()

    def begin(self, names: Iterable[str], host: str | None, fields: Mapping[str, Any]) -> None:
        """Note that these files are recorded from now on, and of which page."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._write(_PAGE, {"host": host, "fields": fields})
        known = self._read(_STATE).get("names") or []
        self._write(_STATE, {"names": sorted({*known, *names}), "started": time.time()})

    def page(self) -> tuple[str | None, dict[str, Any]]:
        """Return the page's host and its fields for names."""
        page = self._read(_PAGE)
        return page.get("host"), page.get("fields") or {}

    def set_aside(self) -> None:
        """Move what was recorded since `begin` to where no downloader cuts it."""
        if not self.exist:
            return
        names = self._read(_STATE).get("names") or []
        found = [path for name in names for path in self._files(name)] or list(self._converted())
        for path in found:
            self.keep(path)

    def keep(self, path: Path) -> None:
        """Set one file aside, unless it is empty; what follows begins now."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return
        if not status.st_size:
            return
        state = self._read(_STATE)
        started = min(float(state.get("started") or status.st_mtime), status.st_mtime)
        name = path.name.removesuffix(".part")
        number = max((known for known, _ in self._numbered()), default=0) + 1
        aside = f"part-{number:04d}-{started:.0f}-{status.st_mtime:.0f}-{name}"
        path.rename(self._folder / aside)
        with contextlib.suppress(OSError):  # the volume may be full
            self._write(_STATE, {**state, "started": time.time()})

    def parts(self) -> list[Part]:
        """Return the parts that were set aside, the oldest first."""
        return [part for _, part in sorted(self._numbered(), key=lambda item: item[0])]

    def _files(self, name: str) -> Iterator[Path]:
        for path in (self._temp / name, self._temp / f"{name}.part"):
            if path.is_file():
                yield path

    def _converted(self) -> Iterator[Path]:
        """Yield the media that post-processors have made of a recording that they removed."""
        for path in self._temp.iterdir():
            if path.suffix in _MEDIA and ".temp." not in path.name and path.is_file():
                yield path

    def _numbered(self) -> Iterator[tuple[int, Part]]:
        for path in self._folder.glob("part-*"):
            if match := _PART.fullmatch(path.name):
                started, ended = float(match[2]), float(match[3])
                yield int(match[1]), Part(path, match[4], started, ended, path.stat().st_size)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            data = json.loads((self._folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def _write(self, name: str, data: dict[str, Any]) -> None:
        # Replaced as a whole: a kill must not leave half of it.
        unfinished = self._folder / f"{name}.new"
        unfinished.write_text(json.dumps(data), "utf-8")
        unfinished.replace(self._folder / name)


def without_repeats(parts: list[Part]) -> list[Part]:
    """Return the parts without those that a later one begins with.

    Such a part is not of a stream, but of a file whose download began again.
    """
    kept: list[Part] = []
    for index, part in enumerate(parts):
        if not any(_begins_with(later, part) for later in parts[index + 1 :]):
            kept.append(part)
    return kept


def _begins_with(whole: Part, part: Part) -> bool:
    if whole.size < part.size:
        return False
    with whole.path.open("rb") as first, part.path.open("rb") as second:
        while block := second.read(_COMPARED):
            if first.read(len(block)) != block:
                return False
    return True


def is_transport_stream(path: Path) -> bool:
    """Whether a file holds MPEG-TS, whatever its name says."""
    with path.open("rb") as file:
        begin = file.read(_TS_PACKET + 1)
    return len(begin) > _TS_PACKET and begin[0] == begin[_TS_PACKET] == _TS_SYNC


def missing(parts: list[Part]) -> float:
    """Return the seconds between the parts."""
    return sum(max(0.0, after.started - before.ended) for before, after in pairwise(parts))


def in_words(seconds: float) -> str:
    """Return a duration as words."""
    if seconds < 90:  # noqa: PLR2004 - about a minute
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} minutes"
