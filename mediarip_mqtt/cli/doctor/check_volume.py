"""The volume: is it there, what is it, and does it do what a store and downloads need."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.filesize import decimal

from mediarip_mqtt.cli.doctor.findings import (
    MAKE_ROOM,
    OWNER,
    Finding,
    ok,
    problem,
    remedy_for,
    warning,
)
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.store import Store
from mediarip_mqtt.volume import mounts
from mediarip_mqtt.volume.files import own_folder

COMMITS: Final = 5
SLOW_COMMIT: Final = 0.5  # seconds; a command is acknowledged only after one
CLOCK_TOLERANCE: Final = 5.0  # seconds; some filesystems keep times by two
CHILD_TIME: Final = 8.0
HELD: Final = 3
# Exit code HELD where another process holds the lock.
_TAKE_LOCK: Final = f"""
import errno, fcntl, sys
with open(sys.argv[2], "r+b") as file:
    try:
        getattr(fcntl, sys.argv[1])(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        sys.exit({HELD} if error.errno in (errno.EAGAIN, errno.EACCES) else 4)
"""


def presence(settings: Settings) -> list[Finding]:
    """Look whether the volume is there and may be written; it is usable where all is ok."""
    root = _root(settings)
    if not root.exists():
        return [_missing(root, create=settings.storage.create)]
    if not root.is_dir():
        return [problem("volume", f"{root} is no folder", "Set storage.root to a folder.")]
    mount = mounts.mount_of(root)
    source = f" of {mount.source}" if mount.source else ""
    where = f"{root}, on {mount.fstype}{source}"
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        remedy = "Mount it writable; a disk with errors is mounted read-only by itself: see dmesg."
        return [problem("volume", f"{where}, which is read-only", remedy)]
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return [problem("volume", f"{where}, which user {os.getuid()} may not write", OWNER)]
    try:
        with _scratch(settings) as folder:
            (folder / "file").write_bytes(b"doctor")
    except OSError as error:
        return [problem("volume", f"{where}: {error.strerror}", remedy_for(error))]
    return [ok("volume", where)]


def _missing(root: Path, *, create: bool) -> Finding:
    if not create:
        remedy = "Mount it, or set storage.create to true to begin a new store."
        return problem("volume", f"{root} does not exist, and storage.create is false", remedy)
    above = next(one for one in root.parents if one.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        remedy = f"Make it, and give it to user {os.getuid()}; or mount the volume there."
        return problem("volume", f"{root} does not exist and can't be made in {above}", remedy)
    remedy = "`mediarip-mqtt run` makes it. Where a volume shall be mounted there, mount it first."
    return warning("volume", f"{root} does not exist yet", remedy)


def kind(settings: Settings) -> list[Finding]:
    """Look which journal mode follows from the filesystem, and whether that one is safe there."""
    fstype = mounts.mount_of(_root(settings)).fstype
    chosen = settings.storage.journal_mode
    mode = mounts.journal_mode(chosen, fstype)
    if mode == "wal" and mounts.is_network(fstype):
        return [
            problem(
                "journal mode",
                f"storage.journal_mode is wal, which needs shared memory; {fstype} has none",
                "Set storage.journal_mode to auto.",
            )
        ]
    by = "set by storage.journal_mode" if chosen != "auto" else f"chosen for {fstype}"
    return [ok("journal mode", f"{mode}, {by}")]


def space(settings: Settings) -> list[Finding]:
    """Look at the free space, and at the room for more files."""
    root, least = _root(settings), settings.storage.min_free
    free, total = mounts.disk_usage(root)
    text = f"{decimal(free)} of {decimal(total)} are free"
    counts = os.statvfs(root)
    if counts.f_files and not counts.f_favail:
        return [problem("space", f"{text}, but no more files can be made (no inodes)", MAKE_ROOM)]
    if free <= least:
        below = f"{text}; below {decimal(least)} (storage.min_free) the queue pauses"
        return [problem("space", below, MAKE_ROOM)]
    if free < 2 * least:
        return [warning("space", f"{text}; the queue pauses at {decimal(least)}", MAKE_ROOM)]
    return [ok("space", text)]


def files(settings: Settings) -> list[Finding]:
    """Look whether files can be written to the disk, linked and renamed."""
    with _scratch(settings) as folder:
        first, second = folder / "first", folder / "second"
        try:
            with first.open("wb") as file:
                file.write(b"doctor" * 1000)
                file.flush()
                os.fsync(file.fileno())
            first.rename(second)
        except OSError as error:
            return [problem("files", f"writing failed: {error.strerror}", remedy_for(error))]
        try:
            os.link(second, first)
        except OSError:
            return [ok("files", "fsync and renaming work; no hard links, which need not be")]
    return [ok("files", "fsync, renaming and hard links work")]


def locks(settings: Settings) -> list[Finding]:
    """Look whether a lock that one process took keeps another one out."""
    network = mounts.is_network(mounts.mount_of(_root(settings)).fstype)
    with _scratch(settings) as folder:
        path = folder / "lock"
        path.touch()
        found = {name: _lock_holds(name, path) for name in ("flock", "lockf")}
    if not found["flock"]:
        return [
            problem(
                "locks",
                "a lock (flock) keeps nobody out: two services could use one store",
                "Mount the volume with locks (NFS: without `nolock`; FUSE: with its option for "
                "locks), and run only one service on it.",
            )
        ]
    if not found["lockf"] and not network:
        return [
            problem(
                "locks",
                "a POSIX lock keeps nobody out: SQLite could damage the store",
                "Use another filesystem for storage.root.",
            )
        ]
    posix = "" if found["lockf"] else "; POSIX locks do not, and are not needed here"
    return [ok("locks", f"a lock keeps other processes out{posix}")]


def _lock_holds(name: str, path: Path) -> bool:
    """Whether a lock keeps another process out, and lets it in afterwards."""
    take = getattr(fcntl, name)
    with path.open("r+b") as file:
        try:
            take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if _take_lock(name, path) != HELD:
            return False
        take(file, fcntl.LOCK_UN)
        return _take_lock(name, path) == 0


def _take_lock(name: str, path: Path) -> int:
    arguments = [sys.executable, "-I", "-S", "-c", _TAKE_LOCK, name, str(path)]
    try:
        return subprocess.run(arguments, timeout=CHILD_TIME, check=False).returncode  # noqa: S603 - ourselves
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(
            f"A second process for the test of locks did not run ({error}). Check that this user "
            f"may run {sys.executable}."
        ) from None


def database(settings: Settings) -> list[Finding]:
    """Look whether a store works on the volume: a new one, which goes again."""
    fstype = mounts.mount_of(_root(settings)).fstype
    mode = mounts.journal_mode(settings.storage.journal_mode, fstype)
    with _scratch(settings) as folder:
        seconds = asyncio.run(
            _use_store(folder / "store.db", mode, exclusive=mounts.is_network(fstype))
        )
    text = f"SQLite works with journal mode {mode}; a commit takes {seconds * 1000:.0f} ms"
    if seconds > SLOW_COMMIT:
        remedy = "Commands are answered only after a commit. A volume that is nearer is faster."
        return [warning("database", text, remedy)]
    return [ok("database", text)]


async def _use_store(path: Path, mode: str, *, exclusive: bool) -> float:
    """Write to a store, read it back after opening it again; return seconds of a commit."""
    store = Store(path, journal_mode=mode, exclusive=exclusive)
    moment = datetime.now(UTC)
    for _ in range(2):
        await store.open()
        try:
            began = time.monotonic()
            for number in range(COMMITS):
                await store.write(lambda tx, n=number: tx.set_config(f"doctor{n}", "ok", moment))  # type: ignore[misc]
            seconds = (time.monotonic() - began) / COMMITS
            kept = await store.read(lambda tx: tx.config())
        finally:
            await store.close()
        if len(kept) != COMMITS:
            raise OSError(errno.EIO, "SQLite does not find again what it wrote")
    return seconds


def clock(settings: Settings) -> list[Finding]:
    """Compare this machine's clock with the volume's."""
    with _scratch(settings) as folder:
        before = time.time()
        path = folder / "now"
        path.touch()
        away = path.stat().st_mtime - before
    if abs(away) > CLOCK_TOLERANCE:
        return [
            warning(
                "volume's clock",
                f"its file times are {abs(away):.0f} s {'ahead' if away > 0 else 'behind'}",
                "Let the volume's server and this machine set their clocks by NTP.",
            )
        ]
    return [ok("volume's clock", "its file times agree with this machine's clock")]


def owner(settings: Settings) -> list[Finding]:
    """Look whose the volume is, and who may read the service's own folder."""
    root, own, user = _root(settings), own_folder(settings), os.getuid()
    found = root.stat()
    text = (
        f"user {user}:{os.getgid()}, umask {_umask():03o}; {root} is of "
        f"{found.st_uid}:{found.st_gid}, mode {found.st_mode & 0o7777:o}"
    )
    if user == 0:
        remedy = (
            "What root may do says nothing of the service's user. In a container: `docker exec "
            "NAME entrypoint doctor`."
        )
        return [warning("user", f"{text}; this is root", remedy)]
    with contextlib.suppress(FileNotFoundError):
        inside = own.stat()
        if inside.st_uid != user:
            return [problem("user", f"{text}; {own} is of user {inside.st_uid}", OWNER)]
        local = not mounts.is_network(mounts.mount_of(root).fstype)
        if local and inside.st_mode & 0o077:
            remedy = f"`chmod 700 {own}`: it holds the cookies."
            return [warning("user", f"{text}; others may look into {own}", remedy)]
    return [ok("user", text)]


def _umask() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    kept = os.umask(0o022)  # it can only be read by setting it
    os.umask(kept)
    return kept


def temp_folder(settings: Settings) -> list[Finding]:
    """Look where unfinished downloads lie."""
    chosen = settings.storage.temp_dir
    if chosen is None:
        return [ok("temporary folder", "on the volume")]
    folder = chosen.expanduser().absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    mount = mounts.mount_of(there)
    free, _ = mounts.disk_usage(there)
    text = f"{folder}, on {mount.fstype}, {decimal(free)} free"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        remedy = "Give it to the service's user, or set storage.temp_dir to another folder."
        return [problem("temporary folder", f"{text}: can't be written", remedy)]
    if mount.fstype in {"tmpfs", "ramfs"}:
        remedy = "It is memory: a long video fills it. Set storage.temp_dir to a disk."
        return [warning("temporary folder", text, remedy)]
    if free < settings.storage.min_free:
        remedy = "Make room, or set storage.temp_dir to another folder."
        return [warning("temporary folder", text, remedy)]
    return [ok("temporary folder", text)]


def _root(settings: Settings) -> Path:
    return settings.storage.root.expanduser().absolute()


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """Make a folder on the volume that goes again with all in it."""
    own = own_folder(settings)
    folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=own if own.is_dir() else own.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
