"""The daily look: which titles' media are gone, were moved by a person, or came back."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.titles import TitleFile, TitleState
from mediarip_mqtt.library.archive import owned
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.store import LocatedTitle, Store, Tx
from mediarip_mqtt.volume import names
from mediarip_mqtt.volume.files import STORE_PATH, is_same
from mediarip_mqtt.volume.names import OWN_FOLDER
from mediarip_mqtt.volume.owned_files import status_of

PAGE: Final = 500  # titles that are looked at in one thread
CHUNK: Final = 100  # titles that are changed in one transaction
BETWEEN_LOOKS: Final = timedelta(hours=12)  # the least time between two that make a title missing
DEPTH: Final = 12  # of folders that are searched
PAUSE_EVERY: Final = 200  # folders

logger = logging.getLogger(__name__)


@dataclass
class _Search:
    """What is looked for below the library's folders, by inode and by `[id]`; and what is found."""

    by_inode: dict[int, list[tuple[str, TitleFile]]] = field(default_factory=dict)
    by_id: dict[str, list[tuple[str, TitleFile]]] = field(default_factory=dict)
    found: dict[str, dict[int, tuple[str, str]]] = field(default_factory=dict)

    def add(self, title: LocatedTitle, files: Sequence[TitleFile]) -> None:
        """Look for a title's files, too; the medium is the first."""
        for file in files:
            inode = file.identity.partition(" ")[0]
            if inode.isdecimal():
                self.by_inode.setdefault(int(inode), []).append((title.id, file))
        if title.source_id:
            key = f"[{names.safe_part(title.source_id, 64)}]"
            self.by_id.setdefault(key, []).append((title.id, files[0]))

    def candidates(self, name: str, inode: int) -> Iterator[tuple[str, TitleFile]]:
        """Yield what an entry of a folder may be."""
        yield from self.by_inode.get(inode, ())
        end = name.rfind("]")
        start = name.rfind("[", 0, end)
        if 0 <= start < end:
            for title_id, file in self.by_id.get(name[start : end + 1], ()):
                if PurePosixPath(name).suffix == PurePosixPath(file.filename).suffix:
                    yield title_id, file


class MissingLook:
    """Looks at every title's medium, page by page, with pauses between them.

    A title becomes `missing` at the second look that does not find it; not if the volume, or the
    folder that it is in, may be a mount point without its volume.
    """

    def __init__(self, store: Store, catalogue: Catalogue, root: Path) -> None:
        self._store = store
        self._catalogue = catalogue
        self._root = root

    async def look(self) -> int:
        """Look at all titles; return how many became `missing`. Raises `OSError`, `StoreError`."""
        away: list[LocatedTitle] = []
        after = 0
        while page := await self._store.read(partial(Tx.located_titles, after=after, limit=PAGE)):
            after = page[-1].number
            began = time.monotonic()
            there, gone = await threads.call(self._divide, page)
            back = [title for title in there if title.missing_since is not None]
            if back:
                await self._store.write(partial(self._note_back, titles=back))
            away += gone
            await asyncio.sleep(time.monotonic() - began)  # at most half of the disk's time
        if not away:
            return 0
        found = await self._search(away)
        lost = [title for title in away if title.id not in found]
        count = 0
        for chunk in _chunks(list(found)):
            places = {title_id: found[title_id] for title_id in chunk}
            await self._store.write(partial(self._note_moved, places=places))
        for start in range(0, len(lost), CHUNK):
            note = partial(self._note_away, titles=lost[start : start + CHUNK])
            count += await self._store.write(note)
        return count

    def _divide(
        self, page: Sequence[LocatedTitle]
    ) -> tuple[list[LocatedTitle], list[LocatedTitle]]:
        """Return the titles whose media are there, and those whose are gone. Blocks."""
        there: list[LocatedTitle] = []
        gone: list[LocatedTitle] = []
        for title in page:
            try:
                status = status_of(self._root, title.filename)
            except OSError as error:
                logger.warning("library: %s can't be read: %s", title.filename, error.strerror)
                continue
            (gone if status is None else there).append(title)
        if not gone:
            return there, gone
        self._check_mounted()
        empty = self._empty_folders(gone)
        return there, [title for title in gone if _top(title.filename) not in empty]

    def _check_mounted(self) -> None:
        if not (self._root / STORE_PATH).exists():
            raise FileNotFoundError(f"the volume {self._root} is not mounted")

    def _empty_folders(self, gone: Sequence[LocatedTitle]) -> set[str]:
        """Return the first folders of titles' paths that exist, but hold nothing. Blocks."""
        empty = set()
        for top in {_top(title.filename) for title in gone}:
            folder = self._root / top
            try:
                with os.scandir(folder) as entries:
                    if next(entries, None) is None:
                        empty.add(top)
            except FileNotFoundError:
                continue
            except OSError as error:
                logger.warning("library: %s can't be read: %s", folder, error.strerror)
                empty.add(top)
        for top in sorted(empty):
            logger.warning(
                "library: the folder %s is empty or unreadable, so its titles are not taken for "
                "missing. Mount its volume, or remove the folder.",
                self._root / top,
            )
        return empty

    async def _search(self, away: Sequence[LocatedTitle]) -> dict[str, dict[int, tuple[str, str]]]:
        """Return where files are that a person moved: (name, identity) by title and file."""
        search = _Search()
        titles = {title.id: title for title in away}
        for chunk in _chunks(list(titles)):
            files_by_title = await self._store.read(partial(_files_of, title_ids=chunk))
            for title_id, files in files_by_title.items():
                if files:
                    search.add(titles[title_id], files)
        settings = self._catalogue.settings
        tops = sorted({*settings.folders.values(), settings.unsorted})
        await threads.call(self._walk, tops, search)
        return await self._store.read(partial(_unowned, found=search.found))

    def _walk(self, tops: Iterable[str], search: _Search) -> None:
        """Compare each entry below folders with what is looked for. Blocks."""
        folders = [(top, 0) for top in tops]
        count = 0
        began = time.monotonic()
        while folders:
            name, depth = folders.pop()
            count += 1
            if count % PAUSE_EVERY == 0:
                time.sleep(time.monotonic() - began)
                began = time.monotonic()
            try:
                with os.scandir(self._root / name) as entries:
                    for entry in entries:
                        path = f"{name}/{entry.name}"
                        if entry.name.startswith(".") or entry.name.casefold() == OWN_FOLDER:
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            if depth < DEPTH:
                                folders.append((path, depth + 1))
                        else:
                            self._compare(search, path, entry)
            except OSError:
                continue  # gone meanwhile, or not ours to read

    def _compare(self, search: _Search, path: str, entry: os.DirEntry[str]) -> None:
        for title_id, file in search.candidates(entry.name, entry.inode()):
            if not path.isprintable() or names.below_root(path) != path:
                continue
            status = status_of(self._root, path)
            if status is None or status.st_size != file.filesize:
                continue
            places = search.found.setdefault(title_id, {})
            exact = is_same(status, owned(file))
            if exact or file.id not in places:
                places[file.id] = (path, f"{status.st_ino} {status.st_mtime_ns}")

    def _note_back(self, tx: Tx, titles: Sequence[LocatedTitle]) -> None:
        for title in titles:
            self._catalogue.found(tx, title.id, title.filename)

    def _note_moved(self, tx: Tx, places: Mapping[str, dict[int, tuple[str, str]]]) -> None:
        for title_id, names_of in places.items():
            title = tx.title(title_id)
            if title is None or title.state not in {TitleState.COMPLETED, TitleState.MISSING}:
                continue
            tx.title_found(title_id, names_of)
            main = tx.title_files(title_id)[0]
            logger.info("library: title %s was moved to %s", title_id, main.filename)
            self._catalogue.found(tx, title_id, main.filename)

    def _note_away(self, tx: Tx, titles: Sequence[LocatedTitle]) -> int:
        """Note that media are gone; at the second time the titles are `missing`."""
        now, count = self._catalogue.clock(), 0
        for seen in titles:
            title = tx.title(seen.id)
            if title is None or title.state is not TitleState.COMPLETED:
                continue
            if title.missing_since is None:
                tx.update_title(title.id, missing_since=now)
            elif now - title.missing_since >= BETWEEN_LOOKS:
                logger.info("library: the file of title %s is gone: %s", title.id, seen.filename)
                self._catalogue.lost(tx, title.id)
                count += 1
        return count


def _files_of(tx: Tx, title_ids: Sequence[str]) -> dict[str, list[TitleFile]]:
    return {title_id: tx.title_files(title_id) for title_id in title_ids}


def _unowned(
    tx: Tx, found: Mapping[str, dict[int, tuple[str, str]]]
) -> dict[str, dict[int, tuple[str, str]]]:
    """Return the titles whose medium was found, with files that belong to nobody else."""
    result = {}
    for title_id, places in found.items():
        files = tx.title_files(title_id)
        free = {
            file_id: place
            for file_id, place in places.items()
            if not tx.owned_by_other(place[0], title_id)
        }
        if files and files[0].main and files[0].id in free:
            result[title_id] = free
    return result


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _top(filename: str) -> str:
    return PurePosixPath(filename).parts[0]
