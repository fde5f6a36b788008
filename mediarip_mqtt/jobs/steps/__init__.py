"""The steps of a job, one file each, in the order in which they run.

A new step is a file here and a line in `STEPS`. Each step reads the checkpoint of the one before
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mediarip_mqtt.jobs.steps.download import DownloadStep
from mediarip_mqtt.jobs.steps.extract import ExtractStep
from mediarip_mqtt.jobs.steps.place import PlaceStep
from mediarip_mqtt.jobs.steps.step import Step, Tools, Work

STEPS: Final[tuple[Callable[[Tools, str], Step], ...]] = (
    ExtractStep,
    DownloadStep,
    # `convert` and `transcribe` go here: they work on files in the temporary folder, before these
    # have their final names, and save a `Made` of their own.
    PlaceStep,
    # `organize` goes here: it works on files at their final paths.
)


def in_order(tools: Tools) -> tuple[Step, ...]:
    """Create the steps; each gets the name of the one before it."""
    steps: list[Step] = []
    for make in STEPS:
        steps.append(make(tools, steps[-1].name if steps else ""))
    return tuple(steps)


__all__ = ["STEPS", "Step", "Tools", "Work", "in_order"]
