"""Downloads against curl and the yt-dlp command line, from the same server in the same run."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from statistics import median

from bench.figure import Figure
from bench.rig import Measured, Rig, processor_time, run
from tests.support.service import Service

SMALL = 1_000_000  # bytes
LARGE = 1_000_000_000
YTDLP = [sys.executable, "-m", "yt_dlp", "--quiet", "--ignore-config"]


def measure(rig: Rig, *, quick: bool) -> Iterator[Figure]:
    """Yield the figures of downloads."""
    yield from _small_files(rig, 10 if quick else 100, rounds=1 if quick else 3)
    yield from _large_file(rig, LARGE // 20 if quick else LARGE, rounds=1 if quick else 3)
    yield from _fragments(rig, 20 if quick else 500)


def _small_files(rig: Rig, count: int, rounds: int) -> Iterator[Figure]:
    ours, theirs, each = [], [], []
    with rig.running("small", DOWNLOADS__MAX_CONCURRENT="3") as service:
        rig.download([rig.url(f"{SMALL}/warm{number}.mp4") for number in range(3)])
        for turn in range(rounds):
            urls = [rig.url(f"{SMALL}/ours{turn}-{number}.mp4") for number in range(count)]
            ours.append(_ours(rig, service, urls))
            batch = rig.folder / f"batch-{turn}"
            batch.write_text("\n".join(urls))
            target = ["-P", str(rig.folder / f"ytdlp-{turn}")]
            theirs.append(run([*YTDLP, *target, "-a", str(batch)]))
            single = urls[: max(1, count // 10)]
            began = time.monotonic()
            for url in single:
                run([*YTDLP, "-P", str(rig.folder / f"each-{turn}"), url])
            each.append((time.monotonic() - began) / len(single))

    def mean(results: list[Measured], name: str) -> float:
        middle: float = median(getattr(one, name) for one in results)
        return middle / count * 1000

    name = f"{count} files of 1 MB, 3 at once: a file"
    one_process, own = "yt-dlp, one process for all", "yt-dlp, a process each"
    yield Figure(name, mean(ours, "seconds"), "ms", one_process, mean(theirs, "seconds"))
    yield Figure(name, mean(ours, "seconds"), "ms", own, median(each) * 1000)
    yield Figure(
        f"{count} files of 1 MB: processor time of a file",
        mean(ours, "processor"),
        "ms",
        one_process,
        mean(theirs, "processor"),
    )


def _ours(rig: Rig, service: Service, urls: list[str]) -> Measured:
    before, began = processor_time(service.pid), time.monotonic()
    rig.download(urls)
    return Measured(time.monotonic() - began, processor_time(service.pid) - before)


def _large_file(rig: Rig, size: int, rounds: int) -> Iterator[Figure]:
    ours, curl, ytdlp = [], [], []
    with rig.running("large") as service:
        rig.download([rig.url(f"{SMALL}/warm.mp4")])
        for turn in range(rounds):
            url = rig.url(f"{size}/large{turn}.mp4")
            ours.append(_ours(rig, service, [url]).seconds)
            target = rig.folder / "peer.mp4"
            curl.append(run(["curl", "-s", "-o", str(target), url]).seconds)
            ytdlp.append(run([*YTDLP, "--force-overwrites", "-o", str(target), url]).seconds)
    name = f"one file of {size // 1_000_000} MB"
    yield Figure(name, median(ours), "s", "curl", median(curl))
    yield Figure(name, median(ours), "s", "yt-dlp", median(ytdlp))


def _fragments(rig: Rig, count: int) -> Iterator[Figure]:
    for threads in (1, 4):
        settings = f'{{"concurrent_fragment_downloads": {threads}}}'
        with rig.running(f"hls{threads}", DOWNLOADS__YTDLP_OPTIONS=settings) as service:
            rig.download([rig.url(f"{SMALL}/warm.mp4")])
            url = rig.url(f"hls/{count}/i.m3u8")
            ours = _ours(rig, service, [url]).seconds
            target = str(rig.folder / f"hls{threads}.mp4")
            ytdlp = run([*YTDLP, "-N", str(threads), "-o", target, url]).seconds
        yield Figure(f"{count} HLS fragments, {threads} at once", ours, "s", "yt-dlp", ytdlp)
