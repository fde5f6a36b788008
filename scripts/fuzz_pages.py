"""Serves pages made from yt-dlp's own patterns, reads them, and measures what the event loop feels.

`python -m scripts.fuzz_pages [MINUTES [SEED]]`. A page repeats the beginning of something that one
of the patterns matches, which is what makes a regular expression slow. Exit code 1 if this process
held its event loop for longer than `LIMIT`: a beat of the loop was late by that, and the process
used as much processor time meanwhile. A busy machine alone makes it late, too.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from re import _constants as ops  # type: ignore[attr-defined] # the parser has no public name
from re import _parser as parser  # type: ignore[attr-defined] # the same
from typing import Any, Final

import psutil
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.extractor.generic import GenericIE

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import MediaripError
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.page_readers import PageReaders, ReaderLimits
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine

LIMIT: Final = 0.2  # seconds
BEAT: Final = 0.01
SIZE: Final = 60_000  # characters of a page
LONGEST: Final = 4  # seconds of processor time for a page: the service allows more
AT_ONCE: Final = 2
_LITERAL: Final = re.compile(
    r"r'''(.+?)'''|r\"\"\"(.+?)\"\"\"|r'([^'\n]+)'|r\"([^\"\n]+)\"", re.DOTALL
)


def patterns() -> list[str]:
    """Return the patterns by which extractors know URLs, and that generic pages are searched by."""
    found: set[str] = set()
    for kind in gen_extractor_classes():
        found.update(str(pattern) for pattern in getattr(kind, "_EMBED_REGEX", None) or ())
        url = getattr(kind, "_VALID_URL", None)
        found.update(url if isinstance(url, list | tuple) else [url] if url else [])
    for module in (inspect.getmodule(GenericIE), inspect.getmodule(GenericIE.__mro__[1])):
        source = inspect.getsource(module) if module else ""
        for groups in _LITERAL.findall(source):
            found.update(group for group in groups if "[" in group or "<" in group)
    return sorted(pattern for pattern in found if isinstance(pattern, str) and len(pattern) > 5)  # noqa: PLR2004 - shorter ones are no patterns


def sample(tree: Any, chance: random.Random) -> Iterator[str]:
    """Yield the pieces of a text that a parsed pattern matches, more or less."""
    for operation, argument in tree:
        if operation is ops.LITERAL:
            yield chr(argument)
        elif operation is ops.IN:
            yield one_of(argument, chance)
        elif operation in {ops.MAX_REPEAT, ops.MIN_REPEAT}:
            least, most, inner = argument
            for _ in range(chance.randint(least, min(most, least + 3))):
                yield from sample(inner, chance)
        elif operation is ops.SUBPATTERN:
            yield from sample(argument[-1], chance)
        elif operation is ops.BRANCH:
            yield from sample(chance.choice(argument[1]), chance)
        elif operation in {ops.ANY, ops.NOT_LITERAL}:
            yield chance.choice("a =\"'<>/.")


def one_of(choices: Any, chance: random.Random) -> str:
    """Return a character of a set; one that is probably in it if the set is negated."""
    operation, argument = chance.choice(choices)
    if operation is ops.LITERAL:
        return chr(argument)
    if operation is ops.RANGE:
        return chr(chance.randint(*argument))
    return chance.choice("a1 ")


def page(pattern: str, chance: random.Random) -> str | None:
    """Return a page that repeats the beginning of what a pattern matches."""
    try:
        text = "".join(sample(parser.parse(pattern, re.VERBOSE if "(?x" in pattern else 0), chance))
    except (re.error, ValueError, OverflowError):
        return None
    unit = text[: chance.randint(max(1, len(text) // 2), max(1, len(text)))] or "a"
    return f"<!doctype html><html><title>x</title>{unit * (SIZE // len(unit))}</html>"


class Pages(BaseHTTPRequestHandler):
    """Serves the current page at any path."""

    current = ""

    def do_GET(self) -> None:
        """Serve it."""
        body = self.current.encode("utf-8", "replace")
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


async def heartbeat(gaps: list[float], held: list[float]) -> None:
    """Note by how much each beat of the loop was late, and how much of that this process used."""
    while True:
        began, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(BEAT)
        gaps.append(time.perf_counter() - began - BEAT)
        held.append(min(gaps[-1], time.process_time() - used))


async def read(engine: YtdlpEngine, url: str, folder: Path, outcomes: Counter[str]) -> None:
    """Read a page as the service does."""
    control = engine.control()
    try:
        await threads.call(engine.extract, Task("fuzz", url, folder), control)
        outcomes["read"] += 1
    except MediaripError as error:
        slow = "processor time" in error.message
        outcomes["given up" if slow else str(getattr(error, "code", "?"))] += 1


async def fuzz(minutes: float, seed: int, url: str, folder: Path) -> int:
    """Read pages for some minutes; print what came of it, and return the exit code."""
    security = SecuritySettings(allow_private_addresses=True)
    readers = PageReaders(
        DownloadSettings(), security, folder, limits=ReaderLimits(processor_time=LONGEST)
    )
    engine = YtdlpEngine(DownloadSettings(), security, None, readers)
    known, chance = patterns(), random.Random(seed)  # noqa: S311 - no secret
    gaps: list[float] = []
    held: list[float] = []
    outcomes: Counter[str] = Counter()
    beat = asyncio.create_task(heartbeat(gaps, held), name="heartbeat")
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        text = page(chance.choice(known), chance)
        if text is None:
            continue
        Pages.current = text
        await asyncio.gather(
            *(read(engine, f"{url}/{n}", folder, outcomes) for n in range(AT_ONCE))
        )
    beat.cancel()
    readers.close()
    gaps.sort()
    memory = psutil.Process().memory_info().rss >> 20
    print(f"{len(known)} patterns; pages: {dict(outcomes)}; memory of this process: {memory} MiB")
    print(
        f"the loop was late by {gaps[len(gaps) // 2] * 1000:.1f} ms in the middle, "
        f"{gaps[int(len(gaps) * 0.99)] * 1000:.1f} ms at p99, {gaps[-1] * 1000:.0f} ms at most; "
        f"this process held it for {max(held) * 1000:.0f} ms at most"
    )
    return int(max(held) > LIMIT)


def main() -> None:
    """Run the fuzzer."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1  # noqa: PLR2004 - the second argument
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{server.server_port}"
        sys.exit(asyncio.run(fuzz(minutes, seed, url, Path(folder))))


if __name__ == "__main__":
    main()
