"""Reads a connection's packets in large pieces, and passes over those that nobody wants.

paho reads each packet with three calls of the socket, and parses it before anyone can refuse it: a
flood of small messages takes all of the service's time. Here a message that is not wanted costs a
few microseconds. A packet that is too large is not kept in memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

CHUNK: Final = 16 * 2**10  # bytes read at once: a thousand small messages
TURN: Final = 0.02  # seconds of reading before others get their turn
LARGE_CHUNK: Final = 256 * 2**10  # bytes read at once of a large message
_PUBLISH: Final = 0x30
_MOST_LENGTH_BYTES: Final = 4

logger = logging.getLogger(__name__)


class PacketReader:
    """Takes the place of paho's own reading; call `install` before connecting.

    ``unwanted`` gets the first byte and the rest of a PUBLISH, and says whether to pass over it.
    ``too_large`` gets the first byte of one that has more than ``largest`` bytes, its beginning,
    and the bytes that are left out; only a broker of MQTT 3.1.1 sends such a packet. ``codes`` and
    ``malformed`` are paho's results and its error for a packet that it can't read.
    """

    def __init__(  # noqa: PLR0913 - what it needs of paho, and what to do with packets
        self,
        paho: Any,
        unwanted: Callable[[int, bytearray], bool],
        too_large: Callable[[int, bytearray, int], None],
        *,
        largest: int,
        codes: Any,
        malformed: type[Exception],
    ) -> None:
        self._paho = paho
        self._codes = codes
        self._malformed = malformed
        self._unwanted = unwanted
        self._too_large = too_large
        self._largest = largest
        self._buffer = bytearray()  # the beginning of a packet
        self._missing = 1  # bytes at least until the packet is whole
        self._skip = 0  # bytes of a packet that is too large

    def install(self) -> None:
        """Have paho read with this."""
        self._paho._packet_read = self.read  # noqa: SLF001 - paho has no hook for it

    def read(self) -> Any:
        """Read what has arrived, for a few milliseconds at most, and handle all packets in it.

        One piece for each turn of the event loop would not be enough: the broker's queue is behind
        it, and there the commands of others wait behind a flood.
        """
        deadline = time.monotonic() + TURN
        while True:
            whole, code = self._read_piece()
            if code != self._codes.MQTT_ERR_SUCCESS or not whole or time.monotonic() > deadline:
                return code

    def _read_piece(self) -> tuple[bool, Any]:
        """Read once; return whether there may be more, and paho's code."""
        wanted = min(max(CHUNK, self._missing, self._skip), LARGE_CHUNK)
        try:
            data = self._paho._sock_recv(wanted)  # noqa: SLF001 - the same
        except BlockingIOError:
            return False, self._codes.MQTT_ERR_AGAIN
        except OSError as error:
            logger.debug("mqtt: could not read: %s", error)
            return False, self._codes.MQTT_ERR_CONN_LOST
        if not data:
            return False, self._codes.MQTT_ERR_CONN_LOST
        is_more = len(data) == wanted
        self._paho._last_bytes_received = time.monotonic()  # noqa: SLF001 - for the keep-alive
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        self._buffer += data
        return is_more, self._handle_packets()

    def _handle_packets(self) -> Any:
        buffer, position = self._buffer, 0
        code = self._codes.MQTT_ERR_SUCCESS
        while code == self._codes.MQTT_ERR_SUCCESS:
            begin, length = _length(buffer, position)
            if length < 0:
                return self._codes.MQTT_ERR_PROTOCOL
            self._missing = begin + length - len(buffer)
            if begin > len(buffer) or self._missing > 0:
                break
            command, packet = buffer[position], buffer[begin : begin + length]
            position = begin + length
            if command & 0xF0 != _PUBLISH or not self._unwanted(command, packet):
                code = self._handle(command, packet)
        del buffer[:position]
        self._pass_over_large()
        return code

    def _pass_over_large(self) -> None:
        """Drop a packet whose beginning has arrived, if it is too large."""
        begin, length = _length(self._buffer, 0)
        if length <= self._largest or len(self._buffer) < CHUNK:
            return
        command, packet = self._buffer[0], self._buffer[begin:]
        self._skip = length - len(packet)
        self._buffer.clear()
        self._missing = 1
        logger.debug("mqtt: passed over a packet of %d bytes", length)
        if command & 0xF0 == _PUBLISH:
            self._too_large(command, packet, self._skip)

    def _handle(self, command: int, packet: bytearray) -> Any:
        fields = self._paho._in_packet  # noqa: SLF001 - what paho's handlers read
        fields.update(command=command, packet=packet, remaining_length=len(packet), pos=0)
        try:
            code = self._paho._packet_handle()  # noqa: SLF001 - the same
        except self._malformed as error:
            logger.debug("mqtt: malformed packet: %s", error)
            return self._codes.MQTT_ERR_PROTOCOL
        finally:
            fields.update(command=0, packet=bytearray(), remaining_length=0)
        return code


def _length(buffer: bytearray, position: int) -> tuple[int, int]:
    """Return where the packet's variable header begins, and its remaining length.

    The first is beyond the buffer if the length has not arrived; the second -1 if it is malformed.
    """
    length = 0
    for number in range(_MOST_LENGTH_BYTES):
        at = position + 1 + number
        if at >= len(buffer):
            return at + 1, 0
        length |= (buffer[at] & 0x7F) << 7 * number
        if not buffer[at] & 0x80:
            return at + 1, length
    return position, -1
