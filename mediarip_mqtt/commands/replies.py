"""Replies that several families of commands share; each family has its other replies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from mediarip_mqtt.contract.errors import ErrorCode, MediaripError
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.urls import hide_logins


class Accepted(Frozen):
    """The reply to a command that was carried out.

    `to_json` fills in `command` and `request_id`.
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
        """Return the reply for a job."""
        return cls(job_id=job.id, job=job)


class ManyJobs(Accepted):
    """The jobs on which a command for all jobs was carried out."""

    job_ids: list[str]
    count: int


class Reason(Frozen):
    """Why a command was refused."""

    code: ErrorCode
    message: str = Field(description="For people: what is wrong and what to do.")
    field: str | None = Field(description="The payload's key whose value is wrong.")


class Refused(Frozen):
    """The reply to a command that was refused."""

    ok: Literal[False] = False
    command: str | None = Field(description="Null if the payload does not say.")
    request_id: str | None = Field(description="As sent.")
    error: Reason

    @classmethod
    def of(cls, error: MediaripError, command: str | None, request_id: str | None) -> Self:
        """Return the reply for an error."""
        # A message, or a name that does not exist, may repeat what was sent.
        message, place = hide_logins(error.message), error.field and hide_logins(error.field)
        reason = Reason(code=error.code, message=message, field=place)
        named = command and hide_logins(command)
        return cls(command=named, request_id=request_id, error=reason)
