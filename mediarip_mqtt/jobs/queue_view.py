"""What the runner asks the store at each look at the queue, in one read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from mediarip_mqtt.contract.models import JobStatus
from mediarip_mqtt.store import Probe, Tx


@dataclass(frozen=True)
class QueueView:
    """What the store says at one moment."""

    statuses: Mapping[str, JobStatus | None]  # of the running jobs; None: the job is gone
    probes: list[Probe]  # that are not answered
    due: datetime | None  # when the time of the next waiting job comes


def look_at_queue(tx: Tx, running: Collection[str], now: datetime) -> QueueView:
    """Return the queue; ``running`` are ids of jobs."""
    found = tx.statuses(running) if running else {}
    statuses = {job_id: found.get(job_id) for job_id in running}
    return QueueView(statuses, tx.probes(), tx.next_time(now))
