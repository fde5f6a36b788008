"""A shutdown that hangs in a lost volume ends the process all the same."""

from __future__ import annotations

import threading

import pytest

from mediarip_mqtt.service import process_end
from mediarip_mqtt.service.process_end import LastResort
from mediarip_mqtt.volume.marker import HANGING


def test_a_shutdown_that_takes_too_long_is_ended_by_force(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process_end, "LONGEST_END", 0.01)
    killed = threading.Event()
    LastResort(killed.set).arm(volume_lost=False)
    assert killed.wait(10)
    assert "killing the process" in caplog.text


def test_a_lost_volume_leaves_a_shutdown_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_end, "LOST_VOLUME_END", 0.01)
    killed = threading.Event()
    LastResort(killed.set).arm(volume_lost=True)
    assert killed.wait(10)


def test_a_shutdown_in_order_is_not_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_end, "LONGEST_END", 0.2)
    killed = threading.Event()
    last_resort = LastResort(killed.set)
    last_resort.arm(volume_lost=False)
    last_resort.settle(None)
    assert not killed.wait(0.4)


def test_after_a_shutdown_on_a_volume_that_hangs_nothing_is_waited_for() -> None:
    killed = threading.Event()
    LastResort(killed.set).settle(HANGING)
    assert killed.is_set()


def test_files_of_a_volume_that_is_gone_may_hang_after_the_shutdown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_end, "LOST_VOLUME_END", 0.05)
    killed = threading.Event()
    last_resort = LastResort(killed.set)
    last_resort.arm(volume_lost=True)
    last_resort.settle("not mounted")
    assert killed.wait(10)
