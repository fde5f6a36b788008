"""ytdl-sub's `subscriptions.yaml`: names and URLs, below the names of presets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mediarip_mqtt.cli.import_sources import SourceError, Unreadable
from mediarip_mqtt.cli.subscription_sources.found import Draft, FoundSource, line, read_bytes

LIMIT: Final = 2**20  # bytes
MAX_DEPTH: Final = 12
MAX_INNER: Final = 4  # `download`: a list of objects
MAX_NODES: Final = 100_000  # aliases could make the tree endless
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
_URL_KEY: Final = re.compile(r"(?:s\d{1,3}_)?url\d{0,3}", re.IGNORECASE)
_AUDIO: Final = re.compile(
    r"\b(?:Releases|Full Albums|SoundCloud|Bandcamp|Single|Albums|Audio)\b", re.IGNORECASE
)


def is_ytdl_sub(start: bytes) -> bool:
    """Whether a file looks like YAML with names and URLs, and is nothing else."""
    text = start.decode("utf-8", "replace")
    if text.lstrip()[:1] in {"{", "<", ""}:
        return False
    preset = re.search(r"^__preset__\s*:", text, re.MULTILINE)
    group = re.search(r"^[\"']?[^\s#:\"'][^:\n]*[\"']?\s*:\s*(?:#.*)?$", text, re.MULTILINE)
    named = re.search(r"^\s+[^#\n]*?:\s*[\"']?https?://", text, re.MULTILINE)
    listed = re.search(r"^\s+-\s*[\"']?https?://", text, re.MULTILINE)
    return bool(preset or (group and (named or listed)))


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the subscriptions; each URL becomes one of its own."""
    try:
        content = yaml.safe_load(read_bytes(path, LIMIT))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise SourceError(f"{path}{where}: is not valid YAML.") from None
    if not isinstance(content, dict):
        raise SourceError(f"{path}: is not a file of ytdl-sub's subscriptions.")
    yield from _Walk(path, _overrides(content.get("__preset__"))).group(content, ())


@dataclass
class _Walk:
    path: Path
    overrides: Mapping[str, Any]
    nodes: int = field(default=0)

    def group(self, content: Mapping[Any, Any], above: tuple[str, ...]) -> Iterator[FoundSource]:
        """Yield what is below the name of a preset."""
        for key, value in content.items():
            self.nodes += 1
            if self.nodes > MAX_NODES or len(above) > MAX_DEPTH:
                raise SourceError(f"{self.path}: is nested too deeply, or endless.")
            name = str(key)
            if name.startswith("__"):
                continue
            if urls := _urls(value):
                yield from self._subscriptions(name, urls, above)
            elif isinstance(value, dict):
                yield from self.group(value, (*above, name))
            else:
                yield Unreadable(name[:80], "has no URL")

    def _subscriptions(
        self, name: str, urls: list[str], above: tuple[str, ...]
    ) -> Iterator[FoundSource]:
        title = line(name.lstrip("~+ ")) or urls[0]
        presets = " | ".join(above)
        for number, url in enumerate(urls, start=1):
            draft = Draft(title[:80])
            draft.put(url=url, name=title if len(urls) == 1 else f"{title[:190]} ({number})")
            if "TV Show" in presets:
                draft.put(library={"content_type": "tv", "show": title})
            elif _AUDIO.search(presets):
                draft.want(media_type="audio")
                draft.put(library={"content_type": "music"})
            if "Only Recent" in presets:
                self._only_recent(draft)
            yield draft.found()

    def _only_recent(self, draft: Draft) -> None:
        count = self.overrides.get("only_recent_max_files")
        if str(count).isdecimal() and 0 < int(str(count)) <= 10_000:  # noqa: PLR2004 - `keep_last`
            draft.put(keep_last=int(str(count)))
        span = re.fullmatch(
            r"(\d{1,4})\s*(day|week|month|year)s?",
            str(self.overrides.get("only_recent_date_range", "2months")).strip(),
        )
        if span:
            days = int(span[1]) * {"day": 1, "week": 7, "month": 30, "year": 365}[span[2]]
            draft.put(keep_days=min(max(days, 1), 36_500), keep_days_by="published")


def _overrides(preset: Any) -> Mapping[str, Any]:
    found = preset.get("overrides") if isinstance(preset, dict) else None
    return found if isinstance(found, dict) else {}


def _urls(value: Any, depth: int = 0) -> list[str]:
    """Return the URLs of a subscription; nothing for a group of them."""
    if isinstance(value, str):
        return [value.strip()] if _WEB.match(value.strip()) else []
    if depth > MAX_INNER:
        return []
    if isinstance(value, list):
        return [url for each in value[:100] for url in _urls(each, depth + 1)]
    if not isinstance(value, dict):
        return []
    found = [
        url
        for key, each in value.items()
        if _URL_KEY.fullmatch(str(key)) and not isinstance(each, dict)
        for url in _urls(each, depth + 1)
    ]
    for key in ("overrides", "download"):
        if not found and key in value:
            found = _urls(value[key], depth + 1)
    return found
