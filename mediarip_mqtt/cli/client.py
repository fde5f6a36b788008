"""The MQTT client of the command line: send commands, read replies, follow a job."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from mediarip_mqtt.contract.errors import BrokerError, LinkError, MediaripError
from mediarip_mqtt.contract.models import TERMINAL, JobStatus
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.contract.topic_payloads import Presence
from mediarip_mqtt.contract.topics import ONLINE, Topics, dumps
from mediarip_mqtt.mqtt.connection import Link, connect
from mediarip_mqtt.mqtt.embedded_broker import running_broker
from mediarip_mqtt.mqtt.incoming import Message
from mediarip_mqtt.volume.files import own_folder

RETAINED_TIME: Final = 2.0  # seconds to wait for a retained message
REPLY_TIME: Final = 20.0  # seconds to wait for a reply
RECONNECT_TIME: Final = 60.0  # seconds that `follow` tries to reconnect
ENDED: Final = TERMINAL | {JobStatus.REVIEW}  # no further change without a command


class ServiceError(MediaripError):
    """The service is offline, does not answer, or refused a command."""


@dataclass(frozen=True)
class Snapshot:
    """The last known state of a job; ``progress`` is empty while it does not run."""

    job: Mapping[str, Any]
    progress: Mapping[str, Any] = field(default_factory=dict)
    online: bool = True

    @property
    def ended(self) -> bool:
        """Whether the job has ended, or waits for a person."""
        return self.job.get("status") in ENDED

    @property
    def percent(self) -> float:
        """Progress, 0 to 100."""
        if self.job.get("status") == JobStatus.COMPLETED:
            return 100.0
        return float(
            self.progress.get("progress_percent") or self.job.get("progress_percent") or 0.0
        )


class Client:
    """Talks to the service over one connection; made by `open_client`."""

    def __init__(self, link: Link, topics: Topics, where: str) -> None:
        self.topics = topics
        self._link = link
        self._where = where
        self._messages = link.messages()
        self._next: asyncio.Future[Message] | None = None
        self._watch: asyncio.Future[None] | None = None
        self._subscribed_to_replies = False

    @property
    def protocol(self) -> str:
        """The MQTT version of this connection."""
        return self._link.protocol

    async def subscribe(self, *topics: str) -> None:
        """Subscribe; retained messages arrive first."""
        await self._link.subscribe(*topics)

    async def unsubscribe(self, *topics: str) -> None:
        """Unsubscribe; messages already received may still follow."""
        await self._link.unsubscribe(*topics)

    async def publish(self, topic: str, payload: str | None, *, retain: bool = False) -> None:
        """Publish and wait for the broker's acknowledgement."""
        await self._link.publish(topic, payload, retain=retain)

    async def receive(self, seconds: float | None = None) -> Message:
        """Return the next message; raise `TimeoutError` if none arrives in time."""
        # Keep the pending read: aiomqtt loses a message if its read is cancelled.
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._messages))
        if self._watch is None:  # aiomqtt misses some connection losses
            self._watch = asyncio.ensure_future(self._link.watch())
        both: set[asyncio.Future[Any]] = {self._next, self._watch}
        done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise TimeoutError
        if self._next not in done:
            self._watch.result()
        message, self._next = self._next.result(), None
        return message

    async def retained(self, topic: str) -> bytes | None:
        """Return the retained payload of a topic, or None."""
        await self._link.subscribe(topic)
        deadline = asyncio.get_running_loop().time() + RETAINED_TIME
        with contextlib.suppress(TimeoutError):
            while True:
                message = await self.receive(deadline - asyncio.get_running_loop().time())
                if message.topic == topic:
                    return message.payload or None
        return None

    async def check_online(self) -> None:
        """Raise `ServiceError` unless the service is online."""
        status = await self.retained(self.topics.status)
        if status is None:
            raise ServiceError(
                f"No service has published below `{self.topics.base}` at the broker {self._where}. "
                "Start it (`mediarip-mqtt run`), or check mqtt.base_topic."
            )
        if status != ONLINE.encode():
            raise ServiceError(
                f"The service below `{self.topics.base}` at the broker {self._where} is offline. "
                "Start it (`mediarip-mqtt run`)."
            )

    async def info(self) -> dict[str, Any]:
        """Return the payload of `info`; empty if there is none."""
        payload = await self.retained(self.topics.info)
        return decode(payload) if payload else {}

    async def services(self, seconds: float) -> list[Presence]:
        """Return the services below the base topic, which answer within ``seconds``."""
        topic, question = self.topics.presence, uuid.uuid4().hex
        await self._link.subscribe(topic, qos=0)
        asked = Presence(
            kind="question", instance=question, to=None, node_id="", host="", storage_root=""
        )
        await self._link.publish(topic, asked.model_dump_json())
        answers: dict[str, Presence] = {}
        deadline = asyncio.get_running_loop().time() + seconds
        with contextlib.suppress(TimeoutError):
            while True:
                message = await self.receive(deadline - asyncio.get_running_loop().time())
                if message.topic != topic or message.retain:
                    continue
                with contextlib.suppress(ValidationError):
                    answer = Presence.model_validate_json(message.payload)
                    if answer.kind == "answer" and answer.to == question:
                        answers[answer.instance] = answer
        await self._link.unsubscribe(topic)
        return list(answers.values())

    async def send(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Publish a command without waiting for its reply; return its request id."""
        request_id = str(arguments.get("request_id") or uuid.uuid4())
        payload = dumps({**arguments, "request_id": request_id})
        await self._link.publish(self.topics.command_for(name), payload)
        return request_id

    async def ask(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Send a command and return its reply, also if that is a refusal."""
        if not self._subscribed_to_replies:
            await self._link.subscribe(self.topics.response)
            self._subscribed_to_replies = True
        request_id = await self.send(name, arguments)
        deadline = asyncio.get_running_loop().time() + REPLY_TIME
        try:
            while True:
                message = await self.receive(deadline - asyncio.get_running_loop().time())
                if message.topic == self.topics.response:
                    reply = decode(message.payload)
                    if reply.get("request_id") == request_id:
                        return reply
        except TimeoutError:
            raise ServiceError(
                f"The service did not answer within {REPLY_TIME:.0f} s. See its log."
            ) from None

    async def close(self) -> None:
        """Cancel pending reads of the connection."""
        for pending in (self._next, self._watch):
            if pending is None:
                continue
            pending.cancel()
            await asyncio.wait({pending})
            if not pending.cancelled():
                pending.exception()  # suppress asyncio's "exception was never retrieved"
        with contextlib.suppress(RuntimeError):
            await self._messages.aclose()  # type: ignore[attr-defined] # an async generator


def reachable(settings: Settings) -> MqttSettings:
    """Return the settings of the running embedded broker, else the configured ones."""
    return running_broker(settings.mqtt, own_folder(settings)) or settings.mqtt


@asynccontextmanager
async def open_client(settings: MqttSettings) -> AsyncIterator[Client]:
    """Connect to the broker; raises `BrokerError`."""
    async with connect(settings) as link:
        client = Client(link, Topics(settings.base_topic), f"{settings.host}:{settings.port}")
        try:
            yield client
        finally:
            await client.close()


def decode(payload: bytes) -> dict[str, Any]:
    """Parse a JSON object; return an empty one for any other payload."""
    try:
        value = json.loads(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def accepted_job(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job of a reply; raise `ServiceError` if the command was refused."""
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    return {"id": reply.get("job_id"), **(reply.get("job") or {})}


def refusal(reply: Mapping[str, Any]) -> str:
    """Return the message and code of a refusal."""
    error = reply.get("error") or {}
    return f"{error.get('message', 'Refused.')} ({error.get('code', 'internal')})"


async def follow(settings: MqttSettings, job_id: str) -> AsyncIterator[Snapshot]:
    """Yield a job at each change until it ends; reconnect if the connection is lost."""
    lost_at: float | None = None
    while True:
        try:
            async with open_client(settings) as client:
                lost_at = None
                async for snapshot in _follow(client, job_id):
                    yield snapshot
                    if snapshot.ended:
                        return
        except LinkError as error:
            now = asyncio.get_running_loop().time()
            lost_at = lost_at or now
            if now - lost_at > RECONNECT_TIME:
                raise BrokerError(
                    f"{error.message} The download may continue; `mediarip-mqtt watch` shows it."
                ) from None
            await asyncio.sleep(1)


async def _follow(client: Client, job_id: str) -> AsyncIterator[Snapshot]:
    topics = client.topics
    state_topic, progress_topic = topics.job_state(job_id), topics.job_progress(job_id)
    await client.subscribe(topics.status, state_topic, progress_topic)
    job: Mapping[str, Any] = {}
    latest_progress: Mapping[str, Any] = {}
    online = True
    while True:
        message = await client.receive()
        if message.topic == topics.status:
            online = message.payload == ONLINE.encode()
        elif message.topic == progress_topic:
            latest_progress = decode(message.payload)
        elif message.topic == state_topic:
            if not message.payload:
                raise ServiceError("The job was deleted.")
            job = decode(message.payload)
        if job:
            yield Snapshot(job, latest_progress, online)
