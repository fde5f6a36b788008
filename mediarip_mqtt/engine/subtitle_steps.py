"""Names, converts and embeds subtitles so that one language that fails does not cost the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from yt_dlp.utils import replace_extension

from mediarip_mqtt.engine import subtitle_choice

RunStep = Callable[[Any, dict[str, Any]], Any]


def renamed(subtitles: dict[str, Any], path: str, final: str) -> tuple[str, str]:
    """Give a subtitle file the extension of its content; raise ValueError if it has none."""
    ext = str(subtitles.get("ext"))
    actual = subtitle_choice.actual_format(path, ext)
    if actual is None:
        raise ValueError("no subtitles but a page, or nothing")
    if actual == ext:
        return path, final
    named, final = (replace_extension(name, actual, ext) for name in (path, final))
    Path(path).rename(named)
    subtitles.update(ext=actual, filepath=named)
    return named, final


def convert(pp: Any, info: dict[str, Any], run: RunStep) -> list[str]:
    """Convert each language by itself; return warnings. ``run`` ignores a failure."""
    wanted, warnings = info.get("requested_subtitles") or {}, []
    for language, subtitles in list(wanted.items()):
        single = {language: subtitles}
        run(pp, {**info, "requested_subtitles": single})
        wanted[language] = single[language]
        if (ext := single[language]["ext"]) != pp.format:
            warnings.append(
                f"The subtitles in {language} could not be converted to {pp.format}; they stay "
                f"{ext}."
            )
    return warnings


def embed(pp: Any, info: dict[str, Any], run: RunStep) -> list[str]:
    """Embed those that ffmpeg can read; return a warning of those that stay beside the file."""
    wanted = info.get("requested_subtitles") or {}
    fit = {
        language: subtitles
        for language, subtitles in wanted.items()
        if subtitles.get("ext") in subtitle_choice.EMBEDDABLE
    }
    info.update({**run(pp, {**info, "requested_subtitles": fit}), "requested_subtitles": wanted})
    left = [name for name, item in wanted.items() if Path(item.get("filepath", "")).is_file()]
    if not left:
        return []
    names = ", ".join(left)
    return [f"The subtitles in {names} could not be embedded; they are beside the file."]
