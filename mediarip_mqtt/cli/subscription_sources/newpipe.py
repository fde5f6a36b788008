"""NewPipe's export of subscriptions: `{"subscriptions": [{"service_id", "url", "name"}]}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mediarip_mqtt.cli.import_sources import Unreadable
from mediarip_mqtt.cli.subscription_sources.found import Draft, FoundSource, line, read_object


def is_newpipe(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is NewPipe's."""
    listed = content.get("subscriptions")
    return isinstance(listed, list) and ("app_version" in content or "app_version_int" in content)


def read(path: Path) -> Iterator[FoundSource]:
    """Yield the channels."""
    for number, entry in enumerate(read_object(path).get("subscriptions") or (), start=1):
        place = f"subscription {number}"
        if not isinstance(entry, dict):
            yield Unreadable(place, "is not an object")
            continue
        draft = Draft(place)
        draft.put(url=entry.get("url"), name=line(entry.get("name")))
        yield draft.found()
