"""What a small job costs the broker, and the recorder of Home Assistant behind it."""

from __future__ import annotations

from datetime import datetime

from tests.support.broker import Client
from tests.support.server import MediaServer
from tests.support.service import Service

MOST_OFTEN = 0.25  # seconds between two messages for mere progress


def test_a_small_job_sends_each_status_and_event_once_and_its_progress_at_its_end(
    service: Service, client: Client, media: MediaServer
) -> None:
    warm = client.download(media.url("bytes/1000/first.mp4"))  # starts the process for pages
    client.wait_status(warm, "completed")
    job_id = client.download(media.url("media/video.mp4"))
    job = client.wait_status(job_id, "completed")
    client.wait_count("event", 3)
    client.wait_count(f"job/{job_id}/progress", 1)
    client.download(media.url("bytes/1000/later.mp4"))  # all of the first one's was sent before
    begun, ended = (datetime.fromisoformat(job[key]) for key in ("created_at", "completed_at"))
    seconds = (ended - begun).total_seconds()
    states = client.payloads(f"job/{job_id}/state")
    assert len(states) <= len(client.statuses(job_id)) + seconds / MOST_OFTEN
    assert len([one for one in client.events() if one["job"]["id"] == job_id]) == 3
    assert len(client.payloads(f"job/{job_id}/progress")) <= 1 + seconds / MOST_OFTEN
