"""The replies that commands of several families share; the others stand in their family's file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from mediarip_mqtt.contract.errors import ErrorCode, MediaripError
from mediarip_mqtt.contract.frozen import Frozen
from mediarip_mqtt.contract.models import Job


class Accepted(Frozen):
    """The reply to a command that was carried out.

    A command leaves `command` and `request_id` to whoever sends the reply.
    """

    ok: Literal[True] = True
    command: str = ""
    request_id: str | None = Field(None, description="As sent.")

    def to_json(self, command: str, request_id: str | None) -> str:
        """Return the reply as it is published."""
        sent = self.model_copy(update={"command": command, "request_id": request_id})
        return sent.model_dump_json()


class OneJob(Accepted):
    """The job, as it is after the command."""

    job_id: str
    job: Job

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the reply with a job."""
        return cls(job_id=job.id, job=job)


class ManyJobs(Accepted):
    """The jobs that a command for all of them was carried out on."""

    job_ids: list[str]
    count: int


class Reason(Frozen):
    """Why a command was refused."""

    code: ErrorCode
    message: str = Field(description="For people: what is wrong, and what to do.")
    field: str | None = Field(description="The key of the payload that is wrong.")


class Refused(Frozen):
    """The reply to a command that was refused, and changed nothing."""

    ok: Literal[False] = False
    command: str | None = Field(description="Null where the payload does not tell.")
    request_id: str | None = Field(description="As sent.")
    error: Reason

    @classmethod
    def of(cls, error: MediaripError, command: str | None, request_id: str | None) -> Self:
        """Return the reply that tells of an error."""
        reason = Reason(code=error.code, message=error.message, field=error.field)
        return cls(command=command, request_id=request_id, error=reason)
