"""The command that asks for a newer yt-dlp: `update_ytdlp`."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.store import Tx

# Of the store's table `config`: set while an update is asked for and not done.
UPDATE_KEY: Final = "ytdlp_update"
UPDATE_CHECK: Final = "check"  # its value where only a look at the package index is


class UpdateStarted(Accepted):
    """Whether an update begins; the event `ytdlp_updated` tells how it ended."""

    started: bool
    installed: str
    latest: str | None = Field(description="Null where the package index was not asked yet.")


class UpdateYtdlp(Command):
    """Install and verify a newer yt-dlp, and switch to it when no download runs."""

    example: ClassVar = {"check": True}
    main_argument = "action"

    command: Literal["update_ytdlp"] = "update_ytdlp"
    action: Literal["install"] = Field("install", description="What Home Assistant's button says.")
    check: bool = Field(default=False, description="Only look whether there is a newer one.")

    def concerns_all(self) -> bool:
        """Every session's downloads use it."""
        return True

    def run(self, tx: Tx, context: Context, _origin: Origin, _: None) -> UpdateStarted:
        """Ask for it; `service.ytdlp_update` does it."""
        if tx.config().get(UPDATE_KEY):
            raise CommandError(
                ErrorCode.INVALID_TRANSITION,
                f"An update is under way already; {context.topics.ytdlp} shows how far it is.",
            )
        tx.set_config(UPDATE_KEY, UPDATE_CHECK if self.check else "wanted", context.clock())
        return UpdateStarted(started=not self.check, **context.ytdlp_versions())
