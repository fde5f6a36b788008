"""Which message is left out, when it is tried again, and what goes on meanwhile."""

from __future__ import annotations

import math

import pytest

from mediarip_mqtt.contract.errors import RefusedError
from mediarip_mqtt.mqtt import reason_codes
from mediarip_mqtt.mqtt.refusals import DELAYS, DOUBTFUL, Refusals

NOT_AUTHORIZED = 0x87
QUOTA = 0x97
TOO_LARGE = 0x95
BUSY = 0x89


class Broker:
    """What becomes of messages, one at a time, at a broker that is always there."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.refusals = Refusals(lambda: self.now)

    def takes(self, topic: str, size: int = 100) -> None:
        self.refusals.check(topic, size)
        known = self.refusals.is_known(topic, size)
        self.refusals.taken(self.refusals.sent(topic, size, known=known))

    def refuses(self, topic: str, code: int, size: int = 100) -> RefusedError:
        flight = self.refusals.sent(topic, size, known=False)
        return self.refusals.refused(flight, code, "a reason")

    def closes(
        self,
        topic: str,
        size: int = 100,
        *,
        at_once: bool = True,
        silent: bool = False,
        code: int | None = None,
    ) -> None:
        """Lose the connection while a message is not acknowledged; connect again."""
        known = self.refusals.is_known(topic, size)
        self.refusals.sent(topic, size, known=known)
        self.refusals.lost(code, silent=silent)
        self.refusals.connected(at_once=at_once)

    def leaves_out(self, topic: str, size: int = 100) -> RefusedError | None:
        try:
            self.refusals.check(topic, size)
        except RefusedError as error:
            return error
        return None


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_what_ends_a_connection_is_left_out_and_said_once(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.takes("a")
    broker.closes("ha/config")
    for _ in range(3):
        assert broker.leaves_out("ha/config")
    assert not broker.leaves_out("a")
    assert not broker.leaves_out("b")
    assert caplog.text.count("ha/config") == 1


def test_it_is_tried_again_ever_more_rarely_and_in_the_end_no_more(broker: Broker) -> None:
    for delay in DELAYS:
        broker.closes("a")
        error = broker.leaves_out("a")
        assert error
        assert error.retry_in == delay
        broker.now += delay
        assert not broker.leaves_out("a")
    broker.closes("a")
    error = broker.leaves_out("a")
    assert error
    assert error.retry_in == math.inf


def test_a_restart_of_the_broker_is_no_reason_to_leave_anything_out(broker: Broker) -> None:
    for _ in range(DOUBTFUL - 1):
        broker.closes("a", at_once=False)
        assert not broker.leaves_out("a")
    broker.takes("a")
    broker.closes("a")  # what the broker took before is not suspected
    assert not broker.leaves_out("a")


@pytest.mark.parametrize("why", [{"at_once": False}, {"silent": True}])
def test_several_ends_in_a_row_count_also_where_the_broker_may_have_been_away(
    why: dict[str, bool], broker: Broker
) -> None:
    for _ in range(DOUBTFUL):
        assert not broker.leaves_out("a")
        broker.closes("a", **why)
    assert broker.leaves_out("a")


def test_what_the_broker_took_before_is_left_out_once_it_ends_connections(broker: Broker) -> None:
    broker.takes("a")
    for _ in range(DOUBTFUL + 1):  # an access list was changed
        broker.closes("a")
    assert broker.leaves_out("a")


def test_a_disconnect_for_another_reason_blames_no_message(broker: Broker) -> None:
    for _ in range(2 * DOUBTFUL):
        broker.closes("a", code=BUSY)
    assert not broker.leaves_out("a")
    broker.closes("a", code=NOT_AUTHORIZED)
    assert broker.leaves_out("a")


def test_all_jobs_topics_are_one_kind(broker: Broker) -> None:
    broker.closes("m/job/1/state")
    assert broker.leaves_out("m/job/2/state")
    assert not broker.leaves_out("m/job/2/progress")


def test_qos_0_is_taken_once_the_broker_answers_what_followed(broker: Broker) -> None:
    refusals = broker.refusals
    refusals.written(refusals.sent("p", 100, known=False))
    broker.takes("a")
    assert refusals.is_known("p", 100)


def test_where_the_size_was_the_reason_smaller_messages_are_sent(broker: Broker) -> None:
    broker.takes("a")
    broker.closes("reply", 100_000)
    error = broker.leaves_out("reply", 100_000)
    assert error
    assert error.room == 50_000
    assert not broker.leaves_out("reply", error.room)
    broker.takes("reply", error.room)
    # Now it is known that the size is the reason: nothing else of that size is tried.
    assert broker.leaves_out("other", 100_000)
    assert broker.leaves_out("reply", 99_999)
    broker.now += DELAYS[0]
    broker.takes("reply", 100_000)  # the limit was raised
    assert not broker.leaves_out("other", 100_000)


def test_where_the_size_was_not_the_reason_nothing_smaller_is_tried(broker: Broker) -> None:
    broker.takes("a", 1000)
    broker.closes("denied", 500)
    error = broker.leaves_out("denied", 200)
    assert error
    assert error.room == 0


def test_a_refusal_is_told_with_its_reason_and_asked_again_at_the_next_connection(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    error = broker.refuses("a", NOT_AUTHORIZED)
    assert not error.transient
    assert "a reason" in caplog.text
    assert "access list" in caplog.text
    assert broker.leaves_out("a")
    broker.refusals.connected(at_once=False)
    assert not broker.leaves_out("a")
    broker.refuses("a", NOT_AUTHORIZED)
    assert caplog.text.count("a reason") == 1


def test_a_quota_is_tried_again_soon(broker: Broker) -> None:
    error = broker.refuses("a", QUOTA)
    assert error.transient
    assert error.retry_in < 10
    broker.now += error.retry_in
    assert not broker.leaves_out("a")


def test_a_refusal_for_the_size_leaves_room_for_a_smaller_message(broker: Broker) -> None:
    assert broker.refuses("reply", TOO_LARGE, 10_000).room == 5000
    assert broker.refuses("event", NOT_AUTHORIZED, 10_000).room == 0


def test_every_error_code_has_a_name_for_every_packet() -> None:
    table = reason_codes.for_all_packets({0x95: {"Packet too large": [2, 14]}}, (2, 4))
    assert table[0x95] == {"Packet too large": [2, 14, 4]}
    assert table[0xC3] == {"Reason 195": [2, 4]}
