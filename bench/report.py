"""The table and the plot of `docs/performance.md`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Final

from yt_dlp.version import __version__ as ytdlp_version

from bench.figure import Figure
from mediarip_mqtt import __version__

PAGE: Final = Path("docs/performance.md")
PLOT: Final = Path("docs/images/performance.svg")
_TABLE: Final = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| figure | value | against | ratio |", "| --- | ---: | --- | ---: |"]
    for one in figures:
        against = f"{one.peer}: {_number(one.peer_value, one.unit)}" if one.peer else ""
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        lines.append(f"| {one.name} | {_number(one.value, one.unit)} | {against} | {ratio} |")
    return "\n".join(lines)


def machine() -> str:
    """Return one sentence about the machine and the versions."""
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True)  # noqa: S607 - the curl of PATH
    return (
        f"mediarip-mqtt {__version__}, yt-dlp {ytdlp_version}, curl {curl.stdout.split()[1]}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} processor cores."
    )


def write(figures: list[Figure], folder: Path) -> None:
    """Put table and plot into the docs below ``folder``."""
    page = folder / PAGE
    content = f"{machine()}\n\n{table(figures)}\n\n"
    text = _TABLE.sub(lambda found: f"{found[1]}{content}{found[2]}", page.read_text())
    page.write_text(text)
    _plot([one for one in figures if one.ratio is not None], folder / PLOT)


def _plot(figures: list[Figure], path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - only for `--write`

    plt.rcParams["svg.hashsalt"] = "mediarip"  # the same bytes for the same figures
    height = 0.45 * len(figures) + 1
    drawing, axes = plt.subplots(figsize=(9, height), layout="constrained")
    names = [f"{one.name}\nagainst {one.peer}" for one in figures]
    axes.barh(names, [one.ratio or 0 for one in figures], color="#03a9f4")
    axes.set_xscale("log")
    axes.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    axes.axvline(1, color="#555555", linewidth=1)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel("times the other's value: less is better")
    drawing.savefig(path, metadata={"Date": None})


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three significant digits
    return f"{value:.{digits}f} {unit}".strip()
