"""Types of settings. A list is one text in the environment."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, StringConstraints
from pydantic_settings import NoDecode

from mediarip_mqtt.contract.media_options import Language

PROXY: Final = r"^((https?|socks[45][ah]?)://[^\s/]+/?)?$"


def parse_list(value: object) -> object:
    """Split ``"a, b"`` or a JSON list, the forms in the environment; return others unchanged."""
    if isinstance(value, str):
        items = re.split(r"[,\s]+", value.strip().removeprefix("[").removesuffix("]"))
        return [item for item in (item.strip("\"'") for item in items) if item]
    return value


LanguageList = Annotated[tuple[Language, ...], NoDecode, BeforeValidator(parse_list)]
HostList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_list)]
MediaSource = Annotated[
    str, StringConstraints(max_length=300, pattern=r"^(media-source://[^\s/]+(/[^\s]*)?)?$")
]
