"""The limits of a reader process: memory, processor time, and where it may write.

Linux holds all of them; macOS has no limit of memory and no Landlock.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MEMORY: Final = 512 * 2**20  # bytes; a playlist of 10,000 items takes 150 MB
_NICENESS: Final = 5

# Landlock's system calls have the same numbers on all architectures; linux/landlock.h.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1  # flag: return the version of the kernel's interface
_PATH_BENEATH: Final = 1
_NO_NEW_PRIVILEGES: Final = 38  # of prctl(2)
_WRITE_FILE: Final = 1 << 1
_CHANGES: Final = (  # rights, and the version of the interface that knows them
    (_WRITE_FILE, 1),
    (sum(1 << bit for bit in range(4, 13)), 1),  # remove and make files and folders of all kinds
    (1 << 13, 2),  # move to another folder
    (1 << 14, 3),  # truncate
)


def confine(folders: Iterable[Path]) -> None:
    """Limit this process; ``folders`` are where it may write. Call it before other threads run."""
    os.nice(_NICENESS)
    _soft_limit(resource.RLIMIT_CORE, 0)
    _soft_limit(resource.RLIMIT_DATA, MEMORY)
    if sys.platform == "linux":
        restrict_writes(folders)


def allow_processor_time(seconds: int) -> None:
    """Let the process use so much from now on; then the system ends it (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds)


def allow_all() -> None:
    """Lift the limits in a program that the reader starts: V8 reserves more memory than it uses."""
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_CPU):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))


def _soft_limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    within = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS knows some and holds none
        resource.setrlimit(kind, (within, hard))


def restrict_writes(folders: Iterable[Path]) -> bool:
    """Deny writes outside of ``folders``, also to child processes; False if the kernel can't."""
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    rights = sum(right for right, since in _CHANGES if since <= version)
    handled = struct.pack("Q", rights)
    ruleset = library.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            _allow(library, ruleset, folder, rights)
        _allow(library, ruleset, Path(os.devnull), _WRITE_FILE)
        if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
            return False
        return bool(library.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(library: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", rights, descriptor)
        library.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, beneath, 0)
    finally:
        os.close(descriptor)
