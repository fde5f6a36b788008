"""Moves titles to where the layout says now: rules, settings or their data have changed since.

Everything here works in the caller's transaction; the organizer moves the files after the commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.titles import Show, Title, TitleFile, TitleState
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.library import layout
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.store import PlacedTitle, Tx
from mediarip_mqtt.volume import names

_COPIES: Final = 1000


@dataclass(frozen=True)
class Renaming:
    """A title that is out of place, and the names that its files should have, by their ids."""

    title: Title
    main: TitleFile
    names: dict[int, str]

    @property
    def new_name(self) -> str:
        """The name that its medium should have."""
        return self.names[self.main.id]


def renaming(tx: Tx, catalogue: Catalogue, title: Title, limit: int) -> Renaming | None:
    """Return where a title's files should be; None if they are there, or can't be moved now.

    ``limit``: bytes of a name on the volume.
    """
    if title.state is not TitleState.COMPLETED:
        return None
    files = tx.title_files(title.id)
    if not files or not files[0].main or any(file.move_to for file in files):
        return None
    main = files[0]
    show = tx.show(title.show_id) if title.show_id else None
    wanted = _wanted(catalogue, title, show, main.filename, limit)
    if _is_there(PurePosixPath(main.filename), wanted):
        return None
    return Renaming(title, main, _free(tx, title.id, files, wanted, limit))


def misplaced(
    tx: Tx, catalogue: Catalogue, placed: Sequence[PlacedTitle], limit: int
) -> Iterator[PlacedTitle]:
    """Yield those of many titles that are out of place."""
    shows: dict[str, Show | None] = {}
    for each in placed:
        show_id = each.title.show_id
        if show_id and show_id not in shows:
            shows[show_id] = tx.show(show_id)
        show = shows[show_id] if show_id else None
        wanted = _wanted(catalogue, each.title, show, each.filename, limit)
        if str(wanted) != each.filename and not _is_there(PurePosixPath(each.filename), wanted):
            yield each


def begin_move(tx: Tx, planned: Renaming) -> Title:
    """Commit the new names of a title that is out of place."""
    title = tx.update_title(planned.title.id, state=TitleState.ORGANIZING)
    tx.plan_moves(planned.names)
    fault("organize-planned")
    return title


def check_organizable(tx: Tx, title: Title) -> None:
    """Raise `CommandError` if a title's files can't be moved."""
    files = tx.title_files(title.id)
    if title.state is not TitleState.COMPLETED:
        text = f"The title is {title.state}; only titles in `completed` can be organized."
    elif not files or not files[0].main:
        text = "The title has no file any more."
    elif any(file.move_to for file in files):
        text = "Its files are being moved. Send the command again once that has ended."
    else:
        return
    raise CommandError(ErrorCode.INVALID_TRANSITION, text, field="id")


def _wanted(
    catalogue: Catalogue, title: Title, show: Show | None, filename: str, limit: int
) -> PurePosixPath:
    """Return a medium's name by the layout, as the step `place` names it."""
    stem = catalogue.stem(title, show, limit)
    suffix = PurePosixPath(filename).suffix
    return PurePosixPath(names.safe_name(f"{stem}{suffix}", limit=limit))


def _is_there(old: PurePosixPath, wanted: PurePosixPath) -> bool:
    """Whether a name is the wanted one, also with the number of a copy.

    Names that differ only in case or Unicode form are equal: on some volumes they are one file.
    """
    if layout.fold(str(old)) == layout.fold(str(wanted)):
        return True
    if layout.fold(str(old.parent)) != layout.fold(str(wanted.parent)):
        return False
    copy = re.fullmatch(r"(.*) \(\d{1,4}\)", old.stem)
    return copy is not None and layout.fold(copy[1]) == layout.fold(wanted.stem)


def _free(
    tx: Tx, title_id: str, files: Sequence[TitleFile], wanted: PurePosixPath, limit: int
) -> dict[int, str]:
    """Return the files' names, with a number if another title has one of them."""
    old = PurePosixPath(files[0].filename)
    planned: dict[int, str] = {}
    for number in range(1, _COPIES):
        mark = "" if number == 1 else f" ({number})"
        main = wanted.with_name(f"{wanted.stem}{mark}{wanted.suffix}")
        planned = {files[0].id: str(main)}
        for file in files[1:]:
            name = names.beside(str(main), layout.tail(file.filename, old), limit=limit)
            if layout.fold(name) not in map(layout.fold, planned.values()):
                planned[file.id] = name
        if not any(tx.owner_of_name(name, title_id) for name in planned.values()):
            break
    return planned
