"""All checks of `doctor`, in the order of its report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli import client
from mediarip_mqtt.cli.doctor import (
    check_broker,
    check_machine,
    check_pot_provider,
    check_store,
    check_volume,
)
from mediarip_mqtt.cli.doctor.findings import (
    SECONDS,
    DoctorCheck,
    Finding,
    HangingError,
    Severity,
    from_error,
    ok,
    run_checks,
    with_time_limit,
)
from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.service import load_settings
from mediarip_mqtt.volume import files

# Time limits in seconds.
VOLUME_TIME: Final = 5.0
DATABASE_TIME: Final = 20.0
STORE_TIME: Final = 60.0
BROKER_TIME: Final = 30.0
PROGRAM_TIME: Final = 25.0
HANGS: Final = (
    "The volume hangs: check its server and the network. A process that waits for it can only be "
    "ended when it answers, or is unmounted (`umount -f -l`)."
)


async def examine(loaded: Settings, config: Path | None) -> list[Finding]:
    """Run all checks; those on the volume only if the volume is usable."""
    presence = await run_checks(_on_volume("volume", check_volume.presence, loaded, VOLUME_TIME))
    usable = presence[0].state is Severity.OK
    mqtt = await _broker(loaded) if usable else loaded.mqtt
    others = await run_checks(
        DoctorCheck(
            "broker",
            partial(check_broker.look, mqtt),
            BROKER_TIME,
            "Check that the broker answers.",
        ),
        DoctorCheck("signs of life", partial(check_machine.service, loaded)),
        *(_volume_checks(loaded) if usable else ()),
        DoctorCheck("ffmpeg", check_machine.ffmpeg, PROGRAM_TIME),
        DoctorCheck("JavaScript", check_machine.javascript, PROGRAM_TIME),
        DoctorCheck("yt-dlp", partial(check_machine.ytdlp, files.fetched_folder(loaded))),
        DoctorCheck("PO tokens", partial(check_pot_provider.look, loaded)),
        DoctorCheck("cookies file", partial(check_machine.cookies, loaded)),
        DoctorCheck("clock", check_machine.clock),
    )
    return [_configuration(loaded, config), *presence, *others]


def _configuration(loaded: Settings, config: Path | None) -> Finding:
    try:
        load_settings.check_topics(loaded, config)
    except ConfigError as error:
        return from_error("configuration", error)
    origins = load_settings.origins(config).values()
    count = sum(origin != "default" for origin in origins)
    return ok("configuration", f"valid; {count} settings differ from their default")


async def _broker(loaded: Settings) -> MqttSettings:
    """Return how the broker is reached; the address of an embedded one is stored on the volume."""
    try:
        return await with_time_limit(partial(client.reachable, loaded), "broker", VOLUME_TIME)
    except (HangingError, OSError):
        return loaded.mqtt


def _volume_checks(loaded: Settings) -> list[DoctorCheck]:
    return [
        _on_volume("journal mode", check_volume.kind, loaded),
        _on_volume("space", check_volume.space, loaded),
        _on_volume("files", check_volume.files, loaded),
        _on_volume("locks", check_volume.locks, loaded, DATABASE_TIME),
        _on_volume("database", check_volume.database, loaded, DATABASE_TIME),
        _on_volume("store", check_store.look, loaded, STORE_TIME),
        _on_volume("user", check_volume.owner, loaded),
        _on_volume("neighbours", check_volume.neighbours, loaded),
        _on_volume("temporary folder", check_volume.temp_folder, loaded),
        _on_volume("volume's clock", check_volume.clock, loaded),
    ]


def _on_volume(
    name: str,
    look: Callable[[Settings], list[Finding]],
    loaded: Settings,
    seconds: float = SECONDS,
) -> DoctorCheck:
    return DoctorCheck(name, partial(look, loaded), seconds, HANGS)
