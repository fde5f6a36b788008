"""The options of a download, one model shared by commands, jobs, presets and the engine.

A new option is a field of `MediaOptions` (presets may set it, too) or `DownloadOptions`, and its
use in the engine. Some options have a short form: ``"subtitles": "en,de"``,
``"sponsorblock": "remove"``, ``"embed": "metadata,thumbnail"``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import Classification
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.sizes import MAX_BYTES, parse_size

# A language tag as sites use it; a trailing `*` is a wildcard: `en*` matches en, en-GB, en-orig.
Language = Annotated[
    str, StringConstraints(pattern=r"^(?:all|[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,12}){0,3}\*?)$")
]
MAX_PLACE: Final = 100_000  # highest playlist index that can be selected
MAX_PLACES: Final = 50  # indexes and ranges in one selection
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
# The short form `remove`: highlights and chapters can't be cut out, and filler is no advertising.
REMOVED: Final = tuple(
    category for category in CATEGORIES if category not in {"poi_highlight", "chapter", "filler"}
)


class Embed(StrEnum):
    """What can be embedded in the file."""

    METADATA = "metadata"
    CHAPTERS = "chapters"
    THUMBNAIL = "thumbnail"


class Subtitles(Frozen):
    """Requested subtitles; without ``languages``, those of ``downloads.subtitle_languages``."""

    languages: tuple[Language, ...] = Field(
        (), max_length=20, description="Language tags: `en`, `en*`, `all`."
    )
    automatic: bool = Field(default=False, description="Include automatic captions.")
    embed: bool = Field(
        default=False, description="Embed them in the file instead of writing separate files."
    )
    format: Literal["srt", "vtt", "ass", "original"] = Field(
        "srt", description="Format of separate subtitle files."
    )


class SponsorBlock(Frozen):
    """SponsorBlock categories to mark as chapters, and to cut out."""

    mark: tuple[Category, ...] = Field(
        (), max_length=len(CATEGORIES), description="Mark these as chapters."
    )
    remove: tuple[Category, ...] = Field(
        (), max_length=len(CATEGORIES), description="Cut these out."
    )

    @model_validator(mode="after")
    def _one_at_least(self) -> SponsorBlock:
        if not self.mark and not self.remove:
            raise ValueError("name categories to `mark` or to `remove`")
        return self


def _playlist_items(text: str) -> str:
    """Limit the numbers: yt-dlp iterates over a range item by item."""
    segments = text.split(",")
    if len(segments) <= MAX_PLACES and all(map(_is_place, segments)):
        return text
    raise PydanticCustomError(
        "playlist_items",
        f"Give at most {MAX_PLACES} items or ranges, such as 1:5,8,-1 or 1:20:2, with numbers up "
        f"to {MAX_PLACE} and steps of at least 1",
    )


def _is_place(segment: str) -> bool:
    match = _PLACES.fullmatch(segment) if segment else None
    if match is None or (match[3] is not None and int(match[3]) == 0):
        return False
    return all(abs(int(number)) <= MAX_PLACE for number in match.groups() if number)


def _words(value: Any) -> Any:
    return list(filter(None, re.split(r"[,\s]+", value))) if isinstance(value, str) else value


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
        return {key: _words(categories) for key, categories in value.items()}
    return value


def _embed(value: Any) -> Any:
    if isinstance(value, bool):
        return tuple(Embed) if value else ()
    return _words(value)


# The syntax of yt-dlp's `-I`; negative numbers count from the end.
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
    """Kind of file to produce."""

    VIDEO = "video"
    AUDIO = "audio"


class MediaOptions(Frozen):
    """Options that a sender or a preset may set."""

    media_type: MediaType = Field(MediaType.VIDEO, description="`video` or `audio`.")
    quality: Quality | None = Field(None, description="`best`, or the maximum height: `1080p`.")
    output_format: OutputFormat | None = Field(
        None, description="Container (video) or codec (audio) of the file."
    )
    subtitles: SubtitlesOption = Field(
        None,
        description="`true`, languages (`en,de`), or an object with `languages`, `automatic`, "
        "`embed`, `format`.",
    )
    sponsorblock: SponsorBlockOption = Field(
        None, description="`mark`, `remove`, or an object with lists of categories for both."
    )
    embed: EmbedOption = Field(
        (), description="Embed in the file: `metadata`, `chapters`, `thumbnail`."
    )
    split_chapters: bool = Field(default=False, description="Also write one file for each chapter.")


class DownloadOptions(MediaOptions):
    """Options that a sender may set for one download; the job keeps them as requested."""

    preset: texts.Line | None = Field(None, description="Name of a preset; `info` lists them.")
    format_id: FormatId | None = Field(
        None, description="Format id from `probe`; join two with `+`."
    )
    output_template: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="yt-dlp output template, relative to the root.",
    )
    folder: str | None = Field(
        None, min_length=1, max_length=1000, description="Folder below the root."
    )
    playlist_items: PlaylistItems | None = Field(
        None, description="Playlist items to download, in the syntax of yt-dlp's `-I`: `1:5,8`."
    )
    rate_limit: Annotated[int, BeforeValidator(parse_size), Field(ge=1024, le=MAX_BYTES)] | None = (
        Field(None, description="Maximum speed in bytes per second, or `2M`.")
    )
    live_from_start: bool | None = Field(
        None, description="Record a live stream from its start, if the site supports it."
    )
    on_duplicate: Literal["reuse", "again"] = Field(
        "again",
        description="`reuse` returns the existing job with the same URL and options, if any; with "
        "the library, what is known there by site and id is not downloaded again.",
    )
    library: Classification | None = Field(
        None,
        description="What it is, for the library: `content_type`, `show`, `season`, `episode` etc.",
    )
