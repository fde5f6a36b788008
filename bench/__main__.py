"""Run the benchmarks: ``python -m bench``; see ``--help``."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import command_figures, download_figures, footprint_figures, report
from bench.figure import Figure
from bench.rig import rig

PARTS = {
    "downloads": download_figures.measure,
    "commands": command_figures.measure,
    "footprint": footprint_figures.measure,
}


def main() -> None:
    """Measure, and print each figure as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parts_help = f"of {', '.join(PARTS)}; all if none is named"
    parser.add_argument("parts", nargs="*", metavar="PART", help=parts_help)
    parser.add_argument("--quick", action="store_true", help="a few jobs only: whether it runs")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    figures: list[Figure] = []
    with rig() as parts:
        for name in options.parts or PARTS:
            for figure in PARTS[name](parts, quick=options.quick):
                figures.append(figure)
                print(report.table([figure]).splitlines()[-1], flush=True)
    if options.write:
        report.write(figures, Path(__file__).parent.parent)


if __name__ == "__main__":
    main()
