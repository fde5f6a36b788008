"""The files that a download left in the job's temporary folder: media, subtitles, chapters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine.protocol import (
    Made,
    MadeChapter,
    MadeFile,
    MadeMedium,
    MadeSubtitles,
)
from mediarip_mqtt.engine.template_fields import VALUE_LIMIT
from mediarip_mqtt.volume import names


def collect(paths: Sequence[str], info: dict[str, Any], warning: str | None) -> Made:
    """Return the files that exist: the media at ``paths``, then what yt-dlp noted in ``info``.

    Raises `DownloadError` if there is no medium, or an empty one.
    """
    media = [MadeMedium(path=path, size=_size(path)) for path in dict.fromkeys(paths)]
    if not media:
        raise DownloadError(
            ErrorCode.UNAVAILABLE,
            "yt-dlp made no file: a filter or a limit in downloads.ytdlp_options excluded it.",
        )
    if not all(medium.size for medium in media):
        raise DownloadError(ErrorCode.NETWORK, "The site sent an empty file.", transient=True)
    beside = [file for file in (*_subtitles(info), *_chapters(info)) if file.size]
    return Made(files=(*media, *beside), warning=warning)


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def _subtitles(info: dict[str, Any]) -> Iterator[MadeFile]:
    for language, subtitles in (info.get("requested_subtitles") or {}).items():
        if path := subtitles.get("filepath"):
            yield MadeSubtitles(path=path, size=_size(path), language=language)


def _chapters(info: dict[str, Any]) -> Iterator[MadeFile]:
    for number, chapter in enumerate(info.get("chapters") or (), start=1):
        if path := chapter.get("filepath"):
            title = names.one_level(str(chapter.get("title") or "")[:VALUE_LIMIT])
            yield MadeChapter(path=path, size=_size(path), number=number, title=title)
