"""A Home Assistant configuration folder: writes our files into it, and removes them again.

The folder belongs to somebody else. No link below it is followed, a file that somebody changed is
neither replaced nor removed, and a record in the folder lists what was written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.homeassistant.shipped_files import TARGET

RECORD: Final = ".mediarip-homeassistant.json"
VERSION_FILE: Final = ".HA_VERSION"  # written by Home Assistant at every start
MOST_BYTES: Final = 1_000_000  # a larger file is none of ours
MOST_VERSION: Final = 40  # characters
_FORMAT: Final = 1


@dataclass
class Installed:
    """What was written: path to SHA-256, and the folders that were created for it."""

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


class NotPlainError(OSError):
    """A name is taken by something that is not a plain file or folder."""


class ConfigFolder:
    """An open configuration folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = ""  # of Home Assistant
        self.record = Installed()
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror}.") from None
        try:
            self.version = self._version()
            self.record = self._read_record()
        except BaseException:
            os.close(self._handle)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def digest(self, name: str) -> str | None:
        """Return a file's SHA-256, or None if there is none.

        Raise `NotPlainError` if the name or a folder above it is a link, or no plain file.
        """
        try:
            content = self._content(name)
        except FileNotFoundError:
            return None
        return digest_of(content)

    def write(self, name: str, content: bytes) -> None:
        """Replace or create a file and record it; it has its name only once it is complete."""
        try:
            with self._parent(name, create=True) as (folder, last):
                self._replace(folder, last, content)
        except OSError as error:  # names a hidden file, or one part of the path
            raise OSError(error.errno, error.strerror, name) from None
        self.record.files[name] = digest_of(content)

    def remove(self, name: str) -> None:
        """Remove a file and forget it; one that is already gone is forgotten, too."""
        with contextlib.suppress(FileNotFoundError), self._parent(name) as (folder, last):
            os.unlink(last, dir_fd=folder)
        self.record.files.pop(name, None)

    def remove_empty_folders(self) -> None:
        """Remove the folders that were created for our files, where nothing else is in them."""
        kept = []
        for name in sorted(self.record.folders, reverse=True):
            try:
                with self._parent(name) as (folder, last):
                    os.rmdir(last, dir_fd=folder)
            except FileNotFoundError:
                continue
            except OSError:  # not empty, or a link by now
                kept.append(name)
        self.record.folders = sorted(kept) if self.record.files else []

    def save_record(self) -> None:
        """Write the record; remove it if there is nothing left to record."""
        if not self.record.files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(RECORD, dir_fd=self._handle)
            return
        content = {
            "about": "Written by `mediarip-mqtt homeassistant install`; `--remove` reads it.",
            "format": _FORMAT,
            "files": dict(sorted(self.record.files.items())),
            "folders": sorted(self.record.folders),
        }
        self._replace(self._handle, RECORD, (json.dumps(content, indent=2) + "\n").encode())

    def _version(self) -> str:
        try:
            return self._content(VERSION_FILE)[:MOST_VERSION].decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(
                f"{self.path} is not a configuration folder of Home Assistant: it has no readable "
                f"file {VERSION_FILE}. Name the folder that contains configuration.yaml. If it is "
                "new, start Home Assistant once."
            ) from None

    def _read_record(self) -> Installed:
        try:
            return _parsed(json.loads(self._content(RECORD)))
        except FileNotFoundError:
            return Installed()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(
                f"{self.path / RECORD} is not a record of this program. Remove it; files with "
                "this version's content are then recognised, others are left alone."
            ) from None

    def _content(self, name: str) -> bytes:
        with self._parent(name) as (folder, last):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                handle = os.open(last, flags, dir_fd=folder)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise NotPlainError(errno.ELOOP, "a link", name) from None
                raise
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise NotPlainError(errno.EINVAL, "not a file", name)
            with os.fdopen(handle, "rb") as file:
                return file.read(MOST_BYTES)

    def _replace(self, folder: int, name: str, content: bytes) -> None:
        hidden = f".{name}.{secrets.token_hex(8)}"
        handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                self._give_to_owner(handle)
                file.flush()
                os.fsync(handle)
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(hidden, dir_fd=folder)
            raise

    def _give_to_owner(self, handle: int) -> None:
        """As root, give what was created to the owner of the configuration folder."""
        if os.geteuid() == 0:
            owner = os.fstat(self._handle)
            with contextlib.suppress(OSError):  # not every filesystem can
                os.fchown(handle, owner.st_uid, owner.st_gid)

    @contextmanager
    def _parent(self, name: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder of a relative name, one level at a time, without following links."""
        *parents, last = PurePosixPath(name).parts
        folder = os.dup(self._handle)
        try:
            for depth in range(1, len(parents) + 1):
                inner = self._open_folder(folder, "/".join(parents[:depth]), create=create)
                os.close(folder)
                folder = inner
            yield folder, last
        finally:
            os.close(folder)

    def _open_folder(self, parent: int, path: str, *, create: bool) -> int:
        name = PurePosixPath(path).name
        created = False
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent)
                created = True
        try:
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        except NotADirectoryError:
            raise NotPlainError(errno.ENOTDIR, f"{path} is a link or a file", path) from None
        if created:
            self._give_to_owner(handle)
            self.record.folders.append(path)
        return handle


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a content, as the record has it."""
    return hashlib.sha256(content).hexdigest()


def _parsed(content: Any) -> Installed:
    """Return a record; raise ValueError if it names anything that `install` never writes."""
    files, folders = content["files"], content["folders"]
    if content["format"] != _FORMAT or not all(map(TARGET.fullmatch, files)):
        raise ValueError
    above = {str(one) for name in files for one in PurePosixPath(name).parents}
    if not all(isinstance(one, str) for one in files.values()) or not above.issuperset(folders):
        raise ValueError
    return Installed(dict(files), [str(one) for one in folders if one != "."])
