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
from collections.abc import Callable, Iterable
from http.cookiejar import Cookie
from pathlib import Path
from typing import IO, Final, NamedTuple

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import child_programs
from mediarip_mqtt.engine.protocol import Report, Task
from mediarip_mqtt.engine.reader_messages import (
    ANSWER,
    ANSWER_LIMIT,
    Alive,
    Answer,
    Assignment,
    Downloaded,
    Failed,
    Finish,
    FrameError,
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
WAIT: Final = 0.2  # seconds between two looks for a stop
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
        self._changed = threading.Condition()

    def read(self, task: Task, cookies: Iterable[Cookie], control: WorkControl) -> PageRead:
        """Read a page; raises `DownloadError`, or `Stopped` if the control was stopped."""
        assignment = self._assignment(task, cookies, whole=False)
        while True:
            reader = self._take(control)
            try:
                answer = reader.run(assignment, control, _ignore)
            except FrameError:
                if reader.rested_enough:
                    continue
                raise reader.died() from None
            break
        self._give_back(reader)
        if isinstance(answer, PageRead):
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
            reader.wait_until_ready(control)
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

    def _assignment(self, task: Task, cookies: Iterable[Cookie], *, whole: bool) -> Assignment:
        return Assignment(
            task=task,
            whole=whole,
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
        """Return an idle reader, or a new one.

        One starts at a time: until it is ready another may be idle again, and short pages need no
        more than one.
        """
        with self._changed:
            while not self._idle and self._starting:
                self._changed.wait(WAIT)
                if control.stopped:
                    raise Stopped
            if self._idle:
                return self._idle.pop()
            self._starting = True
        try:
            reader = _Reader(self._folders())
            reader.wait_until_ready(control)
        finally:
            with self._changed:
                self._starting = False
                self._changed.notify_all()
        return reader

    def _give_back(self, reader: _Reader) -> None:
        reader.is_new = False
        with self._changed:
            # Those that have ended by themselves go, too.
            self._idle = [idle for idle in self._idle if idle.runs]
            if reader.runs and len(self._idle) < IDLE:
                self._idle.append(reader)
                self._changed.notify()
                return
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
        self.is_new = True
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
        return not self.is_new and not self.answered and self._process.returncode == 0

    def wait_until_ready(self, control: WorkControl) -> None:
        """Wait until it has started; raise `DownloadError`, or `Stopped`."""
        control.add_child(self._process)
        try:
            control.check()
            read_frame(_descriptor(self._process.stdout), ANSWER_LIMIT)
        except (FrameError, OSError):
            self.close()
            if control.stopped:
                raise Stopped from None
            raise self.died() from None
        finally:
            control.forget_child(self._process)

    def run(
        self, assignment: Assignment, control: WorkControl, report: Callable[[Report], None]
    ) -> Answer:
        """Return the last answer to an assignment; raise `FrameError` if the process ends."""
        self.answered = False
        control.add_child(self._process)
        try:
            control.check()
            return self._talk(assignment, control, report)
        except (FrameError, ValidationError, OSError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_TIME)  # its exit code is the reason
            self.close()
            if control.stopped:
                raise Stopped from None
            raise FrameError(type(error).__name__) from None
        finally:
            control.forget_child(self._process)
            control.recording = False
            if control.stopped:
                self.close()

    def _talk(
        self, assignment: Assignment, control: WorkControl, report: Callable[[Report], None]
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
