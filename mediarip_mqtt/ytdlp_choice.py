"""Which yt-dlp the service runs with: the installed one, or a newer one that it fetched.

Fetched ones lie below ``.mediarip/ytdlp/<version>/`` on the volume, so that a new container keeps
them. ``choice.json`` beside them says which is chosen. A process can't change a module it has
loaded: the service starts itself anew (exec) with the chosen folder first on its path. A version is
on trial until the service has come up with it once; a process that finds one on trial that was
started before goes back to the one before it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final, NoReturn

from packaging.version import InvalidVersion, Version

VARIABLE: Final = "_MEDIARIP_YTDLP"
STARTED: Final = "started"
NEW: Final = "new"
HALF: Final = ".half-"

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
        found = json.loads((folder / "choice.json").read_text())
        return Choice(**{key: found[key] for key in Choice.__dataclass_fields__ if key in found})
    except (OSError, ValueError, TypeError):
        return Choice()


def write(folder: Path, choice: Choice) -> None:
    """Keep the choice; a kill in between leaves the old one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    half = folder / f"{HALF}choice"
    with half.open("w") as file:
        json.dump(asdict(choice), file)
        file.flush()
        os.fsync(file.fileno())
    half.replace(folder / "choice.json")


def resolve(folder: Path) -> str | None:
    """Return the version to start with; None for the installed one.

    Goes back from a version on trial that did not come up, and from one that the installed one has
    overtaken (a new image).
    """
    choice = read(folder)
    if choice.chosen is None:
        return None
    if choice.trial == STARTED:
        give_up(folder, choice, "the service did not come up with it")
    elif not is_newer(choice.chosen, installed()) or not (folder / choice.chosen).is_dir():
        choice.chosen = choice.previous = choice.trial = None
        _try_write(folder, choice)
    elif choice.trial == NEW:
        choice.trial = STARTED
        if not _try_write(folder, choice):
            return None  # a trial that can't be noted could not be given up
    if choice.chosen is None or not (folder / choice.chosen / "yt_dlp").is_dir():
        return None
    return choice.chosen


def give_up(folder: Path, choice: Choice, reason: str) -> None:
    """Go back to the version before."""
    logger.error("yt-dlp %s: %s; going back to %s", choice.chosen, reason, choice.previous)
    choice.bad[str(choice.chosen)] = reason
    choice.failed, choice.chosen = choice.chosen, choice.previous
    choice.previous = choice.trial = None
    if choice.chosen is not None and not is_newer(choice.chosen, installed()):
        choice.chosen = None
    _try_write(folder, choice)


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
    path = [one for one in sys.path if one != chosen]
    return next((one.version for one in distributions(name="yt-dlp", path=path)), "0")


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


def in_use() -> str | None:
    """Return which fetched version this process runs with; None for the installed one."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).name if chosen else None


def use(folder: Path) -> None:
    """Start the program anew where a fetched yt-dlp is chosen; return where nothing is to be done.

    A process that was started by this has the variable, and decides nothing again.
    """
    if VARIABLE not in os.environ and (wanted := resolve(folder)):
        _start_anew(folder / wanted)


def switch(folder: Path) -> NoReturn:
    """Start the program anew with what is chosen now."""
    wanted = resolve(folder)
    _start_anew(folder / wanted if wanted else None)


def _start_anew(path: Path | None) -> NoReturn:
    environment: dict[str, Any] = {k: v for k, v in os.environ.items() if k != VARIABLE}
    if path:
        environment[VARIABLE] = str(path)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - itself
