"""Makes files of what was recorded: joined, or kept beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from yt_dlp.postprocessor.ffmpeg import FFmpegFixupM3u8PP
from yt_dlp.utils import PostProcessingError

from mediarip_mqtt.engine import recorded_parts
from mediarip_mqtt.engine.join_parts import join
from mediarip_mqtt.engine.protocol import Made, MadeMedium, MadePart
from mediarip_mqtt.engine.recorded_parts import RecordedParts
from mediarip_mqtt.volume import space

ROOM: Final = 2**20  # bytes that a second copy must leave free


def is_cramped(path: Path) -> bool:
    """Whether a file was recorded, and the volume has no space for a second copy of it."""
    return RecordedParts(path.parent).exist and path.is_file() and not _has_space_for(path)


def with_true_suffix(path: Path) -> Path:
    """Rename a file that holds MPEG-TS under another name; return its path."""
    if path.suffix == ".ts" or not recorded_parts.is_transport_stream(path):
        return path
    return path.rename(path.with_suffix(".ts"))


def put_together(
    session: Any, recorded: RecordedParts, name: Path, *, joins: bool = True
) -> str | None:
    """Join the parts of a file to it; return a warning, or None if it had no parts.

    What can't be joined stays where it is: it is kept beside the file.
    """
    if name.is_file():
        recorded.keep(name)
    parts = [part for part in recorded.parts() if part.name == name.name]
    kept = recorded_parts.without_repeats(parts)
    for part in parts:
        if part not in kept:
            part.path.unlink()
    if not kept:
        return None
    if len(kept) == 1:
        kept[0].path.replace(name)
        return None
    lost = recorded_parts.in_words(recorded_parts.missing(kept))
    whole = sum(part.size for part in kept)
    fits = space.free_bytes(name.parent) > whole + ROOM
    if joins and fits and join(session, [part.path for part in kept], name):
        for part in kept:
            part.path.unlink()
        return f"The recording was interrupted; about {lost} are missing in between."
    kept[-1].path.replace(name)
    return (
        f"The recording was interrupted; about {lost} are missing in between. Its parts could not "
        "be joined; the earlier ones are kept beside it."
    )


def beside(made: Made, recorded: RecordedParts) -> Made:
    """Return the files with the parts of a recording that could not be joined to them."""
    paths = [with_true_suffix(part.path) for part in recorded.parts()] if recorded.exist else []
    parts = [
        MadePart(path=str(path), size=path.stat().st_size, number=number)
        for number, path in enumerate(paths, start=2)
    ]
    if not parts:
        return made
    warning = made.warning or ""
    if "beside it" not in warning:
        warning = f"{warning} What was recorded before is kept beside it.".strip()
    return made.model_copy(update={"files": (*made.files, *parts), "warning": warning})


def salvage(session: Any, recorded: RecordedParts, temp_dir: Path) -> Made | None:
    """Return what was recorded by a job that has no other files; None if there is nothing."""
    recorded.set_aside()
    files: list[Path] = []
    warnings: list[str] = []
    for name in dict.fromkeys(part.name for part in recorded.parts()):
        path = temp_dir / name
        warning = put_together(session, recorded, path)
        if warning:
            warnings.append(warning)
        if path.is_file() and path.stat().st_size:
            files.append(playable(session, path))
    if not files:
        return None
    first, *others = sorted(files, key=lambda path: path.stat().st_size, reverse=True)
    media = (MadeMedium(path=str(first), size=first.stat().st_size),)
    for path in others:
        recorded.keep(path)
    return beside(Made(files=media, warning=" ".join(warnings) or None), recorded)


def playable(session: Any, path: Path) -> Path:
    """Put MPEG-TS into the container that its name says; else correct the name."""
    if not recorded_parts.is_transport_stream(path):
        return path
    if path.suffix == ".mp4" and _has_space_for(path):
        info = {"filepath": str(path), "ext": "mp4", "protocol": "m3u8"}
        try:
            FFmpegFixupM3u8PP(session).run(info)
        except (PostProcessingError, OSError):
            path.with_suffix(".temp.mp4").unlink(missing_ok=True)
    return with_true_suffix(path)


def _has_space_for(path: Path) -> bool:
    return space.free_bytes(path.parent) > path.stat().st_size + ROOM
