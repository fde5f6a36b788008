"""Looks at what was downloaded before a job is `completed`.

A site may send a page instead of the film, a part of it, or a film whose sound is a file of its
own. What is missing is fetched where the page offers it; else the job's ``warning`` says what is
missing, or the download fails with the reason.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from yt_dlp.postprocessor.ffmpeg import FFmpegMergerPP
from yt_dlp.utils import YoutubeDLError, prepend_extension

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import (
    media_probe,
    mp4_outline,
    partial_files,
    programs,
    ytdlp_options,
)
from mediarip_mqtt.engine.error_classes import classify

# A shorter file is worth a warning: pages round their durations, and count credits or silence.
SHORT_SECONDS: Final = 5.0
SHORT_SHARE: Final = 0.9
_TEXT_MEDIA: Final = frozenset(("mhtml",))  # storyboards, which are text
_NAMES: Final = {"video": "picture", "audio": "sound"}
_LIVE: Final = frozenset(("is_live", "post_live"))


def check_downloads(session: Any, filename: str, info: dict[str, Any]) -> list[str]:
    """Check the downloaded files before they are merged or converted; return warnings.

    Raises `DownloadError` for a file that is no medium, or that no player can open. Fetches the
    sound if the file at ``filename`` has none and the page offers it apart.
    """
    parts = info.get("__files_to_merge") or [filename]
    warnings = []
    for path in parts:
        if Path(path).suffix.lstrip(".") not in _TEXT_MEDIA and _size(path):
            warnings += _check_content(path)
    if info.get("__files_to_merge"):
        return warnings + _uneven(info)
    return warnings + _size_warning(filename, info) + _fetch_sound(session, filename, info)


def expect_silence(info: dict[str, Any]) -> None:
    """Take the variants of a live HLS stream as silent if its sound is a list of its own.

    Of a live stream the sound can't be fetched afterwards; see `_fetch_sound`.
    """
    if not info.get("is_live") or _sound_apart(info) is None:
        return
    for item in info.get("formats") or ():
        is_hls = str(item.get("protocol")).startswith("m3u8")
        if is_hls and item.get("acodec") is None and item.get("vcodec") != "none":
            item["acodec"] = "none"


def check_result(session: Any, info: dict[str, Any]) -> list[str]:
    """Return warnings about a finished file: kinds of streams that it lacks, and its length."""
    path = info["filepath"]
    if Path(path).suffix.lstrip(".") in _TEXT_MEDIA or not _size(path):
        return []
    probed = _probe(path)
    if probed is None:
        return []
    if not probed.readable:
        return ["ffmpeg can't read the file: it may be damaged or encrypted."]
    warnings = [
        f"The file has no {_NAMES[kind]}, though the page offers it."
        for kind in ("video", "audio")
        if kind in _expected(session, info) - probed.kinds
    ]
    length, told = probed.duration, info.get("duration")
    if length == 0:
        warnings.append("The file lasts 0 seconds: the site sent nothing in it.")
    if not _any_length(info) and _is_shorter(length, told):
        warnings.append(f"The file lasts {_clock(length)}, but the page says {_clock(told)}.")
    return warnings


def _check_content(path: str) -> list[str]:
    """Raise `DownloadError` for a file that is no medium; warn of one that ends early.

    A file that can't be played is kept with a warning if the site has no more of it.
    """
    found, lacks = media_probe.boxes(path), None
    if (kind := media_probe.text_kind(path)) is not None:
        Path(path).unlink()  # else the next attempt takes it as already downloaded
        raise _not_media(kind)
    if found is not None and not found.has_index:
        lacks = "it can't be played, as its index (moov) is missing."
    elif (probed := _probe(path)) and probed.readable and not probed.streams:
        lacks = "it has neither picture nor sound."
    if lacks and partial_files.is_whole(Path(path)):
        return [f"The site's file is damaged: {lacks}"]
    if lacks:
        Path(path).unlink()
        raise _incomplete(lacks)
    if found is not None and found.missing:
        whole = _size(path) + found.missing
        return [f"The file ends early: the site sent {_size(path)} of {whole} bytes."]
    return []


def _probe(path: str) -> media_probe.Probed | None:
    return mp4_outline.outline(path) or media_probe.probe(path)


def _incomplete(what: str) -> DownloadError:
    return DownloadError(
        ErrorCode.NETWORK, f"The site sent only a part of the file: {what}", transient=True
    )


def _not_media(kind: str) -> DownloadError:
    if kind in media_probe.PAGES:
        return DownloadError(
            ErrorCode.UNAVAILABLE,
            f"The site sent {kind} instead of the media. It may want a login, or have an error; "
            "open it in a browser.",
            transient=True,
        )
    return DownloadError(
        ErrorCode.POSTPROCESSING, f"The site sent {kind} instead of the media's data."
    )


def _size_warning(path: str, info: dict[str, Any]) -> list[str]:
    """Compare with the size that the page tells, where nothing better can be compared."""
    told, size = info.get("filesize"), _size(path)
    if not told or size >= told * SHORT_SHARE or (info.get("duration") and _ffmpeg()):
        return []
    return [f"The file has {size} bytes, but the page says {told}."]


def _uneven(info: dict[str, Any]) -> list[str]:
    """Warn if picture or sound ends long before the other."""
    if _any_length(info):
        return []
    probes = [_probe(path) for path in info["__files_to_merge"]]
    lengths = [probed.duration for probed in probes if probed and probed.duration]
    if len(lengths) < len(probes) or not _is_shorter(min(lengths), max(lengths)):
        return []
    shortest = info["requested_formats"][lengths.index(min(lengths))]
    name = _NAMES["audio" if shortest.get("vcodec") == "none" else "video"]
    return [f"The {name} ends at {_clock(min(lengths))} of {_clock(max(lengths))}."]


def _fetch_sound(session: Any, filename: str, info: dict[str, Any]) -> list[str]:
    """Download the page's sound for a silent file, and plan a merge; return warnings.

    Needed where a page doesn't say that a format is silent: yt-dlp takes an HLS variant without
    CODECS as complete, even if its sound is in a playlist of its own.
    """
    sound = _sound_apart(info)
    if (
        sound is None
        or info.get("is_live")
        or session.params.get("format") != ytdlp_options.VIDEO_FORMAT
    ):
        return []
    probed = _probe(filename)
    if probed is None or "audio" in probed.kinds or "video" not in probed.kinds:
        return []
    part = prepend_extension(str(Path(filename).with_suffix(f".{sound['ext']}")), "sound")
    picture = {**info, "acodec": "none"}
    wanted = {key: value for key, value in info.items() if key != "requested_formats"}
    try:
        session.dl(part, {**wanted, **sound})
        _check_content(part)
    except (YoutubeDLError, DownloadError) as error:
        session.check_stop(error)
        failure = classify(error)
        if failure.transient or failure.code is ErrorCode.DISK_FULL:
            raise
        return [f"The sound, which the page offers apart, is missing: {failure.message}"]
    silent = prepend_extension(filename, "silent")
    os.replace(filename, silent)  # noqa: PTH105 - the merged file gets the name
    info["requested_formats"] = [
        {**picture, "filepath": silent},
        {**sound, "vcodec": "none", "filepath": part},
    ]
    info["__files_to_merge"] = [silent, part]
    info["__postprocessors"] = [FFmpegMergerPP(session), *(info.get("__postprocessors") or ())]
    return []


def _sound_apart(info: dict[str, Any]) -> dict[str, Any] | None:
    """Return the best format that is sound only; formats are sorted from worst to best."""
    for item in reversed(info.get("formats") or ()):
        if item.get("vcodec") == "none" and item.get("acodec") != "none" and item.get("url"):
            return dict(item)
    return None


def _expected(session: Any, info: dict[str, Any]) -> set[str]:
    """Return the kinds of streams that were asked for and offered."""
    if any(step.get("key") == "FFmpegExtractAudio" for step in _steps(session)):
        return {"audio"}
    chosen = info.get("requested_formats") or [info]
    offered = list(chosen)
    if session.params.get("format") == ytdlp_options.VIDEO_FORMAT:
        offered += info.get("formats") or []
    expected = {"video"} if any(_names(item, "vcodec") for item in chosen) else set()
    return expected | ({"audio"} if any(_has_sound(item) for item in offered) else set())


def _steps(session: Any) -> list[dict[str, Any]]:
    return session.params.get("postprocessors") or []


def _has_sound(item: dict[str, Any]) -> bool:
    return _names(item, "acodec") or (
        item.get("vcodec") == "none" and item.get("acodec") != "none" and bool(item.get("url"))
    )


def _names(item: dict[str, Any], key: str) -> bool:
    """Whether a format names a codec: one without a name says nothing."""
    return item.get(key) not in {None, "none"}


def _any_length(info: dict[str, Any]) -> bool:
    """Whether the page's duration says nothing about the file's."""
    return (
        bool(info.get("is_live"))
        or info.get("live_status") in _LIVE
        or bool(info.get("sponsorblock_chapters"))
        or info.get("section_start") is not None
        or info.get("section_end") is not None
    )


def _is_shorter(length: float | None, told: Any) -> bool:
    if not length or not isinstance(told, int | float):
        return False
    return length < told * SHORT_SHARE and told - length > SHORT_SECONDS


def _clock(seconds: Any) -> str:
    """Return a duration as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _ffmpeg() -> bool:
    return programs.ffmpeg() is not None


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0
