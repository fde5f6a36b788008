"""What each command does, inside the transaction that also holds its reply.

A new command has its ``case`` here, and its class in `mediarip_mqtt.commands.payloads`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, assert_never, cast
from urllib.parse import quote_plus

from mediarip_mqtt.commands import payloads
from mediarip_mqtt.contract import presets
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.models import ACTIVE, TERMINAL, WAITING, Job, JobStatus
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.topics import ROOT_SESSION, Topics, accepted, dumps
from mediarip_mqtt.contract.urls import check_url
from mediarip_mqtt.jobs.history_import import Importing
from mediarip_mqtt.jobs.retention import Rule
from mediarip_mqtt.jobs.use_cases import MANY, Jobs
from mediarip_mqtt.store import Probe, Tx
from mediarip_mqtt.volume import names

MAX_PROBES: Final = 100
SESSION_PROBES: Final = 10  # of one isolated session
MAX_BUCKETS: Final = 1000
PAUSED_KEY: Final = "paused"
UPDATE_KEY: Final = "ytdlp_update"  # set while an update is asked for and not done
UPDATE_CHECK: Final = "check"  # its value where only a look at the package index is
# What names a format: where a sender uses none of them, the defaults hold.
_CHOOSING: Final = ("preset", "quality", "format_id", "media_type", "output_format")
_RETRIED: Final = {JobStatus.FAILED, JobStatus.CANCELLED}


@dataclass(frozen=True)
class Origin:
    """Who asked, and where the answer goes."""

    session_id: str
    request_id: str | None
    response_topic: str | None
    correlation: bytes | None
    mid: int | None
    digest: str
    redelivered: bool
    at: datetime
    cookies: dict[str, Any] | None = None  # the report on them, made before the transaction
    purge: Callable[[Tx], dict[str, Any]] | None = None  # ends one begun before the transaction
    deleted: frozenset[str] | None = None  # jobs whose files went before the transaction


class Effects:
    """Carries out commands in transactions."""

    def __init__(  # noqa: PLR0913, PLR0917 - what the commands act on
        self,
        settings: Settings,
        topics: Topics,
        jobs: Jobs,
        preferences: Preferences,
        clock: Callable[[], datetime],
        ytdlp: Callable[[], dict[str, str | None]],
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._jobs = jobs
        self._preferences = preferences
        self._clock = clock
        self._ytdlp = ytdlp
        self._buckets: dict[str, tuple[float, float]] = {}  # session to tokens, and when

    def _refuse_too_many(self, session_id: str) -> None:
        """Raise `rate_limited` where a session has used up its commands (a token bucket)."""
        rate, now = self._preferences.session_rate, time.monotonic()
        tokens, at = self._buckets.get(session_id, (float(rate), now))
        tokens = min(rate, tokens + (now - at) * rate / 60)
        if tokens < 1:
            raise CommandError(
                ErrorCode.RATE_LIMITED,
                f"More than {rate} commands a minute of one session. Wait a little.",
            )
        self._buckets[session_id] = (tokens - 1, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.pop(next(iter(self._buckets)))

    def admit(self, command: payloads.Base, session_id: str) -> None:
        """Raise `rate_limited` or `forbidden` where an isolated session may not ask for this now.

        Not part of `carry_out`, whose replies are remembered: who waits as told and asks again with
        the same request id must get through.
        """
        if self.scope(session_id) not in {None, ROOT_SESSION}:
            self._refuse_too_many(session_id)
            _refuse_for_all(command)

    def scope(self, session_id: str) -> str | None:
        """Return the session beyond which nothing is seen or touched; None where there is none."""
        return session_id if self._topics.isolated else None

    def carry_out(  # noqa: C901, PLR0911, PLR0912 - one case for each command
        self, tx: Tx, command: payloads.Base, origin: Origin
    ) -> dict[str, Any] | None:
        """Do what a command says; return its reply, or None where that comes later."""
        scope = self.scope(origin.session_id)
        match cast("payloads.Command", command):
            case payloads.Download() as download:
                return _with_job(download, self._download(tx, download, origin))
            case payloads.ProbePage() as probe:
                self._probe(tx, probe, origin)
                return None
            case payloads.Cancel() as cancel:
                return self._each(tx, cancel, scope, ACTIVE | WAITING, self._jobs.cancel)
            case payloads.Retry() as retry:
                ended = {JobStatus(retry.status)} if retry.status else _RETRIED
                return self._each(tx, retry, scope, ended, self._jobs.retry)
            case payloads.Delete() as delete:
                return self._delete(tx, delete, scope, origin.deleted)
            case payloads.Keep() as keep:
                return self._each(
                    tx,
                    keep,
                    scope,
                    frozenset(JobStatus),
                    lambda t, job: self._jobs.keep(t, job, keep=keep.keep),
                )
            case payloads.ManageCookies() as one:
                return accepted("cookies", one.request_id, cookies=origin.cookies)
            case payloads.Purge() as purge:
                report = origin.purge(tx) if origin.purge else {}
                return accepted("purge", purge.request_id, **report)
            case payloads.Import() as one:
                report = self._importing(one, origin).take(tx, one.jobs)
                return accepted("import", one.request_id, **report)
            case payloads.Clear() as clear:
                return self._clear(tx, clear, scope)
            case payloads.Pause() as pause:
                if pause.id is None:
                    return self._hold(tx, pause, paused=True)
                return self._each(tx, pause, scope, ACTIVE | WAITING, self._jobs.pause)
            case payloads.Resume() as resume:
                if resume.id is None:
                    return self._hold(tx, resume, paused=False)
                return self._each(tx, resume, scope, {JobStatus.PAUSED}, self._jobs.resume)
            case payloads.Prioritize() as one:
                return self._each(
                    tx,
                    one,
                    scope,
                    WAITING,
                    lambda t, job: self._jobs.prioritize(t, job, one.priority),
                )
            case payloads.List() as listing:
                return self._list(tx, listing, scope)
            case payloads.Get() as get:
                if get.id == "all":
                    everything = payloads.List(request_id=get.request_id, limit=200)
                    return self._list(tx, everything, scope, "get")
                return _with_job(get, self._jobs.find(tx, get.id, scope))
            case payloads.ChangeSettings() as change:
                return self._change(tx, change)
            case payloads.UpdateYtdlp() as update:
                return self._update_ytdlp(tx, update)
            case payloads.Errors() as errors:
                return accepted(
                    "errors",
                    errors.request_id,
                    errors=tx.errors(errors.limit, scope),
                    unsupported_urls=tx.unsupported(errors.limit, scope),
                )
            case _ as never:
                assert_never(never)

    def _download(self, tx: Tx, command: payloads.Download, origin: Origin) -> Job:
        url = self._url(command)
        if command.output_template:
            names.check_template(command.output_template)
        asked = command.model_dump(include=set(DownloadOptions.model_fields))
        preset = command.preset or self._preferences.default_preset
        asked["media_type"] = command.media_type or presets.media_type(
            preset, self._settings.downloads
        )
        asked["folder"] = names.check_folder(command.folder) if command.folder else None
        if not any(getattr(command, one) for one in _CHOOSING):
            asked["preset"] = preset
            asked["quality"] = presets.capped(
                preset, self._preferences.default_quality, self._settings.downloads
            )
        options = DownloadOptions(**asked)
        presets.check(options, self._settings.downloads)
        return self._jobs.add(
            tx,
            url,
            options,
            session_id=origin.session_id,
            priority=command.priority,
            not_before=command.not_before,
            category=command.category,
            tags=command.tags,
            request_id=command.request_id,
            keep=command.keep,
            reuse=command.on_duplicate == "reuse",
        )

    def _url(self, command: payloads.Download) -> str:
        if command.url is not None:
            return check_url(command.url, self._settings.security)
        prefix = self._settings.downloads.search_prefix
        words = command.query or ""
        if prefix.startswith(("http://", "https://")):
            return prefix + quote_plus(words)
        return prefix + words

    def _probe(self, tx: Tx, command: payloads.ProbePage, origin: Origin) -> None:
        url = check_url(command.url, self._settings.security)
        waiting = tx.probes()
        me = (origin.session_id, origin.request_id)
        if origin.request_id and me in {(one.session_id, one.request_id) for one in waiting}:
            return  # its one answer is on the way
        if len(waiting) >= MAX_PROBES:
            raise CommandError(
                ErrorCode.QUEUE_FULL, f"{len(waiting)} probes wait already. Try again later."
            )
        own = sum(one.session_id == origin.session_id for one in waiting)
        if own >= SESSION_PROBES and self.scope(origin.session_id) not in {None, ROOT_SESSION}:
            raise CommandError(
                ErrorCode.QUEUE_FULL, f"{own} of your probes wait already. Try again later."
            )
        probe = Probe(
            id=0,
            url=url,
            session_id=origin.session_id,
            request_id=origin.request_id,
            response_topic=origin.response_topic,
            correlation=origin.correlation,
        )
        tx.add_probe(probe, self._clock())

    def _each(  # noqa: PLR0913, PLR0917 - which jobs, and what is done with them
        self,
        tx: Tx,
        command: payloads.Referring | payloads.MaybeReferring,
        scope: str | None,
        statuses: set[JobStatus] | frozenset[JobStatus],
        use_case: Callable[[Tx, Job], Job],
        but: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """Do something with the job that is named, or with all to which it applies.

        Of all, ``but`` those jobs and playlists, and where given ``only`` these.
        """
        if command.id != "all":
            job = self._jobs.find(tx, command.id or "", scope)
            return _with_job(command, use_case(tx, job))
        found = partial(
            tx.jobs, statuses=statuses, session_id=scope, newest_first=False, limit=MANY
        )

        def left_out(job_id: str) -> bool:
            return job_id in but or (only is not None and job_id not in only)

        done = {use_case(tx, job).id: None for job in found(top_level=True) if not left_out(job.id)}
        for job in found():
            if left_out(job.id) or job.parent_id in but:
                continue
            if (current := tx.job(job.id)) and current.status in statuses and job.id not in done:
                done[use_case(tx, current).id] = None
        return accepted(name_of(command), command.request_id, job_ids=list(done), count=len(done))

    def _importing(self, command: payloads.Import, origin: Origin) -> Importing:
        return Importing(
            self._settings,
            origin.session_id,
            self.scope(origin.session_id),
            now=origin.at,
            dry_run=command.dry_run,
        )

    def purge_rule(self, command: payloads.Purge, origin: Origin) -> Rule:
        """Return which jobs a purge is about."""
        named = (command.status,) if isinstance(command.status, str) else command.status
        age = command.older_than
        if age is None and command.keep_newest is None and command.max_total_size is None:
            age = self._settings.purge.max_age
        return Rule(
            statuses=TERMINAL if named is None else frozenset(map(JobStatus, named)),
            session_id=self.scope(origin.session_id),
            before=None if age is None else origin.at - timedelta(seconds=age),
            keep_newest=command.keep_newest,
            max_total_size=command.max_total_size,
        )

    def _delete(
        self,
        tx: Tx,
        command: payloads.Delete,
        scope: str | None,
        without_files: frozenset[str] | None,
    ) -> dict[str, Any]:
        """Delete jobs; where files go, too, those only whose files have gone."""
        if command.id == "all" or without_files is None:
            delete, kept = self._jobs.delete, tx.kept()
            return self._each(tx, command, scope, TERMINAL, delete, but=kept, only=without_files)
        if without_files:  # `last` may be another one by now
            job = self._jobs.find(tx, next(iter(without_files)), scope)
        else:
            job = self._jobs.find(tx, command.id, scope)
            if job.status in TERMINAL:
                raise CommandError(
                    ErrorCode.INVALID_TRANSITION,
                    "The job ended this moment. Delete it again.",
                    field="id",
                )
        return _with_job(command, self._jobs.delete(tx, job))

    def to_delete(self, tx: Tx, command: payloads.Delete, origin: Origin) -> list[str]:
        """Return the ids of the jobs that a `delete` removes."""
        scope = self.scope(origin.session_id)
        if command.id == "all":
            kept = tx.kept()
            ended = tx.jobs(statuses=TERMINAL, session_id=scope, limit=MANY)
            return [job.id for job in ended if not {job.id, job.parent_id} & kept]
        job = self._jobs.find(tx, command.id, scope)
        return [job.id] if job.status in TERMINAL else []

    def _update_ytdlp(self, tx: Tx, command: payloads.UpdateYtdlp) -> dict[str, Any]:
        if tx.config().get(UPDATE_KEY):
            raise CommandError(
                ErrorCode.INVALID_TRANSITION,
                f"An update is under way already; {self._topics.ytdlp} shows how far it is.",
            )
        tx.set_config(UPDATE_KEY, UPDATE_CHECK if command.check else "wanted", self._clock())
        return accepted(
            "update_ytdlp", command.request_id, started=not command.check, **self._ytdlp()
        )

    def _clear(self, tx: Tx, command: payloads.Clear, scope: str | None) -> dict[str, Any]:
        job_id = None
        if command.id not in {None, "all"}:
            job = self._jobs.find(tx, command.id or "", scope)
            if job.status not in TERMINAL:
                raise CommandError(
                    ErrorCode.INVALID_TRANSITION,
                    f"The job is {job.status}; only finished ones can be cleared.",
                    field="id",
                )
            job_id = job.id
        count = tx.clear(self._clock(), job_id, scope)
        return accepted("clear", command.request_id, count=count)

    def _hold(
        self, tx: Tx, command: payloads.Pause | payloads.Resume, *, paused: bool
    ) -> dict[str, Any]:
        tx.set_config(PAUSED_KEY, "user" if paused else None, self._clock())
        tx.changes.queue = True
        return accepted(name_of(command), command.request_id, paused=paused)

    def _list(
        self, tx: Tx, command: payloads.List, scope: str | None, name: str = "list"
    ) -> dict[str, Any]:
        statuses = command.status or ()
        before: datetime | Job | None = None
        if isinstance(command.before, str):
            before = self._jobs.find(tx, command.before, scope)
        else:
            before = command.before
        jobs = tx.jobs(
            statuses=(statuses,) if isinstance(statuses, JobStatus) else statuses,
            session_id=scope or command.session_id,
            before=before,
            limit=command.limit,
        )
        return accepted(
            name,
            command.request_id,
            jobs=[job.model_dump(mode="json") for job in jobs],
            count=len(jobs),
        )

    def _change(self, tx: Tx, command: payloads.ChangeSettings) -> dict[str, Any]:
        checked = {key: self._preferences.check(key, one) for key, one in command.values.items()}
        if "default_preset" in checked:
            presets.resolve_preset(checked["default_preset"], self._settings.downloads)
        for key, value in checked.items():
            tx.set_config(PREFIX + key, dumps(value), self._clock())
        values = {**self._preferences.values(), **checked}
        details = self._preferences.describe()
        for key, value in checked.items():
            details[key] |= {"value": value, "source": "runtime"}
        return accepted("settings", command.request_id, settings=values, details=details)


def name_of(command: payloads.Base) -> str:
    """Return the name by which a command is asked for."""
    return str(command.model_dump(include={"command"})["command"])


def _refuse_for_all(command: payloads.Base) -> None:
    """Raise `forbidden` where an isolated session asks for what concerns all of them."""
    queue = isinstance(command, payloads.Pause | payloads.Resume) and command.id is None
    queue = queue or isinstance(command, payloads.UpdateYtdlp)
    if queue or (isinstance(command, payloads.ChangeSettings) and command.values):
        raise CommandError(
            ErrorCode.FORBIDDEN,
            f"`{name_of(command)}` would concern every session; only the service's own topic "
            "`command` may ask for that. Name one of your jobs.",
        )


def _with_job(command: payloads.Base, job: Job) -> dict[str, Any]:
    return accepted(
        name_of(command), command.request_id, job_id=job.id, job=job.model_dump(mode="json")
    )
