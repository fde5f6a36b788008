"""The command that asks for a newer yt-dlp: `update_ytdlp`."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.store import Tx

# In the store's table `config`; set while a requested update is not done.
UPDATE_KEY: Final = "ytdlp_update"
UPDATE_CHECK: Final = "check"  # its value if only the package index is to be checked


class UpdateStarted(Accepted):
    """Whether an update starts; the event `ytdlp_updated` reports its end."""

    started: bool
    installed: str
    latest: str | None = Field(description="Null if the package index was not checked yet.")


class UpdateYtdlp(Command):
    """Install and verify a newer yt-dlp, and switch to it when no download runs."""

    example: ClassVar = {"check": True}
    main_argument = "action"

    command: Literal["update_ytdlp"] = "update_ytdlp"
    action: Literal["install"] = Field(
        "install", description="Sent by Home Assistant's update entity."
    )
    check: bool = Field(default=False, description="Only check whether there is a newer version.")

    def concerns_all(self) -> bool:
        """All sessions use the same yt-dlp."""
        return True

    def run(self, tx: Tx, context: Context, _origin: Origin, _: None) -> UpdateStarted:
        """Store the request; `service.ytdlp_update` carries it out."""
        if tx.config().get(UPDATE_KEY):
            raise CommandError(
                ErrorCode.INVALID_TRANSITION,
                f"An update is under way already; {context.topics.ytdlp} shows how far it is.",
            )
        tx.set_config(UPDATE_KEY, UPDATE_CHECK if self.check else "wanted", context.clock())
        return UpdateStarted(started=not self.check, **context.ytdlp_versions())
