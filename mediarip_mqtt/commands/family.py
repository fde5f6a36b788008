"""Base classes of commands, and the types of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
)

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.store import Tx

JobRef = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(texts.printable),
]
RequestId = Annotated[
    str,
    Field(min_length=1, max_length=128, coerce_numbers_to_str=True),
    AfterValidator(texts.printable),
]
# Bounded: years near 1 and 9999 can't be converted to UTC.
When = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC)),
]


class Command(Frozen):
    """A command; its fields are its payload, its docstring is its text in the generated docs.

    A subclass has ``command: Literal["its_name"] = "its_name"``, an `example` and `run`, whose
    return annotation lists its replies.
    """

    # Templates make numbers of texts that look like one: `"folder": 2024`.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    command_name: ClassVar[str] = ""  # set for each class with the field `command`
    example: ClassVar[Mapping[str, Any]] = {}  # a payload, for the generated docs
    main_argument: ClassVar[str | None] = None  # the field that plain text sets
    reads: ClassVar[bool] = False  # changes nothing: needs no write transaction
    # Empty optional values are as if left out; not where that would concern more jobs.
    skips_empty: ClassVar[bool] = False
    prepares: ClassVar[bool] = False  # set for each class with a `prepare` of its own

    request_id: RequestId | None = Field(
        None,
        description="Repeated in the reply; a session's command with the same id is not run again.",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "command" in cls.model_fields:
            cls.command_name = cls.model_fields["command"].default
        cls.prepares = cls.prepare is not Command.prepare

    @classmethod
    def replies(cls) -> tuple[type[Accepted], ...]:
        """Return the classes of its replies, apart from `Refused`."""
        annotation = get_type_hints(cls.run)["return"]
        kinds = get_args(annotation) or (annotation,)
        return tuple(kind for kind in kinds if kind is not NoneType)

    @classmethod
    def from_text(cls, text: str) -> dict[str, Any]:
        """Convert plain text (not empty) to fields; raises `CommandError`."""
        if cls.main_argument is None:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                f"`{cls.command_name}` takes no plain text, only a JSON object.",
            )
        return {cls.main_argument: text}

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Convert a JSON object to fields; raises `CommandError`."""
        return {key: value for key, value in fields.items() if not cls._is_left_out(key, value)}

    @classmethod
    def _is_left_out(cls, key: str, value: object) -> bool:
        """Whether a value is an empty slot, as automations and forms send it."""
        if key != "request_id" and not cls.skips_empty:
            return False
        field = cls.model_fields.get(key)
        empty = value is None or (isinstance(value, str) and not value.strip())
        return empty and field is not None and not field.is_required()

    def concerns_all(self) -> bool:
        """Whether it affects all sessions: isolated sessions may not send it."""
        return False

    async def prepare(self, _context: Context, _origin: Origin, /) -> Any:
        """Do slow work and file access; return the value that `run` gets. Raises `CommandError`.

        Called before the transaction. After a kill in between it is called again for the
        redelivered command.
        """
        return None

    def run(self, tx: Tx, context: Context, origin: Origin, prepared: Any, /) -> Accepted | None:
        """Carry the command out in the reply's transaction; return None to reply later.

        Runs in the store's thread. It may run twice; the first run is then rolled back.
        """
        raise NotImplementedError

    def refused(self, tx: Tx, context: Context) -> None:
        """React in the transaction to a `CommandError` of `run`, whose writes are rolled back."""

    async def committed(self, context: Context) -> None:
        """Apply side effects after the commit, before the next command."""


class Referring(Command):
    """A command about a job."""

    main_argument = "id"

    id: JobRef = Field(
        validation_alias=AliasChoices("id", "job_id"),
        description="A job's id, its first 4 or more characters, `last`, `current` or `all`.",
    )


class MaybeReferring(Command):
    """A command about a job or about the whole queue."""

    main_argument = "id"

    id: JobRef | None = Field(
        None,
        validation_alias=AliasChoices("id", "job_id"),
        description="A job; leave it out for the whole queue.",
    )
