"""Types of settings. A list is one text in the environment."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, StringConstraints
from pydantic_settings import NoDecode

from mediarip_mqtt.contract.media_options import Language

PROXY: Final = r"^((https?|socks[45][ah]?)://[^\s/]+/?)?$"


def parse_list(value: object) -> object:
    """Split ``"a, b"``, the form of a list in the environment; return other values unchanged."""
    if isinstance(value, str):
        return [item for item in re.split(r"[,\s]+", value.strip("[] ")) if item]
    return value


LanguageList = Annotated[tuple[Language, ...], NoDecode, BeforeValidator(parse_list)]
HostList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_list)]
MediaSource = Annotated[
    str, StringConstraints(max_length=300, pattern=r"^(media-source://[^\s/]+(/[^\s]*)?)?$")
]
