"""Presets: named sets of download options, built in or from the configuration."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import CommandError, ConfigError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaOptions, MediaType
from mediarip_mqtt.contract.settings import DownloadSettings

AUDIO_FORMATS: Final = ("mp3", "m4a", "opus", "flac")
QUALITIES: Final = ("best", "2160p", "1440p", "1080p", "720p", "480p", "360p")
# Keys that choose a format; without any of them the default preset and quality apply.
_CHOOSING: Final = ("preset", "quality", "format_id", "media_type", "output_format")
_HEIGHT: Final = re.compile(r"^(\d{3,4})p?$")


class Preset(MediaOptions):
    """The options of a preset; ``format`` is a yt-dlp format selector, for administrators only."""

    format: str | None = None


_BUILT_IN: Final[dict[str, Preset]] = {
    "best": Preset(),
    **{quality: Preset(quality=quality) for quality in QUALITIES[1:]},
    "audio": Preset(media_type=MediaType.AUDIO),
}


def preset_names(downloads: DownloadSettings) -> list[str]:
    """Return the names of all presets, built-in ones first."""
    return [*_BUILT_IN, *(name for name in downloads.presets if name not in _BUILT_IN)]


def resolve_preset(name: str, downloads: DownloadSettings) -> Preset:
    """Return a preset by name; raise `unknown_preset`, which lists the names."""
    if name in downloads.presets:
        return Preset(**downloads.presets[name])
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    raise CommandError(
        ErrorCode.UNKNOWN_PRESET,
        f"There is no preset {name[:64]!r}. Presets: {', '.join(preset_names(downloads))}.",
        field="preset",
    )


def check_presets(downloads: DownloadSettings) -> None:
    """Raise `ConfigError` if a preset in the configuration is invalid."""
    for name, content in downloads.presets.items():
        try:
            preset = Preset(**content)
        except ValidationError as error:
            location = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise ConfigError(
                f"downloads.presets.{name}.{location}: {error.errors()[0]['msg']}."
            ) from None
        if preset.quality and preset.quality != "best" and not _HEIGHT.match(preset.quality):
            raise ConfigError(
                f"downloads.presets.{name}.quality: must be `best` or a height like `1080p`."
            )
    try:
        resolve_preset(downloads.default_preset, downloads)
    except CommandError as error:
        raise ConfigError(f"downloads.default_preset: {error.message}") from None


def capped(name: str, quality: str, downloads: DownloadSettings) -> str | None:
    """Return ``quality`` if it is a lower limit than the preset's own; else None."""
    preset = resolve_preset(name, downloads)
    preset_limit, limit = height(preset.quality), height(quality)
    video = preset.media_type is MediaType.VIDEO and not preset.format
    return quality if video and limit and (preset_limit is None or limit < preset_limit) else None


def media_type(name: str, downloads: DownloadSettings) -> MediaType:
    """Return the media type of a preset."""
    return resolve_preset(name, downloads).media_type


def effective(options: DownloadOptions, downloads: DownloadSettings) -> Preset:
    """Return the preset's options, overridden by those that the sender gave."""
    base = resolve_preset(options.preset, downloads) if options.preset else Preset()
    merged = {key: getattr(options, key) or getattr(base, key) for key in MediaOptions.model_fields}
    # A format selector of the preset would make the sender's quality ineffective.
    format_selector = options.format_id or (None if options.quality else base.format)
    embed = tuple(dict.fromkeys([*base.embed, *options.embed]))
    return Preset.model_construct(**merged | {"format": format_selector, "embed": embed})


def check(options: DownloadOptions, downloads: DownloadSettings) -> None:
    """Reject options that contradict each other."""
    wanted = effective(options, downloads)
    audio = wanted.media_type is MediaType.AUDIO
    if wanted.output_format and (wanted.output_format in AUDIO_FORMATS) is not audio:
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            f"{wanted.output_format} is not a format for {wanted.media_type}.",
            field="output_format",
        )


def height(quality: str | None) -> int | None:
    """Return the maximum height of a quality in pixels; None if unlimited."""
    match = _HEIGHT.match(quality or "")
    return int(match[1]) if match else None


def with_defaults(
    options: DownloadOptions, downloads: DownloadSettings, preset: str, quality: str
) -> DownloadOptions:
    """Return a request's options completed; ``preset`` and ``quality`` are the defaults.

    A `media_type` of None becomes the preset's.
    """
    values = {name: getattr(options, name) for name in DownloadOptions.model_fields}
    named = options.preset or preset
    values["media_type"] = options.media_type or media_type(named, downloads)
    if not any(getattr(options, key) for key in _CHOOSING):
        values["preset"] = named
        values["quality"] = capped(named, quality, downloads)
    return DownloadOptions(**values)
