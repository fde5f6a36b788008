"""Commands about a page: `download` and `probe`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote_plus

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command, When
from mediarip_mqtt.commands.plain_text import (
    MAX_TEXT,
    refuse_cookies,
    refuse_login,
    refuse_nothing,
    repair_url,
)
from mediarip_mqtt.commands.replies import Accepted, OneJob, Refused
from mediarip_mqtt.contract import presets, texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode, MediaripError
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaType
from mediarip_mqtt.contract.models import MediaInfo, Priority
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.contract.urls import Target, read_target
from mediarip_mqtt.store import Probe, Tx
from mediarip_mqtt.volume import names

MAX_PROBES: Final = 100
SESSION_PROBES: Final = 10  # per isolated session
Url = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT),
    Field(coerce_numbers_to_str=False),
]


def _one_line(value: object) -> object:
    """Join the lines of a shared text, for search words."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _as_list(value: object) -> object:
    """Take a single text or number as a list of one."""
    return (value,) if isinstance(value, str | int | float) else value


class AboutPage(Command):
    """A command that takes a URL."""

    main_argument = "url"
    skips_empty = True

    @classmethod
    def from_text(cls, text: str) -> dict[str, Any]:
        """Repair the URL if only one can be meant."""
        refuse_cookies(text)
        refuse_nothing(text)
        return {"url": repair_url(text) or text}

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Repair the URL as in plain text."""
        fields = super().from_object(fields)
        url, query = fields.get("url"), fields.get("query")
        if isinstance(query, str):
            refuse_cookies(query)
            refuse_login(query)
        if isinstance(url, str):
            refuse_cookies(url)
            refuse_nothing(url)
            return fields | {"url": repair_url(url, is_url=True) or url}
        return fields


class Download(AboutPage, DownloadOptions):
    """Add a job."""

    example: ClassVar = {
        "url": "https://videos.example/film",
        "preset": "720p",
        "folder": "films",
        "request_id": "r1",
    }
    # For readers of the schema; `_one_source` checks it, with a better error message.
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["url"]}, {"required": ["query"]}]}
    )

    command: Literal["download"] = "download"
    url: Url | None = Field(
        None, description="http or https URL of a page, file, playlist or feed."
    )
    query: Annotated[texts.Line, BeforeValidator(_one_line)] | None = Field(
        None, description="Search words instead of a URL; the first hit is downloaded."
    )
    # None: the preset's media type.
    media_type: MediaType | None = Field(None, description="`video` or `audio`.")  # type: ignore[assignment]
    priority: Priority = Field(Priority.NORMAL, description="Jobs of a higher priority run first.")
    not_before: When | None = Field(
        None, description="ISO 8601 time before which it does not start."
    )
    category: texts.Line | None = Field(None, description="A category of your own.")
    tags: Annotated[tuple[texts.Line, ...], BeforeValidator(_as_list)] = Field(
        (), max_length=20, description="Tags of your own."
    )
    keep: bool = Field(default=False, description="Protect it from retention, see `keep`.")

    @model_validator(mode="after")
    def _one_source(self) -> Download:
        if (self.url is None) == (self.query is None):
            both = ", not both" if self.url is not None else ""
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                f"A download needs a `url`, or search words as `query`{both}.",
                field="url",
            )
        return self

    @classmethod
    def from_text(cls, text: str) -> dict[str, Any]:
        """Treat text that can't be a URL as search words."""
        refuse_cookies(text)
        refuse_nothing(text)
        url = repair_url(text)
        if url is None:
            refuse_login(text)
            return {"query": text}
        return {"url": url}

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Accept also a number as `quality`."""
        fields = super().from_object(fields)
        if isinstance(fields.get("quality"), int):
            return fields | {"quality": str(fields["quality"])}
        return fields

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneJob:
        """Add the job, or return an equal one for `reuse`."""
        if self.output_template:
            names.check_template(self.output_template)
        target, options = self._source(context), self._options(context)
        presets.check(options, context.settings.downloads)
        job = context.jobs.add(
            tx,
            target.url,
            options,
            login=target.login,
            session_id=origin.session_id,
            priority=self.priority,
            not_before=self.not_before,
            category=self.category,
            tags=self.tags,
            request_id=self.request_id,
            keep=self.keep,
            reuse=self.on_duplicate == "reuse",
        )
        return OneJob.of(job)

    def _source(self, context: Context) -> Target:
        if self.url is not None:
            return read_target(self.url, context.settings.security)
        prefix, words = context.settings.downloads.search_prefix, self.query or ""
        if prefix.startswith(("http://", "https://")):
            return Target(prefix + quote_plus(words))
        return Target(prefix + words)

    def _options(self, context: Context) -> DownloadOptions:
        """Return the job's options: those of the payload, else the defaults."""
        preferences = context.preferences
        options = presets.with_defaults(
            self,
            context.settings.downloads,
            preferences.default_preset,
            preferences.default_quality,
        )
        folder = names.check_folder(self.folder) if self.folder else None
        return options.model_copy(update={"folder": folder})


class Page(MediaInfo, Accepted):
    """The content of a page: a medium with its formats, or a playlist with its entries."""


class ProbePage(AboutPage):
    """Read a page without downloading."""

    example: ClassVar = {"url": "https://videos.example/film"}

    command: Literal["probe"] = "probe"
    url: Url = Field(description="http or https URL.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Page | None:
        """Store the probe; `answer_probe` replies once the page is read."""
        target = read_target(self.url, context.settings.security)
        waiting = tx.probes()
        sender = (origin.session_id, origin.request_id)
        if origin.request_id and sender in {
            (probe.session_id, probe.request_id) for probe in waiting
        }:
            return None  # the same request: it gets one reply
        if len(waiting) >= MAX_PROBES:
            raise CommandError(
                ErrorCode.QUEUE_FULL, f"{len(waiting)} probes wait already. Try again later."
            )
        own = sum(probe.session_id == origin.session_id for probe in waiting)
        if own >= SESSION_PROBES and context.is_restricted(origin.session_id):
            raise CommandError(
                ErrorCode.QUEUE_FULL, f"{own} of your probes wait already. Try again later."
            )
        probe = Probe(
            id=0,
            url=target.url,
            login=target.login,
            session_id=origin.session_id,
            request_id=origin.request_id,
            response_topic=origin.response_topic,
            correlation=origin.correlation,
        )
        tx.add_probe(probe, context.clock())
        return None


def answer_probe(
    topics: Topics,
    clock: Callable[[], datetime],
    tx: Tx,
    probe: Probe,
    result: MediaInfo | MediaripError,
) -> None:
    """Reply to a probe with its page, or with the error."""
    name, request_id = ProbePage.command_name, probe.request_id
    if isinstance(result, MediaInfo):
        page = Page(**dict(result) | {"url": probe.url})
        payload = page.to_json(name, request_id)
    else:
        payload = Refused.of(result, name, request_id).model_dump_json()
    if request_id:
        tx.remember_request(probe.session_id, request_id, payload, clock())
    tx.reply(topics.of(probe.session_id).response, payload, clock())
    if probe.response_topic:
        tx.reply(probe.response_topic, payload, clock(), probe.correlation)
