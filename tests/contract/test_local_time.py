"""Whatever TZ holds, the local time is that of the C library, and nothing fails."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mediarip_mqtt.contract import local_time
from mediarip_mqtt.contract.settings import PurgeSettings

SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "hour", "problem"),
    [
        ("Europe/Berlin", 14, False),
        ('"Europe/Berlin"', 14, False),  # BlessedRebuS/Krawl#74
        (" Europe/Berlin\n", 14, False),
        (":Europe/Berlin", 14, False),
        ("/usr/share/zoneinfo/Europe/Berlin", 14, False),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 14, False),
        ("UTC+3", 9, False),
        ("<+0530>-5:30", 17, False),
        ("", 12, False),
        ("Europe/Nowhere", 12, True),
        ("America/New York", 12, True),
        ("Europe", 12, True),
        ("../../etc/passwd", 12, True),
        ("/etc/passwd", 12, True),
    ],
    indirect=["zone"],
)
@pytest.mark.usefixtures("zone")
def test_the_local_time_is_that_of_tz(hour: int, problem: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert bool(local_time.use_time_zone()) is problem
    assert SUMMER.astimezone(local_time.local_zone()).hour == hour
    assert SUMMER.astimezone().hour == hour
    assert PurgeSettings(cron="0 4 * * *").cron


def test_without_tz_it_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    time.tzset()
    assert local_time.use_time_zone() is None
    assert "TZ" not in os.environ
    assert SUMMER.astimezone(local_time.local_zone()).hour == SUMMER.astimezone().hour
