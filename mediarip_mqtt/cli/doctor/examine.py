"""Everything that `doctor` looks at, in the order in which it is told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.cli import client
from mediarip_mqtt.cli.doctor import check_broker, check_machine, check_store, check_volume
from mediarip_mqtt.cli.doctor.findings import (
    Check,
    Finding,
    HangingError,
    State,
    attempt,
    carry_out,
    ok,
)
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.service import load_settings
from mediarip_mqtt.volume import files

VOLUME_TIME: Final = 5.0
DATABASE_TIME: Final = 20.0
STORE_TIME: Final = 60.0
BROKER_TIME: Final = 30.0
HANGS: Final = (
    "The volume hangs: check its server and the network. A process that waits for it can be ended "
    "only once it answers, or is unmounted (`umount -f -l`)."
)


async def examine(loaded: Settings, config: Path | None) -> list[Finding]:
    """Look at everything; what lies on the volume only where the volume is well."""
    first = await carry_out(_on_volume("volume", check_volume.presence, loaded, VOLUME_TIME))
    usable = first[0].state is State.OK
    mqtt = await _broker(loaded) if usable else loaded.mqtt
    rest = await carry_out(
        Check(
            "broker",
            partial(check_broker.look, mqtt),
            BROKER_TIME,
            "Check that the broker answers.",
        ),
        Check("signs of life", partial(check_machine.service, loaded)),
        *(_volume_checks(loaded) if usable else ()),
        Check("ffmpeg", check_machine.ffmpeg, 25),
        Check("JavaScript", check_machine.javascript, 25),
        Check(
            "yt-dlp", partial(check_machine.ytdlp, files.fetched_folder(loaded) if usable else None)
        ),
        Check("clock", check_machine.clock),
    )
    return [_configuration(config), *first, *rest]


def _configuration(config: Path | None) -> Finding:
    origins = load_settings.origins(config).values()
    given = [one for one in origins if one != "default"]
    return ok("configuration", f"valid; {len(given)} settings are not left at their default")


async def _broker(loaded: Settings) -> MqttSettings:
    """Return how the broker is reached: an embedded one has its address on the volume."""
    try:
        return await attempt(partial(client.reachable, loaded), "broker", VOLUME_TIME)
    except (HangingError, OSError):
        return loaded.mqtt


def _volume_checks(loaded: Settings) -> list[Check]:
    return [
        _on_volume("journal mode", check_volume.kind, loaded),
        _on_volume("space", check_volume.space, loaded),
        _on_volume("files", check_volume.files, loaded),
        _on_volume("locks", check_volume.locks, loaded, DATABASE_TIME),
        _on_volume("database", check_volume.database, loaded, DATABASE_TIME),
        _on_volume("store", check_store.look, loaded, STORE_TIME),
        _on_volume("user", check_volume.owner, loaded),
        _on_volume("temporary folder", check_volume.temp_folder, loaded),
        _on_volume("volume's clock", check_volume.clock, loaded),
    ]


def _on_volume(name: str, look: Any, loaded: Settings, seconds: float = 10.0) -> Check:
    return Check(name, partial(look, loaded), seconds, HANGS)
