"""What to do where ffmpeg can't make the wanted file: keep the film in another container.

A container takes only some codecs. A codec that it refuses costs the container, or the subtitles in
the file, but not the download.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from yt_dlp.utils import prepend_extension, replace_extension

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import media_probe, programs
from mediarip_mqtt.engine.media_probe import Probed, Stream

ANY_CODEC: Final = "mkv"  # the container that takes nearly every codec
_TEXT_SUBTITLES: Final = frozenset(("subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"))
# The codec for text subtitles, by container; mkv takes all of them but mov_text.
_SUBTITLE_CODEC: Final = {"mp4": "mov_text", "m4a": "mov_text", "mov": "mov_text", "mkv": "srt"}
_REFUSED: Final = re.compile(r"Could not find tag for codec (\w+) in stream")
_FULL: Final = re.compile(r"No space left on device|[Qq]uota exceeded")

# Post-processors whose failure leaves the file as it was, by yt-dlp's `pp_key`, and the warning.
EXTRAS: Final = {
    "Metadata": "The metadata and chapters could not be written into the file.",
    "ModifyChapters": "The segments could not be marked or cut out.",
    "SplitChapters": "Not every chapter could be saved as a file.",
    "FixupStretched": "The aspect ratio could not be corrected.",
    "FixupM4a": "The container could not be corrected; some players may not open the file.",
    "FixupTimestamp": "The timestamps could not be corrected.",
    "FixupDuration": "The duration could not be corrected.",
    "FixupDuplicateMoov": "The container could not be corrected; some players may not open it.",
}


def recover(pp: Any, kind: str, info: dict[str, Any]) -> str | None:
    """Change ``info`` to what can be had without a post-processor that failed.

    Returns a warning, empty if there is nothing to say; None if there is no other way. Raises
    `DownloadError` with a plain reason where that is known, and `OSError` if the volume is full.
    """
    if kind == "SplitChapters":
        _drop_partial_chapter(info)
    if kind in EXTRAS:
        return EXTRAS[kind]
    if kind not in OTHER_WAYS or programs.ffmpeg() is None:
        return None
    return OTHER_WAYS[kind](pp, info)


def _target(pp: Any, info: dict[str, Any]) -> str:
    """Return the container that a remuxer was to make: ``mp4``, or of a rule ``webm>mkv``."""
    rules = [rule.strip().split(">") for rule in str(pp.mapping).split("/")]
    matching = (rule[-1] for rule in rules if rule[0] in {info["ext"], rule[-1]})
    return next(matching, ANY_CODEC)


def _remux(pp: Any, info: dict[str, Any]) -> str | None:
    """Copy into the target, with subtitles converted or left out; else keep the container."""
    source, target = info["filepath"], _target(pp, info)
    probed = media_probe.probe(source)
    if probed is None or not probed.streams:
        return None
    made = prepend_extension(replace_extension(source, target, info["ext"]), "temp")
    warning, refusal = _copy(source, made, target, probed)
    final = replace_extension(source, target, info["ext"])
    if refusal is not None:
        Path(final).unlink(missing_ok=True)  # yt-dlp's own attempt
        if "video" in probed.kinds and _embeds(pp) and _into_any(info, probed):
            return f"The file is {ANY_CODEC}: {refusal}."
        return f"The file stays {info['ext']}: {refusal}."
    os.replace(made, final)  # noqa: PTH105 - paths are texts here
    if final != source:
        Path(source).unlink()
    info["filepath"], info["ext"], info["format"] = final, target, target
    return warning


def _embeds(pp: Any) -> bool:
    """Whether something is to be embedded that few containers can hold."""
    steps = pp.get_param("postprocessors") or ()
    return any(step["key"] in {"FFmpegEmbedSubtitle", "EmbedThumbnail"} for step in steps)


def _into_any(info: dict[str, Any], probed: Probed) -> bool:
    """Move a film into mkv; return whether that worked."""
    source = info["filepath"]
    made = replace_extension(source, ANY_CODEC, info["ext"])
    if made == source or _copy(source, made, ANY_CODEC, probed)[1] is not None:
        return False
    Path(source).unlink()
    info["filepath"], info["ext"], info["format"] = made, ANY_CODEC, ANY_CODEC
    return True


def _copy(source: str, made: str, target: str, probed: Probed) -> tuple[str, str | None]:
    """Copy a file's streams; return a warning, which may be empty, and why it was refused."""
    media = [stream for stream in probed.streams if stream.kind != "subtitle"]
    subtitles = [stream for stream in probed.streams if stream.kind == "subtitle"]
    converted = [stream for stream in subtitles if stream.codec in _TEXT_SUBTITLES]
    kept = subtitles if target == ANY_CODEC else converted
    refusal = ""
    for chosen in dict.fromkeys((tuple(kept), tuple(converted), ())):
        options = [*_maps(0, media), *_maps(0, chosen), "-c", "copy", *_as_text(chosen, target)]
        error = _run([source], made, options)
        if error is None:
            left_out = [stream.codec for stream in subtitles if stream not in chosen]
            return _left_out(left_out, target), None
        refusal = _reason(error, target, media)
    return "", refusal


def _as_text(subtitles: Sequence[Stream], target: str) -> list[str]:
    """Return options that convert subtitles to the container's text format where they must be."""
    options = []
    for number, stream in enumerate(subtitles):
        if target != ANY_CODEC or stream.codec in {"mov_text", "text"}:
            options += [f"-c:s:{number}", _SUBTITLE_CODEC.get(target, "copy")]
    return options


def _left_out(codecs: Sequence[str], target: str) -> str:
    if not codecs:
        return ""
    names = ", ".join(dict.fromkeys(codecs))
    return f"The subtitles in the file were left out: {target} takes no {names}."


def _merge(_: Any, info: dict[str, Any]) -> str | None:
    """Merge picture and sound into mkv."""
    parts, wanted = info["__files_to_merge"], info["ext"]
    probes = [media_probe.probe(path) for path in parts]
    maps, streams = [], []
    for number, (probed, item) in enumerate(zip(probes, info["requested_formats"], strict=True)):
        for kind, key in (("video", "vcodec"), ("audio", "acodec")):
            stream = probed.first(kind) if probed and item.get(key) != "none" else None
            if stream is not None:
                maps += _maps(number, [stream])
                streams.append(stream)
    made = replace_extension(info["filepath"], ANY_CODEC, wanted)
    if not streams or _run(parts, temp := prepend_extension(made, "temp"), [*maps, "-c", "copy"]):
        return None
    os.replace(temp, made)  # noqa: PTH105 - paths are texts here
    for path in parts:
        Path(path).unlink(missing_ok=True)
    info["filepath"], info["ext"] = made, ANY_CODEC
    if wanted == ANY_CODEC:
        return ""  # a part lacked what it claimed to have: `made_check` says what is missing
    codecs = _codecs(streams)
    return f"The file is {ANY_CODEC}: {wanted} does not take {codecs} together."


def _repack(_: Any, info: dict[str, Any]) -> str | None:
    """Replace the MPEG-TS that HLS downloads have in a file named mp4: by mkv, else name it."""
    source, wanted = info["filepath"], info["ext"]
    probed = media_probe.probe(source)
    if probed is None or not probed.streams:
        return None
    if not _into_any(info, probed):
        made = replace_extension(source, "ts", wanted)
        os.replace(source, made)  # noqa: PTH105 - paths are texts here
        info["filepath"], info["ext"] = made, "ts"
    codecs = _codecs([stream for stream in probed.streams if stream.kind != "subtitle"])
    return f"The file is {info['ext']}: {wanted} does not take {codecs} as the site sends it."


def _audio(pp: Any, info: dict[str, Any]) -> str | None:
    """Keep the sound unconverted."""
    source = info["filepath"]
    probed = media_probe.probe(source)
    if probed is None or not probed.streams:
        return None
    sound = probed.first("audio")
    if sound is None:
        Path(source).unlink()  # of no use to another attempt
        raise DownloadError(
            ErrorCode.UNAVAILABLE, "It has no sound, so there is no audio to save. Get the video."
        )
    wanted = getattr(pp, "mapping", "audio")
    if "video" not in probed.kinds:
        return f"The sound stays {info['ext']}: {sound.codec} could not be converted to {wanted}."
    made = replace_extension(source, "mka", info["ext"])
    if _run([source], made, [*_maps(0, [sound]), "-c", "copy"]) is not None:
        return None
    Path(source).unlink()
    info["filepath"], info["ext"] = made, "mka"
    return f"The sound is mka: {sound.codec} could not be converted to {wanted}."


def _drop_partial_chapter(info: dict[str, Any]) -> None:
    """Remove the chapter's file at which splitting failed, the last one that was begun."""
    begun = [chapter for chapter in info.get("chapters") or () if chapter.get("filepath")]
    if begun:
        Path(begun[-1].pop("filepath")).unlink(missing_ok=True)


def _run(sources: Sequence[str], made: str, options: Sequence[str]) -> str | None:
    """Run ffmpeg; return its messages if it failed, and remove what it made."""
    inputs = [argument for path in sources for argument in ("-i", f"file:{path}")]
    command = [str(programs.ffmpeg()), "-y", "-hide_banner", "-nostdin", "-loglevel", "repeat+info"]
    result = subprocess.run(  # noqa: S603 - a path from `programs`
        [*command, *inputs, *options, "-movflags", "+faststart", f"file:{made}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    messages = result.stderr.decode("utf-8", "replace")
    if result.returncode == 0 and Path(made).is_file() and Path(made).stat().st_size:
        return None
    Path(made).unlink(missing_ok=True)
    if _FULL.search(messages):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return messages


def _maps(number: int, streams: Sequence[Stream]) -> list[str]:
    return [text for stream in streams for text in ("-map", f"{number}:{stream.number}")]


def _codecs(streams: Sequence[Stream]) -> str:
    return " and ".join(dict.fromkeys(stream.codec for stream in streams))


def _reason(messages: str, target: str, media: Sequence[Stream]) -> str:
    """Return why a container was refused, such as "mp4 takes no vp8"."""
    match = _REFUSED.search(messages)
    return f"{target} takes no {match[1] if match else _codecs(media)}"


# By yt-dlp's `pp_key`.
OTHER_WAYS: Final[dict[str, Callable[[Any, dict[str, Any]], str | None]]] = {
    "Merger": _merge,
    "VideoRemuxer": _remux,
    "FixupM3u8": _repack,
    "ExtractAudio": _audio,
}
