"""Soak test: many short jobs with faults in between; the resource usage must level off.

Run from the repository: ``python -m bench.soak --minutes 15``. It starts Mosquitto, a media
server and the service on loopback, and prints one line per round.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.media import make
from tests.support.server import MediaServer
from tests.support.service import Service

JOBS = 40  # per round
FINAL = {"completed", "failed", "cancelled"}


@dataclass(frozen=True)
class Sample:
    """Resource usage of the idle service after a round."""

    jobs: int  # so far
    memory: float  # MiB resident
    threads: int
    descriptors: int
    sockets: int
    temporary: int  # temporary files left although all jobs have ended


def soak(
    folder: Path, seconds: float, jobs: int = JOBS, say: Callable[[str], None] = print
) -> list[Sample]:
    """Run rounds of ``jobs`` jobs for ``seconds``; return one sample per round."""
    chance = random.Random(4)  # noqa: S311 - the same faults in every run
    media = MediaServer(make(folder / "media")).start()
    broker = Mosquitto(folder / "broker")
    # As in usual installations: saving thousands of topics at each change would slow it down.
    broker.saves_each_change = False
    broker.start()
    client = Client(broker.port)
    service = Service(
        folder,
        broker.port,
        DOWNLOADS__MAX_CONCURRENT="4",
        DOWNLOADS__MAX_ATTEMPTS="2",
        DOWNLOADS__STALL_TIMEOUT="10",
    ).start()
    samples: list[Sample] = []
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            _round(
                range(len(samples) * jobs, (len(samples) + 1) * jobs), chance, client, media, broker
            )
            samples.append(_sample((len(samples) + 1) * jobs, service))
            say(", ".join(f"{key} {value:.5g}" for key, value in asdict(samples[-1]).items()))
            if "Traceback" in service.log:
                raise RuntimeError(f"the service logged a traceback:\n{service.log[-5000:]}")
    finally:
        service.stop()
        client.close()
        broker.stop()
        media.stop()
    return samples


def _round(
    keys: range, chance: random.Random, client: Client, media: MediaServer, broker: Mosquitto
) -> None:
    number = keys.start // len(keys)
    ways: list[Callable[[str], str]] = [
        lambda key: f"/bytes/{chance.randrange(1000, 200_000)}/{key}.mp4",
        lambda key: f"/unknown/bytes/50000/{key}.mp4",
        lambda key: f"/status/404/{key}.mp4",
        lambda key: f"/flaky/1/503/{key}/bytes/20000/{key}.mp4",
        lambda key: f"/cut/5000/bytes/20000/{key}.mp4",
        lambda key: f"/stall/5000/bytes/20000/{key}.mp4",
        lambda _: "/media/hls/i.m3u8",
        lambda _: "/page/nothing.html",
        lambda _: "/feed/onebad.xml",
    ]
    ids = [
        client.download(media.url(chance.choices(ways, [8, 2, 2, 2, 1, 0.3, 1, 1, 0.5])[0](str(i))))
        for i in keys
    ]
    for job_id in chance.sample(ids, 5):
        client.request("cancel", id=job_id)  # a refusal is fine: the job may have ended
    if number % 2:
        (broker.kill if number % 4 == 1 else broker.stop)()
        broker.start()
    for job_id in ids:
        client.wait_status(job_id, *FINAL, timeout=120)
    wait_for(lambda: not _unfinished(client), 60, "an empty queue")
    for job_id in chance.sample(ids, 10):
        client.request("delete", id=job_id, files=True)
    client.messages.clear()


def _unfinished(client: Client) -> int:
    counts = client.json("state")["counts"]
    return sum(value for status, value in counts.items() if status not in FINAL)


def _sample(jobs: int, service: Service) -> Sample:
    process = psutil.Process(service.pid)
    time.sleep(1)  # for sockets and files to be closed
    with process.oneshot():
        return Sample(
            jobs=jobs,
            memory=process.memory_info().rss / 2**20,
            threads=process.num_threads(),
            descriptors=process.num_fds(),
            sockets=len(process.net_connections("inet")),
            temporary=len(service.temporary()),
        )


def main() -> None:
    """Run for the given number of minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--jobs", type=int, default=JOBS, help="per round")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"files are in {folder}; they are kept if this fails")
    soak(folder, given.minutes * 60, given.jobs)
    shutil.rmtree(folder)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
