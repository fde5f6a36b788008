"""In the quiet hours downloads pause or go slower; live recordings that have begun go on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.quiet_hours import QuietHours
from tests.support.recording import RecordingRunner

EVENING = datetime(2026, 1, 2, 21, 0).astimezone()  # local time, as the setting is


class Clock:
    def __init__(self) -> None:
        self.time = EVENING

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def preferences() -> Preferences:
    preferences = Preferences(Settings())
    preferences.restore({PREFIX + "quiet_hours": '"22:00-07:00"'})
    return preferences


@pytest.fixture
def quiet_hours(
    preferences: Preferences, runner: RecordingRunner, holds: Holds, clock: Clock
) -> QuietHours:
    return QuietHours(Limits(preferences, {}), runner, holds, clock)


def test_downloads_pause_at_the_beginning_and_go_on_at_the_end(
    quiet_hours: QuietHours, runner: RecordingRunner, clock: Clock
) -> None:
    quiet_hours.apply()
    assert (runner.hold, runner.interrupts) == (None, [])
    clock.time += timedelta(hours=2)
    quiet_hours.apply()
    quiet_hours.apply()
    assert (runner.hold, runner.interrupts) == (PauseReason.QUIET_HOURS, [False])  # once, not live
    clock.time += timedelta(hours=8)
    quiet_hours.apply()
    assert (runner.hold, runner.interrupts) == (None, [False])


def test_with_a_rate_limit_of_their_own_downloads_go_on_slower(
    quiet_hours: QuietHours, preferences: Preferences, runner: RecordingRunner, clock: Clock
) -> None:
    clock.time += timedelta(hours=2)
    preferences.restore(
        {PREFIX + "quiet_hours": '"22:00-07:00"', PREFIX + "quiet_rate_limit": "10000"}
    )
    quiet_hours.apply()
    assert (runner.hold, runner.interrupts, runner.limits_applied) == (None, [], 1)


def test_a_new_setting_acts_at_once(
    quiet_hours: QuietHours, preferences: Preferences, runner: RecordingRunner, clock: Clock
) -> None:
    clock.time += timedelta(hours=2)
    quiet_hours.apply()
    assert runner.hold is PauseReason.QUIET_HOURS
    preferences.restore({})
    quiet_hours.apply()
    assert runner.hold is None
