"""What the replies to commands hold: one class for each shape, and which command has which."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from mediarip_mqtt.contract.errors import ErrorCode
from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.models import Job, MediaInfo, Timestamp
from mediarip_mqtt.contract.topic_payloads import SettingDetail


class Accepted(Frozen):
    """The reply to a command that was carried out."""

    ok: Literal[True]
    command: str
    request_id: str | None = Field(description="As sent.")


class OneJob(Accepted):
    """The job, as it is after the command."""

    job_id: str
    job: Job


class ManyJobs(Accepted):
    """The jobs that a command for all of them was carried out on."""

    job_ids: list[str]
    count: int


class Jobs(Accepted):
    """Jobs, the newest first."""

    jobs: list[Job]
    count: int


class Page(MediaInfo, Accepted):
    """What a page offers: one medium with its formats, or a playlist with its entries."""


class Cleared(Accepted):
    """How many jobs were hidden."""

    count: int


class Held(Accepted):
    """Whether the queue is held."""

    paused: bool


class SettingValues(Accepted):
    """Every runtime setting's value, and what it may be."""

    settings: dict[str, Any]
    details: dict[str, SettingDetail]


class CookieReport(Frozen):
    """What may be told of a session's cookies."""

    stored: bool
    count: int
    expired: int
    stored_at: Timestamp | None
    last_success: Timestamp | None = Field(description="When a download with them succeeded.")


class CookieState(Accepted):
    """Which cookies there are now; never what they hold."""

    cookies: CookieReport


class Removed(Accepted):
    """The jobs that were removed, or would be."""

    removed: list[str] = Field(description="Their ids, 1000 at most.")
    count: int = Field(description="All of them.")
    files: int = Field(description="Files that went with them.")
    freed: int = Field(description="Bytes of those files.")
    kept: int = Field(description="Finished jobs that are kept: `keep`.")
    failed: int = Field(description="Jobs that stay, as a file of theirs can't be removed.")
    dry_run: bool


class NotTaken(Frozen):
    """A record that was not imported."""

    index: int = Field(description="Its place in `jobs`, from 0.")
    code: ErrorCode
    message: str


class ImportReport(Accepted):
    """What became of records of history."""

    imported: int = Field(description="Jobs that are new.")
    skipped: int = Field(description="Jobs that were there already.")
    refused: list[NotTaken]
    dry_run: bool


class UpdateStarted(Accepted):
    """Whether an update begins; the event `ytdlp_updated` tells how it ended."""

    started: bool
    installed: str
    latest: str | None = Field(description="Null where the package index was not asked yet.")


class ErrorRow(Frozen):
    """A job that failed."""

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
    """A URL that yt-dlp does not know."""

    id: int
    url: str
    session_id: str | None
    error: str | None
    created_at: Timestamp


class ErrorLog(Accepted):
    """The newest rows of the error log and of the unsupported URLs."""

    errors: list[ErrorRow]
    unsupported_urls: list[UnsupportedRow]


class Reason(Frozen):
    """Why a command was refused."""

    code: ErrorCode
    message: str = Field(description="For people: what is wrong, and what to do.")
    field: str | None = Field(description="The key of the payload that is wrong.")


class Refused(Frozen):
    """The reply to a command that was refused, and changed nothing."""

    ok: Literal[False]
    command: str | None = Field(description="Null where the payload does not tell.")
    request_id: str | None = Field(description="As sent.")
    error: Reason


# A command's line here, its class in `commands` and its case in `effects` belong together.
ACCEPTED: Final[dict[str, tuple[type[Accepted], ...]]] = {
    "download": (OneJob,),
    "probe": (Page,),
    "cancel": (OneJob, ManyJobs),
    "retry": (OneJob, ManyJobs),
    "delete": (OneJob, ManyJobs),
    "keep": (OneJob, ManyJobs),
    "clear": (Cleared,),
    "pause": (Held, OneJob, ManyJobs),
    "resume": (Held, OneJob, ManyJobs),
    "prioritize": (OneJob, ManyJobs),
    "list": (Jobs,),
    "get": (OneJob, Jobs),
    "settings": (SettingValues,),
    "cookies": (CookieState,),
    "purge": (Removed,),
    "import": (ImportReport,),
    "update_ytdlp": (UpdateStarted,),
    "errors": (ErrorLog,),
}
