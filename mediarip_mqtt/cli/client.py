"""What the command line does over MQTT: ask the service, add a download, follow jobs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mediarip_mqtt.contract.errors import BrokerError, LinkError, MediaripError
from mediarip_mqtt.contract.models import TERMINAL, JobStatus
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.contract.topics import ONLINE, Topics, dumps
from mediarip_mqtt.mqtt.connection import Link, Message, connect
from mediarip_mqtt.mqtt.embedded_broker import running_broker
from mediarip_mqtt.volume.files import own_folder

RETAINED_TIME: Final = 2.0  # seconds in which a broker hands out what it retains
REPLY_TIME: Final = 20.0
RECONNECT_TIME: Final = 60.0
ENDED: Final = TERMINAL | {JobStatus.REVIEW}  # without a person a job goes no further


class ServiceError(MediaripError):
    """The service is not there, or does not answer."""


@dataclass(frozen=True)
class Snapshot:
    """A job as last heard of; ``progress`` is empty while it does not run."""

    job: Mapping[str, Any]
    progress: Mapping[str, Any] = field(default_factory=dict)
    online: bool = True

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to the job by itself."""
        return self.job.get("status") in ENDED

    @property
    def percent(self) -> float:
        """How much of the job is done, 0 to 100."""
        if self.job.get("status") == JobStatus.COMPLETED:
            return 100.0
        return float(
            self.progress.get("progress_percent") or self.job.get("progress_percent") or 0.0
        )


class Client:
    """Talks with the service over one connection; made by `open_client`."""

    def __init__(self, link: Link, topics: Topics, where: str) -> None:
        self.topics = topics
        self._link = link
        self._where = where
        self._messages = link.messages()
        self._next: asyncio.Future[Message] | None = None
        self._watch: asyncio.Future[None] | None = None
        self._hears_replies = False

    @property
    def protocol(self) -> str:
        """The version of MQTT that the broker speaks with this client."""
        return self._link.protocol

    async def subscribe(self, *topics: str) -> None:
        """Subscribe; what is retained arrives first."""
        await self._link.subscribe(*topics)

    async def unsubscribe(self, *topics: str) -> None:
        """Unsubscribe."""
        await self._link.unsubscribe(*topics)

    async def publish(self, topic: str, payload: str | None, *, retain: bool = False) -> None:
        """Publish, and wait for the broker's acknowledgement."""
        await self._link.publish(topic, payload, retain=retain)

    async def receive(self, seconds: float | None = None) -> Message:
        """Return the next message; raise `TimeoutError` where none comes in time."""
        # The pending read is kept, not cancelled: aiomqtt loses a message to a cancelled one.
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._messages))
        if self._watch is None:  # aiomqtt does not notice every loss of the connection
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
        """Return what the broker retains on a topic; None where that is nothing."""
        await self._link.subscribe(topic)
        deadline = asyncio.get_running_loop().time() + RETAINED_TIME
        with contextlib.suppress(TimeoutError):
            while True:
                message = await self.receive(deadline - asyncio.get_running_loop().time())
                if message.topic == topic:
                    return message.payload or None
        return None

    async def check_online(self) -> None:
        """Raise `ServiceError` where the service does not say that it is online."""
        status = await self.retained(self.topics.status)
        if status is None:
            raise ServiceError(
                f"No service has said anything below `{self.topics.base}` at the broker "
                f"{self._where}. Start it (`mediarip-mqtt run`), or check mqtt.base_topic."
            )
        if status != ONLINE.encode():
            raise ServiceError(
                f"The service below `{self.topics.base}` at the broker {self._where} is offline. "
                "Start it (`mediarip-mqtt run`)."
            )

    async def info(self) -> dict[str, Any]:
        """Return the service's facts; empty where it published none."""
        payload = await self.retained(self.topics.info)
        return decode(payload) if payload else {}

    async def send(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Publish a command without waiting for its reply; return its request id."""
        request_id = str(arguments.get("request_id") or uuid.uuid4())
        payload = dumps({**arguments, "request_id": request_id})
        await self._link.publish(self.topics.command_for(name), payload)
        return request_id

    async def ask(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Send a command and return its reply, accepted or refused."""
        if not self._hears_replies:
            await self._link.subscribe(self.topics.response)
            self._hears_replies = True
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
                f"The service did not answer within {REPLY_TIME:.0f} s. Its log tells more."
            ) from None

    async def close(self) -> None:
        """Drop what still waits for the connection."""
        for pending in (self._next, self._watch):
            if pending is None:
                continue
            pending.cancel()
            await asyncio.wait({pending})
            if not pending.cancelled():
                pending.exception()  # seen; it would be logged as never retrieved
        with contextlib.suppress(RuntimeError):
            await self._messages.aclose()  # type: ignore[attr-defined] # an async generator


def reachable(settings: Settings) -> MqttSettings:
    """Return how a client reaches the service: its embedded broker, else the configured one."""
    return running_broker(settings.mqtt, own_folder(settings)) or settings.mqtt


@asynccontextmanager
async def open_client(settings: MqttSettings) -> AsyncIterator[Client]:
    """Connect to the broker; raises `BrokerError` that says which and what to do."""
    async with connect(settings) as link:
        client = Client(link, Topics(settings.base_topic), f"{settings.host}:{settings.port}")
        try:
            yield client
        finally:
            await client.close()


def decode(payload: bytes) -> dict[str, Any]:
    """Return a JSON object; empty where a payload is something else."""
    try:
        value = json.loads(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Outcome:
    """How a download ended; ``path`` is its file, or the folder of a playlist's files."""

    job: Mapping[str, Any]
    path: Path | None

    @property
    def completed(self) -> bool:
        """Whether the file is there."""
        return self.job.get("status") == JobStatus.COMPLETED


async def download(
    settings: MqttSettings, arguments: Mapping[str, Any], show: Callable[[Snapshot], None]
) -> Outcome:
    """Add a download and follow it until it ends; raises `MediaripError` where it is refused."""
    async with open_client(settings) as client:
        await client.check_online()
        info = await client.info()
        job = accepted_job(await client.ask("download", arguments))
    show(Snapshot(job))
    final = Snapshot(job)
    async for final in follow(settings, str(job["id"])):
        show(final)
    root = Path(str(info.get("storage_root") or "."))
    filename = final.job.get("filename")
    if filename:
        path: Path | None = root / str(filename)
    else:
        path = root / str(final.job.get("folder") or "") if final.job.get("items") else None
    return Outcome(final.job, path)


def accepted_job(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job of a reply; raise `ServiceError` with its reason where it is a refusal."""
    if not reply.get("ok"):
        raise ServiceError(refusal(reply))
    return {"id": reply.get("job_id"), **(reply.get("job") or {})}


def refusal(reply: Mapping[str, Any]) -> str:
    """Return why a command was refused, for a person."""
    error = reply.get("error") or {}
    return f"{error.get('message', 'Refused.')} ({error.get('code', 'internal')})"


async def follow(settings: MqttSettings, job_id: str) -> AsyncIterator[Snapshot]:
    """Yield a job at each change until it ends, also over a loss of the broker or service."""
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
                    f"{error.message} The download may go on; `mediarip-mqtt watch` shows it."
                ) from None
            await asyncio.sleep(1)


async def _follow(client: Client, job_id: str) -> AsyncIterator[Snapshot]:
    topics = client.topics
    state, progress = topics.job_state(job_id), topics.job_progress(job_id)
    await client.subscribe(topics.status, state, progress)
    job: Mapping[str, Any] = {}
    moved: Mapping[str, Any] = {}
    online = True
    while True:
        message = await client.receive()
        if message.topic == topics.status:
            online = message.payload == ONLINE.encode()
        elif message.topic == progress:
            moved = decode(message.payload)
        elif message.topic == state:
            if not message.payload:
                raise ServiceError("The job was deleted.")
            job = decode(message.payload)
        if job:
            yield Snapshot(job, moved, online)
