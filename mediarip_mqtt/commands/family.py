"""What every command is made of: the base classes of the families, and types of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

from pydantic import AfterValidator, AliasChoices, AwareDatetime, Field, StringConstraints

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.frozen import Frozen
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
# Years near 1 and 9999 can't be turned into UTC.
When = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC)),
]


class Command(Frozen):
    """A command: its fields are its payload, its docstring describes it in the generated docs.

    A command has ``command: Literal["its_name"] = "its_name"``, an `example` and `run`, whose
    return annotation lists its replies.
    """

    command_name: ClassVar[str] = ""  # set for each class that has the field `command`
    example: ClassVar[Mapping[str, Any]] = {}  # a payload, for the contract and its pages
    main_argument: ClassVar[str | None] = None  # the field that plain text means
    reads: ClassVar[bool] = False  # changes nothing: answered without a transaction
    prepares: ClassVar[bool] = False  # set for each class with a `prepare` of its own

    request_id: RequestId | None = Field(
        None,
        description="Comes back in the reply; the same one from the same session acts only once.",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "command" in cls.model_fields:
            cls.command_name = cls.model_fields["command"].default
        cls.prepares = cls.prepare is not Command.prepare

    @classmethod
    def replies(cls) -> tuple[type[Accepted], ...]:
        """Return the classes of its replies, beside `Refused`."""
        annotation = get_type_hints(cls.run)["return"]
        kinds = get_args(annotation) or (annotation,)
        return tuple(kind for kind in kinds if kind is not NoneType)

    @classmethod
    def from_text(cls, text: str) -> dict[str, Any]:
        """Return the fields that plain text (not empty) stands for; raises `CommandError`."""
        if cls.main_argument is None:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                f"`{cls.command_name}` takes no plain text, only a JSON object.",
            )
        return {cls.main_argument: text}

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that a JSON object stands for; raises `CommandError`."""
        return fields

    def concerns_all(self) -> bool:
        """Whether it acts on more than one session: an isolated one may not ask for it."""
        return False

    async def prepare(self, _context: Context, _origin: Origin, /) -> Any:
        """Do what takes long or touches files; return what `run` gets. Raises `CommandError`.

        Comes before the transaction, and again with the same command after a kill in between.
        """
        return None

    def run(self, tx: Tx, context: Context, origin: Origin, prepared: Any, /) -> Accepted | None:
        """Act, in the transaction that also keeps the reply; None: it is answered later.

        Runs in the store's thread, and may run twice: the first time is undone then.
        """
        raise NotImplementedError

    def refused(self, tx: Tx, context: Context) -> None:
        """Act in the transaction of a refusal by `run`, whose writes are undone."""

    async def committed(self, context: Context) -> None:
        """Act after the transaction, before the next command."""


class Referring(Command):
    """A command about a job."""

    main_argument = "id"

    id: JobRef = Field(
        validation_alias=AliasChoices("id", "job_id"),
        description="A job's id, 4 or more characters of its beginning, `last`, `current`, `all`.",
    )


class MaybeReferring(Command):
    """A command about a job, or about the queue."""

    main_argument = "id"

    id: JobRef | None = Field(
        None,
        validation_alias=AliasChoices("id", "job_id"),
        description="A job; none for the whole queue.",
    )
