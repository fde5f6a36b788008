"""A reader: a process that reads pages with yt-dlp, started by `engine.page_readers`.

It takes one assignment at a time from standard input and answers on standard output. It ends when
its input ends, when it has rested for a minute, and at the limits of `engine.reader_limits`.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any, Final

from yt_dlp.extractor import gen_extractor_classes

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.models import Phase
from mediarip_mqtt.engine import patches, reader_limits
from mediarip_mqtt.engine.list_reader import YtdlpListReader
from mediarip_mqtt.engine.protocol import Extraction, ListedItem, Report
from mediarip_mqtt.engine.reader_messages import (
    ANSWER_LIMIT,
    ORDER,
    Alive,
    Answer,
    Assignment,
    Downloaded,
    Failed,
    FeedRead,
    Finish,
    FrameError,
    GoOn,
    ItemFound,
    ListRead,
    Logged,
    PageRead,
    RateLimit,
    Ready,
    Reported,
    SentCookie,
    frame,
    read_frame,
    write_all,
)
from mediarip_mqtt.engine.work_control import WorkControl
from mediarip_mqtt.engine.ytdlp_engine import Handle, YtdlpEngine

FIRST_REST: Final = 60.0  # seconds that it waits for its first assignment
ORDER_LIMIT: Final = 8 * 2**20  # bytes
REPORT_INTERVAL: Final = 0.1  # seconds
ALIVE_INTERVAL: Final = 1.0  # seconds
_OUT_OF_MEMORY: Final = (
    f"The page took more than {reader_limits.MEMORY >> 20} MiB of memory to read."
)


class Output:
    """The stream to the service; usable from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._alive_at = 0.0
        self._reported_at = 0.0
        self._phase: Phase | None = None

    def send(self, answer: Answer) -> None:
        """Send a message; end the process if the service is gone."""
        data = frame(answer)
        if len(data) > ANSWER_LIMIT:
            data = frame(_too_large("The page has more data than the service takes."))
        with self._lock:
            try:
                write_all(self._descriptor, data)
            except FrameError:
                os._exit(0)

    def alive(self) -> None:
        """Say that the work goes on."""
        now = time.monotonic()
        if now - self._alive_at >= ALIVE_INTERVAL:
            self._alive_at = now
            self.send(Alive())

    def report(self, report: Report, *, live: bool) -> None:
        """Send progress, at most ten times a second, and each new phase."""
        now = time.monotonic()
        if now - self._reported_at >= REPORT_INTERVAL or report.phase is not self._phase:
            self._reported_at, self._phase = now, report.phase
            self.send(Reported(report=report, live=live))


class LogToService(logging.Handler):
    """Sends log records to the service, which knows what to redact."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.INFO)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._output.send(Logged(level=record.levelno, text=self.format(record)[:4000]))


class GivenCookies:
    """The cookies that came with an assignment, as `engine.cookie_files.Cookies` has them."""

    def __init__(self) -> None:
        self._cookies: list[Cookie] = []
        self.used = False

    def give(self, cookies: Iterable[SentCookie]) -> None:
        """Take those of the next assignment."""
        self._cookies = [sent.cookie() for sent in cookies]
        self.used = False

    def load(self, _: str) -> list[Cookie]:
        """Return the cookies."""
        return self._cookies

    def succeeded(self, _: str) -> None:
        """Note that they were sent."""
        self.used = True


class Desk:
    """The engine, kept as long as the settings are the same: the first one takes 0.2 s."""

    def __init__(self) -> None:
        self.cookies = GivenCookies()
        self._settings: tuple[Any, ...] = ()
        self._engine: YtdlpEngine | None = None

    def engine(self, order: Assignment) -> YtdlpEngine:
        """Return the engine for an assignment."""
        settings = (order.downloads, order.security, order.min_free)
        if self._engine is None or settings != self._settings:
            self._settings = settings
            self._engine = YtdlpEngine(
                order.downloads, order.security, self.cookies, min_free=order.min_free
            )
        self.cookies.give(order.cookies)
        return self._engine


def main() -> None:
    """Serve assignments until the input ends; arguments: the folders where it may write."""
    source, target = os.dup(0), os.dup(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for ffmpeg, which completes its file
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)  # what yt-dlp or a program prints must not get into the answers
    reader_limits.confine([Path(argument) for argument in sys.argv[1:]])
    threads.share_heaps()
    output = Output(target)
    logging.getLogger().addHandler(LogToService(output))
    patches.install()
    patches.before_program = reader_limits.allow_all
    gen_extractor_classes()  # imports them
    output.send(Ready())
    desk, rest = Desk(), FIRST_REST
    while True:
        if not select.select([source], [], [], rest)[0]:
            return
        try:
            order = ORDER.validate_json(read_frame(source, ORDER_LIMIT))
        except FrameError:
            return
        if isinstance(order, Assignment):  # a late rate limit has no work any more
            _serve(desk, order, output, source)
            rest = order.rest


def _serve(desk: Desk, order: Assignment, output: Output, source: int) -> None:
    """Answer one assignment."""
    if not order.whole:
        reader_limits.allow_processor_time(order.processor_time)
    engine = desk.engine(order)
    control = engine.control()
    control.on_touch = output.alive
    done, finish = os.pipe()
    verdicts: queue.SimpleQueue[bool] = queue.SimpleQueue()
    watcher = threading.Thread(target=_watch, args=(source, control, done, verdicts), daemon=True)
    watcher.start()

    def found(item: ListedItem) -> bool:
        output.send(ItemFound(item=item))
        return verdicts.get()

    def carry_out() -> Answer:
        if order.reads != "page":
            return _followed(YtdlpListReader(engine, order.security), order, control, found)
        return _extracted(engine, order, control, output, used_cookies=lambda: desk.cookies.used)

    try:
        answer = _answer(carry_out, control)
    except MemoryError:
        control.out_of_memory = True
        answer = _too_large()
    os.close(finish)
    watcher.join()
    os.close(done)
    output.send(answer)
    if control.out_of_memory:
        os._exit(0)  # little of its memory would be returned to the system


def _extracted(
    engine: YtdlpEngine,
    order: Assignment,
    control: WorkControl,
    output: Output,
    *,
    used_cookies: Callable[[], bool],
) -> PageRead | Downloaded:
    page = engine.read_here(order.task, control, whole=order.whole)
    if not order.whole:
        return _page_read(page)
    made = engine.download(
        order.task, page, control, lambda report: output.report(report, live=control.live)
    )
    return Downloaded(made=made, used_cookies=used_cookies())


def _answer(carry_out: Callable[[], Answer], control: WorkControl) -> Answer:
    try:
        return carry_out()
    except DownloadError as error:
        if control.out_of_memory:
            return _too_large()
        return Failed(
            code=error.code,
            message=error.message[:2000],
            transient=error.transient,
            begins=error.begins,
            retry_after=error.retry_after,
        )
    except Stopped:
        os._exit(0)


def _followed(
    reader: YtdlpListReader,
    order: Assignment,
    control: WorkControl,
    found: Callable[[ListedItem], bool],
) -> FeedRead | ListRead:
    if order.reads == "feed":
        feed = reader.read_feed_here(order.task, control, order.etag, order.last_modified)
        return FeedRead(
            unchanged=feed.status == "unchanged",
            items=feed.items,
            etag=feed.etag,
            last_modified=feed.last_modified,
            title=feed.title,
        )
    page = reader.read_list_here(order.task, control, found)
    return ListRead(
        whole=page.whole,
        title=page.title,
        channel_id=page.channel_id,
        extractor=page.extractor,
        feed_url=page.feed_url,
    )


def _page_read(page: Extraction) -> PageRead:
    """Return the page's data; a playlist's handle is never used."""
    handle = page.handle
    usable = isinstance(handle, Handle) and not page.info.is_playlist and not handle.whole
    return PageRead(
        info=page.info,
        fields=dict(page.fields),
        host=page.host,
        handle=handle.to_json() if usable else None,
        lasts=page.expires_at - time.monotonic(),
        logins=dict(page.logins),
        listed=page.listed,
    )


def _too_large(message: str = _OUT_OF_MEMORY) -> Failed:
    return Failed(
        code=ErrorCode.UNSUPPORTED_URL,
        message=message,
        transient=False,
        begins=False,
        retry_after=None,
    )


def _watch(source: int, control: WorkControl, done: int, verdicts: queue.SimpleQueue[bool]) -> None:
    """Take orders about the running work; end the process if the service is gone."""
    while done not in select.select([source, done], [], [])[0]:
        try:
            order = ORDER.validate_json(read_frame(source, ORDER_LIMIT))
        except FrameError:
            os._exit(0)
        if isinstance(order, RateLimit):
            control.limit(order.rate)
        elif isinstance(order, Finish):
            control.finish(order.why)
        elif isinstance(order, GoOn):
            verdicts.put(order.stop)


if __name__ == "__main__":
    main()
