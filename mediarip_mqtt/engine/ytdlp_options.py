"""yt-dlp's options: defaults, a job's options, and those that an administrator may set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.media_options import Embed, MediaType
from mediarip_mqtt.contract.presets import AUDIO_FORMATS, Preset, height
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings, SiteSettings
from mediarip_mqtt.contract.urls import host_of, site_of
from mediarip_mqtt.engine import plugin_settings, programs, subtitle_choice
from mediarip_mqtt.engine.protocol import Task

CHAPTER_NAME: Final = "media - %(section_number)03d.%(ext)s"
VIDEO_FORMAT: Final = "bv*+ba/b"
TEMP_NAME: Final = "media.%(ext)s"  # pages must not control the names of temporary files

# Options that an administrator may set: none that runs programs, accesses other files, or disables
# what the service relies on. An allow-list: a new option of yt-dlp is refused until it has been
# reviewed.
ALLOWED_OPTIONS: Final = frozenset(
    (
        "age_limit",
        "allow_multiple_audio_streams",
        "allow_multiple_video_streams",
        "buffersize",
        "check_formats",
        "concurrent_fragment_downloads",
        "dynamic_mpd",
        "extractor_args",
        "extractor_retries",
        "file_access_retries",
        "force_ipv4",
        "force_ipv6",
        "format_sort",
        "format_sort_force",
        "fragment_retries",
        "geo_bypass",
        "geo_bypass_country",
        "geo_bypass_ip_block",
        "geo_verification_proxy",
        "hls_split_discontinuity",
        "hls_use_mpegts",
        "http_chunk_size",
        "http_headers",
        "legacyserverconnect",
        "live_from_start",
        "max_filesize",
        "max_sleep_interval",
        "min_filesize",
        "nocheckcertificate",
        "noresizebuffer",
        "prefer_free_formats",
        "proxy",
        "retries",
        "sleep_interval",
        "sleep_interval_requests",
        "socket_timeout",
        "source_address",
        "throttledratelimit",
        "wait_for_video",
    )
)


def check_options(downloads: DownloadSettings) -> None:
    """Raise `ConfigError` for an option that isn't allowed, and for a plugin that is missing."""
    plugin_settings.check(downloads)
    for key in downloads.ytdlp_options:
        if key not in ALLOWED_OPTIONS:
            raise ConfigError(
                f"downloads.ytdlp_options.{key}: this option can't be set here. Allowed are: "
                f"{', '.join(sorted(ALLOWED_OPTIONS))}."
            )


def build(
    task: Task,
    wanted: Preset,
    downloads: DownloadSettings,
    security: SecuritySettings,
    cache: Path | None,
) -> dict[str, Any]:
    """Return yt-dlp's options for one job."""
    options: dict[str, Any] = {
        "quiet": True,
        "noprogress": True,
        "color": "never",
        # Without it, formatting progress text that nobody sees takes half of a fragment's time.
        "progress_delta": 0.5,
        "socket_timeout": 15,
        # The API's default is no retry. Only a few, as the job itself is tried again.
        "retries": 3,
        "fragment_retries": 5,
        "extractor_retries": 1,
        "file_access_retries": 3,
        # By default a missing fragment is skipped without an error.
        "skip_unavailable_fragments": False,
        "continuedl": True,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "lazy_playlist": False,
        "cachedir": str(cache) if cache else False,
        "updatetime": False,
        "ignoreerrors": False,
        "enable_file_urls": False,
        "windowsfilenames": True,
        "outtmpl_na_placeholder": "",
        "paths": {"home": str(task.temp_dir)},
        "outtmpl": {"default": TEMP_NAME},
        "overwrites": False,
        "js_runtimes": programs.js_runtimes(),
        "remote_components": (),
        "default_search": "error",
        "playlistend": task.playlist_limit + 1,  # one more shows whether any are left out
        **downloads.ytdlp_options,
    }
    if plugin_arguments := plugin_settings.arguments(downloads):
        options["extractor_args"] = {**(options.get("extractor_args") or {}), **plugin_arguments}
    if task.options.playlist_items and (task.listed.numbered or not task.listed.url):
        options["playlist_items"] = task.options.playlist_items
    site = site_settings(host_of(task.url), downloads)
    if (proxy := proxy_of(task.url, downloads)) is not None:
        options["proxy"] = proxy
    if site and site.extractor_args:
        general = options.get("extractor_args") or {}
        options["extractor_args"] = {**general, **site.extractor_args}
    if programs.ffmpeg():
        options["ffmpeg_location"] = programs.ffmpeg()
    if not security.impersonate:
        options["impersonate"] = None
    if wants_from_start(task, downloads):
        options["live_from_start"] = True
    return options | _formats(wanted, task.options.format_id) | _beside(wanted, downloads)


def wants_from_start(task: Task, downloads: DownloadSettings) -> bool:
    """Whether to record a live stream from its start."""
    chosen = task.options.live_from_start
    return downloads.live_streams == "from_start" if chosen is None else chosen


def site_settings(host: str | None, downloads: DownloadSettings) -> SiteSettings | None:
    """Return the settings of a host's site; subdomains belong to it."""
    name = site_of(host, downloads.sites)
    return downloads.sites[name] if name else None


def proxy_of(url: str, downloads: DownloadSettings) -> str | None:
    """Return the proxy for a URL: "" for no proxy, None for the environment's."""
    site = site_settings(host_of(url), downloads)
    if site and site.proxy is not None:
        return site.proxy
    return downloads.proxy if downloads.proxy is not None else downloads.ytdlp_options.get("proxy")


def picture_proxy(url: str, downloads: DownloadSettings) -> str | None:
    """Return the proxy for a thumbnail: its host's, else the general one, else any site's.

    The page isn't known here, and if its site has a proxy, the thumbnail's host must not see this
    machine's address either.
    """
    proxy = proxy_of(url, downloads)
    if proxy is not None:
        return proxy
    return next((site.proxy for site in downloads.sites.values() if site.proxy), None)


def _formats(wanted: Preset, format_id: str | None) -> dict[str, Any]:
    if wanted.media_type is MediaType.AUDIO:
        return {"format": format_id or wanted.format or "ba/b"}
    options: dict[str, Any] = {"format": format_id or wanted.format or VIDEO_FORMAT}
    limit = height(wanted.quality)
    if limit is not None:
        # Sort, don't filter: the best up to the limit, else the smallest above it.
        options["format_sort"] = [f"res:{limit}"]
    if wanted.output_format:
        options["merge_output_format"] = wanted.output_format
    return options


def _beside(wanted: Preset, downloads: DownloadSettings) -> dict[str, Any]:
    """Return the options for subtitles, thumbnail and post-processing."""
    options: dict[str, Any] = {}
    if wanted.subtitles:
        languages = wanted.subtitles.languages or downloads.subtitle_languages
        options |= {
            "writesubtitles": True,
            "writeautomaticsub": wanted.subtitles.automatic,
            # Regular expressions; a sender may only use a star at the end.
            "subtitleslangs": [
                *(language.replace("*", ".*") for language in languages),
            ],
            "subtitlesformat": subtitle_choice.preference(wanted.subtitles.format),
        }
    if Embed.THUMBNAIL in wanted.embed:
        options["writethumbnail"] = True
    if wanted.split_chapters:
        options["outtmpl"] = {"default": TEMP_NAME, "chapter": CHAPTER_NAME}
    steps = list(_steps(wanted, downloads))
    return {**options, "postprocessors": steps} if steps else options


def _conversion(wanted: Preset) -> Iterator[dict[str, Any]]:
    if wanted.media_type is MediaType.AUDIO:
        codec = wanted.output_format if wanted.output_format in AUDIO_FORMATS else "best"
        yield {"key": "FFmpegExtractAudio", "preferredcodec": codec, "preferredquality": "0"}
    elif wanted.output_format:
        yield {"key": "FFmpegVideoRemuxer", "preferedformat": wanted.output_format}
    elif Embed.THUMBNAIL in wanted.embed:
        # WebM can't hold a picture.
        yield {"key": "FFmpegVideoRemuxer", "preferedformat": "webm>mkv"}


def _steps(wanted: Preset, downloads: DownloadSettings) -> Iterator[dict[str, Any]]:
    """Yield the post-processors; they only work in this order.

    Subtitles are embedded before segments are cut out, chapters are changed before they are
    written, and the file is split when it is complete; see yt-dlp's `get_postprocessors`.
    """
    subtitles, sponsors = wanted.subtitles, wanted.sponsorblock
    if sponsors:
        categories = {*sponsors.mark, *sponsors.remove}
        api = downloads.sponsorblock_api
        yield {"key": "SponsorBlock", "categories": categories, "api": api, "when": "after_filter"}
    if subtitles and not subtitles.embed and subtitles.format != "original":
        form = subtitles.format
        yield {"key": "FFmpegSubtitlesConvertor", "format": form, "when": "before_dl"}
    yield from _conversion(wanted)
    if subtitles and subtitles.embed:
        yield {"key": "FFmpegEmbedSubtitle", "already_have_subtitle": False}
    if sponsors:
        yield {"key": "ModifyChapters", "remove_sponsor_segments": sponsors.remove}
    metadata, chapters = Embed.METADATA in wanted.embed, Embed.CHAPTERS in wanted.embed
    if metadata or chapters or sponsors:
        marked = chapters or bool(sponsors)
        yield {"key": "FFmpegMetadata", "add_chapters": marked, "add_metadata": metadata}
    if Embed.THUMBNAIL in wanted.embed:
        yield {"key": "EmbedThumbnail", "already_have_thumbnail": False}
    if wanted.split_chapters:
        yield {"key": "FFmpegSplitChapters"}
