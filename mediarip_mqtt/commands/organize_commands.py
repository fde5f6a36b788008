"""Commands that bring files into the library: `organize`, `adopt`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, AliasChoices, Field, StringConstraints

from mediarip_mqtt import threads
from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command, JobRef
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.content import ContentType
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.library_runs import LibraryProgress, LibraryRun, RunKind
from mediarip_mqtt.contract.titles import Title, TitleFile
from mediarip_mqtt.library.adopt import Adoption, examine
from mediarip_mqtt.library.archive import check_movable
from mediarip_mqtt.library.media_folder import FoundMedium, ReadMedium, media_below, read_medium
from mediarip_mqtt.library.organize import begin_move, check_organizable, misplaced, renaming
from mediarip_mqtt.library.title_reference import find_title
from mediarip_mqtt.store import FileOwner, Tx
from mediarip_mqtt.volume import names
from mediarip_mqtt.volume.name_limit import name_limit

LISTED: Final = 30  # moves or media in a reply
PAGE: Final = 500  # titles that are read in one transaction
MOST_MEDIA: Final = 20_000  # that a dry run looks for
Folder = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    AfterValidator(texts.printable),
]


class PlannedMove(Frozen):
    """A title that is out of place."""

    title_id: str
    filename: str = Field(description="Where its medium is now.")
    moves_to: str = Field(description="Where the layout says that it should be.")


class OrganizeReport(Accepted):
    """What is moved, or with `dry_run` what would be."""

    dry_run: bool
    count: int = Field(
        ge=0, description="Titles that are out of place; with `all` only known by a dry run."
    )
    jobs: int = Field(
        0, ge=0, description="Finished jobs that become titles first; their moves are not listed."
    )
    moves: list[PlannedMove] = Field(description="At most 30 of them.")
    run: LibraryProgress | None = Field(
        None, description="With `all`: what goes on now; the topic `library` shows its progress."
    )


@dataclass
class _Preview:
    """What a dry run has found so far."""

    limit: int
    jobs: int = 0
    count: int = 0
    moves: list[PlannedMove] = field(default_factory=list)


class Organize(Command):
    """Move titles to where the layout says now: one, or all in small chunks.

    With `all`, finished downloads from before the library become titles first.
    """

    example: ClassVar = {"id": "all", "dry_run": True}
    main_argument = "id"

    command: Literal["organize"] = "organize"
    id: JobRef = Field(
        validation_alias=AliasChoices("id", "title_id"),
        description="A title: its id or its job's, the first 4 or more characters, or `last`; or "
        "`all`.",
    )
    dry_run: bool = Field(default=False, description="Only report what would be moved.")

    async def prepare(self, context: Context, origin: Origin) -> _Preview:
        """Measure the volume; look at all titles for a dry run, page by page."""
        _check_enabled(context)
        found = _Preview(await threads.call(name_limit, context.root))
        scope = context.scope(origin.session_id)
        if self.id == "all":
            if self.dry_run:
                await _look_at_all(context, scope, found)
            return found

        def main_file(tx: Tx) -> TitleFile:
            title = find_title(tx, self.id, scope)
            check_organizable(tx, title)
            return tx.title_files(title.id)[0]

        main = await context.store.read(main_file)
        try:
            await threads.call(check_movable, context.root, main)
        except OSError as error:
            raise _unavailable(error) from None
        return found

    def run(self, tx: Tx, context: Context, origin: Origin, found: _Preview) -> OrganizeReport:
        """Commit the new names of one title, or start the run for all."""
        scope = context.scope(origin.session_id)
        if self.id != "all":
            return self._one(tx, context, find_title(tx, self.id, scope), found.limit)
        run = None
        if not self.dry_run:
            run = tx.start_run(
                LibraryRun(
                    kind=RunKind.ORGANIZE,
                    session_id=origin.session_id,
                    scope=scope,
                    total=tx.count_completed_titles(scope),
                    started_at=context.clock(),
                )
            ).progress
        return OrganizeReport(
            dry_run=self.dry_run, count=found.count, jobs=found.jobs, moves=found.moves, run=run
        )

    def _one(self, tx: Tx, context: Context, title: Title, limit: int) -> OrganizeReport:
        check_organizable(tx, title)
        planned = renaming(tx, context.catalogue, title, limit)
        moves = []
        if planned is not None:
            moves = [_move(title.id, planned.main.filename, planned.new_name)]
            if not self.dry_run:
                begin_move(tx, planned)
        return OrganizeReport(dry_run=self.dry_run, count=len(moves), moves=moves)


class AdoptedMedium(Frozen):
    """A medium that was found, and what it would become."""

    filename: str
    adoption: Adoption
    content_type: ContentType | None = None
    title: str | None = None
    show: str | None = None
    season: int | None = None
    episode: int | None = Field(None, description="Null also where the date will decide.")
    confidence: float | None = None


class AdoptReport(Accepted):
    """What is adopted; the counts and the list are of a dry run."""

    dry_run: bool
    folder: str
    found: int = Field(0, ge=0, description="Media in the folder; at most 20,000 are looked for.")
    counts: dict[Adoption, int] = Field(
        default_factory=dict,
        description="What would become of how many of the media in `media`.",
    )
    media: list[AdoptedMedium] = Field(
        default_factory=list, description="The first 30 that are not known yet."
    )
    run: LibraryProgress | None = Field(
        None, description="What goes on now; the topic `library` shows its progress."
    )


class Adopt(Command):
    """Make titles of the media in a folder that another tool filled; the files stay there.

    A medium is taken if it has an info.json or NFO beside it, or a site's id in its name.
    """

    example: ClassVar = {"folder": "youtube", "dry_run": True}
    main_argument = "folder"

    command: Literal["adopt"] = "adopt"
    folder: Folder = Field(description="A folder below the storage root.")
    dry_run: bool = Field(default=False, description="Only report what would become titles.")

    def concerns_all(self) -> bool:
        """Return True: files of nobody could be anybody's."""
        return True

    async def prepare(self, context: Context, origin: Origin) -> AdoptReport:
        """Check the folder; look into it for a dry run."""
        del origin
        _check_enabled(context)
        folder = names.check_folder(self.folder)
        report = AdoptReport(dry_run=self.dry_run, folder=folder)
        try:
            if self.dry_run:
                return await _look_into(context, report)
            await threads.call(_first, context.root, folder)
        except (FileNotFoundError, NotADirectoryError):
            raise CommandError(
                ErrorCode.UNSAFE_PATH,
                f"{folder[:200]!r} is no folder below the storage root; links are not followed.",
                field="folder",
            ) from None
        except PermissionError:
            raise CommandError(
                ErrorCode.UNSAFE_PATH, f"{folder[:200]!r} can't be read.", field="folder"
            ) from None
        except OSError as error:
            raise _unavailable(error) from None
        return report

    def run(self, tx: Tx, context: Context, origin: Origin, report: AdoptReport) -> AdoptReport:
        """Start the run."""
        if self.dry_run:
            return report
        run = LibraryRun(
            kind=RunKind.ADOPT,
            session_id=origin.session_id,
            folder=report.folder,
            started_at=context.clock(),
        )
        return report.model_copy(update={"run": tx.start_run(run).progress})


def _check_enabled(context: Context) -> None:
    if not context.settings.library.enabled:
        raise CommandError(
            ErrorCode.INVALID_TRANSITION,
            "The library is off. Set `library.enabled`, and restart the service.",
        )


def _unavailable(error: OSError) -> CommandError:
    return CommandError(
        ErrorCode.STORAGE_UNAVAILABLE,
        f"The volume can't be read: {error.strerror}. Send the command again once it can.",
    )


async def _look_at_all(context: Context, scope: str | None, found: _Preview) -> None:
    """Find all titles that are out of place; the store is free between two pages."""
    position = 0
    while True:
        page = await context.store.read(
            partial(_page, context=context, scope=scope, after=position, found=found)
        )
        if page is None:
            break
        position = page
    found.jobs = await context.store.read(lambda tx: tx.count_jobs_without_title(scope))


def _page(tx: Tx, context: Context, scope: str | None, after: int, found: _Preview) -> int | None:
    """Look at a page of titles; return the number of the last one, None behind the end."""
    titles = tx.placed_titles(after, PAGE, scope)
    for each in misplaced(tx, context.catalogue, titles, found.limit):
        found.count += 1
        title = tx.title(each.title.id) if len(found.moves) < LISTED else None
        if title and (planned := renaming(tx, context.catalogue, title, found.limit)):
            found.moves.append(_move(title.id, planned.main.filename, planned.new_name))
    return titles[-1].number if titles else None


def _move(title_id: str, old: str, new: str) -> PlannedMove:
    return PlannedMove(title_id=title_id, filename=old, moves_to=new)


async def _look_into(context: Context, report: AdoptReport) -> AdoptReport:
    """Fill in what would become of the first media that are not known."""
    found = await threads.call(_all_media, context.root, report.folder)
    owners: dict[str, FileOwner] = {}
    for index in range(0, len(found), PAGE):
        paths = [medium.path for medium in found[index : index + PAGE] if medium.fit]
        owners |= await context.store.read(partial(Tx.file_owners, filenames=paths))
    new = [medium for medium in found if medium.path not in owners][:LISTED]
    read = await threads.call(_read_all, context.root, new)

    def look(tx: Tx) -> list[AdoptedMedium]:
        return [_adopted(tx, context, medium) for medium in read]

    media = await context.store.read(look)
    media += [
        AdoptedMedium(filename=texts.clean(medium.path, 400), adoption=Adoption.UNFIT)
        for medium in new
        if not medium.fit
    ]
    kinds = [medium.adoption for medium in media]
    counts = {kind: kinds.count(kind) for kind in Adoption if kind in kinds}
    if owners:
        counts[Adoption.KNOWN] = len(owners)
    return report.model_copy(update={"found": len(found), "counts": counts, "media": media})


def _adopted(tx: Tx, context: Context, medium: ReadMedium) -> AdoptedMedium:
    would = examine(tx, context.catalogue, medium)
    guess = would.guess
    return AdoptedMedium(
        filename=medium.path,
        adoption=would.adoption,
        content_type=guess.content_type if guess else None,
        title=guess.title if guess else None,
        show=guess.show if guess else None,
        season=guess.season if guess else None,
        episode=guess.episode if guess else None,
        confidence=guess.confidence if guess else None,
    )


def _first(root: Path, folder: str) -> None:
    """Raise `OSError` if a folder can't be read. Blocks."""
    next(media_below(root, folder), None)


def _all_media(root: Path, folder: str) -> list[FoundMedium]:
    return list(islice(media_below(root, folder), MOST_MEDIA))


def _read_all(root: Path, media: list[FoundMedium]) -> list[ReadMedium]:
    read = (read_medium(root, medium) for medium in media if medium.fit)
    return [medium for medium in read if medium is not None]
