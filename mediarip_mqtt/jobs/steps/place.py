"""The step `place`: choose the final names of the job's files, and move the files there."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.content import FileRole
from mediarip_mqtt.contract.errors import DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import Job, JobFile
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.contract.urls import site_of
from mediarip_mqtt.engine.protocol import (
    Engine,
    Made,
    MadeChapter,
    MadeFile,
    MadePart,
    MadeSubtitles,
)
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.jobs.filing import Filed, SideFile, Twin
from mediarip_mqtt.jobs.steps.extract import ExtractStep
from mediarip_mqtt.jobs.steps.step import PageData, Tools, Work, read_checkpoint
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume import files as volume_files
from mediarip_mqtt.volume import names
from mediarip_mqtt.volume.name_limit import LEAST_BYTES, name_limit
from mediarip_mqtt.volume.storage_errors import file_error

NAME_TRIES: Final = 5


@dataclass(frozen=True)
class _Left:
    """What earlier steps, and an earlier attempt at this step, saved in the store."""

    planned: list[JobFile]
    page: PageData | None
    made: Made | None
    sides: tuple[SideFile, ...] = ()  # made by this attempt


class PlaceStep:
    """Commits the names, moves the files, and completes the job.

    The names are its checkpoint, in the table `files`. They are committed before the move, and the
    move can be repeated: a kill in between leaves neither a second copy nor half a file.
    """

    name: Final = "place"

    def __init__(self, tools: Tools, before: str) -> None:
        self._tools = tools
        self._before = before
        self._naming = asyncio.Lock()  # two jobs must not choose the same name
        self._measured = names.NAME_BYTES  # where the filesystem takes less than it states

    async def can_begin(self, work: Work) -> bool:
        """Whether the files still exist: as planned, moved or not; else as downloaded."""
        left = await self._tools.store.read(partial(self._read, job_id=work.job.id))
        if left.planned:
            return await threads.call(still_there, self._tools.root, left.planned)
        if left.page is None or left.made is None:
            return False
        return await threads.call(all_whole, left.made)

    async def run(self, work: Work) -> bool:
        """Name the files, unless an earlier attempt has moved one, and move them."""
        job_id = work.job.id
        left = await self._tools.store.read(partial(self._read, job_id=job_id))
        files: Sequence[JobFile] = left.planned
        named = bool(files) and not await self._renamable(left)
        filed = Filed()
        if not named:
            filed = await self._filed(work, left)
            if filed.instead is not None:
                await self._end_without(job_id, filed)
                return True
            if filed.stem is not None:
                left = await self._furnished(work, left)
            files = await self._name(work, left, filed.stem)
        for _ in range(NAME_TRIES):
            async with self._naming:
                if not named:
                    files = await self._choose_names(job_id, files)
                await self._commit_names(job_id, files, left.made)
            try:
                placed = await threads.call(move, self._tools.root, files, work.task.temp_dir)
            except FileExistsError:
                named = False  # another program took the name
                continue
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                files = await self._shortened(work, left, files, error)
                named = False
                continue
            warning = await self._furnish_show(work)
            complete = partial(self._complete, job_id, placed, warning)
            if await self._tools.commit(complete) is None:
                await self._remove(files)  # cancelled during the move
            return True
        raise DownloadError(
            ErrorCode.STORAGE_UNAVAILABLE,
            "No free name was found for the file. Try again.",
            transient=True,
        )

    async def discard(self, job_id: str) -> None:
        """Undo an unfinished move, and drop the names.

        The temporary folder must still exist: it shows which files were moved.
        """
        planned = await self._tools.store.read(lambda tx: tx.files(job_id, planned=True))
        if planned:
            await threads.call(withdraw, self._tools.root, planned)
            await self._tools.store.write(lambda tx: tx.forget_files(job_id))

    async def _filed(self, work: Work, left: _Left) -> Filed:
        """Let the library decide, after a look for equal files, and after it has made room."""
        library, made = self._tools.library, left.made
        rivals = library.rivals if library else None
        if rivals is None or made is None:
            return await self._file(work.job.id, left)
        job = await self._tools.store.read(lambda tx: tx.job(work.job.id)) or work.job
        medium = made.files[0]
        twin = await rivals.twin(job, Path(medium.path), medium.size, work.slot.stopped.is_set)
        filed = await self._file(job.id, left, twin)
        if filed.replaces is not None:
            room = await rivals.make_room(filed.replaces)
            filed = await self._file(job.id, left, twin, replace=room)
        if filed.replaces is not None:  # yet another title: both are kept
            filed = await self._file(job.id, left, twin, replace=False)
        return filed

    async def _file(
        self, job_id: str, left: _Left, twin: Twin | None = None, *, replace: bool = True
    ) -> Filed:
        """Let the library decide where the files go, if there is one."""
        library, page, made = self._tools.library, left.page, left.made
        if library is None or page is None or made is None:
            return Filed()
        filing = library.filing
        extension = Path(made.files[0].path).suffix.lstrip(".")
        limit = min(await threads.call(name_limit, self._tools.root), self._measured)
        return await self._tools.commit(
            lambda tx: filing.file(tx, job_id, page.fields, extension, limit, twin, replace=replace)
        )

    async def _end_without(self, job_id: str, filed: Filed) -> None:
        library = self._tools.library
        if library is not None:
            await self._tools.commit(lambda tx: library.filing.not_kept(tx, job_id, filed))

    async def _furnished(self, work: Work, left: _Left) -> _Left:
        """Let the library make metadata and pictures, if there is one."""
        library, page, made = self._tools.library, left.page, left.made
        if library is None or page is None or made is None:
            return left
        done = await library.furnishing.furnish(
            work.job, made, page.fields, work.task.temp_dir, work.slot.stopped
        )
        fault("furnished")
        return replace(left, made=done.made, sides=done.files)

    async def _furnish_show(self, work: Work) -> str | None:
        library = self._tools.library
        if library is None:
            return None
        warning = await library.furnishing.furnish_show(work.job.id, work.task.temp_dir)
        fault("show-furnished")
        return warning

    def _complete(
        self, job_id: str, placed: Sequence[JobFile], warning: str | None, tx: Tx
    ) -> Job | None:
        if warning and (job := tx.job(job_id)):
            tx.update(job_id, warning=" ".join(filter(None, (job.warning, warning))))
        if self._tools.library is not None:
            return self._tools.library.filing.placed(tx, job_id, placed)
        return self._tools.jobs.complete(tx, job_id, placed)

    def _read(self, tx: Tx, job_id: str) -> _Left:
        return _Left(
            planned=tx.files(job_id, planned=True),
            page=read_checkpoint(tx, job_id, ExtractStep.name, PageData),
            made=read_checkpoint(tx, job_id, self._before, Made),
        )

    async def _name(self, work: Work, left: _Left, stem: str | None) -> tuple[JobFile, ...]:
        page, made = left.page, left.made
        if page is None or made is None:  # e.g. a command has just ended the job
            raise DownloadError(ErrorCode.INTERNAL, "The download's checkpoint is missing.")
        engine, downloads = self._tools.engine, self._tools.downloads

        def name() -> tuple[JobFile, ...]:
            limit = min(name_limit(self._tools.root), self._measured)
            return wanted_names(work.job, page, made, engine, downloads, limit, stem, left.sides)

        return await self._tools.in_thread(work.slot, name)

    async def _renamable(self, left: _Left) -> bool:
        """Undo an earlier attempt that moved nothing; return whether the files need new names.

        The template, or what the volume takes, may have changed since.
        """
        if left.page is None or left.made is None:
            return False
        if len(await _not_moved(left.planned)) < len(left.planned):
            return False
        await threads.call(withdraw, self._tools.root, left.planned)
        return True

    async def _shortened(
        self, work: Work, left: _Left, files: Sequence[JobFile], error: OSError
    ) -> Sequence[JobFile]:
        """Return the files, those that were not moved with names that the volume takes.

        Raises ``error`` if there are none.
        """
        waiting = await _not_moved(files)
        longest = await threads.call(_longest_name, self._tools.root, waiting)
        if longest < LEAST_BYTES or _all_fit(waiting, longest):
            await threads.call(withdraw, self._tools.root, files)
            raise error
        self._measured = min(longest, self._measured)
        filed = await self._filed(work, left)
        renamed = {file.temp_path: file for file in await self._name(work, left, filed.stem)}
        sources = {file.temp_path for file in waiting}
        return [
            renamed.get(file.temp_path, file) if file.temp_path in sources else file
            for file in files
        ]

    async def _commit_names(self, job_id: str, files: Sequence[JobFile], made: Made | None) -> None:
        jobs = self._tools.jobs
        job = await self._tools.commit(lambda tx: jobs.placing(tx, job_id, files, made))
        fault("place-committed")
        if job is None:
            waiting = await _not_moved(files)
            await self._remove([file for file in files if file not in waiting])
            raise Stopped

    async def _remove(self, files: Sequence[JobFile]) -> None:
        await threads.call(_remove_placed, self._tools.root, files)

    async def _choose_names(self, job_id: str, files: Sequence[JobFile]) -> tuple[JobFile, ...]:
        """Give free names to the files that are not moved yet."""
        taken = await self._tools.store.read(partial(Tx.planned_names, job_id=job_id))
        waiting = await _not_moved(files)
        wanted = [file.filename for file in waiting]
        free = await threads.call(names.free_names, self._tools.root, wanted, taken)
        chosen = {
            file.temp_path: file.model_copy(update={"filename": name})
            for file, name in zip(waiting, free, strict=True)
        }
        return tuple(chosen.get(file.temp_path, file) for file in files)


# Names. These functions block.


def wanted_names(  # noqa: PLR0913, PLR0917 - all that a name depends on
    options: DownloadOptions,
    page: PageData,
    made: Made,
    engine: Engine,
    downloads: DownloadSettings,
    limit: int = names.NAME_BYTES,
    stem: str | None = None,
    sides: Sequence[SideFile] = (),
) -> tuple[JobFile, ...]:
    """Return the files with the names that they should get; these names may be taken.

    Media are named by the output template, or by ``stem``; side files get the first medium's stem
    and a tail. No name is longer than ``limit`` bytes.
    Raises `DownloadError` if the template doesn't fit the page's data.
    """
    template = options.output_template or _site_template(page.host, downloads)
    files: list[JobFile] = []
    for file in made.files:
        if (tail := _tail(file)) is None:
            suffix = Path(file.path).suffix
            if stem is not None:
                filled = f"{stem}{suffix}"
            else:
                filled = engine.fill_template(template, page.fields, suffix.lstrip("."))
                filled = f"{options.folder}/{filled}" if options.folder else filled
            name = names.safe_name(
                filled,
                limit=limit,
                otherwise=str(page.fields.get("id") or "download"),
            )
        else:
            name = names.beside(files[0].filename, tail, limit=limit)
            # Some clients of the volume ignore case in names.
            if name.casefold() in {named.filename.casefold() for named in files}:
                continue
        files.append(
            JobFile(
                filename=name,
                filesize=file.size,
                temp_path=file.path,
                main=not files,
                role=_role(file),
            )
        )
    files += [
        JobFile(
            filename=names.beside(files[0].filename, side.tail, limit=limit),
            filesize=side.size,
            temp_path=str(side.path),
            main=False,
            role=side.role,
        )
        for side in sides
    ]
    return tuple(files)


def _role(file: MadeFile) -> FileRole:
    match file:
        case MadeSubtitles():
            return FileRole.SUBTITLE
        case MadeChapter() | MadePart():
            return FileRole.PART
        case _:
            return FileRole.MAIN


def _site_template(host: str | None, downloads: DownloadSettings) -> str:
    site = site_of(host, downloads.output_templates)
    return downloads.output_templates[site] if site else downloads.output_template


def _tail(file: MadeFile) -> str | None:
    """Return what follows the medium's stem in the name of a side file; None for a medium."""
    suffix = Path(file.path).suffix
    match file:
        case MadeSubtitles(language=language):
            return f".{language}{suffix}"
        case MadeChapter(number=number, title=title):
            return f" - {number:03d} {title}{suffix}"
        case MadePart(number=number):
            return f" ({number}){suffix}"
        case _:
            return None


# Moves. These functions block.


def all_whole(made: Made) -> bool:
    """Whether all downloaded files are in the temporary folder, with their full sizes."""
    return all(_size(file.path) == file.size for file in made.files)


def still_there(root: Path, files: Sequence[JobFile]) -> bool:
    """Whether each file is in the temporary folder or has been moved."""
    return all(
        Path(file.temp_path).exists() or volume_files.is_placed(root, file) for file in files
    )


def move(root: Path, files: Sequence[JobFile], folder: Path) -> list[JobFile]:
    """Move files from a job's folder to their names; after an error that isn't transient, undo it.

    Not if a name is too long: a moved file has no copy, and the others can be renamed. Return the
    files with their identities.
    """
    placed = []
    try:
        for file in files:
            identity = volume_files.move_into_place(
                root, Path(file.temp_path), file.filename, file.filesize, folder
            )
            placed.append(file.model_copy(update={"identity": identity}))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG and not file_error(error).transient:
            with contextlib.suppress(OSError):
                withdraw(root, files)
        raise
    return placed


def withdraw(root: Path, files: Sequence[JobFile]) -> None:
    """Undo a move; a file of the same name that is not the job's stays."""
    for file in files:
        volume_files.remove_owned(root, file)


def _longest_name(root: Path, files: Sequence[JobFile]) -> int:
    return min((volume_files.longest_name(root, file.filename) for file in files), default=0)


def _all_fit(files: Sequence[JobFile], longest: int) -> bool:
    return all(
        len(part.encode()) <= longest for file in files for part in Path(file.filename).parts
    )


def _remove_placed(root: Path, files: Sequence[JobFile]) -> None:
    for file in files:
        volume_files.remove(root, file.filename)


async def _not_moved(files: Sequence[JobFile]) -> list[JobFile]:
    """Return the files that are still in the temporary folder."""
    return await threads.call(lambda: [file for file in files if Path(file.temp_path).exists()])


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None
