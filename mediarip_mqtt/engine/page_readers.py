"""The reader processes: yt-dlp reads pages there, away from the service's interpreter and memory.

A page can make yt-dlp take any time and any memory, and a thread can't be killed. So a page is read
in a child process with limits (`engine.reader_limits`), which reads one page at a time, stays warm
for the next one, and ends by itself after a minute of rest. A stop of the work kills it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http.cookiejar import Cookie
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import child_programs
from mediarip_mqtt.engine.protocol import ListedItem, Report, Task
from mediarip_mqtt.engine.reader_messages import (
    ANSWER,
    ANSWER_LIMIT,
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

END_TIME: Final = 1.0  # seconds
WAIT: Final = 0.1  # seconds between two looks for a stop
PATIENCE: Final = 0.5  # seconds to wait for a busy reader before another is started
IDLE: Final = 2  # readers that are kept for the next pages

logger = logging.getLogger(__name__)


class ReaderLimits(NamedTuple):
    """``processor_time`` is for one page, ``rest`` after it; both in seconds."""

    processor_time: int = 60
    rest: float = 60.0


class PageReaders:
    """Starts readers when they are needed; usable from any thread.

    ``folder`` is where they may write: yt-dlp's cache, and temporary files of programs.
    """

    def __init__(
        self,
        downloads: DownloadSettings,
        security: SecuritySettings,
        folder: Path | None,
        *,
        min_free: int = 0,
        limits: ReaderLimits = ReaderLimits(),  # noqa: B008 - it is immutable
    ) -> None:
        self._downloads = downloads
        self._security = security
        self._folder = folder
        self._min_free = min_free
        self._limits = limits
        self._idle: list[_Reader] = []
        self._starting = False
        self._busy = 0
        self._failure: Exception | None = None  # of the last start
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    def read(self, task: Task, cookies: Iterable[Cookie], control: WorkControl) -> PageRead:
        """Read a page; raises `DownloadError`, or `Stopped` if the control was stopped."""
        answer = self._ask(self._assignment(task, cookies), control)
        if isinstance(answer, PageRead):
            return answer
        raise _error(answer)

    def read_feed(
        self,
        task: Task,
        cookies: Iterable[Cookie],
        control: WorkControl,
        etag: str | None,
        last_modified: str | None,
    ) -> FeedRead:
        """Read a feed; raises as `read`."""
        assignment = self._assignment(
            task, cookies, reads="feed", etag=etag, last_modified=last_modified
        )
        answer = self._ask(assignment, control)
        if isinstance(answer, FeedRead):
            return answer
        raise _error(answer)

    def read_list(
        self,
        task: Task,
        cookies: Iterable[Cookie],
        control: WorkControl,
        found: Callable[[ListedItem], bool],
    ) -> ListRead:
        """Read a list, and call ``found`` with each item until it returns True; raises as `read`.

        After an item was found nothing is read a second time.
        """
        answer = self._ask(self._assignment(task, cookies, reads="list"), control, found)
        if isinstance(answer, ListRead):
            return answer
        raise _error(answer)

    def download(
        self,
        task: Task,
        cookies: Iterable[Cookie],
        control: WorkControl,
        report: Callable[[Report], None],
    ) -> Downloaded:
        """Read and download in a reader of its own, which may write into the task's folder."""
        reader = _Reader([*self._folders(), task.temp_dir])
        try:
            reader.wait_until_ready()
            answer = reader.run(self._assignment(task, cookies, whole=True), control, report)
        except FrameError:
            raise reader.died() from None
        finally:
            reader.close()
        if isinstance(answer, Downloaded):
            return answer
        raise _error(answer)

    def close(self) -> None:
        """End the idle readers."""
        with self._changed:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()

    def _ask(
        self,
        assignment: Assignment,
        control: WorkControl,
        found: Callable[[ListedItem], bool] = lambda _: True,
    ) -> Answer:
        while True:
            reader = self._take(control)
            try:
                return reader.run(assignment, control, _ignore, found)
            except FrameError:
                if reader.rested_enough:
                    continue
                raise reader.died() from None
            finally:
                self._give_back(reader)

    def _assignment(self, task: Task, cookies: Iterable[Cookie], **more: Any) -> Assignment:
        return Assignment(
            task=task,
            **more,
            processor_time=self._limits.processor_time,
            rest=self._limits.rest,
            min_free=self._min_free,
            downloads=self._downloads,
            security=self._security,
            cookies=tuple(map(SentCookie.of, cookies)),
        )

    def _folders(self) -> list[Path]:
        if self._folder is None:
            return []
        (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
        return [self._folder]

    def _take(self, control: WorkControl) -> _Reader:
        """Return an idle reader, to those that wait in their order.

        Another one is started if none is there, or if the busy ones stay busy for a while: one is
        enough for short pages, and a start costs a second of processor time.
        """
        turn, began = object(), time.monotonic()
        with self._changed:
            self._waiting.append(turn)
            try:
                while not (self._waiting[0] is turn and self._idle):
                    if self._waiting[0] is turn:
                        self._start_if_needed(time.monotonic() - began)
                    self._changed.wait(WAIT)
                    if control.stopped:
                        raise Stopped
                self._busy += 1
                return self._idle.pop()
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()

    def _start_if_needed(self, waited: float) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if not self._starting and (not self._busy or waited >= PATIENCE):
            self._starting = True
            threading.Thread(target=self._start, name="reader-start", daemon=True).start()

    def _start(self) -> None:
        reader, failure = None, None
        try:
            reader = _Reader(self._folders())
            reader.wait_until_ready()
        except (DownloadError, OSError) as error:
            reader, failure = None, error
        with self._changed:
            self._starting, self._failure = False, failure
            if reader is not None:
                self._idle.append(reader)
            self._changed.notify_all()

    def _give_back(self, reader: _Reader) -> None:
        with self._changed:
            self._busy -= 1
            # Those that have ended by themselves go, too.
            self._idle = [idle for idle in self._idle if idle.runs]
            if is_kept := reader.runs and len(self._idle) < IDLE:
                self._idle.append(reader)
            self._changed.notify_all()
        if not is_kept:
            reader.close()


class _Reader:
    """One process."""

    def __init__(self, folders: list[Path]) -> None:
        environment = child_programs.environment(None)
        if folders:
            environment |= {"TMPDIR": str(folders[0] / "tmp"), "DENO_DIR": str(folders[0] / "deno")}
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-P", "-m", "mediarip_mqtt.engine.reader_process", *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            bufsize=0,
            start_new_session=True,  # so that a stop also kills its child processes
        )
        self.answered = False
        # Collects the exit code as soon as it ends, so that no zombie stays.
        name = f"reader-{self._process.pid}"
        threading.Thread(target=self._process.wait, name=name, daemon=True).start()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def rested_enough(self) -> bool:
        """Whether it had ended by itself before it took the assignment."""
        return not self.answered and self._process.returncode == 0

    def wait_until_ready(self) -> None:
        """Wait until it has started; raise `DownloadError`."""
        try:
            read_frame(_descriptor(self._process.stdout), ANSWER_LIMIT)
        except (FrameError, OSError):
            self.close()
            raise self.died() from None

    def run(
        self,
        assignment: Assignment,
        control: WorkControl,
        report: Callable[[Report], None],
        found: Callable[[ListedItem], bool] = lambda _: True,
    ) -> Answer:
        """Return the last answer to an assignment; raise `FrameError` if the process ends."""
        self.answered = False
        control.add_child(self._process)
        try:
            control.check()
            return self._talk(assignment, control, report, found)
        except (FrameError, ValidationError, OSError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_TIME)  # its exit code is the reason
            self.close()
            if control.stopped:
                raise Stopped from None
            raise FrameError(type(error).__name__) from None
        except BaseException:
            self.close()  # it waits for an answer: ``found`` or ``report`` failed
            raise
        finally:
            control.forget_child(self._process)
            control.recording = False
            if control.stopped:
                self.close()

    def _talk(
        self,
        assignment: Assignment,
        control: WorkControl,
        report: Callable[[Report], None],
        found: Callable[[ListedItem], bool],
    ) -> Answer:
        source, target = _descriptor(self._process.stdout), _descriptor(self._process.stdin)
        write_all(target, frame(assignment))
        rate, finishing = 0, False
        while True:
            if control.pace.rate != rate:
                rate = control.pace.rate
                write_all(target, frame(RateLimit(rate=rate)))
            if control.finishing is not None and not finishing:
                finishing = True
                write_all(target, frame(Finish(why=control.finishing)))
            answer = ANSWER.validate_json(read_frame(source, ANSWER_LIMIT))
            self.answered = True
            control.touch()
            match answer:
                case Ready() | Alive():
                    pass
                case Logged(level=level, text=text):
                    logger.log(level, "%s", text)
                case Reported(report=progress, live=live):
                    control.recording = control.live = live
                    report(progress)
                case ItemFound(item=item):
                    write_all(target, frame(GoOn(stop=found(item))))
                case _:
                    return answer

    def died(self) -> DownloadError:
        """Return why the process ended in the middle of its work."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return DownloadError(
                ErrorCode.UNSUPPORTED_URL,
                "The page took too much processor time to read. Use the URL of the media file.",
            )
        logger.error("the process that reads pages ended with code %d", code)
        return DownloadError(
            ErrorCode.INTERNAL,
            "The process that read the page died. If this machine is short of memory, its log "
            "says so.",
            transient=True,
        )

    def close(self) -> None:
        """Kill the process and its children, unless it has ended."""
        if self.runs:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise TypeError("the process has no pipes")
    return pipe.fileno()


def _ignore(_: Report) -> None:
    """Ignore progress: there is none while a page is read."""


def _error(answer: Answer) -> DownloadError:
    if isinstance(answer, Failed):
        return DownloadError(
            answer.code,
            answer.message,
            transient=answer.transient,
            begins=answer.begins,
            retry_after=answer.retry_after,
        )
    return DownloadError(ErrorCode.INTERNAL, "The process that reads pages gave a wrong answer.")
