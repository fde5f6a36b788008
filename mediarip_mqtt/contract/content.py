"""What a download is, as a person or a page may say it: its type, show and numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.frozen_model import Frozen


class ContentType(StrEnum):
    """What a title is; the library's layout and metadata depend on it."""

    TV = "tv"  # an episode of a show
    MOVIE = "movie"
    MUSIC = "music"  # a track of an album
    PODCAST = "podcast"
    OTHER = "other"


class Numbering(StrEnum):
    """How the episodes of a show are numbered."""

    DATE = "date"  # the year is the season, month, day and quarter hour are the episode
    SEASON = "season"  # by season and episode, as the source says


class FileRole(StrEnum):
    """What a file is for its title or job."""

    MAIN = "main"  # the medium
    PART = "part"  # a further medium: a chapter, or a part that could not be joined
    SUBTITLE = "subtitle"
    NFO = "nfo"
    THUMB = "thumb"  # any picture
    INFO = "info"


class ReviewReason(StrEnum):
    """Why a person is asked."""

    LOW_CONFIDENCE = "low_confidence"  # below `library.review_below`
    CONFLICT = "conflict"  # another title has its number or name, and `library.conflict` is `ask`
    DUPLICATE = "duplicate"  # another title has the same content


MAX_SEASON: Final = 9999
MAX_EPISODE: Final = 9_999_999
Season = Annotated[int, Field(ge=0, le=MAX_SEASON)]
Episode = Annotated[int, Field(ge=0, le=MAX_EPISODE)]
Year = Annotated[int, Field(ge=1000, le=9999)]
Track = Annotated[int, Field(ge=0, le=9999)]


class Classification(Frozen):
    """What a title may be; null keys are unknown, or don't apply to its type."""

    content_type: ContentType | None = Field(None, description="What it is.")
    show: texts.Line | None = Field(None, description="The show, podcast, or album artist.")
    numbering: Numbering | None = Field(
        None, description="How the show's episodes are numbered; default: the show's."
    )
    season: Season | None = Field(None, description="Season of the episode.")
    episode: Episode | None = Field(None, description="Number of the episode in its season.")
    title: texts.Line | None = Field(None, description="Title of the episode, movie or track.")
    year: Year | None = Field(None, description="Year of the movie, album or show.")
    artist: texts.Line | None = Field(None, description="Artist of the track.")
    album: texts.Line | None = Field(None, description="Album of the track.")
    track: Track | None = Field(None, description="Number of the track on its album.")
