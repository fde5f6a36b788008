"""Mounting volumes, which only root may do, on Linux."""

from __future__ import annotations

import subprocess


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def umount(point: object) -> bool:
    """Take a mount away, also one that is in use; return whether there was one."""
    done = subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False)
    return not done.returncode
