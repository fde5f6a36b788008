"""The volume's filesystem, SQLite's journal mode for it, and its free space."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

JournalMode = Literal["wal", "truncate", "delete"]
UNKNOWN: Final = "unknown"

_LOCAL: Final = frozenset(
    (
        "apfs",
        "bcachefs",
        "btrfs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "fuse.exfat",
        "fuse.ntfs",
        "fuse.ntfs-3g",
        "fuseblk",
        "hfs",
        "hfsplus",
        "jfs",
        "ntfs3",
        "overlay",
        "ramfs",
        "reiserfs",
        "tmpfs",
        "ufs",
        "vfat",
        "xfs",
        "zfs",
    )
)


@dataclass(frozen=True)
class Mount:
    """The mount that a path is on."""

    fstype: str
    mount_point: str
    source: str = ""  # a device, or `server:/share`


def mount_of(path: Path, mountinfo: str | None = None) -> Mount:
    """Return the mount of a path: the longest mount point, and the last of equal ones.

    ``mountinfo`` is the text of /proc/self/mountinfo or /proc/mounts (see proc(5)), read from there
    by default. On systems without them (macOS) the filesystem is `UNKNOWN`.
    """
    text = _read("/proc/self/mountinfo", "/proc/mounts") if mountinfo is None else mountinfo
    target = str(path.resolve())
    best = Mount(UNKNOWN, "")
    for line in text.splitlines():
        mount = _parse(line)
        if mount is None or len(mount.mount_point) < len(best.mount_point):
            continue
        point = mount.mount_point
        if target == point or target.startswith(point.rstrip("/") + "/"):
            best = mount
    return best


def _parse(line: str) -> Mount | None:
    before, separator, after = line.partition(" - ")
    fields, rest = before.split(), after.split()
    match fields:
        case [_, _, _, _, point, *_] if separator and len(rest) > 1:
            return Mount(rest[0], _unescape(point), _unescape(rest[1]))
        case [source, point, fstype, _, "0" | "1", _] if not separator:  # /proc/mounts
            return Mount(fstype, _unescape(point), _unescape(source))
    return None


def is_network(fstype: str) -> bool:
    """Whether SQLite can't rely on locks: a network filesystem, or one not known to be local."""
    return fstype not in _LOCAL and fstype != UNKNOWN


def journal_mode(setting: str, fstype: str) -> JournalMode:
    """Return SQLite's journal mode: WAL needs shared memory, so only on local filesystems."""
    if setting != "auto":
        return cast("JournalMode", setting)
    return "truncate" if is_network(fstype) else "wal"


def disk_usage(path: Path) -> tuple[int, int]:
    """Return the free and the total bytes of a path's filesystem."""
    usage = shutil.disk_usage(path)
    return usage.free, usage.total


def _read(*paths: str) -> str:
    """Return the text of the first readable file, or an empty one."""
    for path in paths:
        try:
            return Path(path).read_text("utf-8", errors="surrogateescape")
        except OSError:
            continue
    return ""


def _unescape(text: str) -> str:
    """Decode proc(5)'s octal escapes of space, tab, newline and backslash."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
