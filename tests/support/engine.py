"""An engine without yt-dlp: it makes files at once, or as slowly and badly as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.models import Entry, Facts, MediaInfo, Phase
from mediarip_mqtt.engine.protocol import (
    Control,
    Extraction,
    Made,
    MadeFile,
    MadeMedium,
    MadeSubtitles,
    Recorded,
    Report,
    Task,
)

CONTENT = b"a film"


class FakeControl:
    def __init__(self) -> None:
        self._flag = threading.Event()
        self.touched = time.monotonic()
        self.rate = 0
        self.live = False
        self.finished: str | None = None

    @property
    def stopped(self) -> bool:
        return self._flag.is_set()

    def limit(self, rate: int) -> None:
        self.rate = rate

    def finish(self, why: str) -> None:
        self.finished = why

    def stop(self) -> None:
        self._flag.set()

    def wait(self, seconds: float = 20) -> None:
        """Work until it is stopped."""
        self._flag.wait(seconds)
        if self.stopped:
            raise Stopped


class FakeEngine:
    """The page at `https://e.com/<title>` has one film; what happens there can be replaced."""

    def __init__(self) -> None:
        self.extracted: list[str] = []
        self.downloaded: list[str] = []
        self.filled_in: list[str] = []  # the names of the threads
        self.on_extract: dict[str, Callable[[Task, FakeControl], object]] = {}
        self.on_download: dict[str, Callable[[Task, FakeControl], object]] = {}
        self.subtitles: tuple[str, ...] = ()
        self.fields: dict[str, Any] = {}
        self.warning: str | None = None
        self.jpeg: bytes | None = None  # of all pages; see `thumbnail`
        self.thumbnail: str | None = None  # the page's URL of it
        self.content = CONTENT
        self.extension = "mp4"
        self.age = 600.0  # seconds for which an extraction is fresh
        self.recordings: dict[str, Recorded] = {}  # by job id
        self.playlists: dict[str, tuple[str, ...]] = {}

    def facts(self) -> Facts:
        return Facts(ytdlp="fake")

    def control(self) -> FakeControl:
        return FakeControl()

    def picture(self, url: str, control: Control, width: int = 640) -> bytes:
        del url, control, width
        if self.jpeg is None:
            raise DownloadError(ErrorCode.NOT_FOUND, "no such picture")
        return self.jpeg

    def extract(self, task: Task, control: Control) -> Extraction:
        assert isinstance(control, FakeControl)
        title = task.url.rpartition("/")[2]
        self.extracted.append(title)
        if act := self.on_extract.get(title):
            act(task, control)
        items = self.playlists.get(title, ())
        entries = tuple(Entry(url=url, index=number) for number, url in enumerate(items, start=1))
        return Extraction(
            info=MediaInfo(
                url=task.url,
                title=self.fields.get("full_title", title),
                thumbnail=self.thumbnail,
                is_playlist=bool(items),
                entries=entries,
            ),
            fields={"title": title, **self.fields},
            host="e.com",
            handle=title,
            expires_at=time.monotonic() + self.age,
        )

    def download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> Made:
        assert isinstance(control, FakeControl)
        self.downloaded.append(extraction.handle)
        report(Report(Phase.VIDEO, 50.0, downloaded_bytes=3))
        if act := self.on_download.get(extraction.handle):
            act(task, control)
        return make(
            task.temp_dir,
            *self.subtitles,
            warning=self.warning,
            content=self.content,
            extension=self.extension,
        )

    def recorded(self, task: Task, control: Control) -> Recorded | None:
        assert isinstance(control, FakeControl)
        return self.recordings.get(task.job_id)

    def fill_template(self, template: str, fields: Mapping[str, Any], extension: str) -> str:
        self.filled_in.append(threading.current_thread().name)
        return template % {**fields, "ext": extension}


def make(
    folder: Path,
    *languages: str,
    warning: str | None = None,
    content: bytes = CONTENT,
    extension: str = "mp4",
) -> Made:
    """Make a film and its subtitles in a job's temporary folder."""
    medium = MadeMedium(path=str(folder / f"media.{extension}"), size=len(content))
    subtitles = [
        MadeSubtitles(path=str(folder / f"media.{one}.srt"), size=len(CONTENT), language=one)
        for one in languages
    ]
    files: tuple[MadeFile, ...] = (medium, *subtitles)
    for file in files:
        Path(file.path).write_bytes(content if file is medium else CONTENT)
    return Made(files=files, warning=warning)
