"""The progress of a whole job, from yt-dlp's hooks for its single files."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, Final

from mediarip_mqtt.contract.models import Phase
from mediarip_mqtt.engine.protocol import Report
from mediarip_mqtt.fault_points import fault

DOWNLOAD_SHARE: Final = 95.0  # percent that downloading counts for, if post-processors follow
_UNKNOWN_SCALE: Final = 50 * 2**20  # bytes at which a download of unknown size shows about 60 %

SUBTITLES: Final = "subtitles"  # in place of a format's id

_MERGERS: Final = {"Merger"}
_MOVERS: Final = {"MoveFiles"}


class ProgressMeter:
    """Turns each hook into a report: 0 to 100 percent over all files, never falling.

    Hooks run in several threads; ``report`` is called in the hook's thread.
    """

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._report = report
        self._lock = threading.Lock()
        # For each file, by format id.
        self._weights: dict[str, float] = {}
        self._kinds: dict[str, Phase] = {}
        self._done: dict[str, float] = {}
        self._bytes: dict[str, int] = {}
        self._totals: dict[str, int | None] = {}
        self._percent = 0.0
        self._share = 100.0  # percent of the job that downloading counts for

    def plan(self, info: dict[str, Any], *, processed: bool) -> None:
        """Weigh the files to be downloaded; ``processed``: post-processors follow."""
        parts = info.get("requested_formats") or [info]
        sizes = [_size(part, info.get("duration")) for part in parts]
        known = [size for size in sizes if size]
        typical = sum(known) / len(known) if known else 1.0
        total = sum(size or typical for size in sizes)
        for part, size in zip(parts, sizes, strict=True):
            key = str(part.get("format_id"))
            self._weights[key] = (size or typical) / total
            audio_only = part.get("vcodec") == "none" and part.get("acodec") != "none"
            self._kinds[key] = Phase.AUDIO if audio_only else Phase.VIDEO
            self._totals[key] = part.get("filesize")
        self._share = DOWNLOAD_SHARE if processed or len(parts) > 1 else 100.0

    def downloading(self, hook: dict[str, Any]) -> None:
        """Report a progress hook."""
        fault("mid-download")
        info = hook.get("info_dict") or {}
        key = str(info.get("format_id"))
        if key == SUBTITLES:
            with self._lock:
                self._send(Phase.SUBTITLES, self._percent)
            return
        received = int(hook.get("downloaded_bytes") or 0)
        total = hook.get("total_bytes") or hook.get("total_bytes_estimate")
        finished = hook.get("status") == "finished"
        with self._lock:
            if key not in self._weights:
                self._weights, self._kinds[key] = {key: 1.0}, Phase.VIDEO
            self._bytes[key] = max(received, self._bytes.get(key, 0))
            self._totals[key] = int(total) if total else self._totals.get(key)
            fraction = 1.0 if finished else _fraction(hook, received, total)
            self._done[key] = max(self._done.get(key, 0.0), min(fraction, 1.0))
            whole = sum(self._weights.get(name, 0.0) * done for name, done in self._done.items())
            self._send(
                self._kinds.get(key, Phase.VIDEO),
                whole * self._share,
                speed=hook.get("speed"),
                eta=hook.get("eta"),
            )

    def processing(self, hook: dict[str, Any]) -> None:
        """Report a post-processor hook."""
        name = str(hook.get("postprocessor"))
        if name in _MOVERS:
            return
        phase = Phase.MERGING if name in _MERGERS else Phase.CONVERTING
        step = 1.0 if hook.get("status") == "started" else 3.0
        with self._lock:
            self._send(phase, min(max(self._percent, self._share) + step, 99.0))

    def _send(
        self,
        phase: Phase,
        percent: float,
        *,
        speed: float | None = None,
        eta: float | None = None,
    ) -> None:
        self._percent = max(self._percent, percent)
        totals = list(self._totals.values())
        self._report(
            Report(
                phase=phase,
                percent=self._percent,
                downloaded_bytes=sum(self._bytes.values()),
                total_bytes=sum(size for size in totals if size)
                if all(totals) and totals
                else None,
                speed=round(speed, 1) if speed else None,
                eta=round(eta, 1) if eta is not None else None,
            )
        )


def _size(part: dict[str, Any], duration: float | None) -> float | None:
    size = part.get("filesize") or part.get("filesize_approx")
    if size:
        return float(size)
    rate = part.get("tbr")
    return float(rate) * 125 * float(duration) if rate and duration else None


def _fraction(hook: dict[str, Any], received: int, total: float | None) -> float:
    count = hook.get("fragment_count")
    if count:
        return float(hook.get("fragment_index") or 0) / float(count)
    if total:
        return received / float(total)
    # Unknown size: approach the end without reaching it.
    return 0.95 * (1 - math.exp(-received / _UNKNOWN_SCALE))
