"""What goes beside media: NFO, pictures, info.json, and tags in audio files.

For a new download they are made in the job's temporary folder, and placed with the medium. For a
title that moves they are written at their new places. What can't be made is left out, with a
warning. The files of a show, season or album belong to no title: they are written once, and an NFO
again as long as nobody has edited it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.content import ContentType, FileRole
from mediarip_mqtt.contract.library_settings import LibrarySettings
from mediarip_mqtt.contract.models import Job, JobFile
from mediarip_mqtt.contract.titles import Show, Title, TitleFile, TitleState
from mediarip_mqtt.engine import template_fields
from mediarip_mqtt.engine.protocol import Engine, Made, MadeMedium
from mediarip_mqtt.jobs.filing import Furnished, SideFile
from mediarip_mqtt.library import artwork, music_tags, nfo
from mediarip_mqtt.library.page_facts import AUDIO
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume import written_files
from mediarip_mqtt.volume.files import is_same
from mediarip_mqtt.volume.owned_files import opened_plain

PICTURE: Final = "library-picture.jpg"  # in the job's temporary folder
LARGEST_PICTURE: Final = 8 * 2**20
_NO_PICTURE: Final = "The page's picture could not be had."
_NO_TAGS: Final = "The file's tags could not be written."
_NO_METADATA: Final = "Metadata could not be written beside the file; see the log."
# A person or another system is to blame; trying again does not help.
_LASTING: Final = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR),
        *(errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL),
    }
)

logger = logging.getLogger(__name__)


@dataclass
class Renewed:
    """What changed beside a title's medium."""

    changed: list[TitleFile] = field(default_factory=list)
    added: list[TitleFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def warning(self) -> str | None:
        """What is missing."""
        return " ".join(self.warnings) or None


@dataclass(frozen=True)
class _Known:
    """What the store says of a title."""

    title: Title
    show: Show | None
    nfo_of_show: bytes | None
    files: Sequence[TitleFile] = ()
    thumbnail: str | None = None

    def has_tags(self, filename: str) -> bool:
        """Whether its metadata are tags in its file, and not beside it."""
        suffix = PurePosixPath(filename).suffix.lstrip(".").lower()
        return suffix in AUDIO and self.title.content_type in music_tags.TAGGED


class SideFiles:
    """Makes side files; implements `jobs.filing.Furnishing`."""

    def __init__(self, store: Store, engine: Engine, settings: LibrarySettings, root: Path) -> None:
        self._store = store
        self._engine = engine
        self._settings = settings
        self._root = root

    # For a new download

    async def furnish(
        self,
        job: Job,
        made: Made,
        fields: Mapping[str, Any],
        folder: Path,
        stopped: asyncio.Event,
    ) -> Furnished:
        """Make files in the job's folder; see `Furnishing`."""
        known = await self._store.read(partial(self._known_of_job, job_id=job.id))
        if known is None:
            return Furnished(made)
        picture, warnings = None, [made.warning] if made.warning else []
        if self._settings.artwork and known.thumbnail:
            picture = await artwork.fetch(self._engine, known.thumbnail, stopped)
            warnings += [] if picture else [_NO_PICTURE]
        make = partial(self._make, known, made, fields, folder, picture, warnings)
        furnished = await threads.call(make)
        warning = " ".join(warnings) or None
        return Furnished(furnished.made.model_copy(update={"warning": warning}), furnished.files)

    def _make(  # noqa: PLR0913, PLR0917 - what the files are made from
        self,
        known: _Known,
        made: Made,
        fields: Mapping[str, Any],
        folder: Path,
        picture: bytes | None,
        warnings: list[str],
    ) -> Furnished:
        """Write the files into the job's folder. Blocks."""
        sides: list[SideFile] = []
        try:
            if picture:
                (folder / PICTURE).write_bytes(picture)
            for tail, role, content in self._contents(known, made.files[0].path, fields, picture):
                path = folder / f"library{tail}"
                path.write_bytes(content)
                sides.append(SideFile(path, len(content), tail, role))
        except OSError as error:
            logger.warning("library: title %s: %s", known.title.id, error)
            warnings.append(_NO_METADATA)
        return Furnished(self._tagged(known, made, fields, folder, warnings), tuple(sides))

    def _contents(
        self, known: _Known, medium: str, fields: Mapping[str, Any], picture: bytes | None
    ) -> list[tuple[str, FileRole, bytes]]:
        """Return what goes beside a medium: (tail, role, content)."""
        title, show, lock = known.title, known.show, self._settings.lock
        sure = title.state is TitleState.ORGANIZING
        contents = []
        if picture and not (sure and known.has_tags(medium)):
            contents.append(("-thumb.jpg", FileRole.THUMB, picture))
        if sure and not known.has_tags(medium):
            contents += _of_movie(title, picture)
            if self._settings.nfo:
                content = nfo.of_title(title, show, lock=lock)
                contents.append((".nfo", FileRole.NFO, content))
        if self._settings.info_json:
            contents.append((".info.json", FileRole.INFO, info_json(fields)))
        return contents

    def _tagged(
        self,
        known: _Known,
        made: Made,
        fields: Mapping[str, Any],
        folder: Path,
        warnings: list[str],
    ) -> Made:
        """Return what was made with a tagged copy of its medium, if that is music. Blocks.

        A copy, since the checkpoint of the download has the medium's size.
        """
        medium = made.files[0]
        sure = known.title.state is TitleState.ORGANIZING
        if not (self._settings.nfo and sure and known.has_tags(medium.path)):
            return made
        tags = music_tags.tags_of(known.title, known.show, _artists(fields))
        copy = folder / f"library-tagged{Path(medium.path).suffix}"
        try:
            shutil.copyfile(medium.path, copy)
            with copy.open("rb+") as file:
                music_tags.write_tags(file, tags)
            tagged = MadeMedium(path=str(copy), size=copy.stat().st_size)
        except (OSError, music_tags.NoTagsError) as error:
            logger.warning("library: title %s: no tags: %s", known.title.id, error)
            warnings.append(_NO_TAGS)
            return made
        return made.model_copy(update={"files": (tagged, *made.files[1:])})

    async def furnish_show(self, job_id: str, folder: Path) -> str | None:
        """Write what belongs to the show; see `Furnishing`."""
        known = await self._store.read(partial(self._known_of_job, job_id=job_id))
        if known is None or known.show is None or known.title.state is not TitleState.ORGANIZING:
            return None
        main = next((file for file in known.files if file.main), None)
        if main is None:
            return None
        return await threads.call(self._of_new, known, main.filename, folder / PICTURE)

    def _of_new(self, known: _Known, filename: str, picture: Path) -> str | None:
        try:
            content = picture.read_bytes() if picture.exists() else None
            self._write_shared(known, filename, content)
        except OSError as error:
            logger.warning("library: title %s: %s", known.title.id, error)
            return _NO_METADATA
        return None

    # For a title whose files were moved

    async def renew(self, title_id: str) -> Renewed:
        """Write the metadata of a title that has moved; may be repeated.

        Raises `OSError` if the volume is full or lost.
        """
        known = await self._store.read(partial(self._known, title_id=title_id))
        main = next((file for file in known.files if file.main), None) if known else None
        if known is None or main is None:
            return Renewed()
        return await threads.call(self._renew, known, main)

    def _renew(self, known: _Known, main: TitleFile) -> Renewed:
        done = Renewed()
        try:
            picture = self._kept_picture(known)
            for tail, role, content in self._contents_anew(known, main.filename, picture):
                self._write(known, main, tail, role, content, done)
            if self._settings.nfo and known.has_tags(main.filename):
                self._tag(known, main, done)
            self._write_shared(known, main.filename, picture)
        except OSError as error:
            if error.errno not in _LASTING:
                raise
            logger.warning("library: title %s: %s", known.title.id, error)
            done.warnings.append(_NO_METADATA)
        return done

    def _contents_anew(
        self, known: _Known, medium: str, picture: bytes | None
    ) -> list[tuple[str, FileRole, bytes]]:
        if known.has_tags(medium):
            return []
        contents = _of_movie(known.title, picture)
        if self._settings.nfo:
            content = nfo.of_title(known.title, known.show, lock=self._settings.lock)
            contents.append((".nfo", FileRole.NFO, content))
        return contents

    def _write(  # noqa: PLR0913, PLR0917 - the file, and what it replaces
        self,
        known: _Known,
        main: TitleFile,
        tail: str,
        role: FileRole,
        content: bytes,
        done: Renewed,
    ) -> None:
        """Write a file beside the medium, unless it is another's."""
        name = str(PurePosixPath(main.filename).with_suffix("")) + tail
        row = next((file for file in known.files if file.filename == name), None)
        former = _owned(row) if row else None
        identity = written_files.write_small(self._root, name, content, former=former)
        if identity is None:
            return
        values: dict[str, Any] = {"filesize": len(content), "identity": identity}
        if row is not None:
            done.changed.append(row.model_copy(update=values))
        else:
            done.added.append(TitleFile(id=0, filename=name, role=role, **values))

    def _tag(self, known: _Known, main: TitleFile, done: Renewed) -> None:
        """Set the tags of a medium in its place."""
        try:
            with opened_plain(self._root, main.filename) as file:
                if file is None:
                    return
                artists = music_tags.artists_in(file)
                tags = music_tags.tags_of(known.title, known.show, artists)
                if music_tags.has_tags(file, tags):
                    # A kill after an earlier attempt: the store does not know this file yet.
                    _note(main, os.fstat(file.fileno()), done)
                    return
            owned = _owned(main)
            changed = written_files.rewrite(
                self._root, owned, lambda file: music_tags.write_tags(file, tags)
            )
        except music_tags.NoTagsError as error:
            logger.warning("library: title %s: no tags: %s", known.title.id, error)
            done.warnings.append(_NO_TAGS)
            return
        if changed is not None:
            values = {"filesize": changed.filesize, "identity": changed.identity}
            done.changed.append(main.model_copy(update=values))

    def _kept_picture(self, known: _Known) -> bytes | None:
        thumb = next((file for file in known.files if file.role is FileRole.THUMB), None)
        if thumb is None or not self._settings.artwork:
            return None
        # It may be a link by now, or any other file.
        with contextlib.suppress(OSError), opened_plain(self._root, thumb.filename) as file:
            picture = file.read(LARGEST_PICTURE + 1) if file else b""
            return picture if 0 < len(picture) <= LARGEST_PICTURE else None
        return None

    # Of shows, seasons and albums

    def _write_shared(self, known: _Known, filename: str, picture: bytes | None) -> None:
        """Write what the show, season or album lacks. Blocks."""
        title, show = known.title, known.show
        base = _show_base(self._settings, title, show, filename)
        if show is None or base is None:
            return
        inner, lock = str(PurePosixPath(filename).parent), self._settings.lock
        texts: dict[str, bytes] = {}
        pictures: dict[str, Callable[[bytes], bytes | None]] = {}
        match title.content_type:
            case ContentType.TV:
                season = title.season or 0
                if known.nfo_of_show is not None:
                    texts[f"{base}/tvshow.nfo"] = known.nfo_of_show
                texts[f"{inner}/season.nfo"] = nfo.of_season(season, lock=lock)
                number = f"{season:02d}" if season else "-specials"
                pictures[f"{base}/poster.jpg"] = artwork.poster
                pictures[f"{base}/season{number}-poster.jpg"] = artwork.poster
                pictures[f"{base}/fanart.jpg"] = _same
            case ContentType.MUSIC:
                texts[f"{base}/artist.nfo"] = nfo.of_artist(show, lock=lock)
                if title.album:
                    texts[f"{inner}/album.nfo"] = nfo.of_album(title, show, lock=lock)
                    pictures[f"{inner}/cover.jpg"] = _same
            case _:
                pictures[f"{base}/cover.jpg"] = _same
        if self._settings.nfo:
            for name, content in texts.items():
                written_files.write_small(self._root, name, content, unedited=nfo.is_unchanged)
        for name, convert in pictures.items():
            if picture and not (self._root / name).exists() and (jpeg := convert(picture)):
                written_files.write_small(self._root, name, jpeg)

    # From the store

    def _known_of_job(self, tx: Tx, job_id: str) -> _Known | None:
        title, job = tx.title_of_job(job_id), tx.job(job_id)
        if title is None or job is None:
            return None
        files = [
            TitleFile(id=0, **file.model_dump(include={"filename", "filesize", "main"}))
            for file in tx.files(job_id)
        ]
        show = tx.show(title.show_id) if title.show_id else None
        return _Known(title, show, self._nfo_of_show(tx, title, show), files, job.thumbnail)

    def _known(self, tx: Tx, title_id: str) -> _Known | None:
        title = tx.title(title_id)
        if title is None:
            return None
        show = tx.show(title.show_id) if title.show_id else None
        return _Known(title, show, self._nfo_of_show(tx, title, show), tx.title_files(title_id))

    def _nfo_of_show(self, tx: Tx, title: Title, show: Show | None) -> bytes | None:
        if show is None or title.content_type is not ContentType.TV:
            return None
        first, seasons = tx.show_span(show.id)
        return nfo.of_show(show, first, seasons, lock=self._settings.lock)


def info_json(fields: Mapping[str, Any]) -> bytes:
    """Return a page's data as yt-dlp's `.info.json` has them: no URLs, cookies or headers."""
    found = template_fields.harmless(fields)
    found |= {key: value for key, value in fields.items() if key == "chapters"}
    if plot := fields.get("plot"):
        found["description"] = plot
    text = json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True, default=str)
    return text.encode("utf-8", "replace") + b"\n"


def _of_movie(title: Title, picture: bytes | None) -> list[tuple[str, FileRole, bytes]]:
    if picture is None or title.content_type is not ContentType.MOVIE:
        return []
    poster = artwork.poster(picture)
    made = [("-fanart.jpg", FileRole.THUMB, picture)]
    return [*made, ("-poster.jpg", FileRole.THUMB, poster)] if poster else made


def _same(picture: bytes) -> bytes:
    return picture


def _show_base(
    settings: LibrarySettings, title: Title, show: Show | None, filename: str
) -> str | None:
    """Return the folder of a show; None if the file isn't in it, but where its sender put it."""
    if show is None or title.content_type is None:
        return None
    base = f"{settings.folders[title.content_type]}/{show.folder}"
    return base if filename.startswith(f"{base}/") else None


def _owned(file: TitleFile) -> JobFile:
    return JobFile(filename=file.filename, filesize=file.filesize, identity=file.identity)


def _note(file: TitleFile, status: os.stat_result, done: Renewed) -> None:
    """Note what a title's file is now, if it is another one than the store knows."""
    if not is_same(status, _owned(file)):
        values = {
            "filesize": status.st_size,
            "identity": f"{status.st_ino} {status.st_mtime_ns}",
        }
        done.changed.append(file.model_copy(update=values))


def _artists(fields: Mapping[str, Any]) -> list[str]:
    value = fields.get("artists")
    return [str(one) for one in value] if isinstance(value, list) else []
