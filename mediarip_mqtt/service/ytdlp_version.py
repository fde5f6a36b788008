"""Which yt-dlp the service runs with: the installed one, or a newer one that it fetched.

Fetched ones lie below ``.mediarip/ytdlp/<version>/`` on the volume, so that a new container keeps
them. ``choice.json`` beside them says which is chosen. A process can't change a module it has
loaded: the service starts itself anew (exec) with the chosen folder first on its path. A version is
on trial until the service has come up with it once; one that fails before is given up, at once
where the process sees that itself (`fall_back`), else by the next start (`resolve`).
"""

from __future__ import annotations

import contextlib
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

# The folder of the fetched version in use; empty for the installed one, where that is decided.
VARIABLE: Final = "_MEDIARIP_YTDLP"
STARTED: Final = "started"
NEW: Final = "new"
HALF: Final = ".half-"
REASON_LIMIT: Final = 300
VERSION: Final = re.compile(r"[0-9][0-9a-z.]{0,40}")  # also a safe name of a folder

logger = logging.getLogger(__name__)


@dataclass
class Choice:
    """What ``choice.json`` holds; a version is None for the installed one."""

    chosen: str | None = None
    previous: str | None = None
    trial: str | None = None  # NEW, STARTED, or None once it has proved itself
    bad: dict[str, str] = field(default_factory=dict)  # version to reason
    failed: str | None = None  # the version that was just given up, until that was told


def read(folder: Path) -> Choice:
    """Return the choice; the installed version where there is none, or it can't be read."""
    try:
        found = json.loads((folder / "choice.json").read_text("utf-8"))
        choice = Choice(**{key: found[key] for key in Choice.__dataclass_fields__ if key in found})
        return choice if _sound(choice) else Choice()
    except (OSError, ValueError, TypeError):
        return Choice()


def _sound(choice: Choice) -> bool:
    named = [choice.chosen, choice.previous, choice.failed]
    return (
        all(one is None or VERSION.fullmatch(one) for one in named)
        and choice.trial in {None, NEW, STARTED}
        and all(isinstance(reason, str) for reason in dict(choice.bad).values())
    )


def write(folder: Path, choice: Choice) -> None:
    """Keep the choice; a kill or a power cut in between leaves the old one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    half = folder / f"{HALF}choice"
    with half.open("w", encoding="utf-8") as file:
        json.dump(asdict(choice), file)
        file.flush()
        os.fsync(file.fileno())
    half.replace(folder / "choice.json")
    sync(folder)


def sync(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, where the filesystem knows how."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def resolve(folder: Path) -> str | None:
    """Return the version to start with; None for the installed one.

    Goes back from a version on trial that did not come up, from one whose folder is gone, and from
    one that the installed one has overtaken (a new image).
    """
    choice = read(folder)
    if choice.chosen is None:
        return None
    if not is_newer(choice.chosen, installed()):
        choice.chosen = choice.previous = choice.trial = None
        _try_write(folder, choice)
    elif choice.trial == STARTED:
        give_up(folder, choice, "the service did not come up with it")
    elif not _there(folder, choice.chosen):
        give_up(folder, choice, "its folder is gone or can't be read")
    elif choice.trial == NEW:
        choice.trial = STARTED
        if not _try_write(folder, choice):
            return None  # a trial that can't be noted could not be given up
    return choice.chosen


def give_up(folder: Path, choice: Choice, reason: str) -> None:
    """Go back to the version before, or to the installed one."""
    before = choice.previous
    if before is not None and not (is_newer(before, installed()) and _there(folder, before)):
        before = None
    logger.error(
        "yt-dlp %s: %s; going back to %s", choice.chosen, reason, before or "the installed one"
    )
    choice.bad[str(choice.chosen)] = reason[:REASON_LIMIT]
    choice.failed, choice.chosen = choice.chosen, before
    choice.previous = choice.trial = None
    _try_write(folder, choice)


def forgive(folder: Path) -> None:
    """Leave a trial undecided: the service ended for another reason than its yt-dlp."""
    choice = read(folder)
    if choice.trial == STARTED and choice.chosen == in_use():
        choice.trial = NEW
        _try_write(folder, choice)


def _there(folder: Path, version: str) -> bool:
    return os.access(folder / version / "yt_dlp" / "__init__.py", os.R_OK)


def _try_write(folder: Path, choice: Choice) -> bool:
    try:
        write(folder, choice)
    except OSError as error:
        logger.warning("yt-dlp: %s can't be written: %s", folder, error.strerror)
        return False
    return True


def sweep(folder: Path) -> None:
    """Remove half-made folders and versions that are neither chosen nor the one before."""
    choice = read(folder)
    keep = {choice.chosen, choice.previous, "choice.json"}
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.name not in keep and entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)


def installed() -> str:
    """Return the version that came with the environment."""
    chosen = os.environ.get(VARIABLE)
    # Of the environment, also where a chosen one stands before it.
    path = [one for one in sys.path if not chosen or one != chosen]
    return next((one.version for one in distributions(name="yt-dlp", path=path)), "0")


def in_use() -> str | None:
    """Return which fetched version this process runs with; None for the installed one."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).name if chosen else None


def is_newer(one: str, other: str) -> bool:
    """Whether a version is a newer one; one that is none never is."""
    try:
        return Version(one) > Version(other)
    except InvalidVersion:
        return False


def shown(version: str) -> str:
    """Return a version as yt-dlp and its releases write it.

    That is 2026.08.19, where packages are named 2026.8.19.
    """
    parts = version.split(".")
    parts[1:3] = [one.zfill(2) if one.isdigit() else one for one in parts[1:3]]
    return ".".join(parts)


def use(folder: Path) -> None:
    """Start the program anew where a fetched yt-dlp is chosen; return where nothing is to be done.

    A process that was started by this has the variable, and decides nothing again.
    """
    if VARIABLE in os.environ or _another_runs(folder):
        return
    if wanted := resolve(folder):
        _start_anew(folder / wanted)


def switch(folder: Path) -> NoReturn:
    """Start the program anew with what is chosen now."""
    wanted = resolve(folder)
    _start_anew(folder / wanted if wanted else None)


def fall_back(error: BaseException, *, on_trial: bool) -> None:
    """Start the program anew without the fetched yt-dlp that it failed with.

    Return where it runs with the installed one or, with ``on_trial``, where the version has proved
    itself already. Each start goes back by one, so that this ends.
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
    _start_anew(folder / before if before else None)


def _another_runs(folder: Path) -> bool:
    """Whether a service runs on this storage: it alone decides then."""
    path = folder.parent / "lock"  # the store's
    if not path.exists():
        return False  # taking the lock would make its folder, for everybody to look into
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


def _start_anew(path: Path | None) -> NoReturn:
    environment: dict[str, Any] = {**os.environ, VARIABLE: str(path or "")}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - itself
