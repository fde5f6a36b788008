"""From a message to its effect and its one reply.

A command that changes something is one transaction: its effect, the reply under its request id and
packet id, and the messages it causes. Only then the message is acknowledged to the broker. Commands
that only read are answered directly.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from mediarip_mqtt import threads
from mediarip_mqtt.commands import parse
from mediarip_mqtt.commands.effects import Effects, Origin, name_of
from mediarip_mqtt.commands.payloads import (
    Base,
    ChangeSettings,
    Delete,
    Errors,
    Get,
    List,
    ManageCookies,
    Purge,
)
from mediarip_mqtt.contract.errors import (
    CommandError,
    ErrorCode,
    MediaripError,
    StoreError,
    StoreProblem,
)
from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import (
    ROOT_SESSION,
    SESSION_ID,
    SettingTopic,
    Topics,
    dumps,
    refused,
)
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.mqtt.connection import Message
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.volume.files import remove_owned

MAX_RESPONSE_TOPIC: Final = 512
LATER: Final = ""  # the reply to a delivery that is answered later
MAX_RESPONSE_LEVELS: Final = 30  # Mosquitto takes 200, other brokers fewer

logger = logging.getLogger(__name__)


class Respond(Protocol):
    """Publishes a reply at once; returns when the broker has it."""

    def __call__(self, topic: str, payload: str, correlation: bytes | None) -> Awaitable[None]:
        """Publish."""


class Dispatch:
    """Turns messages into commands and carries them out."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it joins
        self,
        settings: Settings,
        topics: Topics,
        store: Store,
        effects: Effects,
        preferences: Preferences,
        respond: Respond,
        clock: Callable[[], datetime],
        *,
        cookies: Cookies,
        settings_changed: Callable[[], None],
        retention: Retention,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._store = store
        self._effects = effects
        self._preferences = preferences
        self._respond = respond
        self._clock = clock
        self._cookies = cookies
        self._settings_changed = settings_changed
        self._retention = retention
        self._root: Path = settings.storage.root

    async def new_session(self) -> None:
        """Forget what was delivered in a session that the broker has lost."""
        try:
            await self._store.write(lambda tx: tx.forget_deliveries())
        except StoreError as error:
            logger.warning("mqtt: old deliveries could not be forgotten: %s", error)

    async def handle(self, message: Message) -> None:
        """Carry out what a message asks; returns once that is committed and the reply is safe.

        Raises only what says that the message must come again: a lost connection.
        """
        fault("command-received")
        target = self._topics.parse(message.topic)
        if target is None:
            return
        if message.retain and not message.payload:
            return  # someone clears a retained command: nothing is asked
        name = "settings" if isinstance(target, SettingTopic) else target.name
        sid = ROOT_SESSION if isinstance(target, SettingTopic) else target.session_id
        session_id = self._session(sid, message.topic)
        request_id: str | None = None
        try:
            self._refuse_outright(message)
            command = (
                self._setting(target.key, message.payload)
                if isinstance(target, SettingTopic)
                else parse.parse(message.payload, name)
            )
            if session_id is None:
                raise parse.ParseError(_nobody(sid), name_of(command), command.request_id)
        except CommandError as error:
            if isinstance(error, parse.ParseError):
                name, request_id = error.command or name, error.request_id
            reply = refused(_bounded(name), request_id, error)
            if session_id is None and self._topics.isolated:
                await self._answer_nobody(sid, reply)
                return
            origin = self._origin(message, session_id or ROOT_SESSION, request_id)
            await self._answer(origin, reply)
            return
        await self._carry_out(command, self._origin(message, session_id, command.request_id))

    def _refuse_outright(self, message: Message) -> None:
        if message.retain:
            logger.warning("refused a retained command on %s", message.topic)
            raise CommandError(
                ErrorCode.RETAINED_COMMAND,
                f"A retained command on {message.topic} is never carried out, since it would run "
                "at every reconnect. Publish it without the retain flag, and clear the topic.",
            )
        if len(message.payload) > self._settings.mqtt.max_payload:
            raise CommandError(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"The payload has {len(message.payload)} bytes; {self._settings.mqtt.max_payload} "
                "are allowed.",
            )

    def _session(self, sid: str, topic: str) -> str | None:
        """Return whose command it is; None where the topic names a session that can't be."""
        named = topic.startswith(f"{self._topics.base}/session/")
        # A user of that name would be the root's own session, from which nobody is kept apart.
        if named and self._topics.isolated and sid == ROOT_SESSION:
            return None
        if not SESSION_ID.fullmatch(sid):
            return None
        return ROOT_SESSION if self._settings.session.mode == "open" else sid

    def _setting(self, key: str, payload: bytes) -> ChangeSettings:
        try:
            text = payload.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD, "The payload is not UTF-8 text.", field=key[:64]
            ) from None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        return ChangeSettings(values={key: value})

    def _origin(self, message: Message, session_id: str, request_id: str | None) -> Origin:
        return Origin(
            session_id=session_id,
            request_id=request_id,
            response_topic=self._safe_response_topic(message.response_topic, session_id),
            correlation=message.correlation,
            mid=message.mid if message.qos else None,
            digest=hashlib.blake2b(
                message.topic.encode() + b"\0" + message.payload, digest_size=16
            ).hexdigest(),
            redelivered=message.dup,
            at=self._clock(),
        )

    def _safe_response_topic(self, topic: str | None, session_id: str) -> str | None:
        """Return a topic that a reply may go to: never one of ours, nor a wildcard or `$SYS`.

        Of an isolated session only one below its own `response`: the broker would let the service
        write where the session itself may not.
        """
        if not topic or len(topic) > MAX_RESPONSE_TOPIC or set(topic) & set("+#"):
            return None
        # For these the broker would end the connection, again and again.
        if not topic.isprintable() or topic.count("/") >= MAX_RESPONSE_LEVELS:
            return None
        own = topic == self._topics.base or topic.startswith(f"{self._topics.base}/")
        replies = topic.startswith(f"{self._topics.of(session_id).response}/")
        if self._effects.scope(session_id) not in {None, ROOT_SESSION}:
            return topic if replies else None
        return None if topic.startswith("$") or (own and not replies) else topic

    async def _carry_out(self, command: Base, origin: Origin) -> None:
        name = name_of(command)
        try:
            await self._admit(command, origin)
            if isinstance(command, List | Get | Errors):
                reply = await self._store.read(lambda tx: self._read(tx, command, origin))
            else:
                match command:
                    case Delete():
                        origin = await self._without_files(command, origin)
                    case Purge():
                        origin = await self._with_purge(command, origin)
                    case ManageCookies():
                        origin = await self._with_cookies(command, origin)
                await self._store.write(lambda tx: self._write(tx, command, origin))
                if isinstance(command, ChangeSettings):
                    await self._restore_preferences()
                return  # the reply is in the outbox, committed with the effect
        except CommandError as error:
            reply = dumps(refused(name, origin.request_id, error))
        except StoreError as error:
            logger.error("%s: the store can't be used: %s", name, error)  # noqa: TRY400 - no traceback for a lost volume
            begun = isinstance(command, Purge | Delete | ManageCookies)
            done = "a part may be done" if begun else "nothing was done"
            failure = CommandError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The volume is full; {done}. Free some space, then try again."
                if error.kind is StoreProblem.FULL
                else f"The store on the volume can't be used right now; {done}. Try again when the "
                "volume is back.",
            )
            reply = dumps(refused(name, origin.request_id, failure))
        except MediaripError:
            raise
        except Exception:
            logger.exception("%s: failed", name)
            failure = CommandError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
            reply = dumps(refused(name, origin.request_id, failure))
        await self._answer(origin, reply)

    async def _admit(self, command: Base, origin: Origin) -> None:
        """Refuse what an isolated session may not, before anything is done or written."""
        if self._effects.scope(origin.session_id) in {None, ROOT_SESSION}:
            return
        if await self._store.read(lambda tx: self._known_reply(tx, origin)) is None:
            self._effects.admit(command, origin.session_id)

    async def _restore_preferences(self) -> None:
        try:
            self._preferences.restore(await self._store.read(lambda tx: tx.config()))
            self._settings_changed()
        except StoreError as error:
            logger.warning("settings: committed, and in force at the next start: %s", error)

    async def _answer_nobody(self, sid: str, reply: dict[str, Any]) -> None:
        """Answer a sender without a session where he may listen, and on no topic that he chose."""
        payload = dumps(reply)
        logger.info("refused: %s", payload[:400])
        await self._respond(f"{self._topics.base}/session/{sid}/response", payload, None)

    async def _answer(self, origin: Origin, reply: dict[str, Any] | str) -> None:
        payload = reply if isinstance(reply, str) else dumps(reply)
        if '"ok":false' in payload[:12]:
            logger.info("refused: %s", payload[:400])
        await self._respond(self._topics.of(origin.session_id).response, payload, None)
        if origin.response_topic:
            await self._respond(origin.response_topic, payload, origin.correlation)

    # In a transaction

    def _write(self, tx: Tx, command: Base, origin: Origin) -> None:
        """Carry out a command; its reply is committed with its effect."""
        known = self._known_reply(tx, origin)
        if known is None:
            try:
                with tx.savepoint():
                    result = self._effects.carry_out(tx, command, origin)
            except CommandError as error:
                result = refused(name_of(command), origin.request_id, error)
                logger.info("refused: %s", dumps(result)[:400])
                if isinstance(command, ChangeSettings):
                    # Published again, so that a control shows the truth.
                    shown = self._preferences.values()
                    tx.changes.settings.update(
                        PREFIX + key for key in command.values if key in shown
                    )
            if result is None:  # a probe: answered when it is done, and once
                if origin.mid is not None:
                    tx.remember_delivery(origin.mid, origin.digest, LATER, self._clock())
                return
            known = dumps(result)
            if origin.request_id:
                tx.remember_request(origin.session_id, origin.request_id, known, self._clock())
            if origin.mid is not None:
                tx.remember_delivery(origin.mid, origin.digest, known, self._clock())
        if known == LATER:
            return
        tx.reply(self._topics.of(origin.session_id).response, known, self._clock())
        if origin.response_topic:
            tx.reply(origin.response_topic, known, self._clock(), origin.correlation)

    def _known_reply(self, tx: Tx, origin: Origin) -> str | None:
        if origin.request_id:
            known = tx.reply_to_request(origin.session_id, origin.request_id)
            if known is not None:
                return known
        if origin.redelivered and origin.mid is not None:
            return tx.reply_to_delivery(origin.mid, origin.digest)
        return None

    def _read(self, tx: Tx, command: Base, origin: Origin) -> str:
        known = self._known_reply(tx, origin)
        if known is not None:
            return known
        return dumps(self._effects.carry_out(tx, command, origin))

    async def _without_files(self, command: Delete, origin: Origin) -> Origin:
        """Remove the files before the rows that name them: a kill between leaves no orphan.

        What is left of a move that was begun goes in any case: it is no file of theirs yet.
        """

        def look(tx: Tx) -> tuple[list[str], list[JobFile]] | None:
            if self._known_reply(tx, origin) is not None:
                return None  # it has acted already; `last` may be another job by now
            if not command.files and not tx.planned_jobs():
                return None
            ids = self._effects.to_delete(tx, command, origin)
            return ids, [one for one in tx.owned_files(ids) if command.files or one.temp_path]

        found = await self._store.read(look)
        if found is None:
            return origin
        for file in found[1]:
            try:
                await threads.call(remove_owned, self._root, file)
            except OSError as error:
                raise CommandError(
                    ErrorCode.STORAGE_UNAVAILABLE,
                    f"The file {file.filename!r} can't be removed: {error.strerror}. The jobs were "
                    "kept.",
                ) from None
        return replace(origin, deleted=frozenset(found[0])) if command.files else origin

    async def _with_purge(self, command: Purge, origin: Origin) -> Origin:
        """Remove in small transactions what goes; the last jobs go in the reply's own."""
        if await self._store.read(lambda tx: self._known_reply(tx, origin)) is not None:
            return origin  # it has acted already
        rule = self._effects.purge_rule(command, origin)
        files = command.files
        if files is None:
            files = self._settings.purge.files or command.max_total_size is not None
        work = self._retention.preview if command.dry_run else self._retention.begin
        purge = await work(rule, files=files)
        finish = partial(self._retention.finish, purge=purge, session_id=origin.session_id)
        return replace(origin, purge=finish)

    async def _with_cookies(self, command: ManageCookies, origin: Origin) -> Origin:
        """Store or delete cookies; return the origin with a report on what there is then."""
        if await self._store.read(lambda tx: self._known_reply(tx, origin)) is not None:
            return origin  # it has acted already
        session, content = origin.session_id, command.content

        def act() -> dict[str, Any]:
            if content is not None:
                self._cookies.save(session, content.get_secret_value())
            elif command.delete:
                self._cookies.remove(session)
            return self._cookies.report(session).payload()

        try:
            return replace(origin, cookies=await threads.start(act, "cookies"))
        except OSError as error:
            raise CommandError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The cookies can't be stored on the volume: {error.strerror}.",
            ) from None


def _nobody(sid: str) -> CommandError:
    """Return why a session can't be one."""
    if sid == ROOT_SESSION:
        return CommandError(
            ErrorCode.FORBIDDEN,
            f"The session `{ROOT_SESSION}` is the service's own. Use a session of another "
            "name: at the broker, a user of another name.",
            field="session_id",
        )
    return CommandError(
        ErrorCode.INVALID_PAYLOAD,
        "A session's name has 1 to 64 letters, digits and `_ . @ -`.",
        field="session_id",
    )


def _bounded(name: str | None) -> str | None:
    return name[:64] if name else name
