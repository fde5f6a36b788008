"""The commands: what a payload may say, as a discriminated union of models.

A new command is its class here and its ``case`` in `mediarip_mqtt.commands.effects`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaType
from mediarip_mqtt.contract.models import JobStatus, Priority
from mediarip_mqtt.contract.sizes import MAX_BYTES, parse_size
from mediarip_mqtt.jobs.history_records import Record

MAX_TEXT: Final = 8192  # characters of a URL, and of plain text
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
Ref = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(texts.printable),
]
RequestId = Annotated[
    str,
    Field(min_length=1, max_length=128, coerce_numbers_to_str=True),
    AfterValidator(texts.printable),
]
Size = Annotated[
    int, BeforeValidator(parse_size, json_schema_input_type=int | str), Field(ge=0, le=MAX_BYTES)
]
# Years near 1 and 9999 can't be turned into UTC.
When = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC)),
]

EndedStatus = Literal["completed", "failed", "cancelled"]


def _one_line(value: object) -> object:
    """Return search words without the line breaks that a shared text has."""
    return " ".join(value.split()) if isinstance(value, str) else value


class Base(Frozen):
    """What every command may carry."""

    request_id: RequestId | None = Field(
        None,
        description="Comes back in the reply; the same one from the same session acts only once.",
    )


class Referring(Base):
    """A command about a job."""

    id: Ref = Field(
        validation_alias=AliasChoices("id", "job_id"),
        description="A job's id, 4 or more characters of its beginning, `last`, `current`, `all`.",
    )


class MaybeReferring(Base):
    """A command about a job, or about the queue."""

    id: Ref | None = Field(
        None,
        validation_alias=AliasChoices("id", "job_id"),
        description="A job; none for the whole queue.",
    )


class Download(Base, DownloadOptions):
    """Add a job."""

    # For readers of the schema; `parse` checks it, with a text of its own.
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["url"]}, {"required": ["query"]}]}
    )

    command: Literal["download"] = "download"
    url: Url | None = Field(
        None, description="http or https URL of a page, file, playlist or feed."
    )
    query: Annotated[texts.Line, BeforeValidator(_one_line)] | None = Field(
        None, description="Search words instead of a URL: the first hit."
    )
    # None: what the preset makes.
    media_type: MediaType | None = Field(None, description="`video` or `audio`.")  # type: ignore[assignment]
    priority: Priority = Field(Priority.NORMAL, description="Who goes first.")
    not_before: When | None = Field(None, description="ISO time before which it waits.")
    category: texts.Line | None = Field(None, description="A category of your own.")
    tags: tuple[texts.Line, ...] = Field((), max_length=20, description="Tags of your own.")
    keep: bool = Field(default=False, description="Retention leaves it alone, see `keep`.")
    on_duplicate: Literal["reuse", "again"] = Field(
        "again", description="`reuse` answers with the job that has the same URL and options."
    )


class ProbePage(Base):
    """Look at a page without downloading."""

    command: Literal["probe"] = "probe"
    url: Url = Field(description="http or https URL.")


class Cancel(Referring):
    """Stop a job for good."""

    command: Literal["cancel"] = "cancel"


class Retry(Referring):
    """Put a failed or cancelled job back in the queue."""

    command: Literal["retry"] = "retry"
    status: Literal["failed", "cancelled"] | None = Field(
        None, description="With `all`: only those that ended in this way."
    )


class Delete(Referring):
    """Remove a finished job."""

    command: Literal["delete"] = "delete"
    files: bool = Field(default=False, description="Remove its files, too.")


class Keep(Referring):
    """Let retention and `delete all` leave a job and its files alone, or not any more."""

    command: Literal["keep"] = "keep"
    keep: bool = Field(default=True, description="False takes it back.")


class Clear(MaybeReferring):
    """Hide finished jobs from `jobs`; they and their files are kept."""

    command: Literal["clear"] = "clear"


class Pause(MaybeReferring):
    """Hold the queue, or one job."""

    command: Literal["pause"] = "pause"


class Resume(MaybeReferring):
    """Let the queue, or one job, go on."""

    command: Literal["resume"] = "resume"


class Prioritize(Referring):
    """Change a job's place in the queue."""

    command: Literal["prioritize"] = "prioritize"
    priority: Priority = Field(Priority.HIGH, description="`high`, `normal` or `low`.")


class List(Base):
    """Return jobs, the newest first."""

    command: Literal["list"] = "list"
    status: tuple[JobStatus, ...] | JobStatus | None = Field(None, description="One, or a list.")
    session_id: texts.Line | None = Field(None, description="Only this session's.")
    limit: int = Field(50, ge=1, le=200, description="How many.")
    before: When | Ref | None = Field(
        None, description="Older than this: a time, or a job's id (for the next page)."
    )


class Get(Referring):
    """Return one job."""

    command: Literal["get"] = "get"


class ChangeSettings(Base):
    """Read runtime settings, or set those that are named."""

    command: Literal["settings"] = "settings"
    values: dict[str, Any] = Field(default_factory=dict, max_length=50)


class ManageCookies(Base):
    """Store, report on or delete the session's cookies; what they hold is never told."""

    command: Literal["cookies"] = "cookies"
    content: SecretStr | None = Field(
        None, min_length=1, description="A cookies.txt in Netscape's format; replaces the last one."
    )
    delete: bool = Field(default=False, description="Forget them.")

    @model_validator(mode="after")
    def _one_of_them(self) -> ManageCookies:
        if self.delete and self.content is not None:
            raise ValueError("`content` and `delete` contradict each other")
        return self


class Purge(Base):
    """Remove finished jobs by age, number and size, as retention does.

    A job goes where any of the rules that are named says so; none named: `purge.max_age`.
    """

    command: Literal["purge"] = "purge"
    older_than: float | None = Field(
        None,
        ge=0,
        le=100 * 365 * 86400,
        allow_inf_nan=False,
        description="Seconds since its end.",
    )
    keep_newest: int | None = Field(
        None, ge=0, le=10**9, description="So many stay, the newest ones."
    )
    max_total_size: Size | None = Field(
        None,
        description="Bytes, or text as `500G`: the oldest go until the files of the rest fit.",
    )
    status: tuple[EndedStatus, ...] | EndedStatus | None = Field(
        None, description="Only `completed`, `failed` or `cancelled` ones, or a list; else all."
    )
    files: bool | None = Field(
        None,
        description="Remove their files, too; where it is left out `purge.files`, and true with "
        "`max_total_size`.",
    )
    dry_run: bool = Field(default=False, description="Only tell which would go.")


class Import(Base):
    """Take finished jobs over as history: they own no files; what is known already is skipped."""

    command: Literal["import"] = "import"
    jobs: tuple[Record, ...] = Field(
        min_length=1, max_length=200, description="Finished jobs, a playlist before its items."
    )
    dry_run: bool = Field(default=False, description="Only tell how many are new.")


class UpdateYtdlp(Base):
    """Install and verify a newer yt-dlp, and switch to it when no download runs."""

    command: Literal["update_ytdlp"] = "update_ytdlp"
    action: Literal["install"] = Field("install", description="What Home Assistant's button says.")
    check: bool = Field(default=False, description="Only look whether there is a newer one.")


class Errors(Base):
    """Return the newest rows of the error log and of the unsupported URLs."""

    command: Literal["errors"] = "errors"
    limit: int = Field(50, ge=1, le=200, description="How many rows of each.")


Command = Annotated[
    Download
    | ProbePage
    | Cancel
    | Retry
    | Delete
    | Keep
    | Clear
    | Pause
    | Resume
    | Prioritize
    | List
    | Get
    | ChangeSettings
    | ManageCookies
    | Purge
    | Import
    | UpdateYtdlp
    | Errors,
    Field(discriminator="command"),
]
CLASSES: Final[dict[str, type[Base]]] = {
    cls.model_fields["command"].default: cls for cls in get_args(get_args(Command)[0])
}
# The key that a plain text means; commands without one take no plain text.
MAIN_ARGUMENT: Final = {
    name: next((key for key in ("url", "id", "action", "content") if key in cls.model_fields), None)
    for name, cls in CLASSES.items()
}
