"""The target of the fuzzer: `python -m tests.faults.fuzz -max_total_time=60`.

Every door that bytes from outside come in by; what they may raise is caught, all else is a finding.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["mediarip_mqtt"]):
    from mediarip_mqtt.commands import parse
    from mediarip_mqtt.commands.registry import CLASSES
    from mediarip_mqtt.contract import topics
    from mediarip_mqtt.contract.errors import CommandError
    from mediarip_mqtt.contract.runtime_settings import Preferences
    from mediarip_mqtt.contract.settings import SecuritySettings, Settings
    from mediarip_mqtt.contract.urls import check_url
    from mediarip_mqtt.engine.error_classes import classify, clean
    from mediarip_mqtt.volume import names

NAMES = [None, *sorted(CLASSES)]
TOPICS = topics.Topics("mediarip", isolated=True)
SECURITY = SecuritySettings()
PREFERENCES = Preferences(Settings())


def one_input(data: bytes) -> None:
    """Send one input through a door."""
    if not data:
        return
    door, payload = data[0] % 8, data[1:]
    text = payload.decode("utf-8", "replace")
    with contextlib.suppress(CommandError):
        match door:
            case 0 | 1 | 2:
                name = NAMES[data[0] % len(NAMES)]
                parse.read_head(payload, name)
                parse.parse(payload, name)
            case 3:
                check_url(text, SECURITY)
            case 4:
                safe = names.safe_name(text or "x")
                if ".." in safe.split("/") or safe.startswith("/") or "\x00" in safe:
                    raise RuntimeError(f"an unsafe name: {safe!r}")
                names.check_folder(text)
            case 5:
                TOPICS.parse(f"mediarip/{text}")
                TOPICS.parse_job(text)
            case 6:
                PREFERENCES.check(text[:20], text[20:])
            case _:
                clean(text)
                classify(RuntimeError(text))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
