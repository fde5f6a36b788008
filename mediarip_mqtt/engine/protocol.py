"""What the rest of the service knows of an engine: blocking calls, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Facts, MediaInfo, Phase, ProducedFile


@dataclass(frozen=True)
class Task:
    """One attempt at a job.

    ``url`` is an http or https URL, or a search query that the intake built. ``temp_dir`` is the
    job's own folder, which exists; only partial files that may be resumed lie in it.
    """

    job_id: str
    url: str
    temp_dir: Path
    options: DownloadOptions = field(default_factory=DownloadOptions)
    playlist_limit: int = 1000
    session_id: str = "default"


@dataclass(frozen=True)
class Extraction:
    """What `Engine.extract` found; ``handle`` is the engine's own, passed back to `download`."""

    info: MediaInfo
    handle: Any = None


@dataclass(frozen=True)
class Report:
    """One step of progress over the whole job: ``percent`` is 0 to 100 and never falls."""

    phase: Phase
    percent: float
    downloaded_bytes: int = 0
    total_bytes: int | None = None
    speed: float | None = None
    eta: float | None = None


class Control(Protocol):
    """The handle by which a piece of work is stopped from outside its thread."""

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""

    @property
    def touched(self) -> float:
        """When the work last gave a sign of life, by `time.monotonic`."""

    def limit(self, rate: int) -> None:
        """Download at most so many bytes per second from now on; 0 is no limit."""

    def stop(self) -> None:
        """Raise the flag, cut the work's sockets, end its child processes; returns at once."""


class Engine(Protocol):
    """Extracts and downloads.

    Every method blocks, runs in any thread, and raises `DownloadError` with a contract code, or
    `Stopped` where its control was stopped.
    """

    def facts(self) -> Facts:
        """Return the versions of yt-dlp, ffmpeg and the JavaScript runtime."""

    def control(self) -> Control:
        """Return a fresh control for `extract`, `download`, or one after the other."""

    def picture(self, url: str, control: Control) -> bytes:
        """Return a thumbnail as a JPEG of some ten kilobytes."""

    def extract(self, task: Task, control: Control) -> Extraction:
        """Read the page: a medium with its formats, or a playlist with its entries."""

    def download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> tuple[ProducedFile, ...]:
        """Download into ``task.temp_dir``; return the files, the main one first; all of them exist.

        ``report`` is called often, from this thread or its children: it only overwrites a slot.
        """
