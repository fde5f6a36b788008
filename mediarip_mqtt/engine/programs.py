"""Finds ffmpeg and a JavaScript runtime, on the system or in wheels."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

# yt-dlp's names of JavaScript runtimes, in its order of preference, and their programs.
JS_RUNTIMES: Final = {"deno": "deno", "node": "node", "quickjs": "qjs", "bun": "bun"}
_NODE_LEAST: Final = 22
VERSION_TIME: Final = 10.0  # seconds


def find(program: str) -> str | None:
    """Return a program's path, from PATH or from this Python's virtual environment."""
    beside = Path(sys.executable).parent / program
    return shutil.which(program) or (str(beside) if os.access(beside, os.X_OK) else None)


@cache
def ffmpeg() -> str | None:
    """Return the path of the system's ffmpeg, else of the one in the wheel imageio-ffmpeg."""
    system = find("ffmpeg")
    if system is not None:
        return system
    try:
        wheel = importlib.import_module("imageio_ffmpeg")
        return str(wheel.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


@cache
def programs() -> dict[str, str]:
    """Return the programs that yt-dlp may start: absolute path to kind."""
    kinds = {os.path.abspath(runtime["path"]): "javascript" for runtime in js_runtimes().values()}  # noqa: PTH100 - resolves no links
    path = ffmpeg()
    if path is not None:
        beside = Path(os.path.abspath(path))  # noqa: PTH100 - resolves no links
        # Where yt-dlp looks for ffprobe: its option takes ffmpeg's path only.
        kinds[str(beside.with_name(beside.name.replace("ffmpeg", "ffprobe")))] = "ffprobe"
        kinds[str(beside.with_name("ffprobe"))] = "ffprobe"
        kinds[str(beside)] = "ffmpeg"
    return kinds


@cache
def js_runtimes() -> dict[str, dict[str, str]]:
    """Return the safest available JavaScript runtime as yt-dlp's option ``js_runtimes``.

    Only one: given several, yt-dlp falls back to the next one if the safest refuses a script. It
    runs deno without permissions and node without file access; bun and quickjs without limits.
    """
    for name, program in JS_RUNTIMES.items():
        path = find(program)
        if path is not None and (name != "node" or _node_major(path) >= _NODE_LEAST):
            return {name: {"path": path}}
    return {}


def version(path: str | None, option: str) -> str | None:
    """Return the first line of a program's version output; None if it can't be run."""
    if path is None:
        return None
    try:
        result = subprocess.run(  # noqa: S603 - a path that `find` returned
            [path, option], capture_output=True, text=True, timeout=VERSION_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = result.stdout.splitlines()
    return lines[0][:80] if lines else None


def _node_major(path: str) -> int:
    text = (version(path, "--version") or "v0").removeprefix("v")
    return int(text.split(".")[0]) if text.split(".")[0].isdigit() else 0
