"""Records what has no end of its own: a live stream is kept, whatever ends its recording.

The kinds: HLS and DASH, which ffmpeg records; a site's fragments, which yt-dlp records; and plain
HTTP without a length (radio). A stall, or a volume that gets full, ends a recording well
(`WorkControl.finish`). After an error it goes on in a new file, in this attempt or in a later one,
and the files are joined at the end.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from yt_dlp.utils import ReExtractInfo

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import finished_lists, recorded_parts
from mediarip_mqtt.engine.error_classes import classify
from mediarip_mqtt.engine.ffmpeg_proxy import GuardProxy
from mediarip_mqtt.engine.kept_recording import put_together
from mediarip_mqtt.engine.recorded_parts import Part, RecordedParts
from mediarip_mqtt.engine.work_control import RecordingEndedError, WorkControl
from mediarip_mqtt.volume import space
from mediarip_mqtt.volume.mounts import disk_usage
from mediarip_mqtt.volume.storage_errors import disk_full

STALLED: Final = "stalled"
LOW_SPACE: Final = "low space"
RELIEF_INTERVAL: Final = 5.0  # seconds in which an ended download's files are removed
_relief: Final = threading.Lock()
_last_relief: Final = [float("-inf")]
LEAST_FLOOR: Final = 8 * 2**20  # free bytes that a recording leaves even if min_free is 0 ...
FLOOR_SHARE: Final = 16  # ... but not more than this part of a small volume
ROOM: Final = 2**20  # bytes of a recording that filled the volume, given to the store
WATCH_INTERVAL: Final = 0.5  # seconds
TRIES: Final = 3  # times that a recording goes on after an error without new data
PAUSE: Final = 2.0  # seconds before that; doubled each time
# A file in one of these formats can be played although its end is missing.
_OPEN_ENDED: Final = frozenset(
    ("aac", "flv", "mp3", "mpeg", "mpg", "oga", "ogg", "opus", "ts", "webm")
)
_OVER_HTTP: Final = frozenset(("http", "https"))
# An error after which the same request has no better chance.
_FINAL: Final = frozenset(
    {ErrorCode.BLOCKED_ADDRESS, ErrorCode.UNSUPPORTED_URL, ErrorCode.STORAGE_UNAVAILABLE}
)

logger = logging.getLogger(__name__)


class LiveRecording:
    """The recording of one call of yt-dlp's `dl`; ``names`` are the files that it writes."""

    def __init__(  # noqa: PLR0913 - what it needs of the session
        self,
        session: Any,
        control: WorkControl,
        info: Mapping[str, Any],
        names: list[str],
        *,
        min_free: int,
        page: tuple[str | None, Mapping[str, Any]],
    ) -> None:
        self._session = session
        self._control = control
        self._info = info
        self._names = [Path(name) for name in names]
        self._temp = self._names[0].parent
        self._min_free = min_free
        self._page = page
        self._parts = RecordedParts(self._temp)
        self._lock = threading.Lock()
        self._began = False
        self.warnings: list[str] = []
        self.ended_by: ErrorCode | None = None  # what ended it before the stream

    def run(self, download: Callable[[], Any]) -> Any:
        """Record with ``download``; return its result once the files have their names."""
        if self._info.get("is_live"):
            if self._parts.exist:
                finished_lists.record_from_now(self._info)
            self._begin(live=True)
        self._control.keep_part = self._keep
        try:
            with self._watched():
                result = self._record(download)
        finally:
            self._control.keep_part = None
            self._control.end_recording()
        return self._complete(result) if self._parts.exist else result

    def saw_response(self, headers: Mapping[str, str]) -> None:
        """Look whether a plain HTTP response is a stream: it has no length."""
        if self._control.recording or not _may_be_endless(self._info):
            return
        if headers.get("Content-Length") or headers.get("Content-Range"):
            return
        marks = ("icy-name", "icy-br", "icy-metaint", "icy-genre", "ice-audio-info")
        self._begin(live=any(headers.get(mark) for mark in marks))

    def _begin(self, *, live: bool) -> None:
        host, fields = self._page
        self._began = True
        if self._is_low() and not self._size():
            raise disk_full()
        self._parts.begin([name.name for name in self._names], host, fields)
        self._control.begin_recording(live=live)

    def _keep(self, filename: str) -> None:
        """Set a file aside that is about to be cut to nothing."""
        if self._control.recording:
            with self._lock:
                name = Path(filename).name.removesuffix(".part")
                if name in {known.name for known in self._names}:
                    self._parts.keep(Path(filename))

    # While it records

    def _record(self, download: Callable[[], Any]) -> Any:
        tries = 0
        while True:
            before = self._size()
            result, failure = self._once(download)
            if self._control.finishing is not None:
                return self._ended()
            if failure is None:
                return result
            if failure.code is ErrorCode.DISK_FULL:
                return self._give_room(failure)
            tries = 1 if self._size() > before else tries + 1
            if tries > TRIES or failure.code in _FINAL or not self._parts_or_files():
                raise failure
            logger.info("recording: %s; it goes on in a new file", failure.message)
            self._parts.set_aside()
            finished_lists.record_from_now(self._info)
            self._session.to_screen("recording again")  # resets the stall's clock
            try:
                self._control.sleep(PAUSE * 2 ** (tries - 1))
            except RecordingEndedError:
                return self._ended()

    def _once(self, download: Callable[[], Any]) -> tuple[Any, DownloadError | None]:
        """Return the result, and why the recording has to go on, if it has to."""
        try:
            result = download()
        except ReExtractInfo:
            raise
        except Exception as error:
            if self._control.stopped or not self._control.recording:
                raise
            return None, self._failure(error)
        return result, self._hiccup()

    def _hiccup(self) -> DownloadError | None:
        """Return an error if ffmpeg ended, content, at a list that it could not read."""
        proxy = GuardProxy.known(self._control)
        if proxy is None or not self._control.live:
            return None
        missed, broken = proxy.lists.missed, proxy.lists.broken
        proxy.lists.begin()
        if not broken:
            if missed >= 1:
                self.warnings.append(
                    f"About {recorded_parts.in_words(missed)} of the stream are missing: they were "
                    "gone before they could be read."
                )
            return None
        return DownloadError(
            ErrorCode.NETWORK, "The stream can't be read any more.", transient=True
        )

    def _failure(self, error: Exception) -> DownloadError:
        failure = classify(error)
        if self._control.blocked and failure.code in {ErrorCode.INTERNAL, ErrorCode.NETWORK}:
            return DownloadError(ErrorCode.BLOCKED_ADDRESS, self._control.blocked)
        if failure.code is ErrorCode.INTERNAL:  # ffmpeg says no more than a number
            if space.is_full(self._temp):
                return disk_full()
            if self._size():
                return DownloadError(ErrorCode.NETWORK, "The stream broke off.", transient=True)
        return failure

    def _ended(self) -> tuple[bool, bool]:
        """Return the result of a recording that was ended from outside; raise if it is empty."""
        why = self._control.finishing
        self._control.end_recording()
        if not self._parts_or_files():
            if why == LOW_SPACE:
                raise disk_full()
            raise DownloadError(
                ErrorCode.TIMEOUT,
                "Nothing came of the stream (downloads.stall_timeout). Retry the job later.",
                transient=True,
            )
        self.ended_by = ErrorCode.DISK_FULL if why == LOW_SPACE else None
        self.warnings.append(
            "The recording was ended early: the volume has no more space than storage.min_free."
            if why == LOW_SPACE
            else "The stream stopped without saying that it has ended; its end may be missing."
        )
        return True, True

    def _give_room(self, failure: DownloadError) -> tuple[bool, bool]:
        """Cut the end off a recording that filled the volume: the store needs space, too."""
        files = [path for name in self._names for path in _files(name)]
        largest = max(files, key=lambda path: path.stat().st_size, default=None)
        if largest is None or (size := largest.stat().st_size) < 4 * ROOM:
            raise failure
        with largest.open("r+b") as file:
            file.truncate(size - ROOM)
        self._control.end_recording()
        self.ended_by = ErrorCode.DISK_FULL
        self.warnings.append("The recording was ended early: the volume is full.")
        return True, True

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the recording once the volume has no more space than the floor."""
        done = threading.Event()
        thread = threading.Thread(
            target=self._watch, args=(done,), daemon=True, name="recording-space"
        )
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(WATCH_INTERVAL)

    def _watch(self, done: threading.Event) -> None:
        low = False
        while not done.wait(WATCH_INTERVAL):
            with contextlib.suppress(OSError):
                low = low or self._is_low()
            if low and self._control.recording:
                self._control.finish(LOW_SPACE)
            elif self._min_free and self._fills_the_volume():
                self._control.give_up(disk_full())

    def _fills_the_volume(self) -> bool:
        """Whether this download has to end, so that `storage.min_free` stays free.

        One ends at a time: the space that its files took may be enough for the others.
        """
        with contextlib.suppress(OSError), _relief:
            if space.free_bytes(self._temp) < self._min_free:
                now = time.monotonic()
                if now - _last_relief[0] >= RELIEF_INTERVAL:
                    _last_relief[0] = now
                    return True
        return False

    def _is_low(self) -> bool:
        return space.free_bytes(self._temp) < floor(self._temp, self._min_free)

    # At its end

    def _complete(self, result: Any) -> Any:
        for name in self._names:
            unfinished = name.with_name(f"{name.name}.part")
            if unfinished.is_file() and unfinished.stat().st_size:
                unfinished.replace(name)
        # A stream from its start holds the earlier parts, and so may a film that was a stream.
        joins = self._began and not self._info.get("is_from_start")
        for name in self._names:
            warning = put_together(self._session, self._parts, name, joins=joins)
            if warning:
                self.warnings.append(warning)
        return result

    def _size(self) -> int:
        files = [path for name in self._names for path in _files(name)]
        return sum(path.stat().st_size for path in files) + sum(
            part.size for part in self._own_parts()
        )

    def _own_parts(self) -> list[Part]:
        if not self._parts.exist:
            return []
        names = {name.name for name in self._names}
        return [part for part in self._parts.parts() if part.name in names]

    def _parts_or_files(self) -> bool:
        return self._size() > 0


def floor(folder: Path, min_free: int) -> int:
    """Return the free bytes at which a recording ends; blocks."""
    _, total = disk_usage(folder)
    return max(min_free, min(LEAST_FLOOR, total // FLOOR_SHARE))


def live_options(info: dict[str, Any]) -> dict[str, Any]:
    """Return a live stream's info dict with options for a file that a kill does not spoil."""
    if not info.get("is_live"):
        return info
    added = ["-flush_packets", "1"]  # ffmpeg holds 256 KiB back: minutes of a radio programme
    is_hls = str(info.get("protocol")).startswith("m3u8")  # in MPEG-TS
    if info.get("ext") in {"mp4", "m4a", "mov"} and not is_hls:
        added += ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"]
    options = dict(info.get("downloader_options") or {})
    options["ffmpeg_args_out"] = [*(options.get("ffmpeg_args_out") or ()), *added]
    return {**info, "downloader_options": options}


def _may_be_endless(info: Mapping[str, Any]) -> bool:
    return (
        info.get("protocol") in _OVER_HTTP
        and str(info.get("ext")) in _OPEN_ENDED
        and not (info.get("duration") or info.get("filesize") or info.get("filesize_approx"))
    )


def _files(name: Path) -> Iterator[Path]:
    for path in (name, name.with_name(f"{name.name}.part")):
        if path.is_file():
            yield path
