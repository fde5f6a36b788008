"""From a message to its effect and its one reply.

A command that changes something is one transaction: its effect, the reply under its request id and
packet id, and the messages it causes. Only then the message is acknowledged to the broker. Commands
that only read are answered directly.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final, Protocol

from mediarip_mqtt.commands import parse
from mediarip_mqtt.commands.admission import Admission
from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.parse import Head
from mediarip_mqtt.commands.replies import Refused
from mediarip_mqtt.commands.setting_commands import ChangeSettings
from mediarip_mqtt.contract.errors import (
    CommandError,
    ErrorCode,
    MediaripError,
    StoreError,
    StoreProblem,
)
from mediarip_mqtt.contract.topics import (
    ROOT_SESSION,
    SESSION_ID,
    CommandTopic,
    SettingTopic,
)
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.connection import Message
from mediarip_mqtt.store import Tx

HEAD_SIZE: Final = 8192  # bytes of a too large payload in which its command's name is looked for
MAX_RESPONSE_TOPIC: Final = 512
MAX_RESPONSE_LEVELS: Final = 30  # Mosquitto takes 200, other brokers fewer
LATER: Final = ""  # kept as the reply to a delivery that is answered later

logger = logging.getLogger(__name__)


class Respond(Protocol):
    """Publishes a reply at once; returns when the broker has it."""

    def __call__(self, topic: str, payload: str, correlation: bytes | None) -> Awaitable[None]:
        """Publish."""


class Intake:
    """Turns messages into commands and carries them out, one at a time."""

    def __init__(self, context: Context, respond: Respond) -> None:
        self._context = context
        self._respond = respond
        self._settings = context.settings
        self._topics = context.topics
        self._store = context.store
        self._admission = Admission(context.preferences)

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
        sender = target.session_id if isinstance(target, CommandTopic) else ROOT_SESSION
        session_id = self._session(sender, message.topic)
        head = self._head(message, target)
        try:
            self._refuse_outright(message)
            command = (
                parse.parse_setting(message.payload, target.key)
                if isinstance(target, SettingTopic)
                else parse.parse(message.payload, target.name)
            )
            if session_id is None:
                raise _no_session(sender)
        except CommandError as error:
            reply = _refusal(error, head)
            if session_id is None and self._topics.isolated:
                # Only where that sender may listen: never on a response topic of its choice.
                await self._respond(f"{self._topics.base}/session/{sender}/response", reply, None)
            else:
                await self._answer(self._origin(message, session_id or ROOT_SESSION, head), reply)
            return
        await self._carry_out(command, self._origin(message, session_id, head))

    def _head(self, message: Message, target: CommandTopic | SettingTopic) -> Head:
        if isinstance(target, SettingTopic):
            return Head(ChangeSettings.command_name, None)
        payload = message.payload
        return parse.read_head(
            payload[:HEAD_SIZE] if self._is_too_large(payload) else payload, target.name
        )

    def _is_too_large(self, payload: bytes) -> bool:
        return len(payload) > self._settings.mqtt.max_payload

    def _refuse_outright(self, message: Message) -> None:
        if message.retain:
            logger.warning("refused a retained command on %s", message.topic)
            raise CommandError(
                ErrorCode.RETAINED_COMMAND,
                f"A retained command on {message.topic} is never carried out, since it would run "
                "at every reconnect. Publish it without the retain flag, and clear the topic.",
            )
        if self._is_too_large(message.payload):
            raise CommandError(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"The payload has {len(message.payload)} bytes; {self._settings.mqtt.max_payload} "
                "are allowed.",
            )

    def _session(self, sender: str, topic: str) -> str | None:
        """Return whose command it is; None where the topic names a session that can't be."""
        named = topic.startswith(f"{self._topics.base}/session/")
        # A user of that name would be the root's own session, from which nobody is kept apart.
        if named and self._topics.isolated and sender == ROOT_SESSION:
            return None
        if not SESSION_ID.fullmatch(sender):
            return None
        return ROOT_SESSION if self._settings.session.mode == "open" else sender

    def _origin(self, message: Message, session_id: str, head: Head) -> Origin:
        return Origin(
            session_id=session_id,
            request_id=head.request_id,
            response_topic=self._safe_response_topic(message.response_topic, session_id),
            correlation=message.correlation,
            mid=message.mid if message.qos else None,
            digest=hashlib.blake2b(
                message.topic.encode() + b"\0" + message.payload, digest_size=16
            ).hexdigest(),
            redelivered=message.dup,
            at=self._context.clock(),
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
        if self._context.is_restricted(session_id):
            return topic if replies else None
        return None if topic.startswith("$") or (own and not replies) else topic

    async def _carry_out(self, command: Command, origin: Origin) -> None:
        """Act and answer, or only answer again.

        Whether it was answered already is asked once: in the transaction, or before what comes
        ahead of it. Not in both: what `prepare` has begun must be ended by `run`, and messages are
        handled one at a time, so that no other one answers this request in between.
        """
        head = Head(command.command_name, origin.request_id)
        restricted = self._context.is_restricted(origin.session_id)
        asked_before = restricted or command.prepares
        known: str | None = None
        prepared: Any = None
        try:
            if asked_before:
                known = await self._store.read(partial(_known_reply, origin=origin))
            if known is None and restricted:
                self._admission.check(command, origin.session_id)
            if known is None and command.prepares:
                prepared = await command.prepare(self._context, origin)

            def act(tx: Tx) -> str:
                """Return the reply, or `LATER`."""
                reply = known if asked_before else _known_reply(tx, origin)
                return self._run(tx, command, origin, prepared) if reply is None else reply

            if command.reads:
                reply = await self._store.read(act)
            else:
                await self._store.write(lambda tx: self._post(tx, origin, act(tx)))
                await command.committed(self._context)
                return  # the reply is in the outbox, committed with the effect
        except CommandError as error:
            reply = _refusal(error, head)
        except StoreError as error:
            logger.error("%s: the store can't be used: %s", head.command, error)  # noqa: TRY400 - no traceback for a lost volume
            reply = _refusal(_unavailable(error, begun=command.prepares), head)
        except MediaripError:
            raise
        except Exception:
            logger.exception("%s: failed", head.command)
            failure = CommandError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
            reply = _refusal(failure, head)
        await self._answer(origin, reply)

    async def _answer(self, origin: Origin, reply: str) -> None:
        """Publish a reply that nothing keeps."""
        await self._respond(self._topics.of(origin.session_id).response, reply, None)
        if origin.response_topic:
            await self._respond(origin.response_topic, reply, origin.correlation)

    # In a transaction

    def _run(self, tx: Tx, command: Command, origin: Origin, prepared: Any) -> str:
        """Carry out a command that was not answered yet; return its reply, or `LATER`."""
        name, request_id = command.command_name, origin.request_id
        try:
            with tx.savepoint():
                reply = command.run(tx, self._context, origin, prepared)
            payload = LATER if reply is None else reply.to_json(name, request_id)
        except CommandError as error:
            command.refused(tx, self._context)
            payload = _refusal(error, Head(name, request_id))
        if command.reads:
            return payload
        if request_id and payload != LATER:
            tx.remember_request(origin.session_id, request_id, payload, self._context.clock())
        if origin.mid is not None:
            tx.remember_delivery(origin.mid, origin.digest, payload, self._context.clock())
        return payload

    def _post(self, tx: Tx, origin: Origin, reply: str) -> None:
        """Put a reply in the outbox."""
        if reply == LATER:
            return
        now = self._context.clock()
        tx.reply(self._topics.of(origin.session_id).response, reply, now)
        if origin.response_topic:
            tx.reply(origin.response_topic, reply, now, origin.correlation)


def _known_reply(tx: Tx, origin: Origin) -> str | None:
    """Return the reply that this request, or this delivery, got already; None where it got none."""
    if origin.request_id:
        known = tx.reply_to_request(origin.session_id, origin.request_id)
        if known is not None:
            return known
    if origin.redelivered and origin.mid is not None:
        return tx.reply_to_delivery(origin.mid, origin.digest)
    return None


def _refusal(error: MediaripError, head: Head) -> str:
    """Return the reply that tells of an error, and log it."""
    reply = Refused.of(error, head.command, head.request_id).model_dump_json()
    logger.info("refused: %s", reply[:400])
    return reply


def _unavailable(error: StoreError, *, begun: bool) -> CommandError:
    """Return the error for a command that the store could not take."""
    done = "a part may be done" if begun else "nothing was done"
    if error.kind is StoreProblem.FULL:
        text = f"The volume is full; {done}. Free some space, then try again."
    else:
        text = (
            f"The store on the volume can't be used right now; {done}. Try again when the volume "
            "is back."
        )
    return CommandError(ErrorCode.STORAGE_UNAVAILABLE, text)


def _no_session(sender: str) -> CommandError:
    """Return why a topic's session can't be one."""
    if sender == ROOT_SESSION:
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
