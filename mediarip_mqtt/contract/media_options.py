"""What may be asked of a download: one model that commands, jobs, presets and the engine share.

A new option is a field of `MediaOptions` (a preset may set it, too) or of `DownloadOptions`, and
what the engine does with it. Some can be written in short: ``"subtitles": "en,de"``,
``"sponsorblock": "remove"``, ``"embed": "metadata,thumbnail"``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.sizes import MAX_BYTES, parse_size

# A language as sites name them; `*` at its end is whatever follows: `en*` is en, en-GB, en-orig.
Language = Annotated[
    str, StringConstraints(pattern=r"^(?:all|[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,12}){0,3}\*?)$")
]
MAX_PLACE: Final = 100_000  # the last item of a playlist that can be named
MAX_PLACES: Final = 50
_PLACES: Final = re.compile(r"(-?\d{1,6})?(?:[:-](-?\d{1,6})?(?::(\d{1,6}))?)?", re.ASCII)
# SponsorBlock's categories, as its API names them.
Category = Literal[
    "sponsor",
    "intro",
    "outro",
    "selfpromo",
    "preview",
    "filler",
    "interaction",
    "music_offtopic",
    "hook",
    "poi_highlight",
    "chapter",
]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
# A point and a chapter have nothing to cut out; filler would take much that is no advertisement.
REMOVED: Final = tuple(
    one for one in CATEGORIES if one not in {"poi_highlight", "chapter", "filler"}
)


class Embed(StrEnum):
    """What is written into the file."""

    METADATA = "metadata"
    CHAPTERS = "chapters"
    THUMBNAIL = "thumbnail"


class Subtitles(Frozen):
    """Which subtitles are wanted, and how; without ``languages`` those of the settings."""

    languages: tuple[Language, ...] = Field((), max_length=20, description="`en`, `en*`, `all`.")
    automatic: bool = Field(default=False, description="Those made by a machine, too.")
    embed: bool = Field(default=False, description="Into the file; else beside it.")
    format: Literal["srt", "vtt", "ass", "original"] = Field(
        "srt", description="What those beside the file are converted to."
    )


class SponsorBlock(Frozen):
    """Which segments become chapters, and which are cut out; categories of SponsorBlock."""

    mark: tuple[Category, ...] = Field((), max_length=len(CATEGORIES))
    remove: tuple[Category, ...] = Field((), max_length=len(CATEGORIES))

    @model_validator(mode="after")
    def _one_at_least(self) -> SponsorBlock:
        if not self.mark and not self.remove:
            raise ValueError("name categories to `mark` or to `remove`")
        return self


def _playlist_items(text: str) -> str:
    """Refuse what yt-dlp would count through for ever: it goes from start to stop step by step."""
    segments = text.split(",")
    if len(segments) <= MAX_PLACES and all(map(_is_place, segments)):
        return text
    raise PydanticCustomError(
        "playlist_items",
        f"Name at most {MAX_PLACES} items or ranges, as 1:5,8,-1 or 1:20:2, with numbers up to "
        f"{MAX_PLACE} and steps from 1 on",
    )


def _is_place(segment: str) -> bool:
    found = _PLACES.fullmatch(segment) if segment else None
    if found is None or (found[3] is not None and int(found[3]) == 0):
        return False
    return all(abs(int(one)) <= MAX_PLACE for one in found.groups() if one)


def _words(value: Any) -> Any:
    return [one for one in re.split(r"[,\s]+", value) if one] if isinstance(value, str) else value


def _subtitles(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, str | list | tuple):
        return {"languages": _words(value)}
    if isinstance(value, dict) and "languages" in value:
        return {**value, "languages": _words(value["languages"])}
    return value


def _sponsorblock(value: Any) -> Any:
    if isinstance(value, bool):
        return {"mark": CATEGORIES} if value else None
    if isinstance(value, str):
        word = value.strip().lower()
        return (
            {"mark": CATEGORIES}
            if word == "mark"
            else {"remove": REMOVED}
            if word == "remove"
            else value
        )
    if isinstance(value, dict):
        return {key: _words(one) for key, one in value.items()}
    return value


def _embed(value: Any) -> Any:
    if isinstance(value, bool):
        return tuple(Embed) if value else ()
    return _words(value)


# yt-dlp's `-I`; negative numbers count from the end.
PlaylistItems = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9:,\-]+$", max_length=200),
    AfterValidator(_playlist_items),
]
SubtitlesOption = Annotated[Subtitles | None, BeforeValidator(_subtitles)]
SponsorBlockOption = Annotated[SponsorBlock | None, BeforeValidator(_sponsorblock)]
EmbedOption = Annotated[tuple[Embed, ...], BeforeValidator(_embed), Field(max_length=len(Embed))]
Quality = Annotated[str, StringConstraints(pattern=r"^(best|\d{3,4}p?)$")]
FormatId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]+$", max_length=100)]
OutputFormat = Literal["mp4", "mkv", "mp3", "m4a", "opus", "flac"]


class MediaType(StrEnum):
    """What is wanted of a page."""

    VIDEO = "video"
    AUDIO = "audio"


class MediaOptions(Frozen):
    """What a sender, or a preset, may say of the medium."""

    media_type: MediaType = Field(MediaType.VIDEO, description="`video` or `audio`.")
    quality: Quality | None = Field(None, description="`best`, or the greatest height: `1080p`.")
    output_format: OutputFormat | None = Field(None, description="Container or codec of the file.")
    subtitles: SubtitlesOption = Field(
        None,
        description="`true`, languages (`en,de`), or an object: `languages`, `automatic`, `embed`, "
        "`format`.",
    )
    sponsorblock: SponsorBlockOption = Field(
        None, description="`mark`, `remove`, or an object with categories for each."
    )
    embed: EmbedOption = Field(
        (), description="What is written into the file: `metadata`, `chapters`, `thumbnail`."
    )
    split_chapters: bool = Field(default=False, description="A file for each chapter, too.")


class DownloadOptions(MediaOptions):
    """What a sender may say of one download; the job keeps it as it was asked for."""

    preset: texts.Line | None = Field(None, description="Name of a preset, see `info`.")
    format_id: FormatId | None = Field(
        None, description="A format of the page, see `probe`; two joined by `+`."
    )
    output_template: str | None = Field(
        None, min_length=1, max_length=500, description="yt-dlp output template below the root."
    )
    folder: str | None = Field(
        None, min_length=1, max_length=1000, description="Folder below the root."
    )
    playlist_items: PlaylistItems | None = Field(
        None, description="Items of a playlist to take, as yt-dlp's `-I`: `1:5,8`."
    )
    rate_limit: Annotated[int, BeforeValidator(parse_size), Field(ge=1024, le=MAX_BYTES)] | None = (
        Field(None, description="Bytes per second, or `2M`.")
    )
    live_from_start: bool | None = Field(
        None, description="Record a live stream from its start, where the site can."
    )
