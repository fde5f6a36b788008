"""The command about a session's cookies: `cookies`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from mediarip_mqtt import threads
from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import CookieReport
from mediarip_mqtt.store import Tx


class CookieState(Accepted):
    """Which cookies are stored now; never their values."""

    cookies: CookieReport


class ManageCookies(Command):
    """Store, report on or delete the session's cookies; their values are never published."""

    example: ClassVar = {"delete": True}
    main_argument = "content"

    command: Literal["cookies"] = "cookies"
    content: SecretStr | None = Field(
        None,
        min_length=1,
        description="A cookies.txt in Netscape format, or a JSON export of a browser extension; "
        "replaces the stored one.",
    )
    delete: bool = Field(default=False, description="Delete them.")

    @model_validator(mode="after")
    def _not_both(self) -> ManageCookies:
        if self.delete and self.content is not None:
            raise ValueError("`content` and `delete` contradict each other")
        return self

    async def prepare(self, context: Context, origin: Origin) -> CookieReport:
        """Store or delete them; return what is stored then."""
        session_id, cookies = origin.session_id, context.cookies

        def act() -> CookieReport:
            if self.content is not None:
                cookies.save(session_id, self.content.get_secret_value())
            elif self.delete:
                cookies.remove(session_id)
            return cookies.report(session_id)

        try:
            return await threads.start(act, "cookies")
        except OSError as error:
            raise CommandError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The cookies can't be stored on the volume: {error.strerror}.",
            ) from None

    def run(self, _tx: Tx, _context: Context, _origin: Origin, report: CookieReport) -> CookieState:
        """Reply with the report of `prepare`."""
        return CookieState(cookies=report)
