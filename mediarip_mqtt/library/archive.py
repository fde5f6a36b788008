"""Archive and restore: a title's files move to the service's own folder, and back.

Below `.mediarip/archive/<title id>/` they keep the paths that they had below the root. Both
functions commit the new names in the caller's transaction; the organizer moves the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.contract.titles import Conflict, Title, TitleFile, TitleState
from mediarip_mqtt.library.catalogue import Catalogue, with_place
from mediarip_mqtt.library.layout import tail
from mediarip_mqtt.library.numbers import Place, next_place
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume.files import ARCHIVE
from mediarip_mqtt.volume.owned_files import is_owned, status_of

_COPIES: Final = 1000
_DELETABLE: Final = frozenset({TitleState.COMPLETED, TitleState.ARCHIVED, TitleState.MISSING})


@dataclass(frozen=True)
class _Return:
    """Where an archived title returns to: its place, and names by the ids of its files."""

    title: Title
    place: Place
    names: dict[int, str]


def archive(tx: Tx, catalogue: Catalogue, title: Title) -> Title:
    """Take a completed title out of the library; its number and names are free at once.

    Raises `CommandError`.
    """
    files = _movable(tx, title, TitleState.COMPLETED, "archived")
    archived = tx.update_title(
        title.id, state=TitleState.ARCHIVED, deleted_at=catalogue.clock(), missing_since=None
    )
    tx.plan_moves({file.id: _archived_name(title.id, file.filename) for file in files})
    if title.job_id and tx.job(title.job_id):
        tx.update(title.job_id, filename=None)
    return archived


def restore(tx: Tx, catalogue: Catalogue, title: Title, conflict: Conflict | None = None) -> Title:
    """Return an archived title to its place, or to another one if `rename` says so.

    ``conflict``: what to do if its number or name is taken; None: as the settings say.
    Raises `CommandError`.
    """
    planned = _planned_return(tx, catalogue, title, conflict)
    columns = planned.title.model_dump(
        include={"season", "episode", "title_index", "matched_episode"}
    )
    # `deleted_at` stays until the files are back: it tells a return from a correction.
    moving = tx.update_title(title.id, state=TitleState.ORGANIZING, **columns)
    tx.plan_moves(planned.names)
    if title.job_id and tx.job(title.job_id):
        catalogue.tell_job(tx, title.job_id, moving, planned.place.show)
    return moving


def give_up(tx: Tx, catalogue: Catalogue, title: Title) -> Title:
    """Delete a title's files for good, wherever they are; the title is remembered.

    Raises `CommandError`.
    """
    if title.state not in _DELETABLE:
        text = f"The title is {title.state}; it can't be deleted. Delete or cancel its job."
        raise CommandError(ErrorCode.INVALID_TRANSITION, text, field="id")
    _refuse_moving(tx.title_files(title.id))
    catalogue.give_up(tx, title.id)
    return tx.title(title.id) or title


def name_after_archive(tx: Tx, title: Title) -> str:
    """Return the name that the medium would get; raises `CommandError` as `archive` does."""
    main = _movable(tx, title, TitleState.COMPLETED, "archived")[0]
    return _archived_name(title.id, main.filename)


def name_after_restore(
    tx: Tx, catalogue: Catalogue, title: Title, conflict: Conflict | None = None
) -> str:
    """Return the name that the medium would get; raises `CommandError` as `restore` does."""
    planned = _planned_return(tx, catalogue, title, conflict)
    return next(iter(planned.names.values()))


def check_movable(root: Path, main: TitleFile) -> None:
    """Raise `CommandError` if a medium is gone, or another file has its name. Blocks."""
    if is_owned(root, owned(main)):
        return
    if status_of(root, main.filename) is None:
        text = f"Its file {main.filename[:200]!r} is gone. Put it back, or delete the job."
    else:
        text = (
            f"Another program has changed or replaced its file {main.filename[:200]!r}; such a "
            "file is never moved. Move it yourself."
        )
    raise CommandError(ErrorCode.INVALID_TRANSITION, text, field="id")


def owned(file: TitleFile) -> JobFile:
    """Return a title's file as the functions for files on the volume take it."""
    return JobFile(filename=file.filename, filesize=file.filesize, identity=file.identity)


def _movable(tx: Tx, title: Title, state: TitleState, verb: str) -> list[TitleFile]:
    """Return a title's files, the medium first. Raises `CommandError` if it can't be moved now."""
    if title.state is not state:
        text = f"The title is {title.state}; only titles in `{state}` can be {verb}."
        raise CommandError(ErrorCode.INVALID_TRANSITION, text, field="id")
    files = tx.title_files(title.id)
    if not files or not files[0].main:
        text = "The title has no file any more."
        raise CommandError(ErrorCode.INVALID_TRANSITION, text, field="id")
    _refuse_moving(files)
    return files


def _refuse_moving(files: Sequence[TitleFile]) -> None:
    if any(file.move_to for file in files):
        text = "Its files are being moved. Send the command again once that has ended."
        raise CommandError(ErrorCode.INVALID_TRANSITION, text, field="id")


def _planned_return(
    tx: Tx, catalogue: Catalogue, title: Title, conflict: Conflict | None
) -> _Return:
    files = _movable(tx, title, TitleState.ARCHIVED, "restored")
    policy = conflict or catalogue.settings.conflict
    former = {file.id: _former_name(title.id, file.filename) for file in files}
    show = tx.show(title.show_id) if title.show_id else None
    place = Place(show, title.season, title.episode, title.title_index)
    rival = _rival(tx, title, former[files[0].id])
    if rival is None:
        return _Return(title, place, _free(tx, title.id, former))
    if policy != "rename" and not catalogue.is_hidden(rival, title):
        raise CommandError(
            ErrorCode.CONFLICT,
            f"{(rival.organized_to or rival.title)[:200]!r} has the same number or name. Send "
            '`restore` with `"conflict": "rename"` to keep both.',
            field="conflict",
        )
    if show is None or title.season is None or title.episode is None:
        return _Return(title, place, _free(tx, title.id, former))
    place = next_place(tx, show, title)
    numbered = with_place(title, place)
    return _Return(
        numbered, place, _free(tx, title.id, _renamed(catalogue, numbered, place, former))
    )


def _archived_name(title_id: str, filename: str) -> str:
    return f"{ARCHIVE}/{title_id}/{filename}"


def _former_name(title_id: str, filename: str) -> str:
    return filename.removeprefix(f"{ARCHIVE}/{title_id}/")


def _rival(tx: Tx, title: Title, name: str) -> Title | None:
    """Return the title that has the number or name now."""
    if title.show_id and title.season is not None and title.episode is not None:
        taken = tx.taken_episodes(title.show_id, title.season, title.id)
        if (title.episode, title.title_index) in taken:
            return tx.title_with_number(title.show_id, title.season, title.episode, title.id)
    owner = tx.owner_of_name(name, title.id)
    return tx.title(owner) if owner else None


def _renamed(
    catalogue: Catalogue, title: Title, place: Place, former: dict[int, str]
) -> dict[int, str]:
    """Return names with the new number."""
    stem = catalogue.stem(title, place.show)
    old = PurePosixPath(next(iter(former.values())))
    return {file_id: f"{stem}{tail(name, old)}" for file_id, name in former.items()}


def _free(tx: Tx, title_id: str, wanted: dict[int, str]) -> dict[int, str]:
    """Return the names with a number, if other titles have them."""
    main = PurePosixPath(next(iter(wanted.values())))
    stem = str(main.with_suffix(""))
    names = wanted
    for number in range(2, _COPIES):
        if not any(tx.owner_of_name(name, title_id) for name in names.values()):
            break
        names = {
            file_id: f"{stem} ({number}){tail(name, main)}" for file_id, name in wanted.items()
        }
    return names
