"""The steps of a job, one file each, in the order in which they run.

A new step is a file here and a line in `STEPS`. Each step reads the checkpoint of the one before
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.engine.protocol import Recorded
from mediarip_mqtt.jobs.steps.download import DownloadStep
from mediarip_mqtt.jobs.steps.extract import ExtractStep
from mediarip_mqtt.jobs.steps.place import PlaceStep
from mediarip_mqtt.jobs.steps.step import PageData, Step, Tools, Work

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


def results_of(recorded: Recorded, error: DownloadError) -> dict[str, str]:
    """Return the checkpoints of a job that ends with what it recorded, by the steps' names."""
    page = PageData(host=recorded.host, fields=recorded.fields)
    reason = f"The recording may lack its end: {error.message}"
    warning = " ".join(filter(None, (reason, recorded.made.warning)))
    made = recorded.made.model_copy(update={"warning": warning})
    return {
        ExtractStep.name: page.model_dump_json(),
        DownloadStep.name: made.model_dump_json(),
    }


__all__ = ["STEPS", "Step", "Tools", "Work", "in_order", "results_of"]
