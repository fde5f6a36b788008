"""The volume: whether it is there, and has what the store and downloads need."""

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
from mediarip_mqtt.service.storage import not_trusted
from mediarip_mqtt.store import Store
from mediarip_mqtt.volume import mounts, trust
from mediarip_mqtt.volume.files import own_folder
from mediarip_mqtt.volume.name_limit import measured_limit, name_limit

COMMITS: Final = 5
SLOW_COMMIT: Final = 0.5  # seconds; a command is acknowledged after a commit
CLOCK_TOLERANCE: Final = 5.0  # seconds; some filesystems round times to two seconds
CHILD_TIME: Final = 8.0  # seconds
HELD: Final = 3  # exit code: another process holds the lock
_TAKE_LOCK: Final = f"""
import errno, fcntl, sys
with open(sys.argv[2], "r+b") as file:
    try:
        getattr(fcntl, sys.argv[1])(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        sys.exit({HELD} if error.errno in (errno.EAGAIN, errno.EACCES) else 4)
"""


def presence(settings: Settings) -> list[Finding]:
    """Check that the volume is there and writable; the first finding is ok if it is usable."""
    root = _root(settings)
    if not root.exists():
        return [_missing(root, create=settings.storage.create)]
    if not root.is_dir():
        return [problem("volume", f"{root} is not a folder", "Set storage.root to a folder.")]
    mount = mounts.mount_of(root)
    source = f" of {mount.source}" if mount.source else ""
    where = f"{root}, on {mount.fstype}{source}"
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        remedy = "Mount it writable; the kernel makes a disk with errors read-only: see dmesg."
        return [problem("volume", f"{where}, which is read-only", remedy)]
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return [problem("volume", f"{where}, not writable for user {os.getuid()}", OWNER)]
    try:
        with _scratch(settings) as folder:
            (folder / "file").write_bytes(b"doctor")
    except OSError as error:
        return [problem("volume", f"{where}: {error.strerror}", remedy_for(error))]
    return [ok("volume", where)]


def _missing(root: Path, *, create: bool) -> Finding:
    if not create:
        remedy = "Mount it, or set storage.create to true for a new store."
        return problem("volume", f"{root} does not exist, and storage.create is false", remedy)
    parent = next(folder for folder in root.parents if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        remedy = f"Create it, and give it to user {os.getuid()}; or mount the volume there."
        return problem("volume", f"{root} does not exist and can't be created in {parent}", remedy)
    remedy = "`mediarip-mqtt run` creates it. If it is a mount point, mount the volume first."
    return warning("volume", f"{root} does not exist yet", remedy)


def kind(settings: Settings) -> list[Finding]:
    """Check that the journal mode is safe on the filesystem."""
    fstype = mounts.mount_of(_root(settings)).fstype
    chosen = settings.storage.journal_mode
    mode = mounts.journal_mode(chosen, fstype)
    if mode == "wal" and mounts.is_network(fstype):
        return [
            problem(
                "journal mode",
                f"storage.journal_mode is wal, which needs shared memory, which {fstype} lacks",
                "Set storage.journal_mode to auto.",
            )
        ]
    reason = "set by storage.journal_mode" if chosen != "auto" else f"chosen for {fstype}"
    return [ok("journal mode", f"{mode}, {reason}")]


def space(settings: Settings) -> list[Finding]:
    """Check the free space and the free inodes."""
    root, minimum = _root(settings), settings.storage.min_free
    free, total = mounts.disk_usage(root)
    text = f"{decimal(free)} of {decimal(total)} are free"
    counts = os.statvfs(root)
    if counts.f_files and not counts.f_favail:
        return [
            problem(
                "space", f"{text}, but no more files can be created (no free inodes)", MAKE_ROOM
            )
        ]
    pauses = f"{text}; the queue pauses below {decimal(minimum)} (storage.min_free)"
    if free <= minimum:
        return [problem("space", pauses, MAKE_ROOM)]
    if free < 2 * minimum:
        return [warning("space", pauses, MAKE_ROOM)]
    return [ok("space", text)]


def files(settings: Settings) -> list[Finding]:
    """Check that files can be written to the disk and renamed; hard links are optional.

    Also tell the longest name: it is measured, as some filesystems state more than they keep.
    """
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
        names = f"; names have at most {_longest_name(folder)} bytes"
        try:
            os.link(second, first)
        except OSError:
            text = "fsync and renaming work; hard links do not, and are not needed"
            return [ok("files", text + names)]
    return [ok("files", "fsync, renaming and hard links work" + names)]


def _longest_name(folder: Path) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return measured_limit(handle, name_limit(folder))
    finally:
        os.close(handle)


def locks(settings: Settings) -> list[Finding]:
    """Check that a lock of one process keeps other processes out."""
    network = mounts.is_network(mounts.mount_of(_root(settings)).fstype)
    with _scratch(settings) as folder:
        path = folder / "lock"
        path.touch()
        works = {name: _lock_works(name, path) for name in ("flock", "lockf")}
    if not works["flock"]:
        return [
            problem(
                "locks",
                "a lock (flock) keeps no process out: two services could use one store",
                "Mount the volume with locks (NFS: without `nolock`; FUSE: with its option for "
                "locks), and run only one service on it.",
            )
        ]
    if not works["lockf"] and not network:
        return [
            problem(
                "locks",
                "a POSIX lock keeps no process out: SQLite could damage the store",
                "Use another filesystem for storage.root.",
            )
        ]
    posix = "" if works["lockf"] else "; POSIX locks do not, and are not needed here"
    return [ok("locks", f"a lock keeps other processes out{posix}")]


def _lock_works(name: str, path: Path) -> bool:
    """Whether a lock keeps another process out until it is released."""
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
            f"A second process to test locks did not run ({error}). Check that this user may run "
            f"{sys.executable}."
        ) from None


def database(settings: Settings) -> list[Finding]:
    """Check that a store works on the volume: a new one, which is removed again."""
    fstype = mounts.mount_of(_root(settings)).fstype
    mode = mounts.journal_mode(settings.storage.journal_mode, fstype)
    with _scratch(settings) as folder:
        seconds = asyncio.run(
            _use_store(folder / "store.db", mode, exclusive=mounts.is_network(fstype))
        )
    text = f"SQLite works with journal mode {mode}; a commit takes {seconds * 1000:.0f} ms"
    if seconds > SLOW_COMMIT:
        remedy = "Each command waits for a commit. Use a faster volume, best a local one."
        return [warning("database", text, remedy)]
    return [ok("database", text)]


async def _use_store(path: Path, mode: str, *, exclusive: bool) -> float:
    """Write to a store, and again after reopening it; return the seconds that a commit takes."""
    store = Store(path, journal_mode=mode, exclusive=exclusive)
    moment = datetime.now(UTC)
    for _ in range(2):
        await store.open()
        try:
            began = time.monotonic()
            for number in range(COMMITS):
                await store.write(lambda tx, n=number: tx.set_config(f"doctor{n}", "ok", moment))  # type: ignore[misc]
            seconds = (time.monotonic() - began) / COMMITS
            stored = await store.read(lambda tx: tx.config())
        finally:
            await store.close()
        if len(stored) != COMMITS:
            raise OSError(errno.EIO, "SQLite did not read back what it wrote")
    return seconds


def neighbours(settings: Settings) -> list[Finding]:
    """Check that nobody but the service's user and root can replace the store."""
    root, own = _root(settings), own_folder(settings)
    if settings.storage.trust == "volume":
        text = "whoever can write to the volume may do what the service may (storage.trust: volume)"
        return [ok("neighbours", text)]
    user = os.geteuid() or (own.stat().st_uid if own.exists() else 0)  # root, for the service
    found = trust.shared_way(own, user)
    if found is None and own.exists():
        found = trust.foreign_content(own, user)
    if found is None:
        return [ok("neighbours", "no other user can replace the store")]
    if not trust.shows_owners(root):
        remedy = (
            "Mount it with the owner and modes of the service's user alone, or set storage.trust "
            "to volume; see docs/security.md."
        )
        text = f"{found}, but the filesystem does not show the true owners"
        return [warning("neighbours", text, remedy)]
    if root.stat().st_uid == user and trust.shared_way(root.parent, user) is None:
        remedy = f"The service sets the sticky bit at its start; or do it now: `chmod +t {root}`."
        if not own.exists() or own.lstat().st_uid == user:
            return [warning("neighbours", found, remedy)]
    message = not_trusted(found).removeprefix("storage.root: ")
    return [problem("neighbours", found, message.partition(". ")[2])]


def clock(settings: Settings) -> list[Finding]:
    """Compare this machine's clock with the volume's."""
    with _scratch(settings) as folder:
        before = time.time()
        path = folder / "now"
        path.touch()
        ahead = path.stat().st_mtime - before
    if abs(ahead) > CLOCK_TOLERANCE:
        return [
            warning(
                "volume's clock",
                f"its file times are {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}",
                "Synchronise the clocks of the volume's server and of this machine by NTP.",
            )
        ]
    return [ok("volume's clock", "its file times agree with this machine's clock")]


def owner(settings: Settings) -> list[Finding]:
    """Check who owns the volume, and who may read the service's own folder."""
    root, own, user = _root(settings), own_folder(settings), os.getuid()
    status = root.stat()
    text = (
        f"user {user}:{os.getgid()}, umask {_umask():03o}; {root} belongs to "
        f"{status.st_uid}:{status.st_gid}, mode {status.st_mode & 0o7777:o}"
    )
    if user == 0:
        remedy = (
            "Run doctor as the service's user: root may do anything. In a container: `docker exec "
            "NAME entrypoint doctor`."
        )
        return [warning("user", f"{text}; this is root", remedy)]
    with contextlib.suppress(FileNotFoundError):
        own_status = own.stat()
        if own_status.st_uid != user:
            return [problem("user", f"{text}; {own} belongs to user {own_status.st_uid}", OWNER)]
        local = not mounts.is_network(mounts.mount_of(root).fstype)
        if local and own_status.st_mode & 0o077:
            remedy = f"`chmod 700 {own}`: it contains the cookies."
            return [warning("user", f"{text}; other users can read {own}", remedy)]
    return [ok("user", text)]


def _umask() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    umask = os.umask(0o022)  # it can only be read by setting it
    os.umask(umask)
    return umask


def temp_folder(settings: Settings) -> list[Finding]:
    """Check the folder of unfinished downloads."""
    chosen = settings.storage.temp_dir
    if chosen is None:
        return [ok("temporary folder", "on the volume")]
    folder = chosen.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    mount = mounts.mount_of(existing)
    free, _ = mounts.disk_usage(existing)
    text = f"{folder}, on {mount.fstype}, {decimal(free)} free"
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        remedy = "Give it to the service's user, or set storage.temp_dir to another folder."
        return [problem("temporary folder", f"{text}: not writable", remedy)]
    if mount.fstype in {"tmpfs", "ramfs"}:
        remedy = "It is in memory, and a long video fills it. Set storage.temp_dir to a disk."
        return [warning("temporary folder", text, remedy)]
    if free < settings.storage.min_free:
        remedy = "Make room, or set storage.temp_dir to another folder."
        return [warning("temporary folder", text, remedy)]
    return [ok("temporary folder", text)]


def _root(settings: Settings) -> Path:
    return settings.storage.root.expanduser().absolute()


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """Create a folder on the volume, and remove it at the end."""
    own = own_folder(settings)
    folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=own if own.is_dir() else own.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
