"""The numbers for Home Assistant change rarely: each change is a row in its database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from mediarip_mqtt.contract.models import Job, JobStatus, Phase, Progress
from mediarip_mqtt.mqtt.activity import Activity

NOW = datetime(2026, 1, 2, tzinfo=UTC)
JOB = Job(id="a", session_id="s", url="https://example.org/a", title="A film", created_at=NOW)


def at(percent: float, *, speed: float | None = 1_234_567, eta: float | None = 61) -> Progress:
    return Progress(
        id="a",
        status=JobStatus.DOWNLOADING,
        phase=Phase.VIDEO,
        progress_percent=percent,
        speed=speed,
        eta=eta,
        updated_at=NOW,
    )


def test_without_a_job_every_key_is_null() -> None:
    idle = Activity().current([])
    assert idle.model_dump() == {
        "id": None,
        "title": None,
        "thumbnail": None,
        "count": 0,
        "progress_percent": None,
        "speed": 0.0,
        "eta": None,
    }


def test_a_download_of_any_length_changes_the_numbers_a_few_dozen_times() -> None:
    activity = Activity(clock=lambda: 0.0)
    seen = [
        activity.current([(JOB, at(tenth / 10, speed=1e6 + tenth * 1e4, eta=1000 - tenth))])
        for tenth in range(1000)
    ]
    rows = {
        key: sum(getattr(a, key) != getattr(b, key) for a, b in itertools.pairwise(seen))
        for key in ("progress_percent", "speed", "eta")
    }
    assert rows["progress_percent"] == 19
    assert sum(rows.values()) <= 40


def test_several_jobs_are_summed_up() -> None:
    other = JOB.model_copy(update={"id": "b", "progress_percent": 60.0})
    current = Activity().current([(JOB, at(20)), (other, None)])
    assert current.count == 2
    assert current.progress_percent == 40
    assert current.title == "A film"


def test_speed_and_eta_are_published_as_soon_as_they_are_known() -> None:
    activity = Activity()
    assert activity.current([(JOB, at(0, speed=None, eta=None))]).eta is None
    current = activity.current([(JOB, at(0.1))])
    assert current.speed == 1_200_000
    assert current.eta == 60
