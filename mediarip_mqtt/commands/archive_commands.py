"""Commands about finished titles: `archive`, `restore`, `watched`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, Field

from mediarip_mqtt import threads
from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.library_commands import OneTitle, TitleRef
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import Episode, Season, Year
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.titles import Conflict, Title, TitleFile
from mediarip_mqtt.library.archive import (
    archive,
    check_movable,
    name_after_archive,
    name_after_restore,
    restore,
)
from mediarip_mqtt.library.title_reference import find_title
from mediarip_mqtt.library.watched import Played, find_played, watch
from mediarip_mqtt.store import Tx

Seconds = Annotated[float, Field(ge=0, le=10**9, allow_inf_nan=False)]


class MovedTitle(OneTitle):
    """The title, and the files that move with it."""

    files: int = Field(description="Number of its files, with subtitles and the like.")
    bytes: int = Field(description="Of these files.")
    dry_run: bool


class _OneTitleCommand(Command):
    main_argument = "id"

    id: TitleRef = Field(
        validation_alias=AliasChoices("id", "title_id"),
        description="A title: its id or its job's, the first 4 or more characters, or `last`.",
    )
    dry_run: bool = Field(default=False, description="Only say what would happen.")

    async def prepare(self, context: Context, origin: Origin) -> str:
        """Check the medium; return the title's id. `last` may mean another title later."""

        def read(tx: Tx) -> tuple[str, TitleFile | None]:
            title = find_title(tx, self.id, context.scope(origin.session_id))
            files = tx.title_files(title.id)
            return title.id, files[0] if files and not files[0].move_to else None

        title_id, main = await context.store.read(read)
        if main is not None:
            try:
                await threads.call(check_movable, context.root, main)
            except OSError as error:
                raise CommandError(
                    ErrorCode.STORAGE_UNAVAILABLE,
                    f"The file {main.filename!r} can't be read: {error.strerror}.",
                ) from None
        return title_id

    def moved(self, tx: Tx, title: Title) -> MovedTitle:
        """Return the reply."""
        files = tx.title_files(title.id)
        filename = (files[0].move_to or files[0].filename) if files else None
        return MovedTitle(
            title_id=title.id,
            title=title,
            filename=filename,
            files=len(files),
            bytes=sum(file.filesize for file in files),
            dry_run=self.dry_run,
        )


class Archive(_OneTitleCommand):
    """Move a title's files to the archive, out of the media server's sight.

    They are deleted for good after `library.archive_days`; `restore` returns them before that.
    """

    example: ClassVar = {"id": "last"}

    command: Literal["archive"] = "archive"

    def run(self, tx: Tx, context: Context, origin: Origin, title_id: str) -> MovedTitle:
        """Commit the new names; the files are moved after the reply."""
        title = find_title(tx, title_id, context.scope(origin.session_id))
        if not self.dry_run:
            return self.moved(tx, archive(tx, context.catalogue, title))
        name = name_after_archive(tx, title)
        return self.moved(tx, title).model_copy(update={"filename": name})


class Restore(_OneTitleCommand):
    """Return an archived title to its place in the library."""

    example: ClassVar = {"id": "0199a1b2"}

    command: Literal["restore"] = "restore"
    conflict: Conflict | None = Field(
        None,
        description="If another title has its number or name: `rename` keeps both, `skip` and "
        "`ask` refuse with `conflict`. Default: `library.conflict`.",
    )

    def run(self, tx: Tx, context: Context, origin: Origin, title_id: str) -> MovedTitle:
        """Commit the names; the files are moved after the reply."""
        title = find_title(tx, title_id, context.scope(origin.session_id))
        if not self.dry_run:
            return self.moved(tx, restore(tx, context.catalogue, title, self.conflict))
        name = name_after_restore(tx, context.catalogue, title, self.conflict)
        return self.moved(tx, title).model_copy(update={"filename": name})


class WatchedTitle(Accepted):
    """Whether a title of the library was meant, and that title."""

    matched: bool
    title_id: str | None = None
    title: Title | None = None


class Watched(Command):
    """Say that a title was watched, or what a media player has played.

    A title counts as watched from 90 % of its duration on; that is never taken back by itself. With
    an `id` and nothing else it is watched. What the library does not know is no error.
    """

    example: ClassVar = {
        "show": "Tides",
        "season": 1,
        "episode": 2,
        "position": 1300,
        "duration": 1400,
    }
    main_argument = "id"
    skips_empty = True

    command: Literal["watched"] = "watched"
    id: TitleRef | None = Field(
        None,
        validation_alias=AliasChoices("id", "title_id"),
        description="A title: its id or its job's, the first 4 or more characters, or `last`.",
    )
    show: texts.Line | None = Field(None, description="Show, as a media server names it.")
    season: Season | None = Field(None, description="Season; `02` is 2.")
    episode: Episode | None = Field(None, description="Number of the episode.")
    title: texts.Line | None = Field(
        None, description="Title, also with a year: `Film (2019)`. Compared without case."
    )
    year: Year | None = Field(None, description="Year of a movie.")
    position: Seconds | None = Field(None, description="Seconds that were played.")
    duration: Seconds | None = Field(None, description="Seconds; default: the title's.")
    watched: bool | None = Field(
        None, description="True or false, whatever was played; false takes it back."
    )

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> WatchedTitle:
        """Find the title and mark it."""
        scope = context.scope(origin.session_id)
        played = Played(
            self.show,
            self.season,
            self.episode,
            self.title,
            self.year,
            self.position,
            self.duration,
        )
        watched = self.watched
        if self.id is not None:
            title: Title | None = find_title(tx, self.id, scope)
            if watched is None and self.position is None:
                watched = True
        elif not (self.title or self.show):
            text = "Say which title it is: by `id`, or by `show`, `season`, `episode` and `title`."
            raise CommandError(ErrorCode.INVALID_PAYLOAD, text, field="id")
        else:
            title = find_played(tx, played, scope)
        if title is None:
            return WatchedTitle(matched=False)
        seen = watch(tx, title, played, context.clock(), watched=watched)
        return WatchedTitle(matched=True, title_id=seen.id, title=seen)
