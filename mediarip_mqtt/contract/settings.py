"""Settings: environment over YAML over defaults. One field here is one setting everywhere.

A field marked with ``runtime()`` may also be changed while the service runs (``settings`` command,
``setting/<key>/set``); such a change is kept in the store and wins over the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from apscheduler.triggers.cron import CronTrigger
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mediarip_mqtt.contract.media_options import Language
from mediarip_mqtt.contract.sizes import ByteSize, parse_size

ENV_PREFIX: Final = "MEDIARIP__"
# Home Assistant's Supervisor gives each app this variable, and its options in a file.
SUPERVISOR_TOKEN: Final = "SUPERVISOR_TOKEN"  # noqa: S105 - a variable's name
# Variables that no other program gets to see.
SECRET_VARIABLES: Final = ("MEDIARIP", SUPERVISOR_TOKEN, "HASSIO_TOKEN")
TOPIC_LEVEL: Final = r"^[^+#\x00/]+(/[^+#\x00/]+)*$"


def parse_list(value: object) -> object:
    """Return the items of ``"a, b"``; the environment has no lists."""
    if isinstance(value, str):
        return [item for item in re.split(r"[,\s]+", value.strip("[] ")) if item]
    return value


PROXY: Final = r"^((https?|socks[45][ah]?)://[^\s/]+/?)?$"
LanguageList = Annotated[tuple[Language, ...], NoDecode, BeforeValidator(parse_list)]
HostList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_list)]


def runtime(default: Any, description: str, **constraints: Any) -> Any:
    """Declare a field that may change while the service runs."""
    return Field(
        default, description=description, json_schema_extra={"runtime": True}, **constraints
    )


class Section(BaseModel):
    """A group of settings; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class MqttSettings(Section):
    """The broker and what is published below which topic."""

    host: str = Field("localhost", description="Host name or address of the broker.")
    port: int = Field(1883, ge=1, le=65535, description="Port of the broker (8883 with TLS).")
    username: str | None = Field(None, description="User name at the broker.")
    password: SecretStr | None = Field(None, description="Password at the broker.")
    password_file: Path | None = Field(
        None, description="File whose first line is the password (a Docker or Kubernetes secret)."
    )
    protocol: Literal["5", "3.1.1"] = Field(
        "5",
        coerce_numbers_to_str=True,
        description="MQTT version; 5 falls back to 3.1.1 where the broker refuses it.",
    )
    tls: bool = Field(default=False, description="Encrypt the connection.")
    tls_insecure: bool = Field(
        default=False, description="Accept a certificate for another host name (self-signed)."
    )
    ca_file: Path | None = Field(
        None, description="CA certificates to trust (PEM); else the system's."
    )
    cert_file: Path | None = Field(None, description="Client certificate (PEM).")
    key_file: Path | None = Field(None, description="Key of the client certificate (PEM).")
    transport: Literal["tcp", "websockets"] = Field("tcp", description="How MQTT is carried.")
    websocket_path: str = Field("/mqtt", description="Path of the WebSocket.")
    base_topic: str = Field(
        "mediarip", pattern=TOPIC_LEVEL, max_length=128, description="All topics stand below it."
    )
    node_id: str = Field(
        "mediarip",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Client id at the broker and device id at Home Assistant: one a service.",
    )
    keepalive: int = Field(30, ge=5, le=3600, description="Seconds between signs of life.")
    session_expiry: int = Field(
        7 * 86400,
        ge=0,
        le=0xFFFFFFFE,
        description="Seconds the broker keeps commands for a service that is down.",
    )
    max_payload: Annotated[int, Field(ge=1024, le=8 * 2**20), BeforeValidator(parse_size)] = Field(
        256 * 1024, description="Bytes of the largest command accepted."
    )


class StorageSettings(Section):
    """The volume."""

    root: Path = Field(
        Path("data"),
        description="Media go below it, all else of the service below `.mediarip/` in it.",
    )
    journal_mode: Literal["auto", "wal", "truncate", "delete"] = Field(
        "auto", description="SQLite's journal; `auto` chooses by filesystem."
    )
    create: bool = Field(
        default=True,
        description="Begin a new store where there is none; false once it is there: then a volume "
        "that is not mounted at the start is noticed.",
    )
    backup_interval: float = Field(
        86400.0,
        ge=0,
        le=31 * 86400,
        description="Seconds between two copies of the store; 0: none.",
    )
    backup_keep: int = Field(7, ge=1, le=365, description="Copies of the store that are kept.")
    min_free: ByteSize = Field(
        512 * 2**20, description="Bytes that stay free: below it the queue pauses; 0 is off."
    )
    temp_dir: Path | None = Field(
        None, description="Where unfinished downloads lie; default `.mediarip/tmp` on the volume."
    )


class SiteSettings(Section):
    """What is different for one site and its subdomains."""

    max_concurrent: int = Field(0, ge=0, le=16, description="Downloads at once; 0 is no limit.")
    pause: float = Field(
        0.0, ge=0, le=86400, description="Seconds from one download's start to the next one's."
    )
    rate_limit: ByteSize = Field(0, description="Bytes per second of one download; 0: the usual.")
    proxy: str | None = Field(
        None, pattern=PROXY, description="Its proxy; an empty text is none. Else the usual."
    )
    extractor_args: dict[str, dict[str, list[str]]] = Field(
        default_factory=dict,
        description="yt-dlp's extractor arguments: extractor to key to values.",
    )


class DownloadSettings(Section):
    """Downloads and their queue."""

    max_concurrent: int = runtime(3, "Downloads at once.", ge=1, le=16)
    cookies_file: Path | None = Field(
        None,
        description="A cookies.txt for sessions that have sent none; only read. See `cookies`.",
    )
    max_attempts: int = runtime(3, "Attempts of a job before it fails.", ge=1, le=20)
    retry_delay: float = Field(
        5.0, ge=0, le=3600, description="Seconds before the second attempt; doubled for each other."
    )
    stall_timeout: float = Field(
        300.0,
        ge=0,
        le=86400,
        description="Seconds without a sign of progress after which an attempt ends; 0 is never.",
    )
    rate_limit: ByteSize = runtime(0, "Bytes per second of one download; 0 is unlimited.")
    output_template: str = Field(
        "%(title).180B.%(ext)s",
        min_length=1,
        max_length=500,
        description="yt-dlp output template below the root, for sites without one of their own.",
    )
    output_templates: dict[str, str] = Field(
        default_factory=lambda: {
            "youtube.com": "%(uploader).80B/%(title).180B.%(ext)s",
            "youtu.be": "%(uploader).80B/%(title).180B.%(ext)s",
            "soundcloud.com": "%(uploader).80B/%(title).180B.%(ext)s",
        },
        description="Output templates by site; a subdomain counts as its site.",
    )
    default_preset: str = runtime("best", "Preset of a download that names none.", max_length=64)
    default_quality: Literal["best", "2160p", "1440p", "1080p", "720p", "480p", "360p"] = runtime(
        "best", "Greatest height of a download that names neither preset nor quality."
    )
    presets: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Your own presets: name to `media_type`, `quality`, `format`, `output_format`.",
    )
    queue_limit: int = runtime(20000, "Waiting jobs before `queue_full`.", ge=1, le=1_000_000)
    playlist_limit: int = runtime(1000, "Items taken of one playlist.", ge=1, le=10_000)
    search_prefix: str = Field(
        "ytsearch1:",
        max_length=500,
        description="What search words are put behind: a yt-dlp search key, or a URL (published).",
    )
    proxy: str | None = Field(
        None,
        pattern=PROXY,
        description="Proxy for all sites: http://, https://, socks5:// or socks5h:// URL.",
    )
    sites: dict[str, SiteSettings] = Field(
        default_factory=dict,
        description="What is different for a site: `max_concurrent`, `pause`, `rate_limit`, "
        "`proxy`, `extractor_args`; a subdomain counts as its site.",
    )
    subtitle_languages: LanguageList = Field(
        ("en",), description="Languages of subtitles where a sender asks for some and names none."
    )
    sponsorblock_api: str = Field(
        "https://sponsor.ajay.app", pattern=r"^https?://", description="SponsorBlock's server."
    )
    live_streams: Literal["now", "from_start", "refuse"] = Field(
        "now",
        description="A live stream is recorded from now on, from its start where the site can, or "
        "refused.",
    )
    upcoming_wait: float = Field(
        7 * 86400,
        ge=0,
        le=90 * 86400,
        description="Seconds that a job waits for a stream or premiere to begin; 0: it fails.",
    )
    quiet_hours: str = runtime(
        "",
        "Hours of each day, local time, as `22:30-07:00`, in which downloads rest; empty: none.",
        pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
    )
    quiet_rate_limit: ByteSize = runtime(
        0, "Bytes per second of one download in the quiet hours; 0: they pause until these end."
    )
    ytdlp_options: dict[str, Any] = Field(
        default_factory=dict,
        description="More options for yt-dlp, by the names of its Python API; for administrators.",
    )

    @field_validator("search_prefix")
    @classmethod
    def _is_no_secret(cls, value: str) -> str:
        if "@" in urlsplit(value).netloc:
            raise ValueError("a password in it would be published as part of each job's URL")
        return value


class SessionSettings(Section):
    """Who sees whose jobs."""

    mode: Literal["shared", "isolated", "open"] = Field(
        "shared",
        description="`shared`: jobs name their session; `isolated`: each session has topics of its "
        "own and sees no other's jobs; `open`: there is one session.",
    )
    session_queue_limit: int = runtime(
        1000, "Waiting jobs of one isolated session before `queue_full`.", ge=1, le=1_000_000
    )
    session_rate: int = runtime(
        120, "Commands a minute of one isolated session before `rate_limited`.", ge=1, le=100_000
    )


class SecuritySettings(Section):
    """What the service may connect to."""

    allow_private_addresses: bool = Field(
        default=False, description="Allow private, loopback and link-local addresses."
    )
    allowed_hosts: HostList = Field(
        (), description="Hosts (and their subdomains), addresses or networks allowed though inside."
    )
    blocked_hosts: HostList = Field(
        (), description="Hosts (and their subdomains), addresses or networks never connected to."
    )
    impersonate: bool = Field(
        default=False,
        description="Let a site that demands it be fetched by curl_cffi, which the address guard "
        "does not reach.",
    )


class PurgeSettings(Section):
    """Retention: finished jobs go by themselves. `purge` applies it at once."""

    enabled: bool = Field(default=False, description="Remove finished jobs by themselves.")
    cron: str = Field("0 4 * * *", description="When, as minute hour day month weekday.")
    max_age: int = Field(30 * 86400, ge=0, description="Seconds after its end that a job goes.")
    max_count: int = Field(
        0, ge=0, description="Finished jobs that stay, the newest ones; 0 is no limit."
    )
    max_total_size: ByteSize = Field(
        0,
        description="Bytes that the files of finished jobs may take: the oldest go until the rest "
        "fits; 0 is no limit. Needs `files`.",
    )
    files: bool = Field(default=False, description="Remove the files of those jobs, too.")
    privacy_mode: bool = Field(
        default=False,
        description="Forget a job, and what went wrong with it, a minute after its end; its files "
        "stay.",
    )

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        CronTrigger.from_crontab(value)  # raises ValueError, which says what is wrong
        return value

    @model_validator(mode="after")
    def _frees_something(self) -> PurgeSettings:
        if self.max_total_size and not self.files:
            raise ValueError("max_total_size frees nothing without `files: true`; set that, too")
        return self


class HomeAssistantSettings(Section):
    """Home Assistant."""

    enabled: bool = Field(default=True, description="Announce the service by MQTT discovery.")
    discovery_prefix: str = Field(
        "homeassistant", pattern=TOPIC_LEVEL, description="Home Assistant's discovery prefix."
    )
    birth_topic: str = Field(
        "homeassistant/status", pattern=TOPIC_LEVEL, description="Home Assistant's birth topic."
    )


class UpdateSettings(Section):
    """Newer versions of yt-dlp."""

    check_interval: float = Field(
        86400.0,
        ge=0,
        le=31 * 86400,
        description="Seconds between two looks at the package index; 0 where there is no way out.",
    )
    auto: bool = Field(default=False, description="Install a newer version as soon as it is there.")
    index_url: str | None = Field(
        None, description="Package index (simple API) instead of the one pip is set up with."
    )


class LogSettings(Section):
    """The log."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity."
    )
    format: Literal["text", "json"] = Field("text", description="Form of a line.")


class _YamlSource(PydanticBaseSettingsSource):
    """The parsed configuration file."""

    def __init__(self, settings_cls: type[BaseSettings], content: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._content = content

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base class's signature
        """Return one section."""
        return self._content.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return all sections."""
        return dict(self._content)


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    mqtt: MqttSettings = Field(default_factory=MqttSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    downloads: DownloadSettings = Field(default_factory=DownloadSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    purge: PurgeSettings = Field(default_factory=PurgeSettings)
    homeassistant: HomeAssistantSettings = Field(default_factory=HomeAssistantSettings)
    updates: UpdateSettings = Field(default_factory=UpdateSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: environment, then the file that `load` passes in."""
        content: Any = init_settings()
        return env_settings, _YamlSource(settings_cls, content)


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Yield each section's name and class."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


def runtime_fields() -> dict[str, tuple[str, type[Section]]]:
    """Return the settings that may change at run time: key to section's name and class."""
    return {
        key: (name, section)
        for name, section in sections()
        for key, field in section.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("runtime")
    }
