"""Joins the parts of a recording to one file, without encoding; the result is checked."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor
from yt_dlp.utils import PostProcessingError

from mediarip_mqtt.engine.recorded_parts import is_transport_stream
from mediarip_mqtt.engine.work_control import current

LEAST_SHARE: Final = 0.9  # of the parts' duration that the joined file must have
_LOST_AT_JOINTS: Final = 3.0  # seconds by which it may be shorter in any case

logger = logging.getLogger(__name__)


def join(session: Any, paths: Sequence[Path], result: Path) -> bool:
    """Join files to ``result``; return False, and leave no file, if that isn't possible."""
    target = result.with_name(f"joined.temp{_suffix(paths[0], result)}")
    processor = FFmpegPostProcessor(session)
    try:
        kinds = [_probe(processor, path) for path in paths]
        if any(streams != kinds[0][0] for streams, _ in kinds):
            logger.info("the parts of a recording can't be joined: their streams differ")
            return False
        processor.concat_files([str(path) for path in paths], str(target))
        streams, duration = _probe(processor, target)
        whole = sum(length for _, length in kinds)
        if streams != kinds[0][0] or duration < whole * LEAST_SHARE - _LOST_AT_JOINTS:
            logger.info("the joined recording has %.0f s of %.0f s", duration, whole)
            return False
        ended = paths[-1].stat().st_mtime  # ffmpeg's file got the first part's time
        os.utime(target, (ended, ended))
        target.replace(result)
    except (PostProcessingError, OSError, ValueError, KeyError) as error:
        control = current()
        if control is not None:
            control.check()
            control.no_space = False  # the parts are kept as they are
        logger.info("the parts of a recording can't be joined: %s", error)
        return False
    finally:
        for leftover in (target, target.with_name(f"{target.name}.concat")):
            leftover.unlink(missing_ok=True)
    return True


def _suffix(first: Path, result: Path) -> str:
    return ".ts" if is_transport_stream(first) else result.suffix


def _probe(processor: Any, path: Path) -> tuple[list[tuple[str, str]], float]:
    """Return the streams' kinds and codecs, and the duration in seconds."""
    data = processor.get_metadata_object(str(path))
    streams = [
        (str(stream.get("codec_type")), str(stream.get("codec_name")))
        for stream in data.get("streams") or ()
        if stream.get("codec_type") in {"audio", "video"}
    ]
    return sorted(streams), float((data.get("format") or {}).get("duration") or 0.0)
