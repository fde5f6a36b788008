"""What a file holds: by its first bytes, by its MP4 boxes, and by ffmpeg where there is one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Final, NamedTuple

from mediarip_mqtt.engine import programs

SAMPLE: Final = 4096  # bytes of a file's beginning
HTML: Final = "a web page (HTML)"
PAGES: Final = frozenset((HTML, "an XML document", "a JSON document"))  # errors, or logins
PROBE_TIME: Final = 60.0  # seconds
_BOX_LIMIT: Final = 50_000  # boxes of one file that are visited; a fragmented one may have many
_SMALL_BOX: Final = 8  # bytes of a box's header
_LARGE_BOX: Final = 16  # bytes of a box's header with a 64-bit size
_FIRST_BOXES: Final = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx", b"pnot")
)
_INDEX_BOXES: Final = frozenset((b"moov", b"meta"))  # meta: a still image, such as AVIF
_DATA_BOXES: Final = frozenset((b"moov", b"moof", b"mdat"))

# "  Stream #0:1[0x2](eng): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono (default)"
_STREAM: Final = re.compile(
    r"^ +Stream #0:(\d+)[^:\n]*: (Video|Audio|Subtitle): (\w+)(.*)$", re.MULTILINE
)
_DURATION: Final = re.compile(r"^ +Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?),", re.MULTILINE)
_ESTIMATED: Final = "Estimating duration from bitrate"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class Stream(NamedTuple):
    """A stream of a file; ``kind`` is ``video``, ``audio`` or ``subtitle``."""

    number: int
    kind: str
    codec: str


@dataclass(frozen=True)
class Probed:
    """What ffmpeg says of a file; ``duration`` is in seconds, None if unknown or estimated.

    ``streams`` has no covers (attached pictures) and no data streams.
    """

    readable: bool
    streams: tuple[Stream, ...] = ()
    duration: float | None = None

    @property
    def kinds(self) -> set[str]:
        """The kinds of its streams."""
        return {stream.kind for stream in self.streams}

    def first(self, kind: str) -> Stream | None:
        """Return the first stream of a kind."""
        return next((stream for stream in self.streams if stream.kind == kind), None)


def probe(path: str) -> Probed | None:
    """Return what ffmpeg says of a file; None without ffmpeg, or if it takes too long.

    ``ffmpeg -i`` rather than ffprobe: the wheel imageio-ffmpeg has no ffprobe. A file that has not
    changed is not read again.
    """
    program = programs.ffmpeg()
    if program is None:
        return None
    state = Path(path).stat()
    return _probe(program, path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=64)
def _probe(program: str, path: str, _state: tuple[int, ...]) -> Probed | None:
    try:
        result = subprocess.run(  # noqa: S603 - a path from `programs`
            [program, "-hide_banner", "-nostdin", "-i", f"file:{path}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROBE_TIME,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return parse(result.stderr.decode("utf-8", "replace"))


def parse(output: str) -> Probed:
    """Return what ffmpeg's output for an input says."""
    streams = tuple(
        Stream(int(index), kind.lower(), codec)
        for index, kind, codec, rest in _STREAM.findall(output)
        if "(attached pic)" not in rest
    )
    duration = None
    if (match := _DURATION.search(output)) and _ESTIMATED not in output:
        duration = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    return Probed("\nInput #0" in f"\n{output}", streams, duration)


def text_kind(path: str) -> str | None:
    """Return what a file of text is, such as "a web page (HTML)"; None for anything else."""
    with Path(path).open("rb") as file:
        sample = file.read(SAMPLE)
    text = _decoded(sample)
    if text is None:
        return None
    begin = text.lstrip("\ufeff \t\r\n")[:SAMPLE].lower()
    if begin.startswith(("<!doctype html", "<html", "<head", "<body", "<script")) or (
        begin.startswith("<") and "<html" in begin
    ):
        return HTML
    if begin.startswith("<"):
        return "a playlist" if "<mpd" in begin else "an XML document"
    if begin.startswith(("{", "[")):
        return "a JSON document"
    return "a playlist" if begin.startswith("#extm3u") else "a text"


def _decoded(sample: bytes) -> str | None:
    """Return a sample as text; None if it is binary or empty."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = sample.decode("utf-16", "replace")
    else:
        try:
            text = sample.decode()
        except UnicodeDecodeError as error:
            cut = error.start >= SAMPLE - 3  # the sample ends within a character
            if not cut and not sample.lstrip().startswith(b"<"):
                return None
            text = sample[: error.start].decode() if cut else sample.decode("latin-1")
    return text if text.strip() and not _CONTROL.search(text) else None


class Box(NamedTuple):
    """An outermost box of an MP4 file; ``length`` as the box tells it, with its header."""

    name: bytes
    position: int
    content: int  # where its content begins
    length: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.position + self.length

    @property
    def is_open(self) -> bool:
        """Whether it goes to the end of the file, or is no box at all."""
        return self.length < _SMALL_BOX


def outer_boxes(file: IO[bytes], size: int) -> Iterator[Box]:
    """Yield the outermost boxes of a file of ``size`` bytes; the last one may lack some bytes."""
    position = 0
    for _ in range(_BOX_LIMIT):
        file.seek(position)
        header = file.read(_LARGE_BOX)
        length, content = int.from_bytes(header[:4], "big"), _SMALL_BOX
        if length == 1 and len(header) == _LARGE_BOX:
            length, content = int.from_bytes(header[8:], "big"), _LARGE_BOX
        box = Box(header[4:8], position, position + content, length)
        yield box
        if box.is_open or box.end >= size:
            return
        position = box.end


class Boxes(NamedTuple):
    """The outermost boxes of an MP4 file; ``missing`` is how many bytes its last box lacks."""

    has_index: bool
    missing: int


def boxes(path: str) -> Boxes | None:
    """Return what an MP4 or QuickTime file's boxes say; None if it is no such file."""
    size, has_index = Path(path).stat().st_size, False
    with Path(path).open("rb") as file:
        for box in outer_boxes(file, size):
            if box.position == 0 and (box.name not in _FIRST_BOXES or box.length == 0):
                return None
            has_index = has_index or box.name in _INDEX_BOXES
            if box.is_open or box.end >= size:
                lacks = box.end - size if not box.is_open and box.name in _DATA_BOXES else 0
                return Boxes(has_index, max(lacks, 0))
    return Boxes(has_index=True, missing=0)
