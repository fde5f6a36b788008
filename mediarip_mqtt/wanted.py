"""What may be asked beside the medium itself: subtitles, SponsorBlock, what is embedded.

Each can be written in short: ``"subtitles": "en,de"``, ``"sponsorblock": "remove"``,
``"embed": "metadata,thumbnail"``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from mediarip_mqtt.frozen import Frozen

# A language as sites name them; `*` at its end is whatever follows: `en*` is en, en-GB, en-orig.
Language = Annotated[
    str, StringConstraints(pattern=r"^(?:all|[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,12}){0,3}\*?)$")
]
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


SubtitlesOption = Annotated[Subtitles | None, BeforeValidator(_subtitles)]
SponsorBlockOption = Annotated[SponsorBlock | None, BeforeValidator(_sponsorblock)]
EmbedOption = Annotated[tuple[Embed, ...], BeforeValidator(_embed), Field(max_length=len(Embed))]
