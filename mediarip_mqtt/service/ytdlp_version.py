"""Chooses the yt-dlp to run with: the installed one, or a newer one that the service fetched.

Fetched versions are in ``<version>/`` in a folder of this machine. ``choice.json`` beside them
names the chosen one and holds the digest of each: one whose files have changed is not used, and
none is if other users can replace the folder. A process can't change a module it has loaded, so
the service restarts itself (exec) with the chosen folder first on its path. A version is on trial
until the service has come up with it once. A version that fails its trial is given up: at once if
the process notices it (`fall_back`), else by the next start (`resolve`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final, NoReturn

from filelock import FileLock, Timeout
from packaging.version import InvalidVersion, Version

from mediarip_mqtt.volume import trust

# The folder of the fetched version in use; empty for the installed one; unset: not decided yet.
VARIABLE: Final = "_MEDIARIP_YTDLP"
STARTED: Final = "started"  # a trial whose first start has begun
NEW: Final = "new"  # a trial that has not begun
HALF: Final = ".half-"  # prefix of incomplete files and folders
REASON_LIMIT: Final = 300  # characters
VERSION: Final = re.compile(r"[0-9][0-9a-z.]{0,40}")  # also a safe name of a folder

logger = logging.getLogger(__name__)


@dataclass
class Choice:
    """The content of ``choice.json``; None as a version is the installed one."""

    chosen: str | None = None
    previous: str | None = None
    trial: str | None = None  # NEW, STARTED, or None after a successful trial
    bad: dict[str, str] = field(default_factory=dict)  # version to reason
    failed: str | None = None  # the version that was given up, until that is reported
    digests: dict[str, str] = field(default_factory=dict)  # of the versions' folders


def read(folder: Path) -> Choice:
    """Return the choice; if it is missing or invalid, the installed version."""
    try:
        stored = json.loads((folder / "choice.json").read_text("utf-8"))
        choice = Choice(
            **{key: stored[key] for key in Choice.__dataclass_fields__ if key in stored}
        )
        return choice if _is_valid(choice) else Choice()
    except (OSError, ValueError, TypeError):
        return Choice()


def _is_valid(choice: Choice) -> bool:
    versions = [choice.chosen, choice.previous, choice.failed]
    return (
        all(version is None or VERSION.fullmatch(version) for version in versions)
        and choice.trial in {None, NEW, STARTED}
        and all(isinstance(reason, str) for reason in dict(choice.bad).values())
        and all(isinstance(text, str) for text in dict(choice.digests).values())
    )


def write(folder: Path, choice: Choice) -> None:
    """Write the choice atomically; raise `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = folder / f"{HALF}choice"
    with half.open("w", encoding="utf-8") as file:
        json.dump(asdict(choice), file)
        file.flush()
        os.fsync(file.fileno())
    half.replace(folder / "choice.json")
    sync(folder)


def sync(folder: Path) -> None:
    """Flush a folder's entries to the disk, if the filesystem supports that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def resolve(folder: Path) -> str | None:
    """Return the version to start with; None for the installed one.

    Gives up a version on trial that did not come up, and one whose folder is gone. Drops one that
    is no longer newer than the installed one, as after an upgrade of the container's image.
    """
    choice = read(folder)
    if choice.chosen is None:
        return None
    if not is_newer(choice.chosen, installed()):
        choice.chosen = choice.previous = choice.trial = None
        _try_write(folder, choice)
    elif choice.trial == STARTED:
        give_up(folder, choice, "the service did not come up with it")
    elif not _is_intact(folder, choice, choice.chosen):
        give_up(folder, choice, "its files are gone, can't be read, or were changed")
    elif choice.trial == NEW:
        choice.trial = STARTED
        if not _try_write(folder, choice):
            return None  # an unrecorded trial could not be given up
    return choice.chosen


def give_up(folder: Path, choice: Choice, reason: str) -> None:
    """Go back to the previous version if that is usable, else to the installed one."""
    before = choice.previous
    if before is not None and not (
        is_newer(before, installed()) and _is_intact(folder, choice, before)
    ):
        before = None
    logger.error(
        "yt-dlp %s: %s; going back to %s", choice.chosen, reason, before or "the installed one"
    )
    choice.bad[str(choice.chosen)] = reason[:REASON_LIMIT]
    choice.failed, choice.chosen = choice.chosen, before
    choice.previous = choice.trial = None
    _try_write(folder, choice)


def forgive(folder: Path) -> None:
    """Repeat a trial at the next start: the service ended for a reason other than yt-dlp."""
    choice = read(folder)
    if choice.trial == STARTED and choice.chosen == in_use():
        choice.trial = NEW
        _try_write(folder, choice)


def _is_intact(folder: Path, choice: Choice, version: str) -> bool:
    """Whether a version's files are those that were tried."""
    with contextlib.suppress(OSError):
        return digest(folder / version) == choice.digests.get(version)
    return False


def digest(packages: Path) -> str:
    """Return the digest of all names and contents in a folder; raise `OSError` for a link in it."""
    found = hashlib.blake2b()
    for where, folders, names in os.walk(packages, onerror=_raise):
        folders.sort()
        for name in (*folders, *sorted(names)):
            path = Path(where, name)
            if path.is_symlink():
                raise OSError(errno.ELOOP, "a link among the files of yt-dlp", str(path))
            content = b"" if name in folders else hashlib.blake2b(path.read_bytes()).digest()
            found.update(bytes(path.relative_to(packages)) + b"\0" + content)
    return found.hexdigest()


def _raise(error: OSError) -> None:
    raise error


def not_trusted(folder: Path) -> str | None:
    """Return why code in a folder must not be used; None if only this user can write there."""
    try:
        return trust.shared_way(folder) or (
            trust.foreign_content(folder) if folder.exists() else None
        )
    except OSError as error:
        return f"{folder} can't be read: {error.strerror}"


def _try_write(folder: Path, choice: Choice) -> bool:
    try:
        write(folder, choice)
    except OSError as error:
        logger.warning("yt-dlp: %s can't be written: %s", folder, error.strerror)
        return False
    return True


def sweep(folder: Path) -> None:
    """Remove incomplete folders, and versions that are neither chosen nor the previous one."""
    choice = read(folder)
    keep = {choice.chosen, choice.previous, "choice.json"}
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.name not in keep and entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)


def installed() -> str:
    """Return the version that is installed in the environment."""
    chosen = os.environ.get(VARIABLE)
    # The chosen one comes first on the path; skip it.
    path = [entry for entry in sys.path if not chosen or entry != chosen]
    return next((package.version for package in distributions(name="yt-dlp", path=path)), "0")


def in_use() -> str | None:
    """Return which fetched version this process runs with; None for the installed one."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).name if chosen else None


def is_newer(version: str, other: str) -> bool:
    """Whether ``version`` is newer than ``other``; an invalid one is not."""
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False


def shown(version: str) -> str:
    """Return a package's version (2026.8.19) as yt-dlp and its releases write it (2026.08.19)."""
    parts = version.split(".")
    parts[1:3] = [part.zfill(2) if part.isdigit() else part for part in parts[1:3]]
    return ".".join(parts)


def use(folder: Path, lock: Path) -> None:
    """Restart the program if a fetched yt-dlp is chosen; else return.

    The restarted process has the variable, and returns at once. ``lock`` is the store's.
    """
    if VARIABLE in os.environ or not folder.exists() or _another_runs(lock):
        return
    if problem := not_trusted(folder):
        logger.warning("yt-dlp: the version in %s is not used: %s", folder, problem)
    elif chosen := resolve(folder):
        _restart(folder / chosen)


def switch(folder: Path) -> NoReturn:
    """Restart the program with the version that is chosen now."""
    chosen = None if not_trusted(folder) else resolve(folder)
    _restart(folder / chosen if chosen else None)


def fall_back(error: BaseException, *, on_trial: bool) -> None:
    """Restart the program without the fetched yt-dlp with which it failed.

    Return if it runs with the installed one. With ``on_trial``, return also if the version has
    passed its trial. Each start goes back by one version, so this ends.
    """
    version = in_use()
    if version is None:
        return
    folder = Path(os.environ[VARIABLE]).parent
    choice = read(folder)
    if on_trial and (choice.chosen != version or choice.trial is None):
        return
    before = None
    logger.error("yt-dlp %s: the service failed with it", version, exc_info=error)
    if choice.chosen == version:
        give_up(folder, choice, f"{type(error).__name__}: {error}")
        before = choice.chosen
    _restart(folder / before if before else None)


def _another_runs(path: Path) -> bool:
    """Whether another service runs on this storage; only that one may change the choice."""
    if path.is_symlink() or not path.is_file():
        return False  # taking the lock would create the folder with the wrong permissions
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


def _restart(path: Path | None) -> NoReturn:
    environment: dict[str, Any] = {**os.environ, VARIABLE: str(path or "")}
    sys.stdout.flush()
    sys.stderr.flush()
    from mediarip_mqtt.service import json_output  # noqa: PLC0415 - the entry point needs no log

    json_output.restore()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - itself
