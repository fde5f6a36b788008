"""Pages that were read before their job has a slot, kept in memory until its turn."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from mediarip_mqtt.engine.protocol import Extraction

LIMIT: Final = 4  # pages; beyond that the oldest is dropped, and read again later


class ReadAhead:
    """Extractions by job id."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, Extraction] = OrderedDict()

    @property
    def is_filled(self) -> bool:
        """Whether any page is kept."""
        return bool(self._pages)

    def has(self, job_id: str) -> bool:
        """Whether a job's page is kept; it may have expired."""
        return job_id in self._pages

    def has_fresh(self, job_id: str) -> bool:
        """Whether a job's page is kept and can be used for a download."""
        return job_id in self._pages and self._pages[job_id].is_fresh

    def keep(self, job_id: str, extraction: Extraction) -> None:
        """Keep a page; drop the oldest beyond `LIMIT`."""
        self._pages[job_id] = extraction
        while len(self._pages) > LIMIT:
            self._pages.popitem(last=False)

    def take(self, job_id: str) -> Extraction | None:
        """Remove and return a job's page, unless it has expired."""
        extraction = self._pages.pop(job_id, None)
        return extraction if extraction is not None and extraction.is_fresh else None
