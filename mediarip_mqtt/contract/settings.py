"""Settings: the environment overrides the YAML file, which overrides the defaults.

One field here is one setting: its name, default, limits and documentation. A field declared with
``runtime()`` may also be changed while the service runs (command ``settings``, topic
``setting/<key>/set``); such a change is kept in the store and overrides all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from apscheduler.triggers.cron import CronTrigger
from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.library_settings import LibrarySettings
from mediarip_mqtt.contract.local_time import local_zone
from mediarip_mqtt.contract.section import Section
from mediarip_mqtt.contract.setting_types import PROXY, HostList, LanguageList, MediaSource
from mediarip_mqtt.contract.sizes import ByteSize, parse_size
from mediarip_mqtt.contract.subscription_settings import SubscriptionSettings
from mediarip_mqtt.contract.topic_names import TopicName

ENV_PREFIX: Final = "MEDIARIP__"
# Home Assistant's Supervisor sets this variable for each app, and writes its options to a file.
SUPERVISOR_TOKEN: Final = "SUPERVISOR_TOKEN"  # noqa: S105 - the name of a variable
# Prefixes of variables that child programs must not inherit.
SECRET_VARIABLES: Final = ("MEDIARIP", SUPERVISOR_TOKEN, "HASSIO_TOKEN")


def runtime(default: Any, description: str, **constraints: Any) -> Any:
    """Declare a setting that may be changed while the service runs."""
    return Field(
        default, description=description, json_schema_extra={"runtime": True}, **constraints
    )


class MqttSettings(Section):
    """The MQTT broker and the base topic."""

    host: str = Field("localhost", description="Host name or address of the broker.")
    port: int = Field(1883, ge=1, le=65535, description="Port of the broker (8883 with TLS).")
    username: str | None = Field(None, description="User name for the broker.")
    password: SecretStr | None = Field(None, description="Password for the broker.")
    password_file: Path | None = Field(
        None, description="File whose first line is the password (a Docker or Kubernetes secret)."
    )
    protocol: Literal["5", "3.1.1"] = Field(
        "5",
        coerce_numbers_to_str=True,
        description="MQTT version; 5 falls back to 3.1.1 if the broker does not support it.",
    )
    tls: bool = Field(default=False, description="Encrypt the connection.")
    tls_insecure: bool = Field(
        default=False,
        description="Accept any certificate of the broker, also a self-signed one; with "
        "`ca_file`: check it, but not its host name.",
    )
    ca_file: Path | None = Field(
        None, description="Trusted CA certificates (PEM); default: the system's."
    )
    cert_file: Path | None = Field(None, description="Client certificate (PEM).")
    key_file: Path | None = Field(None, description="Private key of the client certificate (PEM).")
    key_password: SecretStr | None = Field(
        None, description="Password of the private key, if that is encrypted."
    )
    key_password_file: Path | None = Field(
        None, description="File whose first line is the password of the private key."
    )
    transport: Literal["tcp", "websockets"] = Field(
        "tcp", description="Transport of the MQTT connection."
    )
    websocket_path: str = Field("/mqtt", description="Path of the WebSocket URL.")
    base_topic: TopicName = Field(
        "mediarip",
        max_length=128,
        description="Prefix of all topics; not the one of Home Assistant's discovery. After a "
        "change, what is retained below the former one is cleared.",
    )
    node_id: str = Field(
        "mediarip",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Device id in Home Assistant, and the beginning of the MQTT client id; unique "
        "for each service.",
    )
    client_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,128}$",
        description="MQTT client id, for a broker that lets this user have one id only; default: "
        "`node_id` and a random part that the store keeps, so that nobody else can take it.",
    )
    keepalive: int = Field(30, ge=5, le=3600, description="MQTT keep-alive in seconds.")
    session_expiry: int = Field(
        7 * 86400,
        ge=0,
        le=0xFFFFFFFE,
        description="Seconds that the broker keeps commands while the service is offline.",
    )
    max_payload: Annotated[int, Field(ge=1024, le=8 * 2**20), BeforeValidator(parse_size)] = Field(
        256 * 1024, description="Maximum size of a command in bytes."
    )
    retained_jobs: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="Number of finished jobs whose topics stay retained, the newest; `get` and "
        "`list` know all.",
    )


class StorageSettings(Section):
    """The volume for media and the service's own files."""

    root: Path = Field(
        Path("data"),
        description="Folder for finished media; the service's own files go to `.mediarip/` in it.",
    )
    journal_mode: Literal["auto", "wal", "truncate", "delete"] = Field(
        "auto", description="SQLite's journal mode; `auto` chooses by filesystem."
    )
    create: bool = Field(
        default=True,
        description="Create a new store if there is none. With `false`, a volume that is not "
        "mounted at startup is noticed.",
    )
    backup_interval: float = Field(
        86400.0,
        ge=0,
        le=31 * 86400,
        description="Seconds between two backups of the store; 0: no backups.",
    )
    backup_keep: int = Field(7, ge=1, le=365, description="Number of backups to keep.")
    min_free: ByteSize = Field(
        512 * 2**20,
        description="Minimum free bytes; below it, the queue pauses and live recordings end, and "
        "are kept; 0: off.",
    )
    temp_dir: Path | None = Field(
        None, description="Folder for unfinished downloads; default: `.mediarip/tmp` on the volume."
    )
    trust: Literal["owner", "volume"] = Field(
        "owner",
        description="`owner`: use the store only if nobody but the service's user and root can "
        "replace it; `volume`: trust everyone who can write to the volume with all that the "
        "service may do.",
    )


class SiteSettings(Section):
    """Settings of one site and its subdomains."""

    max_concurrent: int = Field(
        0, ge=0, le=16, description="Maximum simultaneous downloads; 0: no limit."
    )
    pause: float = Field(
        0.0, ge=0, le=86400, description="Minimum seconds between the starts of two downloads."
    )
    rate_limit: ByteSize = Field(
        0, description="Bytes per second for one download; 0: `downloads.rate_limit`."
    )
    proxy: str | None = Field(
        None, pattern=PROXY, description="Proxy; empty text: none; null: `downloads.proxy`."
    )
    extractor_args: dict[str, dict[str, list[str]]] = Field(
        default_factory=dict,
        description="yt-dlp's extractor arguments: `{extractor: {key: [values]}}`.",
    )


class DownloadSettings(Section):
    """Downloads and the queue."""

    max_concurrent: int = runtime(3, "Maximum simultaneous downloads.", ge=1, le=16)
    cookies_file: Path | None = Field(
        None,
        description="A cookies.txt for sessions that sent none (command `cookies`); never written.",
    )
    max_attempts: int = runtime(3, "Attempts before a job fails.", ge=1, le=20)
    retry_delay: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds before the second attempt; doubled for each further one.",
    )
    stall_timeout: float = Field(
        300.0,
        ge=0,
        le=86400,
        description="Seconds without progress after which an attempt is aborted, and a live "
        "recording is complete; 0: never.",
    )
    rate_limit: ByteSize = runtime(0, "Bytes per second for one download; 0: unlimited.")
    output_template: str = Field(
        "%(title).180B.%(ext)s",
        min_length=1,
        max_length=500,
        description="yt-dlp output template below the root, for sites not in `output_templates`.",
    )
    output_templates: dict[str, str] = Field(
        default_factory=lambda: {
            "youtube.com": "%(uploader).80B/%(title).180B.%(ext)s",
            "youtu.be": "%(uploader).80B/%(title).180B.%(ext)s",
            "soundcloud.com": "%(uploader).80B/%(title).180B.%(ext)s",
        },
        description="Output templates by site, each also for its subdomains.",
    )
    default_preset: str = runtime("best", "Preset of downloads that name none.", max_length=64)
    default_quality: Literal["best", "2160p", "1440p", "1080p", "720p", "480p", "360p"] = runtime(
        "best", "Maximum height of downloads that name neither preset nor quality."
    )
    presets: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Your own presets by name: `media_type`, `quality`, `format` and others.",
    )
    queue_limit: int = runtime(
        20000, "Maximum waiting jobs; above it, `queue_full`.", ge=1, le=1_000_000
    )
    playlist_limit: int = runtime(
        1000,
        "Maximum items taken from one playlist; its `warning` says how many were left out.",
        ge=1,
        le=10_000,
    )
    search_prefix: str = Field(
        "ytsearch1:",
        max_length=500,
        description="Prefix for search words: a yt-dlp search key, or a URL (it is published).",
    )
    proxy: str | None = Field(
        None,
        pattern=PROXY,
        description="Proxy for all sites: http://, https://, socks5:// or socks5h:// URL.",
    )
    sites: dict[str, SiteSettings] = Field(
        default_factory=dict,
        description="Settings by site: `max_concurrent`, `pause`, `rate_limit`, `proxy`, "
        "`extractor_args`, each also for its subdomains.",
    )
    subtitle_languages: LanguageList = Field(
        ("en",), description="Languages for requests of subtitles that name none."
    )
    sponsorblock_api: str = Field(
        "https://sponsor.ajay.app",
        pattern=r"^https?://",
        description="Server of the SponsorBlock API.",
    )
    live_streams: Literal["now", "from_start", "refuse"] = Field(
        "now",
        description="Live streams: record from `now`, `from_start` (if the site supports it), or "
        "`refuse`.",
    )
    upcoming_wait: float = Field(
        7 * 86400,
        ge=0,
        le=90 * 86400,
        description="Seconds that a job waits for a stream or premiere to begin; 0: it fails.",
    )
    quiet_hours: str = runtime(
        "",
        "Daily hours without downloads, in local time: `22:30-07:00`; empty: none.",
        pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
    )
    quiet_rate_limit: ByteSize = runtime(
        0, "Bytes per second for one download in the quiet hours; 0: downloads pause."
    )
    pot_provider_url: str | None = Field(
        None,
        pattern=r"^(https?://[^\s/@]+(/[^\s@]*)?)?$",
        description="URL of a PO token provider for YouTube, such as `http://127.0.0.1:4416` "
        "(bgutil-ytdlp-pot-provider; needs the extra `pot`). Only its plugin may ask this address.",
    )
    plugin_dir: Path | None = Field(
        None,
        description="Folder of yt-dlp plugins, as for yt-dlp's `--plugin-dirs`; their code runs in "
        "the service. Default: no plugins.",
    )
    ytdlp_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Additional options for yt-dlp, by their names in its Python API.",
    )

    @field_validator("search_prefix")
    @classmethod
    def _is_no_secret(cls, value: str) -> str:
        if "@" in urlsplit(value).netloc:
            raise ValueError("must not hold a password: it is published as part of each job's URL")
        return value


class SessionSettings(Section):
    """Sessions: which users see which jobs."""

    mode: Literal["shared", "isolated", "open"] = Field(
        "shared",
        description="`shared`: jobs name their session; `isolated`: each session has its own "
        "topics and sees only its own jobs; `open`: there is one session.",
    )
    session_queue_limit: int = runtime(
        1000,
        "Maximum waiting jobs of one isolated session; above it, `queue_full`.",
        ge=1,
        le=1_000_000,
    )
    session_stored_limit: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Stored jobs of one isolated session above which `import` adds none.",
    )
    session_rate: int = runtime(
        120,
        "Maximum commands per minute of one isolated session; above it, `rate_limited`.",
        ge=1,
        le=100_000,
    )


class SecuritySettings(Section):
    """Which addresses the service may connect to."""

    allow_private_addresses: bool = Field(
        default=False, description="Allow private, loopback and link-local addresses."
    )
    allowed_hosts: HostList = Field(
        (), description="Internal hosts (with subdomains), addresses or networks to allow."
    )
    blocked_hosts: HostList = Field(
        (), description="Hosts (with subdomains), addresses or networks to block."
    )
    impersonate: bool = Field(
        default=False,
        description="Let yt-dlp use curl_cffi for sites that require browser impersonation; its "
        "connections are not checked for internal addresses.",
    )


class PurgeSettings(Section):
    """Retention: remove finished jobs on a schedule. The command `purge` applies it at once."""

    enabled: bool = Field(default=False, description="Remove finished jobs on the schedule `cron`.")
    cron: str = Field(
        "0 4 * * *", description="Schedule in local time: minute hour day month weekday."
    )
    max_age: int = Field(
        30 * 86400, ge=0, description="Seconds after its end that a job is removed."
    )
    max_count: int = Field(
        0, ge=0, description="Maximum finished jobs; the oldest are removed; 0: no limit."
    )
    max_total_size: ByteSize = Field(
        0,
        description="Maximum bytes of the files of finished jobs; the oldest are removed; 0: no "
        "limit. Requires `files`.",
    )
    files: bool = Field(default=False, description="Also remove the files of these jobs.")
    privacy_mode: bool = Field(
        default=False,
        description="Remove each job and its error one minute after its end; its files stay.",
    )

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        CronTrigger.from_crontab(value, local_zone())  # raises ValueError with the reason
        return value

    @model_validator(mode="after")
    def _frees_something(self) -> PurgeSettings:
        if self.max_total_size and not self.files:
            raise ValueError("max_total_size has no effect without `files: true`; set that, too")
        return self


class HomeAssistantSettings(Section):
    """Discovery by Home Assistant."""

    enabled: bool = Field(default=True, description="Publish the device with MQTT discovery.")
    discovery_prefix: TopicName = Field(
        "homeassistant", description="Home Assistant's discovery prefix."
    )
    birth_topic: TopicName = Field(
        "homeassistant/status", description="Home Assistant's birth topic."
    )
    media_source: MediaSource | None = Field(
        None,
        description="Media source id of `storage.root`, for playing; empty: none. Default: that of "
        "Home Assistant's local media, if the root is below `/media`.",
    )
    language: Literal["en", "de", "fr"] = Field(
        "en", description="Language of the entities' names. The entity ids stay the same."
    )
    subscription_switches: tuple[texts.Line, ...] = Field(
        (),
        max_length=20,
        description="Names of subscriptions that get a switch, which pauses their checks.",
    )


class UpdateSettings(Section):
    """Updates of yt-dlp."""

    check_interval: float = Field(
        86400.0,
        ge=0,
        le=31 * 86400,
        description="Seconds between two checks of the package index; 0: never.",
    )
    auto: bool = Field(default=False, description="Install new versions automatically.")
    index_url: str | None = Field(
        None, description="Package index (simple API); default: the one configured for pip."
    )


class LogSettings(Section):
    """The log."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum severity."
    )
    format: Literal["text", "json"] = Field("text", description="Format of a line.")


class _YamlSource(PydanticBaseSettingsSource):
    """The parsed configuration file."""

    def __init__(self, settings_cls: type[BaseSettings], content: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._content = content

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - signature of the base class
        """Return one section."""
        return self._content.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return all sections."""
        return dict(self._content)


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    mqtt: MqttSettings = Field(default_factory=MqttSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    downloads: DownloadSettings = Field(default_factory=DownloadSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    purge: PurgeSettings = Field(default_factory=PurgeSettings)
    homeassistant: HomeAssistantSettings = Field(default_factory=HomeAssistantSettings)
    library: LibrarySettings = Field(default_factory=LibrarySettings)
    subscriptions: SubscriptionSettings = Field(default_factory=SubscriptionSettings)
    updates: UpdateSettings = Field(default_factory=UpdateSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base class
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base class
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: environment, then the parsed file that `load` passes in."""
        content: Any = init_settings()
        return env_settings, _YamlSource(settings_cls, content)


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Yield the name and class of each section."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


def runtime_fields() -> dict[str, tuple[str, type[Section]]]:
    """Return the runtime settings: key to name and class of its section."""
    return {
        key: (name, section)
        for name, section in sections()
        for key, field in section.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("runtime")
    }
