"""The grammar of topics."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

CONTRACT_VERSION: Final = 1
SESSION_ID: Final = re.compile(r"^[A-Za-z0-9_.@-]{1,64}$")
ROOT_SESSION: Final = "default"
_SESSION_BASE: Final = re.compile(r"/session/[^/]+$")
ONLINE: Final = "online"
OFFLINE: Final = "offline"


@dataclass(frozen=True)
class CommandTopic:
    """Where a command arrived: the session it speaks for, and the command the topic names."""

    session_id: str
    name: str | None


@dataclass(frozen=True)
class SettingTopic:
    """A setting's ``/set`` topic."""

    key: str


@dataclass(frozen=True)
class Topics:
    """All topics of a service below its base topic, or of one session below its own.

    ``isolated`` says that each session's jobs, events and replies stand below ``session/<sid>/``.
    """

    base: str
    isolated: bool = False

    @property
    def root(self) -> str:
        """The service's base topic, also where these are the topics of a session."""
        return _SESSION_BASE.sub("", self.base)

    def of(self, session_id: str) -> Topics:
        """Return the topics on which a session's jobs, events and replies are published."""
        if not self.isolated or session_id == ROOT_SESSION:
            return self
        return Topics(f"{self.base}/session/{session_id}")

    @property
    def status(self) -> str:
        """`online` or `offline`."""
        return f"{self.root}/status"

    @property
    def info(self) -> str:
        """Facts that rarely change."""
        return f"{self.root}/info"

    @property
    def state(self) -> str:
        """What the service does."""
        return f"{self.root}/state"

    @property
    def command(self) -> str:
        """The one door for everything."""
        return f"{self.base}/command"

    @property
    def response(self) -> str:
        """The reply to every command."""
        return f"{self.base}/response"

    @property
    def jobs(self) -> str:
        """What a dashboard card needs."""
        return f"{self.base}/jobs"

    @property
    def event(self) -> str:
        """One message for each thing that happened."""
        return f"{self.base}/event"

    @property
    def thumbnail(self) -> str:
        """The picture of the current or last job: a JPEG in base64."""
        return f"{self.base}/thumbnail"

    @property
    def ytdlp(self) -> str:
        """The version of yt-dlp, the newest one, and the update under way."""
        return f"{self.base}/ytdlp"

    def command_for(self, name: str) -> str:
        """Return the topic of one command."""
        return f"{self.base}/command/{name}"

    def job_state(self, job_id: str) -> str:
        """Return the topic of a whole job; ``+`` for all."""
        return f"{self.base}/job/{job_id}/state"

    def job_progress(self, job_id: str) -> str:
        """Return the topic of a running job's progress; ``+`` for all."""
        return f"{self.base}/job/{job_id}/progress"

    def setting(self, key: str) -> str:
        """Return the topic of a runtime setting's value."""
        return f"{self.base}/setting/{key}"

    def setting_set(self, key: str) -> str:
        """Return the topic that takes a new value for a runtime setting."""
        return f"{self.base}/setting/{key}/set"

    @property
    def intake(self) -> tuple[str, ...]:
        """The filters of everything that may be commanded."""
        return (
            f"{self.base}/command",
            f"{self.base}/command/+",
            f"{self.base}/session/+/command",
            f"{self.base}/session/+/command/+",
            f"{self.base}/setting/+/set",
        )

    def parse(self, topic: str) -> CommandTopic | SettingTopic | None:  # noqa: PLR0911 - one for each form
        """Return what a topic of `intake` means; None for any other."""
        if not topic.startswith(f"{self.base}/"):
            return None
        match topic[len(self.base) + 1 :].split("/"):
            case ["command"]:
                return CommandTopic(ROOT_SESSION, None)
            case ["command", name]:
                return CommandTopic(ROOT_SESSION, name)
            case ["session", sid, "command"]:
                return CommandTopic(sid, None)
            case ["session", sid, "command", name]:
                return CommandTopic(sid, name)
            case ["setting", key, "set"]:
                return SettingTopic(key)
        return None

    def parse_job(self, topic: str) -> tuple[str, str] | None:
        """Return a job topic's id and kind (``state`` or ``progress``); None for any other."""
        match topic.removeprefix(f"{self.base}/").split("/"):
            case ["job", job_id, ("state" | "progress") as kind]:
                return job_id, kind
        return None

    @property
    def retained_jobs(self) -> tuple[str, ...]:
        """The filters of everything that is retained of jobs, in any session mode."""
        return (
            f"{self.base}/job/+/state",
            f"{self.base}/job/+/progress",
            f"{self.base}/session/+/job/+/state",
            f"{self.base}/session/+/job/+/progress",
            f"{self.base}/session/+/jobs",
        )


def dumps(value: Any) -> str:
    """Return JSON as it is published: UTF-8, compact, never NaN."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
