"""Presets and qualities: names for what a sender wants of a page."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import CommandError, ConfigError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions, MediaOptions, MediaType
from mediarip_mqtt.contract.settings import DownloadSettings

AUDIO_FORMATS: Final = ("mp3", "m4a", "opus", "flac")
QUALITIES: Final = ("best", "2160p", "1440p", "1080p", "720p", "480p", "360p")
_HEIGHT: Final = re.compile(r"^(\d{3,4})p?$")


class Preset(MediaOptions):
    """What a preset stands for; ``format`` is a yt-dlp format selector of the administrator's."""

    format: str | None = None


_BUILT_IN: Final[dict[str, Preset]] = {
    "best": Preset(),
    **{quality: Preset(quality=quality) for quality in QUALITIES[1:]},
    "audio": Preset(media_type=MediaType.AUDIO),
}


def preset_names(downloads: DownloadSettings) -> list[str]:
    """Return the names of all presets, the built-in ones first."""
    return [*_BUILT_IN, *(name for name in downloads.presets if name not in _BUILT_IN)]


def resolve_preset(name: str, downloads: DownloadSettings) -> Preset:
    """Return a preset; raise `unknown_preset` with the names there are."""
    if name in downloads.presets:
        return Preset(**downloads.presets[name])
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    raise CommandError(
        ErrorCode.UNKNOWN_PRESET,
        f"There is no preset {name[:64]!r}. There are: {', '.join(preset_names(downloads))}.",
        field="preset",
    )


def check_presets(downloads: DownloadSettings) -> None:
    """Raise `ConfigError` where a preset of the configuration is wrong."""
    for name, content in downloads.presets.items():
        try:
            preset = Preset(**content)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise ConfigError(
                f"downloads.presets.{name}.{place}: {error.errors()[0]['msg']}."
            ) from None
        if preset.quality and preset.quality != "best" and not _HEIGHT.match(preset.quality):
            raise ConfigError(f"downloads.presets.{name}.quality: must be like `1080p`.")
    try:
        resolve_preset(downloads.default_preset, downloads)
    except CommandError as error:
        raise ConfigError(f"downloads.default_preset: {error.message}") from None


def capped(name: str, quality: str, downloads: DownloadSettings) -> str | None:
    """Return the quality that a preset needs to stay within one; None where it does already."""
    preset = resolve_preset(name, downloads)
    own, most = height(preset.quality), height(quality)
    video = preset.media_type is MediaType.VIDEO and not preset.format
    return quality if video and most and (own is None or most < own) else None


def media_type(name: str, downloads: DownloadSettings) -> MediaType:
    """Return what kind of file a preset makes."""
    return resolve_preset(name, downloads).media_type


def effective(options: DownloadOptions, downloads: DownloadSettings) -> Preset:
    """Return what is wanted: the preset with what the sender named himself over it."""
    base = resolve_preset(options.preset, downloads) if options.preset else Preset()
    merged = {key: getattr(options, key) or getattr(base, key) for key in MediaOptions.model_fields}
    # A quality chooses among all formats; a preset's own selector would leave it without effect.
    chosen = options.format_id or (None if options.quality else base.format)
    embed = tuple(dict.fromkeys([*base.embed, *options.embed]))
    return Preset.model_construct(**merged | {"format": chosen, "embed": embed})


def check(options: DownloadOptions, downloads: DownloadSettings) -> None:
    """Refuse options that can't go together."""
    wanted = effective(options, downloads)
    audio = wanted.media_type is MediaType.AUDIO
    if wanted.output_format and (wanted.output_format in AUDIO_FORMATS) is not audio:
        raise CommandError(
            ErrorCode.INVALID_PAYLOAD,
            f"{wanted.output_format} is not a format for {wanted.media_type}.",
            field="output_format",
        )


def height(quality: str | None) -> int | None:
    """Return the greatest height that a quality allows; None for any."""
    match = _HEIGHT.match(quality or "")
    return int(match[1]) if match else None
