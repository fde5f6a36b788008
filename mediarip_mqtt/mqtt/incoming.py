"""Messages that wait to be handled: bounded, and each sender in turn.

MQTT bounds what is sent with QoS 1: the broker sends no more before the first is acknowledged. With
QoS 0 nothing does, so whatever is above a bound is dropped here, and counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LANE_LIMIT: Final = 5000  # messages of one sender that wait
LANE_BYTES: Final = 8 * 2**20
LIMIT: Final = 20_000  # of all senders together
BYTES: Final = 24 * 2**20
LANES: Final = 1000  # senders
REST: Final = "*"  # all further senders together
OVERHEAD: Final = 500  # bytes that a message takes beside topic and payload


@dataclass(frozen=True)
class Message:
    """A message from the broker; ``retain`` and ``dup`` are the packet's flags.

    ``cut``: bytes left out of the middle of a payload that is too large to be a command.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    mid: int
    dup: bool
    response_topic: str | None = None
    correlation: bytes | None = None
    cut: int = 0

    @property
    def size(self) -> int:
        """Bytes of the payload as it was sent."""
        return len(self.payload) + self.cut


def _memory(message: Message) -> int:
    """Return about how many bytes a message takes."""
    texts = len(message.topic) + len(message.response_topic or "")
    return OVERHEAD + len(message.payload) + texts + len(message.correlation or b"")


class _Lane:
    """The messages of one sender, in order."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.held = 0  # bytes

    def is_full(self, size: int) -> bool:
        return len(self.messages) >= LANE_LIMIT or self.held + size > LANE_BYTES


class IncomingQueue:
    """A queue in which senders take turns.

    ``lane`` names the sender of a topic's messages, and ``floods`` says of a sender whether any
    further message of his would be dropped anyway.
    """

    def __init__(
        self,
        lane: Callable[[str], str] = lambda _: "",
        floods: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._lane = lane
        self._floods = floods
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()  # those that are not empty
        self._count = 0
        self._held = 0  # bytes
        self._arrived = asyncio.Event()
        self._dropped: Counter[str] = Counter()  # messages, by sender

    def refuses(self, topic: str, qos: int, size: int) -> bool:
        """Whether a message is to be dropped without a look at it."""
        name = self._lane(topic)
        if self._floods(name):
            return True
        if qos:
            return False
        lane = self._lanes.get(name)
        full = self._count >= LIMIT or self._held + size > BYTES
        return full or (lane is not None and lane.is_full(size))

    def drop(self, topic: str) -> None:
        """Count a message that is dropped."""
        name = self._lane(topic)
        if name not in self._dropped and len(self._dropped) >= LANES:
            name = REST
        self._dropped[name] += 1

    def put(self, message: Message) -> None:
        """Add a message that `refuses` did not refuse."""
        name = self._lane(message.topic)
        lane = self._lanes.get(name)
        if lane is None and len(self._lanes) >= LANES:
            name = REST
            lane = self._lanes.get(name)
        size = _memory(message)
        if lane is None:
            lane = self._lanes[name] = _Lane()
        lane.messages.append(message)
        lane.held += size
        self._count += 1
        self._held += size
        self._arrived.set()

    def take(self) -> Message | None:
        """Return the next message, of each sender in turn; None if there is none."""
        if not self._lanes:
            self._arrived.clear()
            return None
        name, lane = self._lanes.popitem(last=False)
        message = lane.messages.popleft()
        size = _memory(message)
        lane.held -= size
        self._count -= 1
        self._held -= size
        if lane.messages:
            self._lanes[name] = lane  # to the end
        return message

    def wake(self) -> None:
        """Have `arrived` return."""
        self._arrived.set()

    async def arrived(self) -> None:
        """Return once there is a message, or after `wake`."""
        await self._arrived.wait()

    def take_dropped(self) -> Counter[str]:
        """Return how many messages were dropped since the last call, by sender."""
        dropped, self._dropped = self._dropped, Counter()
        return dropped


class Acknowledgements:
    """Sends PUBACKs in the order in which the messages arrived, as MQTT demands (4.6.0-2)."""

    def __init__(self, send: Callable[[int, int], object]) -> None:
        self._send = send
        self._waiting: OrderedDict[int, int | None] = OrderedDict()  # packet id to QoS once handled

    def expect(self, packet_id: int) -> None:
        """Note a message that is going to be acknowledged."""
        self._waiting[packet_id] = None

    def handled(self, packet_id: int, qos: int) -> None:
        """Acknowledge a message once those that arrived before it are."""
        if packet_id not in self._waiting:
            return
        self._waiting[packet_id] = qos
        while self._waiting:
            first, qos_of_first = next(iter(self._waiting.items()))
            if qos_of_first is None:
                return
            del self._waiting[first]
            self._send(first, qos_of_first)
