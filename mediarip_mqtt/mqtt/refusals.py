"""What the broker refuses, or closes the connection for, is left out; everything else goes on.

With MQTT 5 a PUBACK or SUBACK says what is refused. With 3.1.1 a broker can only close the
connection, and at each connection again. So what the broker has not taken before goes alone among
its like: if the connection ends on it, it is known which message was the reason.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from mediarip_mqtt.contract.errors import LinkError, RefusedError
from mediarip_mqtt.mqtt import reason_codes

# Seconds until what was refused is tried again; after the last one it is left out for good.
DELAYS: Final = (300.0, 1200.0, 4800.0, 19_200.0)
TRANSIENT_DELAYS: Final = (5.0, 15.0, 60.0, 300.0, 300.0)
DOUBTFUL: Final = 3  # ends of connections in a row that may have had another reason
RECORDS: Final = 2000  # kinds of topics; clients choose response topics
SETTLED: Final = 2.0  # seconds after which QoS 0 is no longer suspected
SHOWN: Final = 200  # characters of a topic
_SIZE_HINT: Final = " Raise the broker's limit (Mosquitto: max_packet_size)."
_CLOSED_HINT: Final = (
    " Check the broker's access list, and its limit for the size of a packet (Mosquitto: "
    "max_packet_size)."
)
_JOB: Final = re.compile(r"/job/[^/]+/")

logger = logging.getLogger(__name__)


def kind_of(topic: str) -> str:
    """Return the topic without a job's id: brokers judge the topics of all jobs alike."""
    return _JOB.sub("/job/+/", topic)


@dataclass
class _Record:
    """What the broker did with the messages of one kind."""

    taken: int = -1  # bytes of the largest one
    refused: float = math.inf  # bytes of the smallest one
    closed: bool = False  # refused by an end of the connection, not by an answer
    sized: bool = False  # the reason may be the size
    refusals: int = 0  # in a row
    doubts: int = 0  # ends of connections in a row
    retry_at: float = 0.0
    said: str = ""


@dataclass(eq=False)
class Flight:
    """A message that was sent and is not yet acknowledged."""

    kind: str
    topic: str
    size: int  # bytes of the packet
    known: bool  # the broker took such a message before
    number: int
    at: float
    written: bool = False  # with QoS 0: to the socket


class Refusals:
    """Remembers, over connections to one broker, what it takes and what it does not.

    A subscription counts as a message of one byte for `SUBSCRIBE <filter>`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._largest = 0  # bytes of the largest message taken
        self._too_large = math.inf  # bytes that are more than the broker takes
        self._flights: dict[int, Flight] = {}
        self._number = 0
        self._suspects: list[Flight] = []  # of the connection that ended last
        self._closed = False  # whether the broker ended it
        self._code: int | None = None  # of its DISCONNECT

    def is_known(self, topic: str, size: int) -> bool:
        """Whether the broker takes messages of this kind and size."""
        record = self._records.get(kind_of(topic))
        return record is not None and record.taken >= 0 and size <= self._largest

    def check(self, topic: str, size: int) -> None:
        """Raise `RefusedError` for a message that the broker would refuse."""
        record = self._records.get(kind_of(topic))
        if record is None or record.refused == math.inf:
            if size >= self._too_large:
                raise self.too_large(topic, size, int(self._too_large) - 1)
            return
        wait = record.retry_at - self._clock()
        if wait > 0 and size > record.taken and size > self._room(record):
            raise self._error(topic, size, record, wait)

    def too_large(self, topic: str, size: int, limit: int) -> RefusedError:
        """Return the error for a message that is larger than the broker's limit."""
        reason = f"larger than the {limit} bytes that the broker takes"
        self._say(self._record(kind_of(topic)), topic, size, reason, _SIZE_HINT)
        return RefusedError(_left_out(topic, size, reason), room=limit)

    def sent(self, topic: str, size: int, *, known: bool) -> Flight:
        """Count a message on its way to the broker."""
        self._number += 1
        flight = Flight(kind_of(topic), topic, size, known, self._number, self._clock())
        self._flights[flight.number] = flight
        return flight

    def written(self, flight: Flight) -> None:
        """Note a message with QoS 0, which no acknowledgement follows."""
        flight.written = True
        self._settle(lambda other: other.at < self._clock() - SETTLED)

    def taken(self, flight: Flight) -> None:
        """Note a message that the broker has acknowledged."""
        self._flights.pop(flight.number, None)
        self._note_taken(flight)
        self._settle(lambda other: other.number < flight.number)  # the broker keeps the order

    def refused(self, flight: Flight, code: object, reason: str) -> RefusedError:
        """Note a message that the broker has refused; return the error."""
        self._flights.pop(flight.number, None)
        transient = reason_codes.number(code) in reason_codes.TRANSIENT
        record = self._record(flight.kind)
        record.closed = False
        record.sized = reason_codes.number(code) in reason_codes.ABOUT_THE_SIZE
        self._note_refused(record, flight.size, TRANSIENT_DELAYS if transient else DELAYS)
        said = f"the broker refuses it: {reason}"
        self._say(record, flight.topic, flight.size, said, reason_codes.advice(code))
        wait = record.retry_at - self._clock()
        return self._error(flight.topic, flight.size, record, wait, transient=transient)

    def lost(self, code: int | None, *, silent: bool) -> bool:
        """Note the end of a connection; return whether a message is suspected of it.

        ``code`` is the reason of the broker's DISCONNECT. ``silent``: the broker did not end the
        connection, but no longer answered.
        """
        flights, self._flights = list(self._flights.values()), {}
        self._suspects, self._closed, self._code = [], not silent, code
        if code is not None and code not in reason_codes.ABOUT_A_MESSAGE:
            return False
        recent = self._clock() - SETTLED
        for flight in flights:
            if flight.written and flight.at < recent:
                continue
            record = self._record(flight.kind)
            record.doubts += 1
            if not flight.known:
                self._suspects.append(flight)
            elif record.doubts >= DOUBTFUL or code is not None:
                record.taken, record.doubts = -1, 0  # from now on it goes alone
        return bool(self._suspects) and not silent

    def connected(self, *, at_once: bool) -> None:
        """Note a new connection; ``at_once``: the first attempt after the loss succeeded.

        Then the broker was there all the time, and closed the connection for a reason. Otherwise
        it may have been restarted: only several ends in a row count.
        """
        certain = at_once and self._closed and len(self._suspects) == 1
        for suspect in self._suspects:
            record = self._record(suspect.kind)
            if certain or record.doubts >= DOUBTFUL:
                record.closed = record.sized = True
                self._note_refused(record, suspect.size, DELAYS)
                reason = "the broker closes the connection when it is sent"
                if self._code is not None:
                    reason += f" (reason 0x{self._code:02X})"
                hint = reason_codes.advice(self._code) or _CLOSED_HINT
                self._say(record, suspect.topic, suspect.size, reason, hint)
        self._suspects = []
        for record in self._records.values():
            if not record.closed:  # the access list may have been changed: an answer costs nothing
                record.retry_at, record.refusals = 0.0, 0

    def _record(self, kind: str) -> _Record:
        record = self._records.setdefault(kind, _Record())
        self._records.move_to_end(kind)
        if len(self._records) > RECORDS:
            self._records.popitem(last=False)
        return record

    def _settle(self, is_taken: Callable[[Flight], bool]) -> None:
        """Note messages of QoS 0 that the broker has taken."""
        for flight in [flight for flight in self._flights.values() if flight.written]:
            if is_taken(flight):
                del self._flights[flight.number]
                self._note_taken(flight)

    def _note_taken(self, flight: Flight) -> None:
        record = self._record(flight.kind)
        record.doubts = 0
        if flight.size >= record.refused:
            logger.info("mqtt: the broker now takes %s", flight.topic[:SHOWN])
            record.refused, record.refusals, record.said, record.retry_at = math.inf, 0, "", 0.0
        elif record.sized and record.refused > self._largest:
            self._too_large = min(self._too_large, record.refused)  # the size was the reason
        record.taken = max(record.taken, flight.size)
        self._largest = max(self._largest, flight.size)
        if self._largest >= self._too_large:
            self._too_large = math.inf

    def _note_refused(self, record: _Record, size: int, delays: tuple[float, ...]) -> None:
        wait = delays[record.refusals] if record.refusals < len(delays) else math.inf
        record.retry_at = self._clock() + wait
        record.refusals += 1
        record.refused = min(record.refused, size)
        record.doubts = 0
        if record.taken >= size:
            record.taken = -1

    def _room(self, record: _Record) -> int:
        """Return the bytes that the broker may take where the size was the reason."""
        limit = min(record.refused, self._too_large)
        if not record.sized or limit <= self._largest:
            return 0
        return max(self._largest, int(limit) // 2)

    def _say(self, record: _Record, topic: str, size: int, reason: str, hint: str) -> None:
        """Log once per kind and reason that a message is left out."""
        if record.said != reason:
            record.said = reason
            shown = topic[:SHOWN] if size <= 1 else f"{topic[:SHOWN]} ({size} bytes)"
            logger.error("mqtt: left out: %s: %s.%s", shown, reason, hint)

    def _error(
        self, topic: str, size: int, record: _Record, wait: float, *, transient: bool = False
    ) -> RefusedError:
        return RefusedError(
            _left_out(topic, size, record.said),
            room=self._room(record),
            retry_in=wait,
            transient=transient,
        )


def _left_out(topic: str, size: int, reason: str) -> str:
    return f"The message for {topic[:SHOWN]} ({size} bytes) was left out: {reason}."


class Flow:
    """Sends the messages of one connection in order, as many at a time as the broker allows."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._entry = asyncio.Lock()  # keeps the order of the calls
        self._alone = asyncio.Lock()  # held by a message of a kind that is not known
        self._window = asyncio.Semaphore()
        self._lost: LinkError | None = None

    def open(self, receive_maximum: int) -> None:
        """Set how many messages may wait for an acknowledgement; call it once connected."""
        self._window = asyncio.Semaphore(receive_maximum)

    @asynccontextmanager
    async def flight(self, topic: str, size: int) -> AsyncIterator[Flight]:
        """Wait for the message's turn; raise `RefusedError` if it is left out, or `LinkError`."""
        async with self._entry:
            known = self._refusals.is_known(topic, size)
            if not known:
                await self._alone.acquire()
            try:
                self._require_connection()
                self._refusals.check(topic, size)
                await self._window.acquire()
            except BaseException:
                if not known:
                    self._alone.release()
                raise
            flight = self._refusals.sent(topic, size, known=known)
        try:
            yield flight
        except LinkError as error:
            self._lost = error
            raise
        finally:
            self._window.release()
            if not known:
                self._alone.release()

    def _require_connection(self) -> None:
        """Raise the error of a lost connection: nothing more is sent that could be suspected."""
        if self._lost is not None:
            raise self._lost
