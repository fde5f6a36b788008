"""Carries out the commands in messages, each once, with one reply.

A command that changes something is one transaction: its effect, the reply by request id and packet
id, and the messages it causes. The message is acknowledged to the broker only after the commit.
Every reply leaves through the outbox; while the store can't be used, through its part in memory.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Protocol

from mediarip_mqtt.commands import parse
from mediarip_mqtt.commands.admission import Admission, Standing
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
from mediarip_mqtt.contract.reply_topics import ReplyTopics
from mediarip_mqtt.contract.topics import (
    ROOT_SESSION,
    SESSION_ID,
    CommandTopic,
    SettingTopic,
)
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.mqtt.incoming import Message
from mediarip_mqtt.store import Tx

HEAD_SIZE: Final = (
    8192  # bytes of a payload that is too large, searched at each end for the command's name
)
MAX_TOLD: Final = 20  # senders who are told of dropped messages at once
LATER: Final = ""  # stored as the reply of a command that is answered later

logger = logging.getLogger(__name__)


class PostUnstored(Protocol):
    """Puts a reply in the part of the outbox that is in memory."""

    def __call__(self, topic: str, payload: str, correlation: bytes | None) -> None:
        """Return at once; the reply is lost only if the process ends before it is sent."""


class Intake:
    """Turns messages into commands and carries them out, one at a time."""

    def __init__(self, context: Context, post_unstored: PostUnstored, replies: ReplyTopics) -> None:
        self._context = context
        self._post_unstored = post_unstored
        self._replies = replies
        self._settings = context.settings
        self._topics = context.topics
        self._store = context.store
        self._admission = Admission(context.preferences)
        self._unanswered: Counter[str] = Counter()  # messages of floods, by sender

    async def new_session(self) -> None:
        """Forget the packet ids of an MQTT session that the broker has lost."""
        try:
            await self._store.write(lambda tx: tx.forget_deliveries())
        except StoreError as error:
            logger.warning("mqtt: old deliveries could not be forgotten: %s", error)

    async def handle(self, message: Message) -> None:
        """Carry out a message's command; return once its effect and reply are committed."""
        fault("command-received")
        target = self._topics.parse(message.topic)
        if target is None:
            return
        if message.retain and not message.payload:
            return  # clears a retained command; not a command itself
        sender = target.session_id if isinstance(target, CommandTopic) else ROOT_SESSION
        session_id = self._session(sender, message.topic)
        standing = self._count(sender, message)
        if standing is Standing.FLOOD:
            self._unanswered[sender if len(self._unanswered) < MAX_TOLD else ""] += 1
            return
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
                # Not on the message's response topic: the sender may have no right to write there.
                own = f"{self._topics.base}/session/{sender}/response"
                await self._answer([(own, None)], reply)
            else:
                origin = self._origin(message, session_id or ROOT_SESSION, head)
                await self._answer(self._receivers(origin), reply)
            return
        await self._carry_out(command, self._origin(message, session_id, head), standing)

    def _count(self, sender: str, message: Message) -> Standing:
        """Count a message of an isolated session."""
        # What the broker delivers again has been counted, and its reply may be known.
        if message.dup or not self._topics.isolated:
            return Standing.ALLOWED
        if not self._topics.sender(message.topic):
            return Standing.ALLOWED
        return self._admission.count(sender)

    def floods(self, sender: str) -> bool:
        """Whether an isolated session's messages are dropped unread; empty: the root's."""
        return bool(sender) and self._topics.isolated and self._admission.is_flood(sender)

    def tell_dropped(self, dropped: Mapping[str, int]) -> None:
        """Tell senders, and the log, of messages that got no reply.

        ``dropped``: those that were never read, by sender.
        """
        counts = self._unanswered + Counter(dropped)
        self._unanswered.clear()
        for sender, count in counts.most_common(MAX_TOLD):
            topics = self._topics
            if SESSION_ID.fullmatch(sender):
                topics = topics.of(sender)
            logger.warning(
                "mqtt: dropped %d messages, more than can be handled, of the session %r",
                count,
                sender,
            )
            error = CommandError(
                ErrorCode.RATE_LIMITED,
                f"{count} messages were dropped without a reply: they came faster than they can "
                "be handled. Wait a little.",
            )
            reply = Refused.of(error, None, None).model_dump_json()
            self._post_unstored(topics.response, reply, None)

    def _head(self, message: Message, target: CommandTopic | SettingTopic) -> Head:
        if isinstance(target, SettingTopic):
            return Head(ChangeSettings.command_name, None)
        payload = message.payload
        if not self._is_too_large(message):
            return parse.read_head(payload, target.name)
        return parse.read_end(
            payload[-HEAD_SIZE:], parse.read_head(payload[:HEAD_SIZE], target.name)
        )

    def _is_too_large(self, message: Message) -> bool:
        return message.size > self._settings.mqtt.max_payload

    def _refuse_outright(self, message: Message) -> None:
        if message.retain:
            logger.warning("refused a retained command on %s", message.topic)
            raise CommandError(
                ErrorCode.RETAINED_COMMAND,
                f"A retained command on {message.topic} is never carried out, since it would run "
                "at every reconnect. Publish it without the retain flag, and clear the topic.",
            )
        if self._is_too_large(message):
            raise CommandError(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"The payload has {message.size} bytes; {self._settings.mqtt.max_payload} "
                "are allowed.",
            )

    def _session(self, sender: str, topic: str) -> str | None:
        """Return the command's session; None if the topic names one that is not allowed."""
        named = topic.startswith(f"{self._topics.base}/session/")
        # A broker user of that name would get the root session, which is not isolated.
        if named and self._topics.isolated and sender == ROOT_SESSION:
            return None
        if not SESSION_ID.fullmatch(sender):
            return None
        return ROOT_SESSION if self._settings.session.mode == "open" else sender

    def _origin(self, message: Message, session_id: str, head: Head) -> Origin:
        wanted = message.response_topic or ""
        return Origin(
            session_id=session_id,
            request_id=head.request_id,
            response_topic=wanted if self._replies.may_name(wanted, session_id) else None,
            correlation=message.correlation,
            mid=message.mid if message.qos else None,
            digest=hashlib.blake2b(
                message.topic.encode() + b"\0" + message.payload, digest_size=16
            ).hexdigest(),
            redelivered=message.dup,
            at=self._context.clock(),
        )

    async def _carry_out(self, command: Command, origin: Origin, standing: Standing) -> None:
        """Carry out a command and reply; to a repeated one, send the earlier reply again.

        The earlier reply is looked up once: in the transaction, or before the admission check and
        `prepare`. Not in both: `run` must finish what `prepare` has begun. Messages are handled one
        at a time, so no other one can answer this request in between.
        """
        head = Head(command.command_name, origin.request_id)
        restricted = self._context.is_restricted(origin.session_id)
        looked_up_before = restricted or command.prepares
        known: str | None = None
        prepared: Any = None
        try:
            if looked_up_before:
                known = await self._store.read(partial(_known_reply, origin=origin))
            if known is None and restricted:
                self._admission.check(command, standing)
            if known is None and command.prepares:
                prepared = await command.prepare(self._context, origin)

            def act(tx: Tx) -> str:
                """Return the payload of the reply, or `LATER`."""
                reply = known if looked_up_before else _known_reply(tx, origin)
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
            logger.error("%s: the store can't be used: %s", head.command, error)  # noqa: TRY400 - a lost volume needs no traceback
            reply = _refusal(_unavailable(error, begun=command.prepares), head)
            self._answer_unstored(self._receivers(origin), reply)
            return
        except Exception:
            logger.exception("%s: failed", head.command)
            failure = CommandError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
            reply = _refusal(failure, head)
        await self._answer(self._receivers(origin), reply)

    def _receivers(self, origin: Origin) -> list[tuple[str, bytes | None]]:
        """Return the topics of a reply, each with its correlation data."""
        receivers: list[tuple[str, bytes | None]] = [
            (self._topics.of(origin.session_id).response, None)
        ]
        if origin.response_topic:
            receivers.append((origin.response_topic, origin.correlation))
        return receivers

    async def _answer(self, receivers: list[tuple[str, bytes | None]], reply: str) -> None:
        """Put a reply in the outbox that no transaction of its command has put there."""
        now = self._context.clock()

        def post(tx: Tx) -> None:
            for topic, correlation in receivers:
                tx.reply(topic, reply, now, correlation)

        try:
            await self._store.write(post)
        except StoreError:
            self._answer_unstored(receivers, reply)

    def _answer_unstored(self, receivers: list[tuple[str, bytes | None]], reply: str) -> None:
        """Send a reply without the store: a second attempt to write it could take as long."""
        for topic, correlation in receivers:
            self._post_unstored(topic, reply, correlation)

    # Called in a transaction

    def _run(self, tx: Tx, command: Command, origin: Origin, prepared: Any) -> str:
        """Carry out a command that has no reply yet; return its reply, or `LATER`."""
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
        for topic, correlation in self._receivers(origin):
            tx.reply(topic, reply, now, correlation)


def _known_reply(tx: Tx, origin: Origin) -> str | None:
    """Return the earlier reply to this request or to this delivery, if any."""
    if origin.request_id:
        known = tx.reply_to_request(origin.session_id, origin.request_id)
        if known is not None:
            return known
    if origin.redelivered and origin.mid is not None:
        return tx.reply_to_delivery(origin.mid, origin.digest)
    return None


def _refusal(error: MediaripError, head: Head) -> str:
    """Return the reply for an error, and log it."""
    reply = Refused.of(error, head.command, head.request_id).model_dump_json()
    logger.info("refused: %s", reply[:400])
    return reply


def _unavailable(error: StoreError, *, begun: bool) -> CommandError:
    """Return the error for a command that failed with a `StoreError`."""
    outcome = "a part may be done" if begun else "nothing was done"
    if error.kind is StoreProblem.FULL:
        text = f"The volume is full; {outcome}. Free some space, then try again."
    else:
        text = (
            f"The store on the volume can't be used right now; {outcome}. Try again when the "
            "volume is back."
        )
    return CommandError(ErrorCode.STORAGE_UNAVAILABLE, text)


def _no_session(sender: str) -> CommandError:
    """Return the error for a session's name that is not allowed."""
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
