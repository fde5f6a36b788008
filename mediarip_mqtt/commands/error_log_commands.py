"""The command about the error log: `errors`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import Timestamp
from mediarip_mqtt.store import Tx


class ErrorRow(Frozen):
    """A failure of a job."""

    id: int
    url: str
    domain: str | None
    error: str | None
    error_code: str | None
    format_id: str | None
    media_type: str | None
    session_id: str | None
    job_id: str | None
    created_at: Timestamp


class UnsupportedRow(Frozen):
    """A URL that yt-dlp does not support."""

    id: int
    url: str
    session_id: str | None
    error: str | None
    created_at: Timestamp


class ErrorLog(Accepted):
    """The newest rows of the error log and of the unsupported URLs."""

    errors: list[ErrorRow]
    unsupported_urls: list[UnsupportedRow]


class Errors(Command):
    """Return the newest rows of the error log and of the unsupported URLs."""

    example: ClassVar = {"limit": 10}
    reads = True

    command: Literal["errors"] = "errors"
    limit: int = Field(50, ge=1, le=200, description="How many rows of each table.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> ErrorLog:
        """Read the rows; an isolated session gets only its own."""
        scope = context.scope(origin.session_id)
        return ErrorLog(
            errors=[ErrorRow(**row) for row in tx.errors(self.limit, scope)],
            unsupported_urls=[UnsupportedRow(**row) for row in tx.unsupported(self.limit, scope)],
        )
