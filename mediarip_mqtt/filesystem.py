"""What the volume is: its filesystem, SQLite's journal mode on it, its space."""

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


def mount_of(path: Path, mountinfo: str | None = None) -> Mount:
    """Return the mount of a path: the longest mount point, of equal ones the last.

    ``mountinfo`` is the text of /proc/self/mountinfo (proc(5)); read from there by default.
    """
    text = _read("/proc/self/mountinfo") if mountinfo is None else mountinfo
    target = str(path.resolve())
    best = Mount(UNKNOWN, "")
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split()
        if not separator or len(fields) < 5 or not after.split():  # noqa: PLR2004 - proc(5): the fifth is the mount point
            continue
        point = _unescape(fields[4])
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best.mount_point):
            best = Mount(after.split()[0], point)
    return best


def is_network(fstype: str) -> bool:
    """Whether SQLite must be careful: a network filesystem, or one not known to be local."""
    return fstype not in _LOCAL and fstype != UNKNOWN


def journal_mode(setting: str, fstype: str) -> JournalMode:
    """Return the journal mode for a filesystem: WAL needs shared memory, so only on local ones."""
    if setting != "auto":
        return cast("JournalMode", setting)
    return "truncate" if is_network(fstype) else "wal"


def disk_usage(path: Path) -> tuple[int, int]:
    """Return the free and the total bytes of a path's filesystem."""
    usage = shutil.disk_usage(path)
    return usage.free, usage.total


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _unescape(text: str) -> str:
    """Decode the octal escapes of proc(5): space, tab, newline, backslash."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
