"""Commands about a page: `download` and `probe`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote_plus

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command, When
from mediarip_mqtt.commands.plain_text import MAX_TEXT, refuse_cookies, repair_url
from mediarip_mqtt.commands.replies import Accepted, OneJob, Refused
from mediarip_mqtt.contract import presets, texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode, MediaripError
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaType
from mediarip_mqtt.contract.models import MediaInfo, Priority
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.contract.urls import check_url
from mediarip_mqtt.store import Probe, Tx
from mediarip_mqtt.volume import names

MAX_PROBES: Final = 100
SESSION_PROBES: Final = 10  # of one isolated session
# What names a format: where a sender uses none of them, the defaults hold.
_CHOOSING: Final = ("preset", "quality", "format_id", "media_type", "output_format")
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]


def _one_line(value: object) -> object:
    """Return search words without the line breaks that a shared text has."""
    return " ".join(value.split()) if isinstance(value, str) else value


class AboutPage(Command):
    """A command that takes a URL."""

    main_argument = "url"

    @classmethod
    def from_text(cls, text: str) -> dict[str, Any]:
        """Repair the URL where it can only mean one thing."""
        refuse_cookies(text)
        return {"url": repair_url(text) or text}

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Repair the URL as that of plain text."""
        for key in ("url", "query"):
            if isinstance(fields.get(key), str):
                refuse_cookies(fields[key])
        if isinstance(fields.get("url"), str):
            return fields | {"url": repair_url(fields["url"]) or fields["url"]}
        return fields


class Download(AboutPage, DownloadOptions):
    """Add a job."""

    example: ClassVar = {
        "url": "https://videos.example/film",
        "preset": "720p",
        "folder": "films",
        "request_id": "r1",
    }
    # For readers of the schema; `_one_source` checks it, with a text of its own.
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
        """Search for what can't be meant as a URL."""
        refuse_cookies(text)
        url = repair_url(text)
        return {"query": text} if url is None else {"url": url}

    @classmethod
    def from_object(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Take a number as a quality, too."""
        fields = super().from_object(fields)
        if isinstance(fields.get("quality"), int):
            return fields | {"quality": str(fields["quality"])}
        return fields

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneJob:
        """Add the job, or find the one that does the same."""
        if self.output_template:
            names.check_template(self.output_template)
        url, options = self._source(context), self._options(context)
        presets.check(options, context.settings.downloads)
        job = context.jobs.add(
            tx,
            url,
            options,
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

    def _source(self, context: Context) -> str:
        if self.url is not None:
            return check_url(self.url, context.settings.security)
        prefix, words = context.settings.downloads.search_prefix, self.query or ""
        if prefix.startswith(("http://", "https://")):
            return prefix + quote_plus(words)
        return prefix + words

    def _options(self, context: Context) -> DownloadOptions:
        """Return what the job keeps: as asked for, with the defaults where nothing was chosen."""
        downloads, preferences = context.settings.downloads, context.preferences
        asked = self.model_dump(include=set(DownloadOptions.model_fields))
        preset = self.preset or preferences.default_preset
        asked["media_type"] = self.media_type or presets.media_type(preset, downloads)
        asked["folder"] = names.check_folder(self.folder) if self.folder else None
        if not any(getattr(self, key) for key in _CHOOSING):
            asked["preset"] = preset
            asked["quality"] = presets.capped(preset, preferences.default_quality, downloads)
        return DownloadOptions(**asked)


class Page(MediaInfo, Accepted):
    """What a page offers: one medium with its formats, or a playlist with its entries."""


class ProbePage(AboutPage):
    """Look at a page without downloading."""

    example: ClassVar = {"url": "https://videos.example/film"}

    command: Literal["probe"] = "probe"
    url: Url = Field(description="http or https URL.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Page | None:
        """Let the page be read; `answer_probe` answers."""
        url = check_url(self.url, context.settings.security)
        waiting = tx.probes()
        sender = (origin.session_id, origin.request_id)
        if origin.request_id and sender in {(one.session_id, one.request_id) for one in waiting}:
            return None  # its one answer is on the way
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
            url=url,
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
    found: MediaInfo | MediaripError,
) -> None:
    """Answer a probe once its page was read, or could not be."""
    name, request_id = ProbePage.command_name, probe.request_id
    if isinstance(found, MediaInfo):
        page = Page(**dict(found) | {"url": probe.url})
        payload = page.to_json(name, request_id)
    else:
        payload = Refused.of(found, name, request_id).model_dump_json()
    if request_id:
        tx.remember_request(probe.session_id, request_id, payload, clock())
    tx.reply(topics.of(probe.session_id).response, payload, clock())
    if probe.response_topic:
        tx.reply(probe.response_topic, payload, clock(), probe.correlation)
