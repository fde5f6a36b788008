"""Who else can replace what the service relies on: its code, its store, its cookies.

As with sshd's `StrictModes`: a folder is trusted if it and every folder on the way to it belong to
the service's user or to root, and only these two can rename what is in them. A folder in which
others may create files needs the sticky bit for that. Blocks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LINKS: Final = 40  # on the way to a folder, as in the kernel
_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class NotTrustedError(PermissionError):
    """Others can replace a folder that the service relies on; the text says which and why."""


def shared_way(folder: Path, *users: int) -> str | None:
    """Return why others than root and ``users`` can replace what is in a folder, or None.

    Without ``users``: the user of this process. The folder itself may be writable for others, with
    the sticky bit. The part of the path that does not exist is ignored.
    """
    owners = users or (os.geteuid(),)
    for path, status in _way(folder):
        if status.st_uid not in {0, *owners}:
            return f"{path} belongs to user {status.st_uid}"
        if who := _who_renames(status, *owners):
            return f"{who} may rename what is in {path} (mode {stat.S_IMODE(status.st_mode):o})"
    return None


def _who_renames(status: os.stat_result, *users: int) -> str | None:
    """Return who but root and ``users`` may rename what is in a folder; None without such users."""
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_ISVTX:
        return None
    if status.st_mode & stat.S_IWOTH:
        return "every user"
    if status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid, *users):
        return f"group {status.st_gid}"
    return None


def foreign_content(folder: Path, *users: int, deep: bool = False) -> str | None:
    """Return what in a folder belongs to others than root and ``users``, see `shared_way`.

    With ``deep``: what is anywhere below it.
    """
    owners = users or (os.geteuid(),)
    for where, folders, names in os.walk(folder, onerror=_raise):
        for name in (*folders, *names):
            path = Path(where, name)
            with contextlib.suppress(FileNotFoundError):
                if (uid := path.lstat().st_uid) not in {0, *owners}:
                    return f"{path} belongs to user {uid}"
        if not deep:
            break
    return None


def secure(parent: Path, folder: Path, *, create: bool = True) -> list[str]:
    """Make the service's own folder in ``parent``, for its user alone.

    If ``parent`` belongs to that user, it gets the sticky bit where it needs that. Return what was
    repaired, and what can't be checked on this filesystem. Raises `NotTrustedError` if others can
    replace the folder or have written into it, other `OSError` if it can't be made or read.
    """
    repaired = [text for text in (_make_sticky(parent),) if text]
    problem = shared_way(parent)
    if problem is None:
        if create:
            folder.mkdir(mode=0o700, exist_ok=True)
        problem = _close(folder, repaired) or shared_way(folder)
    if problem is None:
        return repaired
    if shows_owners(parent):
        raise NotTrustedError(errno.EPERM, problem)
    if create:
        folder.mkdir(mode=0o700, exist_ok=True)
    return [*repaired, f"{problem}, but its filesystem does not show the true owners"]


def _close(folder: Path, repaired: list[str]) -> str | None:
    """Take the permissions of others on an own folder; return what others have left in it."""
    status = folder.stat()
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to user {status.st_uid}"
    was_open = bool(status.st_mode & _BY_OTHERS)
    if was_open and not folder.is_symlink():
        folder.chmod(0o700)
        repaired.append(f"others could write to {folder}, so its mode is now 700")
    return foreign_content(folder, deep=was_open)


def make_parents(folder: Path) -> None:
    """Create a folder and its parents; where the umask lets others write, with the sticky bit."""
    if folder.exists():
        return
    make_parents(folder.parent)
    folder.mkdir(exist_ok=True)
    _make_sticky(folder)


def shows_owners(folder: Path) -> bool:
    """Whether the filesystem shows owners and permissions as they are; it must be writable.

    SMB and FAT show those of the mount's options, NFS with `all_squash` another user's, and some
    ACLs give every new file more permissions than it was made with. The file is looked at by its
    descriptor: nobody can exchange it.
    """
    path = folder / f".mediarip-owner-{secrets.token_hex(8)}"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    except OSError:
        return True  # read-only or full: what it shows is all there is
    try:
        status = os.fstat(handle)
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _make_sticky(folder: Path) -> str | None:
    """Set the sticky bit of an own folder in which others may rename; return what was done."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        status = os.fstat(handle)
        user = os.geteuid()
        if status.st_uid != user or _who_renames(status, user) is None:
            return None
        with contextlib.suppress(OSError):
            os.fchmod(handle, stat.S_IMODE(status.st_mode) | stat.S_ISVTX)
        if not os.fstat(handle).st_mode & stat.S_ISVTX:
            return None
    finally:
        os.close(handle)
    return (
        f"others may write to {folder}, so it now has the sticky bit (`chmod +t`): what is "
        "directly in it can be renamed and deleted by its owner alone"
    )


def _way(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield each folder and each link on the way to a folder, and the folder."""
    place, rest, links = Path("/"), deque(folder.absolute().parts[1:]), 0
    yield place, place.lstat()
    while rest:
        part = rest.popleft()
        if part == "..":
            place = place.parent
            continue
        step = place / part
        try:
            status = step.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        yield step, status
        if not stat.S_ISLNK(status.st_mode):
            place = step
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, "too many links", str(folder))
        target = step.readlink()
        rest.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
        place = Path("/") if target.is_absolute() else place


def _is_private(group: int, *users: int) -> bool:
    """Whether only root and ``users`` are in a group: Debian and Fedora make one for each user."""
    import grp  # noqa: PLC0415 - seldom needed
    import pwd  # noqa: PLC0415 - seldom needed

    if group == 0:
        return True
    try:
        names = {pwd.getpwuid(user).pw_name for user in users}
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:  # a container does not know the users of its host
        return False
    members.update(entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == group)
    return members <= names | {"root"}


def _raise(error: OSError) -> None:
    raise error
