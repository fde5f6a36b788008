"""Work of the library on many titles at once: `organize all` and `adopt`, in chunks."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import Timestamp


class RunKind(StrEnum):
    """What a run does with each title or file."""

    ORGANIZE = "organize"  # move it to where the layout says
    ADOPT = "adopt"  # make a title of a file that another tool made


class LibraryProgress(Frozen):
    """How far a run has come; it goes on after a restart."""

    kind: RunKind
    folder: str = Field("", description="The folder of `adopt`.")
    total: int | None = Field(None, description="Titles to look at; null: unknown.")
    checked: int = Field(0, ge=0, description="Titles or media that were looked at.")
    changed: int = Field(0, ge=0, description="Titles that are moved, or media that became titles.")
    skipped: int = Field(
        0,
        ge=0,
        description="What stays although it is out of place or no title: its file is gone, "
        "replaced, a duplicate, has an unfit name, or nothing says what it is.",
    )
    started_at: Timestamp


class LibraryRun(LibraryProgress):
    """A run as the store holds it.

    ``position`` is the last item that is done; ``scope`` the only session whose titles are meant.
    """

    id: int = 0
    session_id: str
    scope: str | None = None
    position: str = ""

    @property
    def progress(self) -> LibraryProgress:
        """What topics, replies and events show of it."""
        return LibraryProgress(**self.model_dump(include=set(LibraryProgress.model_fields)))
