"""The programs yt-dlp needs: ffmpeg and a JavaScript runtime, from the system or from wheels."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

# yt-dlp's names of JavaScript runtimes, in the order of its preference, and their programs.
JS_RUNTIMES: Final = {"deno": "deno", "node": "node", "quickjs": "qjs", "bun": "bun"}
_NODE_LEAST: Final = 22
VERSION_TIME: Final = 10.0


def find(program: str) -> str | None:
    """Return the path of a program, also from the environment this Python runs in."""
    beside = Path(sys.executable).parent / program
    return shutil.which(program) or (str(beside) if os.access(beside, os.X_OK) else None)


@cache
def ffmpeg() -> str | None:
    """Return the path of ffmpeg: the system's, or the one of the wheel imageio-ffmpeg."""
    found = find("ffmpeg")
    if found is not None:
        return found
    try:
        wheel = importlib.import_module("imageio_ffmpeg")
        return str(wheel.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


@cache
def programs() -> dict[str, str]:
    """Return what yt-dlp may start: absolute paths, and of what kind each one is."""
    found = {os.path.abspath(one["path"]): "javascript" for one in js_runtimes().values()}  # noqa: PTH100 - resolves no links
    path = ffmpeg()
    if path is not None:
        beside = Path(os.path.abspath(path))  # noqa: PTH100 - resolves no links
        # As yt-dlp finds it, whose option is only ffmpeg's path.
        found[str(beside.with_name(beside.name.replace("ffmpeg", "ffprobe")))] = "ffprobe"
        found[str(beside.with_name("ffprobe"))] = "ffprobe"
        found[str(beside)] = "ffmpeg"
    return found


@cache
def js_runtimes() -> dict[str, dict[str, str]]:
    """Return the safest JavaScript runtime that is there, as yt-dlp's option ``js_runtimes``.

    Only one: were there more, yt-dlp would run what the safest refuses in the next one. It gives
    deno no rights at all and node none to files; bun and quickjs know no such limits.
    """
    for name, program in JS_RUNTIMES.items():
        path = find(program)
        if path is not None and (name != "node" or _node_major(path) >= _NODE_LEAST):
            return {name: {"path": path}}
    return {}


def version(path: str | None, option: str) -> str | None:
    """Return the first line a program prints of its version."""
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a program that `find` found
            [path, option], capture_output=True, text=True, timeout=VERSION_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    return lines[0][:80] if lines else None


def _node_major(path: str) -> int:
    text = (version(path, "--version") or "v0").removeprefix("v")
    return int(text.split(".")[0]) if text.split(".")[0].isdigit() else 0
