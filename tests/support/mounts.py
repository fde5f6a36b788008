"""Mounts and unmounts volumes; needs root on Linux."""

from __future__ import annotations

import subprocess


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def umount(point: object) -> bool:
    """Unmount lazily, even if in use; return whether it was mounted."""
    done = subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False)
    return not done.returncode
