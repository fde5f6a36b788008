"""What the service and a reader process say to each other, over the reader's standard streams.

Each message is a frame: its length in four bytes, then JSON. What a reader sends is checked as a
stranger's, because it has read hostile pages.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from http.cookiejar import Cookie
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue, TypeAdapter

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import MediaInfo
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Listed, ListedItem, Made, Report, Task

ANSWER_LIMIT: Final = 8 * 2**20  # bytes; a playlist of 10,000 items has 4 MB
_LENGTH: Final = struct.Struct(">I")
_BLOCK: Final = 2**18


class SentCookie(Frozen):
    """A cookie of the session; a secret."""

    name: str
    value: str | None
    domain: str
    path: str
    secure: bool
    expires: int | None
    rest: dict[str, str]

    @classmethod
    def of(cls, cookie: Cookie) -> SentCookie:
        """Convert a cookie."""
        return cls(
            name=cookie.name,
            value=cookie.value,
            domain=cookie.domain,
            path=cookie.path,
            secure=cookie.secure,
            expires=None if cookie.expires is None else int(cookie.expires),
            rest={key: str(value) for key, value in vars(cookie).get("_rest", {}).items()},
        )

    def cookie(self) -> Cookie:
        """Convert it back."""
        dotted = self.domain.startswith(".")
        return Cookie(
            version=0,
            name=self.name,
            value=self.value,
            port=None,
            port_specified=False,
            domain=self.domain,
            domain_specified=dotted,
            domain_initial_dot=dotted,
            path=self.path,
            path_specified=True,
            secure=self.secure,
            expires=self.expires,
            discard=self.expires is None,
            comment=None,
            comment_url=None,
            rest=self.rest,
        )


class Assignment(Frozen):
    """Read a page, or with ``whole`` also download it into the task's folder; or a feed or list.

    ``etag`` and ``last_modified`` are a feed's, from its last reading.
    ``processor_time`` is in seconds, and holds unless it is whole. ``rest`` is how many seconds the
    reader waits for the next assignment. The settings are sent with each one, so that a reader
    knows nothing before the first.
    """

    task: Task
    reads: Literal["page", "feed", "list"] = "page"
    whole: bool = False
    etag: str | None = None
    last_modified: str | None = None
    processor_time: int
    rest: float
    min_free: int
    downloads: DownloadSettings
    security: SecuritySettings
    cookies: tuple[SentCookie, ...] = ()


class RateLimit(Frozen):
    """A new rate limit in bytes per second for a running download; 0: none."""

    rate: int


class Finish(Frozen):
    """End the running recording, and keep it; ``why`` is for its warning."""

    why: str


class GoOn(Frozen):
    """Whether to read on in a list; the answer to `ItemFound`."""

    stop: bool


class Ready(Frozen):
    """The reader has imported yt-dlp, which takes a second; sent once."""

    kind: Literal["ready"] = "ready"


class Alive(Frozen):
    """The work goes on; sent at most once a second."""

    kind: Literal["alive"] = "alive"


class Logged(Frozen):
    """A line for the service's log."""

    kind: Literal["logged"] = "logged"
    level: int = Field(ge=0, le=50)
    text: str = Field(max_length=4000)


class Reported(Frozen):
    """The progress of a download; ``live``: it records a live stream."""

    kind: Literal["reported"] = "reported"
    report: Report
    live: bool


class PageRead(Frozen):
    """The page; the last answer to an assignment that isn't whole.

    ``handle`` is the info dict as JSON; null for a playlist, and for a medium that only a reader
    can download. ``lasts`` is how many seconds it can be used.
    """

    kind: Literal["page_read"] = "page_read"
    info: MediaInfo
    fields: dict[str, JsonValue]
    host: str | None
    handle: str | None
    lasts: float
    logins: dict[int, str]
    listed: tuple[Listed, ...]


class FeedRead(Frozen):
    """A feed; the last answer to an assignment that reads one."""

    kind: Literal["feed_read"] = "feed_read"
    unchanged: bool
    items: tuple[ListedItem, ...]
    etag: str | None
    last_modified: str | None
    title: str | None


class ItemFound(Frozen):
    """An item of a list; the reader waits for `GoOn`."""

    kind: Literal["item_found"] = "item_found"
    item: ListedItem


class ListRead(Frozen):
    """A list, without its items; the last answer to an assignment that reads one."""

    kind: Literal["list_read"] = "list_read"
    whole: bool
    title: str | None
    channel_id: str | None
    extractor: str | None
    feed_url: str | None


class Downloaded(Frozen):
    """The files; the last answer to an assignment that is whole."""

    kind: Literal["downloaded"] = "downloaded"
    made: Made
    used_cookies: bool


class Failed(Frozen):
    """A `DownloadError`; the last answer to any assignment."""

    kind: Literal["failed"] = "failed"
    code: ErrorCode
    message: str = Field(max_length=2000)
    transient: bool
    begins: bool
    retry_after: float | None


Answer = Annotated[
    Ready
    | Alive
    | Logged
    | Reported
    | PageRead
    | FeedRead
    | ItemFound
    | ListRead
    | Downloaded
    | Failed,
    Field(discriminator="kind"),
]
ANSWER: Final[TypeAdapter[Answer]] = TypeAdapter(Answer)
ORDER: Final[TypeAdapter[Assignment | RateLimit | Finish | GoOn]] = TypeAdapter(
    Assignment | RateLimit | Finish | GoOn
)


class FrameError(Exception):
    """The other side has ended, or does not keep to the protocol."""


def frame(message: Frozen) -> bytes:
    """Return a message with its length."""
    # Pages have texts that are no UTF-8, and yt-dlp puts objects of its own into fields.
    text = message.model_dump_json(fallback=str).encode("utf-8", "replace")
    return _LENGTH.pack(len(text)) + text


def read_frame(descriptor: int, limit: int, wait: Callable[[], None] | None = None) -> bytes:
    """Read one message; raise `FrameError` at the end, and for one above ``limit`` bytes.

    ``wait`` is called before each read.
    """
    (length,) = _LENGTH.unpack(_read(descriptor, _LENGTH.size, wait))
    if length > limit:
        raise FrameError(f"a message of {length} bytes")
    return _read(descriptor, length, wait)


def _read(descriptor: int, count: int, wait: Callable[[], None] | None) -> bytes:
    data = bytearray()
    while len(data) < count:
        if wait is not None:
            wait()
        block = os.read(descriptor, min(count - len(data), _BLOCK))
        if not block:
            raise FrameError("the end")
        data += block
    return bytes(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write a frame; raise `FrameError` if the other side has ended."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:
        raise FrameError("the end") from None
