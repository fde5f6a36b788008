"""All commands by name, collected from the modules of their families."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from mediarip_mqtt.commands import (
    archive_commands,
    cookie_commands,
    download_commands,
    error_log_commands,
    history_commands,
    job_commands,
    library_commands,
    organize_commands,
    queue_commands,
    retention_commands,
    setting_commands,
    subscription_commands,
    subscription_import_commands,
    update_commands,
)
from mediarip_mqtt.commands.family import Command

FAMILIES: Final = (  # in the order of the generated docs
    download_commands,
    job_commands,
    queue_commands,
    setting_commands,
    cookie_commands,
    retention_commands,
    history_commands,
    library_commands,
    archive_commands,
    organize_commands,
    subscription_commands,
    subscription_import_commands,
    update_commands,
    error_log_commands,
)


def _commands(family: ModuleType) -> list[type[Command]]:
    classes = [
        value
        for value in vars(family).values()
        if isinstance(value, type) and value.__module__ == family.__name__
    ]
    return [cls for cls in classes if issubclass(cls, Command) and cls.command_name]


CLASSES: Final[dict[str, type[Command]]] = {
    cls.command_name: cls for family in FAMILIES for cls in _commands(family)
}
