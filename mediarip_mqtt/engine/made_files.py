"""What a download has made: the medium, and what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.models import ProducedFile
from mediarip_mqtt.volume import names

CHAPTER_LIMIT: Final = 200  # a page may claim any number; each costs a run of ffmpeg
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,38}[A-Za-z0-9])?")


def collect(
    paths: list[str], info: dict[str, Any], name: Callable[[str], str], warning: str | None
) -> tuple[ProducedFile, ...]:
    """Return the files that are really there; success without one is a failure.

    ``paths`` are media, ``name`` makes a final name from an extension. The names of what lies
    beside the first medium begin as its own.
    """
    files: list[ProducedFile] = []
    for path in dict.fromkeys(paths):
        size = _size(path)
        if not size:
            raise DownloadError(ErrorCode.NETWORK, "The site sent an empty file.", transient=True)
        final = name(Path(path).suffix.lstrip("."))
        files.append(ProducedFile(temp_path=path, filename=final, filesize=size, main=not files))
    if not files:
        raise DownloadError(
            ErrorCode.UNAVAILABLE,
            "yt-dlp ended without a file: a filter or a limit of downloads.ytdlp_options left it "
            "out.",
        )
    main = files[0].model_copy(update={"warning": warning})
    for path, tail in (*_subtitles(info), *_chapters(info)):
        final = names.beside(main.filename, tail)
        # On some clients of a volume two names that differ only in case are one.
        taken = {one.filename.casefold() for one in files}
        if (size := _size(path)) and final.casefold() not in taken:
            files.append(ProducedFile(temp_path=path, filename=final, filesize=size, main=False))
    return (main, *files[1:])


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def _subtitles(info: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each file of subtitles, and what its name has behind the medium's."""
    for language, one in (info.get("requested_subtitles") or {}).items():
        if path := one.get("filepath"):
            yield path, f".{language}{Path(path).suffix}"


def _chapters(info: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(info.get("chapters") or (), start=1):
        if path := one.get("filepath"):
            title = names.one_level(str(one.get("title") or ""))
            yield path, f" - {number:03d} {title}{Path(path).suffix}"


def known_languages(subtitles: Any) -> dict[str, Any]:
    """Return a page's subtitles by languages that are fit to be part of a name."""
    if not isinstance(subtitles, dict):
        return {}
    return {key: one for key, one in subtitles.items() if one and _LANGUAGE.fullmatch(str(key))}
