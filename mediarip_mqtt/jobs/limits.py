"""Limits of downloads: per site, and in quiet hours."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import SiteSettings
from mediarip_mqtt.contract.urls import host_of, site_of


class Limits:
    """Evaluates the settings for the current time and the running jobs."""

    def __init__(self, preferences: Preferences, sites: dict[str, SiteSettings]) -> None:
        self._preferences = preferences
        self._sites = sites
        self._started: dict[str, float] = {}  # site: when its last download began

    def rate(self, job: Job, now: datetime) -> int:
        """Return a job's rate limit in bytes per second; 0 means no limit."""
        site = self._site(job)
        usual = (self._sites[site].rate_limit if site else 0) or self._preferences.rate_limit
        quiet = self._preferences.quiet_rate_limit if self.is_quiet(now) else 0
        return min((rate for rate in (job.rate_limit or 0, usual, quiet) if rate), default=0)

    def is_quiet(self, now: datetime) -> bool:
        """Whether it is within the quiet hours, in local time."""
        hours: str = self._preferences.quiet_hours
        if not hours:
            return False
        begin, end = hours.split("-")
        clock = f"{now.astimezone():%H:%M}"
        return begin <= clock < end if begin <= end else clock >= begin or clock < end

    def rests(self, now: datetime) -> bool:
        """Whether the quiet hours pause downloads now, rather than slow them down."""
        return self.is_quiet(now) and not self._preferences.quiet_rate_limit

    def rest_ends(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end that pause downloads now; None if none do."""
        if not self.rests(now):
            return None
        hour, minute = self._preferences.quiet_hours.split("-")[1].split(":")
        local = now.astimezone().replace(tzinfo=None)
        end = local.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        if end <= local:
            end += timedelta(days=1)
        return end.astimezone(UTC)  # by the clock of that day: the offset may change before

    def started(self, job: Job) -> None:
        """Begin the pause of a job's site."""
        if site := self._site(job):
            self._started[site] = time.monotonic()

    def busy_sites(self, running: Iterable[Job]) -> dict[str, bool]:
        """Return for each site whether it must wait now; empty if none must."""
        running_on = Counter(self._site(job) for job in running)
        busy = {
            site: bool(limit.max_concurrent and running_on[site] >= limit.max_concurrent)
            or self._pause_left(site) > 0
            for site, limit in self._sites.items()
        }
        return busy if any(busy.values()) else {}

    def next_start(self) -> float | None:
        """Return the seconds until the first site's pause ends, or None."""
        pauses = [pause for site in self._started if (pause := self._pause_left(site)) > 0]
        return min(pauses, default=None)

    def _pause_left(self, site: str) -> float:
        if (started_at := self._started.get(site)) is None:
            return 0.0
        return started_at + self._sites[site].pause - time.monotonic()

    def _site(self, job: Job) -> str | None:
        return site_of(host_of(job.url), self._sites)
