"""Extraction, download and naming of one job, as the steps do it: without a store and a move."""

from __future__ import annotations

from collections.abc import Callable

from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.contract.settings import DownloadSettings
from mediarip_mqtt.engine.protocol import Control, Engine, Extraction, Task
from mediarip_mqtt.jobs.steps.place import wanted_names
from mediarip_mqtt.jobs.steps.step import PageData


class NamedFile(JobFile):
    """A file in the temporary folder, with the name that it should get."""

    warning: str | None = None  # of the whole download


def download(
    engine: Engine,
    task: Task,
    downloads: DownloadSettings | None = None,
    *,
    control: Control | None = None,
    extracted: Callable[[Extraction], object] = lambda _: None,
) -> tuple[NamedFile, ...]:
    """Return what a download makes; ``extracted`` is called before it begins."""
    control = control or engine.control()
    extraction = engine.extract(task, control)
    extracted(extraction)
    made = engine.download(task, extraction, control, lambda _: None)
    # As in a service that was restarted: only what is in the store reaches the names.
    page = PageData(host=extraction.host, fields=extraction.fields)
    stored = PageData.model_validate_json(page.model_dump_json())
    files = wanted_names(task.options, stored, made, engine, downloads or DownloadSettings())
    return tuple(NamedFile(**file.model_dump(), warning=made.warning) for file in files)
