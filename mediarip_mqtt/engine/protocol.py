"""The engine as the rest of the service sees it: blocking calls, each made in a worker thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import Field

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Facts, MediaInfo, Phase

WIDTH: Final = 640  # pixels of a thumbnail


class Listed(Frozen):
    """What a playlist says of an item: kept for the item's own job, and never published.

    ``url`` and ``extractor`` are yt-dlp's own, where the job's URL doesn't lead to the item;
    ``numbered`` is whether they lead to its list, of which the job's `playlist_items` selects it.
    ``fields`` are the list's data for the item's name; ``details`` are the item's title, date and
    so on, if they count more than those of its page. ``identity`` finds an item again that has only
    a number (`engine.page_items`).
    """

    url: str | None = None
    extractor: str | None = None
    numbered: bool = False
    fields: Mapping[str, Any] = Field(default_factory=dict)
    details: Mapping[str, Any] = Field(default_factory=dict)
    identity: str | None = None


@dataclass(frozen=True)
class Task:
    """One attempt at a job.

    ``url`` is an http or https URL, or a search query that the intake built. ``temp_dir`` is the
    job's own folder; it exists, and holds at most partial files that may be resumed. ``listed`` is
    empty unless the job is an item of a playlist.
    """

    job_id: str
    url: str
    temp_dir: Path
    options: DownloadOptions = field(default_factory=DownloadOptions)
    playlist_limit: int = 1000
    session_id: str = "default"
    listed: Listed = field(default_factory=Listed)
    login: str | None = field(default=None, repr=False)  # `user:password`, for the URL's host only


@dataclass(frozen=True)
class Extraction:
    """The result of `Engine.extract`.

    ``fields`` is the page's data that an output template may use: no URLs, headers or cookies.
    The library gets two more, `plot` and `chapters` (`page_info.for_library`).
    ``host`` is the page's host, which selects the site's output template. ``handle`` belongs to the
    engine and is passed back to `download`; it holds signed URLs and is never stored.
    ``expires_at`` is when those URLs may have expired, by `time.monotonic`. ``listed`` belongs to
    the entries of ``info``, in their order; ``logins`` are those in their URLs, by index.
    """

    info: MediaInfo
    fields: Mapping[str, Any] = field(default_factory=dict)
    host: str | None = None
    handle: Any = None
    logins: Mapping[int, str] = field(default_factory=dict, repr=False)
    expires_at: float = math.inf
    listed: tuple[Listed, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Whether the handle can still be used for a download."""
        return time.monotonic() < self.expires_at


class MadeMedium(Frozen):
    """A medium in the job's temporary folder; ``size`` is in bytes."""

    kind: Literal["medium"] = "medium"
    path: str
    size: int


class MadeSubtitles(Frozen):
    """Subtitles beside the medium; ``language`` is safe as a part of a file name."""

    kind: Literal["subtitles"] = "subtitles"
    path: str
    size: int
    language: str


class MadeChapter(Frozen):
    """A chapter cut from the medium; ``number`` counts from 1, ``title`` is the page's."""

    kind: Literal["chapter"] = "chapter"
    path: str
    size: int
    number: int
    title: str


class MadePart(Frozen):
    """A part of a recording that could not be joined to the medium; ``number`` counts from 2."""

    kind: Literal["part"] = "part"
    path: str
    size: int
    number: int


MadeFile = Annotated[
    MadeMedium | MadeSubtitles | MadeChapter | MadePart, Field(discriminator="kind")
]


class Made(Frozen):
    """The files that a download made, media first; all of them exist and none is empty.

    ``warning`` lists requested extras that were unavailable; the media themselves are fine.
    ``ended_by`` is why a recording ended before its stream.
    """

    files: tuple[MadeFile, ...]
    warning: str | None = None
    ended_by: ErrorCode | None = None


@dataclass(frozen=True)
class Recorded:
    """What an ended job has recorded of a live stream, and the page's data as in `Extraction`."""

    made: Made
    fields: Mapping[str, Any]
    host: str | None


@dataclass(frozen=True)
class Report:
    """Progress over the whole job: ``percent`` is 0 to 100 and never falls."""

    phase: Phase
    percent: float
    downloaded_bytes: int = 0
    total_bytes: int | None = None
    speed: float | None = None
    eta: float | None = None


class ListedItem(Frozen):
    """An item of a channel, playlist or feed; ``duration`` is in seconds.

    ``key`` is the same at every reading, in the feed and in the list: yt-dlp's archive id, such as
    `youtube dQw4w9WgXcQ`, else the feed's guid. ``url`` has no user name and password.
    ``live_status`` and ``availability`` are yt-dlp's words; a list seldom knows them.
    """

    key: str
    url: str
    title: str | None = None
    duration: float | None = None
    published_at: datetime | None = None
    live_status: str | None = None
    availability: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class FeedAnswer:
    """The result of `ListReader.read_feed`.

    ``unchanged``: the site answered 304. ``failed``: ``error`` says why; it never means that an
    item is gone. ``etag`` and ``last_modified`` are for the next reading.
    """

    status: Literal["new", "unchanged", "failed"]
    items: tuple[ListedItem, ...] = ()
    etag: str | None = None
    last_modified: str | None = None
    title: str | None = None
    error: DownloadError | None = None


@dataclass(frozen=True)
class ListAnswer:
    """The result of `ListReader.read_list`; the items are in the list's order, each key once.

    ``whole``: every item that the list has is among ``items``, so that a missing one has
    disappeared. ``feed_url`` is a feed that tells of new items, where there is one; it is the URL
    itself if that is a feed.
    """

    items: tuple[ListedItem, ...]
    whole: bool
    title: str | None = None
    channel_id: str | None = None
    extractor: str | None = None
    feed_url: str | None = None


class Control(Protocol):
    """Stops a piece of work from outside its thread."""

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""

    @property
    def touched(self) -> float:
        """When the work last showed activity, by `time.monotonic`."""

    @property
    def live(self) -> bool:
        """Whether the work records a live stream now, so that `finish` keeps it."""

    def limit(self, rate: int) -> None:
        """Set the rate limit in bytes per second, effective at once; 0 means no limit."""

    def finish(self, why: str) -> None:
        """End a recording, and let the work go on with what it has; don't wait."""

    def stop(self) -> None:
        """Set the flag, shut the work's sockets down and kill its child processes; don't wait."""


class Engine(Protocol):
    """Extracts and downloads.

    Every method blocks and may run in any thread. Apart from `facts` and `control` they raise
    `DownloadError` with a contract code, or `Stopped` if their control was stopped.
    """

    def facts(self) -> Facts:
        """Return the versions of yt-dlp, ffmpeg and the JavaScript runtime."""

    def control(self) -> Control:
        """Return a new control; one may serve `extract` and then `download`."""

    def picture(self, url: str, control: Control, width: int = WIDTH) -> bytes:
        """Return a thumbnail as a JPEG of at most ``width`` pixels."""

    def extract(self, task: Task, control: Control) -> Extraction:
        """Read the page: a medium with its formats, or a playlist with its entries."""

    def download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> Made:
        """Download into ``task.temp_dir``.

        ``report`` is called often, from this thread and threads it starts: it must be cheap.
        """

    def recorded(self, task: Task, control: Control) -> Recorded | None:
        """Return what earlier attempts have recorded of a live stream; None if there is nothing.

        It is for a job that fails for good: the parts are joined, or kept beside one another.
        """

    def fill_template(self, template: str, fields: Mapping[str, Any], extension: str) -> str:
        """Fill an output template in with an extraction's fields.

        The result ends in the extension. The rest is the page's text: pass it through
        `names.safe_name`. Raises `DownloadError` if the template doesn't fit the fields.
        """


class ListReader(Protocol):
    """Reads what a subscription follows; blocking, in any thread, as `Engine`."""

    def read_feed(
        self,
        task: Task,
        control: Control,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> FeedAnswer:
        """Read the feed at the task's URL; raise `Stopped` only."""

    def read_list(
        self, task: Task, control: Control, stop: Callable[[ListedItem], bool]
    ) -> ListAnswer:
        """Read a channel, playlist, search or feed, without its items' pages.

        ``stop`` is called with each item as it is found; True ends the list, or the tab of a
        channel. At most ``task.playlist_limit`` items are read. Raises `DownloadError`, also if the
        URL leads to a single medium, or `Stopped`.
        """
