"""How many downloads at once, how fast and when: per site, and in quiet hours."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import SiteSettings
from mediarip_mqtt.contract.urls import host_of, site_of


class Limits:
    """What the settings allow of a job, now."""

    def __init__(self, preferences: Preferences, sites: dict[str, SiteSettings]) -> None:
        self._preferences = preferences
        self._sites = sites
        self._started: dict[str, float] = {}  # site to when its last download began

    def rate(self, job: Job, now: datetime) -> int:
        """Return the bytes per second that a job may use; 0 is no limit."""
        site = self._site(job)
        usual = (self._sites[site].rate_limit if site else 0) or self._preferences.rate_limit
        quiet = self._preferences.quiet_rate_limit if self.is_quiet(now) else 0
        return min((one for one in (job.rate_limit or 0, usual, quiet) if one), default=0)

    def is_quiet(self, now: datetime) -> bool:
        """Whether these are quiet hours, by the local time."""
        hours: str = self._preferences.quiet_hours
        if not hours:
            return False
        begin, end = hours.split("-")
        clock = f"{now.astimezone():%H:%M}"
        return begin <= clock < end if begin <= end else clock >= begin or clock < end

    def rests(self, now: datetime) -> bool:
        """Whether downloads pause because of the hour."""
        return self.is_quiet(now) and not self._preferences.quiet_rate_limit

    def started(self, job: Job) -> None:
        """Note that a job's turn came."""
        if site := self._site(job):
            self._started[site] = time.monotonic()

    def busy_sites(self, running: Iterable[Job]) -> dict[str, bool]:
        """Return of each site whether no other download may begin there now; empty if all may."""
        count = Counter(self._site(job) for job in running)
        busy = {
            site: bool(limit.max_concurrent and count[site] >= limit.max_concurrent)
            or self._rest_of_pause(site) > 0
            for site, limit in self._sites.items()
        }
        return busy if any(busy.values()) else {}

    def next_start(self) -> float | None:
        """Return the seconds until the first site's pause ends; None where there is none."""
        pauses = [rest for site in self._started if (rest := self._rest_of_pause(site)) > 0]
        return min(pauses, default=None)

    def _rest_of_pause(self, site: str) -> float:
        began = self._started.get(site)
        return 0.0 if began is None else began + self._sites[site].pause - time.monotonic()

    def _site(self, job: Job) -> str | None:
        return site_of(host_of(job.url), self._sites)
