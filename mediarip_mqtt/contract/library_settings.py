"""The settings of the library."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import ContentType, Numbering, Season
from mediarip_mqtt.contract.section import Section
from mediarip_mqtt.contract.titles import Conflict

FOLDERS: Final = {
    ContentType.TV: "Shows",
    ContentType.MOVIE: "Movies",
    ContentType.MUSIC: "Music",
    ContentType.PODCAST: "Podcasts",
    ContentType.OTHER: "Videos",
}
_DEPTH: Final = 3


def _folder(text: str) -> str:
    """Return a folder below the root; raise ValueError for one that is elsewhere, or hidden."""
    parts = text.strip("/").split("/")
    if text.startswith("/") or len(parts) > _DEPTH:
        raise ValueError(f"must be a folder below the storage root, at most {_DEPTH} levels deep")
    if any(not part.strip(" .") or part.startswith(".") or "\\" in part for part in parts):
        raise ValueError("must not hold empty, hidden or parent folders, or a backslash")
    texts.printable(text)
    return "/".join(part.strip() for part in parts)


Folder = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_folder)]
Glob = Annotated[str, Field(min_length=1, max_length=200)]
Days = Annotated[int, Field(ge=0, le=36500)]


class LibraryMatch(Section):
    """Which downloads a rule is for: all patterns that are given must match."""

    channel: Glob | None = Field(None, description="Channel or uploader; `*` and `?` as in names.")
    title: Glob | None = Field(None, description="The page's title.")
    extractor: Glob | None = Field(None, description="yt-dlp's name of the site.")
    playlist: Glob | None = Field(None, description="Title of the playlist.")

    @model_validator(mode="after")
    def _matches_something(self) -> LibraryMatch:
        if not any((self.channel, self.title, self.extractor, self.playlist)):
            raise ValueError("give a pattern for `channel`, `title`, `extractor` or `playlist`")
        return self


class TitleLimits(Section):
    """How long titles stay."""

    keep_last: int = Field(
        0,
        ge=0,
        le=10**6,
        description="How many titles of each show or channel stay, the newest ones; 0: all.",
    )
    keep_days: Days = Field(0, description="Days after which a title goes; 0: never.")
    after_watched_days: Days = Field(
        0, description="Days after which a watched title goes; 0: never."
    )
    keep_unwatched: bool = Field(
        default=False, description="Titles that were not watched stay, whatever else is set."
    )


class LibraryRule(TitleLimits):
    """What downloads that match are."""

    match: LibraryMatch = Field(description="Patterns, compared without case.")
    content_type: ContentType = Field(description="What they are.")
    show: str | None = Field(
        None, min_length=1, max_length=200, description="Show, podcast or album artist."
    )
    numbering: Numbering | None = Field(None, description="How its episodes are numbered.")
    season: Season | None = Field(None, description="Season of all of them.")
    category: str | None = Field(
        None, min_length=1, max_length=200, description="Category of these titles."
    )
    tags: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        (), max_length=20, description="Tags of these titles."
    )


class CustomField(Section):
    """A field of your own on each title."""

    type: Literal["text", "number", "date", "select", "multi_select", "url", "boolean"] = Field(
        "text", description="Type of its values."
    )
    options: tuple[str, ...] = Field(
        (), max_length=100, description="The values of `select` and `multi_select`."
    )

    @model_validator(mode="after")
    def _has_options(self) -> CustomField:
        if self.type in {"select", "multi_select"} and not self.options:
            raise ValueError(f"a field of type `{self.type}` needs `options`")
        return self


class LibrarySettings(TitleLimits):
    """The library: finished files are named for media servers, and kept as titles."""

    enabled: bool = Field(
        default=False,
        description="Make a title of each finished file, and name it for media servers. Without it "
        "`downloads.output_template` names files.",
    )
    folders: dict[ContentType, Folder] = Field(
        default_factory=dict,
        description="Folders below the root by content type; default: `Shows`, `Movies`, `Music`, "
        "`Podcasts`, `Videos`.",
    )
    unsorted: Folder = Field("Unsorted", description="Folder of files that wait for a review.")
    nfo: bool = Field(
        default=True, description="Write NFO files for Kodi, Jellyfin and Emby, and music's tags."
    )
    artwork: bool = Field(
        default=True, description="Keep the page's picture beside the file, and as a poster."
    )
    info_json: bool = Field(
        default=False,
        description="Write `.info.json` with the page's data: no URLs, cookies or headers.",
    )
    lock: bool = Field(
        default=True,
        description="Tell Jellyfin and Emby in the NFO not to look for other metadata: a channel "
        "can have the name of a TV series.",
    )
    conflict: Conflict = Field(
        "rename",
        description="If another title has the number: `rename` (the next free one, or ` (2)`), "
        "`skip` (the new file is not kept), `ask` (review), or `overwrite` (the other title is "
        "archived first).",
    )
    review_below: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Confidence below which a person is asked; 0: never.",
    )
    review_timeout: int = Field(
        7 * 86400,
        ge=0,
        le=365 * 86400,
        description="Seconds after which the likeliest answer is taken; 0: never.",
    )
    archive_days: Days = Field(
        30, description="Days after which archived titles are deleted for good; 0: never."
    )
    retention_action: Literal["archive", "delete"] = Field(
        "archive", description="Where titles go whose time is over: to the archive, or at once."
    )
    rules: tuple[LibraryRule, ...] = Field(
        (),
        max_length=1000,
        description="What certain downloads are; the first that matches counts.",
    )
    fields: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], CustomField] = Field(
        default_factory=dict,
        max_length=100,
        description="Fields of your own on titles, by name: `type` and `options`.",
    )

    @field_validator("folders")
    @classmethod
    def _fill(cls, value: dict[ContentType, str]) -> dict[ContentType, Any]:
        return {**FOLDERS, **value}
