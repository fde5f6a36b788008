"""Builds and parses MQTT topics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
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
    """A parsed command topic; ``name`` is None where the payload names the command."""

    session_id: str
    name: str | None


@dataclass(frozen=True)
class SettingTopic:
    """A parsed ``/set`` topic of a setting."""

    key: str


@dataclass(frozen=True)
class Topics:
    """The topics of a service, or of one session, below ``base``.

    ``isolated``: each session publishes its jobs, events and replies below ``session/<sid>/``.
    """

    base: str
    isolated: bool = False

    @property
    def root(self) -> str:
        """The service's base topic, even if ``base`` is a session's."""
        return _SESSION_BASE.sub("", self.base)

    def of(self, session_id: str) -> Topics:
        """Return the topics of a session's jobs, events and replies."""
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
        """What the service is doing."""
        return f"{self.root}/state"

    @property
    def command(self) -> str:
        """Takes every command: text is a URL to download, an object names its command."""
        return f"{self.base}/command"

    @property
    def response(self) -> str:
        """The reply to every command."""
        return f"{self.base}/response"

    @property
    def jobs(self) -> str:
        """Short lists of jobs for a dashboard card."""
        return f"{self.base}/jobs"

    @property
    def jobs_now(self) -> str:
        """The jobs that run and wait, and what a dashboard says of the service."""
        return f"{self.root}/jobs/now"

    @property
    def jobs_finished(self) -> str:
        """The newest completed jobs."""
        return f"{self.root}/jobs/finished"

    @property
    def jobs_failed(self) -> str:
        """The newest failed jobs."""
        return f"{self.root}/jobs/failed"

    @property
    def library(self) -> str:
        """The library in numbers, and its newest titles."""
        return f"{self.root}/library"

    @property
    def subscriptions(self) -> str:
        """The subscriptions in numbers, those that fail, and what they found last."""
        return f"{self.base}/subscriptions"

    def subscription_state(self, subscription_id: str) -> str:
        """Return the topic of a subscription; ``+`` gives the filter for all of them."""
        return f"{self.base}/subscription/{subscription_id}/state"

    @property
    def event(self) -> str:
        """Events, not retained."""
        return f"{self.base}/event"

    @property
    def thumbnail(self) -> str:
        """The thumbnail of the current or last job: a JPEG in base64."""
        return f"{self.base}/thumbnail"

    @property
    def tiles(self) -> str:
        """The thumbnails of the listed jobs as one picture: a JPEG in base64."""
        return f"{self.root}/tiles"

    @property
    def ytdlp(self) -> str:
        """The installed and the latest version of yt-dlp, and a running update."""
        return f"{self.base}/ytdlp"

    @property
    def presence(self) -> str:
        """Questions and answers between services that share the base topic."""
        return f"{self.root}/presence"

    def command_for(self, name: str) -> str:
        """Return the topic that takes one command."""
        return f"{self.base}/command/{name}"

    def job_state(self, job_id: str) -> str:
        """Return the topic of a job; ``+`` gives the filter for all jobs."""
        return f"{self.base}/job/{job_id}/state"

    def job_progress(self, job_id: str) -> str:
        """Return the topic of a job's progress; ``+`` gives the filter for all jobs."""
        return f"{self.base}/job/{job_id}/progress"

    def setting(self, key: str) -> str:
        """Return the topic of a runtime setting's value."""
        return f"{self.base}/setting/{key}"

    def setting_set(self, key: str) -> str:
        """Return the topic that takes a new value for a runtime setting."""
        return f"{self.base}/setting/{key}/set"

    @property
    def intake(self) -> tuple[str, ...]:
        """The topic filters of all commands and setting changes."""
        return (
            f"{self.base}/command",
            f"{self.base}/command/+",
            f"{self.base}/session/+/command",
            f"{self.base}/session/+/command/+",
            f"{self.base}/setting/+/set",
        )

    def exact_intake(self, commands: Iterable[str], settings: Iterable[str]) -> tuple[str, ...]:
        """Return the topics of commands and settings, for a broker without wildcards.

        Those of sessions are not among them.
        """
        return (
            self.command,
            *(self.command_for(name) for name in commands),
            *(self.setting_set(key) for key in settings),
        )

    def parse(self, topic: str) -> CommandTopic | SettingTopic | None:  # noqa: PLR0911 - one return for each form
        """Parse a topic that `intake` matches; return None for any other."""
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

    def sender(self, topic: str) -> str:
        """Return the session that a command's topic names, allowed or not; else an empty text."""
        prefix = f"{self.base}/session/"
        return topic[len(prefix) :].split("/", 1)[0] if topic.startswith(prefix) else ""

    def parse_job(self, topic: str) -> tuple[str, str] | None:
        """Return a job topic's id and kind (``state`` or ``progress``); None for any other."""
        match topic.removeprefix(f"{self.base}/").split("/"):
            case ["job", job_id, ("state" | "progress") as kind]:
                return job_id, kind
        return None

    @property
    def retained(self) -> tuple[str, ...]:
        """The topic filters of everything that a service retains below its base topic."""
        single = (self.status, self.info, self.state, self.thumbnail, self.tiles, self.ytdlp)
        lists = (self.jobs, self.jobs_now, self.jobs_finished, self.jobs_failed)
        library = (self.library, self.subscriptions)
        return (
            *single,
            *lists,
            *library,
            self.setting("+"),
            *self.retained_jobs,
            *self.retained_subscriptions,
        )

    def is_of_jobs(self, topic: str) -> bool:
        """Whether a topic is one of this service's `retained_jobs`."""
        if not topic.startswith(f"{self.base}/"):
            return False
        match topic[len(self.base) + 1 :].split("/"):
            case ["job", _, "state" | "progress"]:
                return True
            case ["session", _, "jobs"] | ["session", _, "job", _, "state" | "progress"]:
                return True
        return False

    @property
    def retained_jobs(self) -> tuple[str, ...]:
        """The topic filters of all retained messages about jobs, in any session mode."""
        return (
            f"{self.base}/job/+/state",
            f"{self.base}/job/+/progress",
            f"{self.base}/session/+/job/+/state",
            f"{self.base}/session/+/job/+/progress",
            f"{self.base}/session/+/jobs",
        )

    def is_of_subscriptions(self, topic: str) -> bool:
        """Whether a topic is one of this service's `retained_subscriptions`."""
        if not topic.startswith(f"{self.base}/"):
            return False
        match topic[len(self.base) + 1 :].split("/"):
            case ["subscription", _, "state"]:
                return True
            case ["session", _, "subscriptions"] | ["session", _, "subscription", _, "state"]:
                return True
        return False

    @property
    def retained_subscriptions(self) -> tuple[str, ...]:
        """The topic filters of all retained messages about subscriptions, in any session mode."""
        return (
            f"{self.base}/subscription/+/state",
            f"{self.base}/session/+/subscription/+/state",
            f"{self.base}/session/+/subscriptions",
        )


def dumps(value: Any) -> str:
    """Serialize a payload: compact JSON in UTF-8; raise ValueError for NaN."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
