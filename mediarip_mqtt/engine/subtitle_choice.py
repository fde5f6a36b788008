"""Which of several subtitles in one language to take: the full ones, as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from yt_dlp.utils import extract_attributes, parse_m3u8_attributes
from yt_dlp.utils._utils import _UnsafeExtensionError

from mediarip_mqtt.engine import media_probe

FORCED: Final = ".forced"  # follows the language in the name of a file, as media players read it
# What ffmpeg can convert, and what yt-dlp converts for it.
TEXT_FORMATS: Final = ("srt", "vtt", "ass", "ssa", "ttml", "dfxp", "tt", "lrc")
EMBEDDABLE: Final = frozenset(("srt", "vtt", "ass", "ssa", "ttml", "dfxp", "tt"))
_UNKNOWN: Final = "unknown_video"  # as in yt-dlp
_NOT_SUBTITLES: Final = frozenset(("live_chat", "rechat", "danmaku", "comments"))
# Keys that note_hls, note_dash and note_html5 add to a track.
_IS_FORCED: Final = "is_forced"
_IS_SDH: Final = "is_sdh"
_FORCED_WORD: Final = re.compile(
    r"(?<![a-z])(?:forced|forc[ée]s?|erzwungen)(?![a-z])", re.IGNORECASE
)
_SDH_WORD: Final = re.compile(
    r"(?<![a-z])(?:sdh|cc|hard of hearing|closed captions?)(?![a-z])", re.IGNORECASE
)
_HEARING: Final = ("transcribes-spoken-dialog", "describes-music-and-sound")
_TRACK: Final = re.compile(r"<track\b[^>]{1,1000}>", re.IGNORECASE)
# The first characters of subtitles, by format.
_BEGINS: Final = (
    ("vtt", re.compile(r"WEBVTT")),
    ("ass", re.compile(r"\[Script Info\]", re.IGNORECASE)),
    ("srt", re.compile(r"\d+\s*\n\s*\d+:\d\d:\d\d[,.]\d+\s*-->")),
    ("ttml", re.compile(r"(?:<\?xml[^>]{0,200}>\s*)?<(?:\w+:)?tt\b")),
)
_SAME: Final = (frozenset(("ttml", "dfxp", "tt", "xml")), frozenset(("ass", "ssa")))


def preference(wanted: str) -> str:
    """Return yt-dlp's ``subtitlesformat`` for a wanted format."""
    if wanted == "original":
        return "best"  # the last one: `arranged` puts text there
    return "/".join([*dict.fromkeys((wanted, *TEXT_FORMATS)), "best"])


def arranged(subtitles: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page's tracks with the best of each language alone, text formats last.

    Forced tracks, which hold only signs and foreign speech, become a language of their own,
    ``en.forced``; so do those of a language that has no others.
    """
    result: dict[str, Any] = {}
    for language, tracks in subtitles.items():
        if language in _NOT_SUBTITLES or not isinstance(tracks, list):
            continue
        listed = [_nameable(track) for track in tracks if isinstance(track, dict)]
        full = [track for track in listed if not _is_forced(track)]
        forced = [track for track in listed if _is_forced(track)]
        if not full and not any(track.get(_IS_FORCED) for track in forced):
            full, forced = forced, []  # a word in all names is the film's title
        if full:
            result.setdefault(language, _sorted(_plain(full)))
        if forced:
            result.setdefault(f"{language}{FORCED}", _sorted(forced))
    return result


def only_forced(language: str, offered: Mapping[str, Any]) -> bool:
    """Whether a language has forced subtitles only."""
    return language not in offered and f"{language}{FORCED}" in offered


def missing(languages: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the wanted languages that match none of ``names``; ``*`` ends a prefix."""
    return [
        language
        for language in languages
        if language != "all"
        and not any(re.fullmatch(language.replace("*", ".*"), name) for name in names)
    ]


def actual_format(path: str, ext: str) -> str | None:
    """Return the format of a subtitle file by its content; None if it holds no subtitles."""
    with Path(path).open("rb") as file:
        sample = file.read(media_probe.SAMPLE)
    if not sample.strip() or media_probe.text_kind(path) == media_probe.HTML:
        return None
    encoding = "utf-16" if sample.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    begin = sample.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    actual = next((name for name, pattern in _BEGINS if pattern.match(begin)), ext)
    return ext if any({actual, ext} <= same for same in _SAME) else actual


def note_hls(document: str, url: str | None, subtitles: Mapping[str, Any]) -> None:
    """Note which tracks of an HLS master playlist are forced, or for the hard of hearing."""
    notes: dict[str, dict[str, Any]] = {}
    for line in document.splitlines():
        if not line.startswith("#EXT-X-MEDIA:"):
            continue
        media = parse_m3u8_attributes(line)
        if media.get("TYPE") == "SUBTITLES" and media.get("URI"):
            hearing = any(word in media.get("CHARACTERISTICS", "") for word in _HEARING)
            forced = media.get("FORCED") == "YES"
            notes[_join(url, media["URI"])] = _note(
                media.get("NAME", ""), forced=forced, sdh=hearing
            )
    _add(notes, subtitles)


def note_dash(document: Any, subtitles: Mapping[str, Any]) -> None:
    """Note the same for a DASH manifest, whose tracks have roles."""
    notes: dict[str, dict[str, Any]] = {}
    for group in document.iter():
        if not str(group.tag).endswith("AdaptationSet"):
            continue
        roles = {
            str(child.get("value")).replace("_", "-")
            for child in group
            if str(child.tag).rpartition("}")[2] in {"Role", "Accessibility"}
        }
        note = _note("", forced="forced-subtitle" in roles, sdh="caption" in roles)
        for element in group.iter():
            if str(element.tag).rpartition("}")[2] == "BaseURL" and element.text:
                notes[element.text.strip()] = note
    for tracks in subtitles.values():
        for track in tracks:
            link = str(track.get("url"))
            track.update(next((notes[end] for end in notes if link.endswith(end)), {}))


def note_html5(page: str, url: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Note the same for the tracks of a page's video elements, which have labels and kinds."""
    notes: dict[str, dict[str, Any]] = {}
    for tag in _TRACK.findall(page):
        attributes = extract_attributes(tag)
        if link := (attributes.get("src") or "").strip():
            label = attributes.get("label") or ""
            sdh = attributes.get("kind") == "captions"
            notes[_join(url, link)] = _note(label, forced=False, sdh=sdh)
    for entry in entries:
        _add(notes, entry.get("subtitles") or {})


def _join(base: str | None, link: str) -> str:
    try:
        return urljoin(base or "", link)
    except ValueError:  # a page's malformed URL
        return ""


def _note(name: str, *, forced: bool, sdh: bool) -> dict[str, Any]:
    return {
        _IS_FORCED: forced or bool(_FORCED_WORD.search(name)),
        _IS_SDH: sdh or bool(_SDH_WORD.search(name)),
    }


def _add(notes: Mapping[str, dict[str, Any]], subtitles: Mapping[str, Any]) -> None:
    for tracks in subtitles.values():
        for track in tracks:
            track.update(notes.get(str(track.get("url")), {}))


def _is_forced(track: Mapping[str, Any]) -> bool:
    return bool(track.get(_IS_FORCED)) or bool(_FORCED_WORD.search(_words(track)))


def _is_sdh(track: Mapping[str, Any]) -> bool:
    return bool(track.get(_IS_SDH)) or bool(_SDH_WORD.search(str(track.get("name") or "")))


def _words(track: Mapping[str, Any]) -> str:
    """Return the texts in which a page may say what a track is: its name, its file's name."""
    try:
        path = urlsplit(str(track.get("url") or "")).path
    except ValueError:
        path = ""
    return f"{track.get('name') or ''} {path.rpartition('/')[2]}"


def _plain(tracks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prefer tracks without descriptions of sounds, if there are any as text."""
    plain = [track for track in tracks if not _is_sdh(track)]
    if any(_is_text(track) for track in plain) or not any(_is_text(track) for track in tracks):
        return plain or tracks
    return [track for track in tracks if _is_sdh(track)]


def _nameable(track: dict[str, Any]) -> dict[str, Any]:
    """Return a track whose format may name a file: a URL may end in ``.php``.

    `actual_format` finds the true one.
    """
    known = _UnsafeExtensionError.ALLOWED_EXTENSIONS
    return track if track.get("ext") in known else {**track, "ext": _UNKNOWN}


def _sorted(tracks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first track of each format, text formats last: yt-dlp takes the last ones."""
    first = {track.get("ext"): track for track in reversed(tracks)}
    return sorted((track for track in tracks if first[track.get("ext")] is track), key=_is_text)


def _is_text(track: Mapping[str, Any]) -> bool:
    return str(track.get("ext")) in TEXT_FORMATS
