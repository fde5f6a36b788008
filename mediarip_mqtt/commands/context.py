"""The objects that commands act on, and the sender of a command."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mediarip_mqtt.commands.replies import ManyJobs, OneJob
from mediarip_mqtt.contract.models import Job, JobStatus
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics
from mediarip_mqtt.jobs import job_reference
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.jobs.use_cases import MANY, Jobs
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.store import Store, Tx
from mediarip_mqtt.subscriptions.following import Following

if TYPE_CHECKING:  # imports yt-dlp, which would slow the command line by a second
    from mediarip_mqtt.engine.cookie_files import Cookies


@dataclass(frozen=True)
class Origin:
    """The sender of a command, and where its reply goes.

    ``mid`` is the packet id (None at QoS 0), ``digest`` a hash of the message; a redelivery has the
    same values of both.
    """

    session_id: str
    request_id: str | None
    response_topic: str | None
    correlation: bytes | None
    mid: int | None
    digest: str
    redelivered: bool
    at: datetime


@dataclass(frozen=True)
class Context:
    """The dependencies of commands, and code that several of them share.

    ``ytdlp_versions`` returns `installed` and `latest`. ``settings_changed`` applies committed
    runtime settings.
    """

    settings: Settings
    topics: Topics
    store: Store
    jobs: Jobs
    preferences: Preferences
    retention: Retention
    catalogue: Catalogue
    following: Following
    cookies: Cookies
    clock: Callable[[], datetime]
    ytdlp_versions: Callable[[], Mapping[str, str | None]]
    settings_changed: Callable[[], None]

    @property
    def root(self) -> Path:
        """The storage root."""
        return self.settings.storage.root

    def scope(self, session_id: str) -> str | None:
        """Return the only session whose jobs the sender may use; None if it may use all jobs."""
        return session_id if self.topics.isolated else None

    def is_restricted(self, session_id: str) -> bool:
        """Whether this is an isolated session other than the service's own."""
        return self.scope(session_id) not in {None, ROOT_SESSION}

    def find(self, tx: Tx, ref: str, origin: Origin) -> Job:
        """Return the job that ``ref`` means to the sender; raises `CommandError`."""
        return job_reference.find(tx, ref, self.scope(origin.session_id))

    def each(  # noqa: PLR0913 - the jobs, and the use case
        self,
        tx: Tx,
        ref: str,
        origin: Origin,
        statuses: Collection[JobStatus],
        use_case: Callable[[Tx, Job], Job],
        *,
        spared: Callable[[Job], bool] = lambda _: False,
    ) -> OneJob | ManyJobs:
        """Apply ``use_case`` to the job that ``ref`` names, or for `all` to each matching job.

        Jobs match that have one of the ``statuses`` and are not ``spared``.
        """
        if ref != "all":
            return OneJob.of(use_case(tx, self.find(tx, ref, origin)))
        matching = partial(
            tx.jobs,
            statuses=statuses,
            session_id=self.scope(origin.session_id),
            newest_first=False,
            limit=MANY,
        )
        # Playlists first: a use case may include a playlist's items.
        done = {use_case(tx, job).id: None for job in matching(top_level=True) if not spared(job)}
        for job in matching():
            if job.id in done or spared(job):
                continue
            if (current := tx.job(job.id)) and current.status in statuses:
                done[use_case(tx, current).id] = None
        return ManyJobs(job_ids=list(done), count=len(done))
