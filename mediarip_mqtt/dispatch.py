"""From a message to its effect and its one reply.

A command that changes something is one transaction: its effect, the reply under its request id and
packet id, and the messages it causes. Only then the message is acknowledged to the broker. Commands
that only read are answered directly.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, assert_never, cast
from urllib.parse import quote_plus

from mediarip_mqtt import commands, library, presets, threads, wire
from mediarip_mqtt.addresses import check_url
from mediarip_mqtt.engine.cookies import Cookies
from mediarip_mqtt.errors import CommandError, ErrorCode, MediaripError, StoreError
from mediarip_mqtt.jobs import MANY, Jobs
from mediarip_mqtt.link import Message
from mediarip_mqtt.models import ACTIVE, TERMINAL, WAITING, DownloadOptions, Job, JobStatus
from mediarip_mqtt.preferences import PREFIX, Preferences
from mediarip_mqtt.retention import Rule, file_names
from mediarip_mqtt.settings import Settings
from mediarip_mqtt.store import Probe, Store, Tx

MAX_PROBES: Final = 100
MAX_BUCKETS: Final = 1000
MAX_RESPONSE_TOPIC: Final = 512
PAUSED_KEY: Final = "paused"
UPDATE_KEY: Final = "ytdlp_update"  # set while an update is asked for and not done
UPDATE_CHECK: Final = "check"  # its value where only a look at the package index is
_RETRIED: Final = {JobStatus.FAILED, JobStatus.CANCELLED}

logger = logging.getLogger(__name__)


class Respond(Protocol):
    """Publishes a reply at once; returns when the broker has it."""

    def __call__(self, topic: str, payload: str, correlation: bytes | None) -> Awaitable[None]:
        """Publish."""


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


class Dispatch:
    """Turns messages into commands and carries them out."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it joins
        self,
        settings: Settings,
        topics: wire.Topics,
        store: Store,
        jobs: Jobs,
        preferences: Preferences,
        respond: Respond,
        clock: Callable[[], datetime],
        *,
        ytdlp: Callable[[], dict[str, str | None]],
        cookies: Cookies,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._store = store
        self._jobs = jobs
        self._preferences = preferences
        self._respond = respond
        self._clock = clock
        self._ytdlp = ytdlp
        self._cookies = cookies
        self._root: Path = settings.storage.root
        self._buckets: dict[str, tuple[float, float]] = {}  # session to tokens, and when

    async def handle(self, message: Message) -> None:
        """Carry out what a message asks; returns once that is committed and the reply is safe.

        Raises only what says that the message must come again: a lost connection.
        """
        target = self._topics.parse(message.topic)
        if target is None:
            return
        if message.retain and not message.payload:
            return  # someone clears a retained command: nothing is asked
        name = "settings" if isinstance(target, wire.SettingTopic) else target.name
        session_id = (
            wire.ROOT_SESSION
            if isinstance(target, wire.SettingTopic)
            else self._session(target.session_id)
        )
        request_id: str | None = None
        try:
            self._refuse_outright(message, session_id)
            command = (
                self._setting(target.key, message.payload)
                if isinstance(target, wire.SettingTopic)
                else commands.parse(message.payload, name)
            )
        except CommandError as error:
            if isinstance(error, commands.ParseError):
                name, request_id = error.command or name, error.request_id
            origin = self._origin(message, session_id or wire.ROOT_SESSION, request_id)
            await self._answer(origin, wire.refused(_bounded(name), request_id, error))
            return
        await self._carry_out(command, self._origin(message, str(session_id), command.request_id))

    def _refuse_outright(self, message: Message, session_id: str | None) -> None:
        if message.retain:
            logger.warning("refused a retained command on %s", message.topic)
            raise CommandError(
                ErrorCode.RETAINED_COMMAND,
                f"A retained command on {message.topic} is never carried out, since it would run "
                "at every reconnect. Publish it without the retain flag, and clear the topic.",
            )
        if len(message.payload) > self._settings.mqtt.max_payload:
            raise CommandError(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"The payload has {len(message.payload)} bytes; {self._settings.mqtt.max_payload} "
                "are allowed.",
            )
        if session_id is None:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD,
                "A session's name has 1 to 64 letters, digits and `_ . @ -`.",
                field="session_id",
            )

    def _session(self, sid: str) -> str | None:
        if not wire.SESSION_ID.match(sid):
            return None
        return wire.ROOT_SESSION if self._settings.session.mode == "open" else sid

    def _setting(self, key: str, payload: bytes) -> commands.ChangeSettings:
        try:
            text = payload.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise CommandError(
                ErrorCode.INVALID_PAYLOAD, "The payload is not UTF-8 text.", field=key[:64]
            ) from None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        return commands.ChangeSettings(values={key: value})

    def _origin(self, message: Message, session_id: str, request_id: str | None) -> Origin:
        return Origin(
            session_id=session_id,
            request_id=request_id,
            response_topic=self._safe_response_topic(message.response_topic, session_id),
            correlation=message.correlation,
            mid=message.mid if message.qos else None,
            digest=hashlib.blake2b(
                message.topic.encode() + b"\0" + message.payload, digest_size=16
            ).hexdigest(),
            redelivered=message.dup,
            at=self._clock(),
        )

    def _safe_response_topic(self, topic: str | None, session_id: str) -> str | None:
        """Return a topic that a reply may go to: never one of ours, nor a wildcard or `$SYS`.

        Of an isolated session only one below its own `response`: the broker would let the service
        write where the session itself may not.
        """
        if not topic or len(topic) > MAX_RESPONSE_TOPIC or set(topic) & set("+#"):
            return None
        if not topic.isprintable():
            return None  # the broker would end the connection, again and again
        own = topic == self._topics.base or topic.startswith(f"{self._topics.base}/")
        replies = topic.startswith(f"{self._topics.of(session_id).response}/")
        if self._scope(session_id) not in {None, wire.ROOT_SESSION}:
            return topic if replies else None
        return None if topic.startswith("$") or (own and not replies) else topic

    async def _carry_out(self, command: commands.Base, origin: Origin) -> None:
        name = cast("str", command.model_dump(include={"command"})["command"])
        try:
            if isinstance(command, commands.List | commands.Get | commands.Errors):
                reply = await self._store.read(lambda tx: self._read(tx, command, origin))
            else:
                match command:
                    case commands.Delete() | commands.Purge():
                        await self._remove_files(command, origin)
                    case commands.ManageCookies():
                        origin = await self._with_cookies(command, origin)
                await self._store.write(lambda tx: self._write(tx, command, origin))
                if isinstance(command, commands.ChangeSettings):
                    await self._restore_preferences()
                return  # the reply is in the outbox, committed with the effect
        except CommandError as error:
            reply = wire.dumps(wire.refused(name, origin.request_id, error))
        except (StoreError, sqlite3.Error) as error:
            logger.error("%s: the store can't be used: %s", name, error)  # noqa: TRY400 - no traceback for a lost volume
            failure = CommandError(
                ErrorCode.STORAGE_UNAVAILABLE,
                "The store on the volume can't be used right now; nothing was done. Try again when "
                "the volume is back.",
            )
            reply = wire.dumps(wire.refused(name, origin.request_id, failure))
        except MediaripError:
            raise
        except Exception:
            logger.exception("%s: failed", name)
            failure = CommandError(ErrorCode.INTERNAL, "The service failed at this; see its log.")
            reply = wire.dumps(wire.refused(name, origin.request_id, failure))
        await self._answer(origin, reply)

    async def _restore_preferences(self) -> None:
        try:
            self._preferences.restore(await self._store.read(lambda tx: tx.config()))
        except (StoreError, sqlite3.Error) as error:
            logger.warning("settings: committed, and in force at the next start: %s", error)

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

    def _scope(self, session_id: str) -> str | None:
        """Return the session beyond which nothing is seen or touched; None where there is none."""
        return session_id if self._topics.isolated else None

    async def _answer(self, origin: Origin, reply: dict[str, Any] | str) -> None:
        payload = reply if isinstance(reply, str) else wire.dumps(reply)
        if '"ok":false' in payload[:12]:
            logger.info("refused: %s", payload[:400])
        await self._respond(self._topics.of(origin.session_id).response, payload, None)
        if origin.response_topic:
            await self._respond(origin.response_topic, payload, origin.correlation)

    # In a transaction

    def _write(self, tx: Tx, command: commands.Base, origin: Origin) -> None:
        """Carry out a command; its reply is committed with its effect."""
        known = self._known_reply(tx, origin)
        if known is None:
            try:
                with tx.savepoint():
                    result = self._effect(tx, command, origin)
            except CommandError as error:
                result = wire.refused(_name(command), origin.request_id, error)
                logger.info("refused: %s", wire.dumps(result)[:400])
                if isinstance(command, commands.ChangeSettings):
                    # Published again, so that a control shows the truth.
                    shown = self._preferences.values()
                    tx.changes.settings.update(
                        PREFIX + key for key in command.values if key in shown
                    )
            if result is None:
                return  # a probe: answered when it is done
            known = wire.dumps(result)
            if origin.request_id:
                tx.remember_request(origin.session_id, origin.request_id, known, self._clock())
            if origin.mid is not None:
                tx.remember_delivery(origin.mid, origin.digest, known, self._clock())
        tx.reply(self._topics.of(origin.session_id).response, known, self._clock())
        if origin.response_topic:
            tx.reply(origin.response_topic, known, self._clock(), origin.correlation)

    def _known_reply(self, tx: Tx, origin: Origin) -> str | None:
        if origin.request_id:
            known = tx.reply_to_request(origin.session_id, origin.request_id)
            if known is not None:
                return known
        if origin.redelivered and origin.mid is not None:
            return tx.reply_to_delivery(origin.mid, origin.digest)
        return None

    def _read(self, tx: Tx, command: commands.Base, origin: Origin) -> str:
        known = self._known_reply(tx, origin)
        if known is not None:
            return known
        return wire.dumps(self._effect(tx, command, origin))

    def _effect(  # noqa: C901, PLR0911, PLR0912 - one case for each command
        self, tx: Tx, command: commands.Base, origin: Origin
    ) -> dict[str, Any] | None:
        """Do what a command says; return its reply, or None where that comes later."""
        scope = self._scope(origin.session_id)
        if scope not in {None, wire.ROOT_SESSION}:
            self._refuse_too_many(origin.session_id)
            _refuse_for_all(command)
        match cast("commands.Command", command):
            case commands.Download() as download:
                return _with_job(download, self._download(tx, download, origin))
            case commands.ProbePage() as probe:
                self._probe(tx, probe, origin)
                return None
            case commands.Cancel() as cancel:
                return self._each(tx, cancel, scope, ACTIVE | WAITING, self._jobs.cancel)
            case commands.Retry() as retry:
                ended = {JobStatus(retry.status)} if retry.status else _RETRIED
                return self._each(tx, retry, scope, ended, self._jobs.retry)
            case commands.Delete() as delete:
                return self._each(tx, delete, scope, TERMINAL, self._delete)
            case commands.ManageCookies() as one:
                return wire.accepted("cookies", one.request_id, cookies=origin.cookies)
            case commands.Purge() as purge:
                return self._purge(tx, purge, origin)
            case commands.Clear() as clear:
                return self._clear(tx, clear, scope)
            case commands.Pause() as pause:
                if pause.id is None:
                    return self._hold(tx, pause, paused=True)
                return self._each(tx, pause, scope, ACTIVE | WAITING, self._jobs.pause)
            case commands.Resume() as resume:
                if resume.id is None:
                    return self._hold(tx, resume, paused=False)
                return self._each(tx, resume, scope, {JobStatus.PAUSED}, self._jobs.resume)
            case commands.Prioritize() as one:
                return self._each(
                    tx,
                    one,
                    scope,
                    WAITING,
                    lambda t, job: self._jobs.prioritize(t, job, one.priority),
                )
            case commands.List() as listing:
                return self._list(tx, listing, scope)
            case commands.Get() as get:
                if get.id == "all":
                    everything = commands.List(request_id=get.request_id, limit=200)
                    return self._list(tx, everything, scope, "get")
                return _with_job(get, self._jobs.find(tx, get.id, scope))
            case commands.ChangeSettings() as change:
                return self._change(tx, change)
            case commands.UpdateYtdlp() as update:
                return self._update_ytdlp(tx, update)
            case commands.Errors() as errors:
                return wire.accepted(
                    "errors",
                    errors.request_id,
                    errors=tx.errors(errors.limit, scope),
                    unsupported_urls=tx.unsupported(errors.limit, scope),
                )
            case _ as never:
                assert_never(never)

    def _download(self, tx: Tx, command: commands.Download, origin: Origin) -> Job:
        url = self._url(command)
        if command.output_template:
            library.check_template(command.output_template)
        options = DownloadOptions(
            media_type=command.media_type
            or presets.media_type(
                command.preset or self._preferences.default_preset, self._settings.downloads
            ),
            preset=command.preset,
            quality=command.quality,
            format_id=command.format_id,
            output_format=command.output_format,
            output_template=command.output_template,
            folder=library.check_folder(command.folder) if command.folder else None,
            playlist_items=command.playlist_items,
        )
        if options.preset is None and not (
            command.quality or command.format_id or command.media_type or command.output_format
        ):
            preset = self._preferences.default_preset
            quality = presets.capped(
                preset, self._preferences.default_quality, self._settings.downloads
            )
            options = options.model_copy(update={"preset": preset, "quality": quality})
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
            reuse=command.on_duplicate == "reuse",
        )

    def _url(self, command: commands.Download) -> str:
        if command.url is not None:
            return check_url(command.url, self._settings.security)
        prefix = self._settings.downloads.search_prefix
        words = command.query or ""
        if prefix.startswith(("http://", "https://")):
            return prefix + quote_plus(words)
        return prefix + words

    def _probe(self, tx: Tx, command: commands.ProbePage, origin: Origin) -> None:
        url = check_url(command.url, self._settings.security)
        waiting = tx.probes()
        me = (origin.session_id, origin.request_id)
        if origin.request_id and me in {(one.session_id, one.request_id) for one in waiting}:
            return  # its one answer is on the way
        if len(waiting) >= MAX_PROBES:
            raise CommandError(
                ErrorCode.QUEUE_FULL, f"{len(waiting)} probes wait already. Try again later."
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

    def _each(
        self,
        tx: Tx,
        command: commands.Referring | commands.MaybeReferring,
        scope: str | None,
        statuses: set[JobStatus] | frozenset[JobStatus],
        use_case: Callable[[Tx, Job], Job],
    ) -> dict[str, Any]:
        """Do something with the job that is named, or with all to which it applies."""
        if command.id != "all":
            job = self._jobs.find(tx, command.id or "", scope)
            return _with_job(command, use_case(tx, job))
        found = partial(
            tx.jobs, statuses=statuses, session_id=scope, newest_first=False, limit=MANY
        )
        done = {use_case(tx, job).id: None for job in found(top_level=True)}
        for job in found():
            if (current := tx.job(job.id)) and current.status in statuses and job.id not in done:
                done[use_case(tx, current).id] = None
        return wire.accepted(
            _name(command), command.request_id, job_ids=list(done), count=len(done)
        )

    def _delete(self, tx: Tx, job: Job) -> Job:
        self._jobs.delete(tx, job)
        return job

    def _purge_rule(self, command: commands.Purge, origin: Origin) -> Rule:
        age = command.older_than
        seconds = self._settings.purge.max_age if age is None else age
        status = command.status
        named = (status,) if isinstance(status, str) else status
        return Rule(
            before=origin.at - timedelta(seconds=seconds),
            statuses=TERMINAL if named is None else frozenset(map(JobStatus, named)),
            session_id=self._scope(origin.session_id),
        )

    def _purge(self, tx: Tx, command: commands.Purge, origin: Origin) -> dict[str, Any]:
        jobs = self._purge_rule(command, origin).jobs(tx)
        if not command.dry_run:
            for job in jobs:
                self._jobs.delete(tx, job)
        removed = [job.id for job in jobs]
        return wire.accepted(
            "purge",
            command.request_id,
            removed=removed,
            count=len(removed),
            dry_run=command.dry_run,
        )

    def _whose_files_go(self, tx: Tx, command: commands.Base, origin: Origin) -> list[Job]:
        """Return the jobs whose files a command removes."""
        scope = self._scope(origin.session_id)
        match command:
            case commands.Purge(dry_run=False) as purge:
                wanted = self._settings.purge.files if purge.files is None else purge.files
                return self._purge_rule(purge, origin).jobs(tx) if wanted else []
            case commands.Delete(files=True, id="all"):
                return tx.jobs(statuses=TERMINAL, session_id=scope, limit=MANY)
            case commands.Delete(files=True) as delete:
                job = self._jobs.find(tx, delete.id, scope)
                return [job] if job.status in TERMINAL else []
            case _:
                return []

    async def _remove_files(self, command: commands.Base, origin: Origin) -> None:
        """Remove the files before the rows that name them: a kill between leaves no orphan."""

        def names(tx: Tx) -> list[str]:
            if self._known_reply(tx, origin) is not None:
                return []  # it has acted already; `last` may be another job by now
            return file_names(tx, self._whose_files_go(tx, command, origin))

        for name in await self._store.read(names):
            try:
                await asyncio.to_thread(library.remove, self._root, name)
            except OSError as error:
                raise CommandError(
                    ErrorCode.STORAGE_UNAVAILABLE,
                    f"The file {name!r} can't be removed: {error.strerror}. The jobs were kept.",
                ) from None

    async def _with_cookies(self, command: commands.ManageCookies, origin: Origin) -> Origin:
        """Store or delete cookies; return the origin with a report on what there is then."""
        if await self._store.read(lambda tx: self._known_reply(tx, origin)) is not None:
            return origin  # it has acted already
        session, content = origin.session_id, command.content

        def act() -> dict[str, Any]:
            if content is not None:
                self._cookies.save(session, content.get_secret_value())
            elif command.delete:
                self._cookies.remove(session)
            return self._cookies.report(session).payload()

        try:
            return replace(origin, cookies=await threads.start(act, "cookies"))
        except OSError as error:
            raise CommandError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The cookies can't be stored on the volume: {error.strerror}.",
            ) from None

    def _update_ytdlp(self, tx: Tx, command: commands.UpdateYtdlp) -> dict[str, Any]:
        if tx.config().get(UPDATE_KEY):
            raise CommandError(
                ErrorCode.INVALID_TRANSITION,
                f"An update is under way already; {self._topics.ytdlp} shows how far it is.",
            )
        tx.set_config(UPDATE_KEY, UPDATE_CHECK if command.check else "wanted", self._clock())
        return wire.accepted(
            "update_ytdlp", command.request_id, started=not command.check, **self._ytdlp()
        )

    def _clear(self, tx: Tx, command: commands.Clear, scope: str | None) -> dict[str, Any]:
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
        return wire.accepted("clear", command.request_id, count=count)

    def _hold(
        self, tx: Tx, command: commands.Pause | commands.Resume, *, paused: bool
    ) -> dict[str, Any]:
        tx.set_config(PAUSED_KEY, "user" if paused else None, self._clock())
        tx.changes.queue = True
        return wire.accepted(_name(command), command.request_id, paused=paused)

    def _list(
        self, tx: Tx, command: commands.List, scope: str | None, name: str = "list"
    ) -> dict[str, Any]:
        statuses = command.status or ()
        before = command.before
        if isinstance(before, str):
            before = self._jobs.find(tx, before, scope).created_at
        jobs = tx.jobs(
            statuses=(statuses,) if isinstance(statuses, JobStatus) else statuses,
            session_id=scope or command.session_id,
            before=before,
            limit=command.limit,
        )
        return wire.accepted(
            name,
            command.request_id,
            jobs=[job.model_dump(mode="json") for job in jobs],
            count=len(jobs),
        )

    def _change(self, tx: Tx, command: commands.ChangeSettings) -> dict[str, Any]:
        checked = {key: self._preferences.check(key, one) for key, one in command.values.items()}
        if "default_preset" in checked:
            presets.resolve_preset(checked["default_preset"], self._settings.downloads)
        for key, value in checked.items():
            tx.set_config(PREFIX + key, wire.dumps(value), self._clock())
        values = {**self._preferences.values(), **checked}
        details = self._preferences.describe()
        for key, value in checked.items():
            details[key] |= {"value": value, "source": "runtime"}
        return wire.accepted("settings", command.request_id, settings=values, details=details)


def _name(command: commands.Base) -> str:
    return str(command.model_dump(include={"command"})["command"])


def _refuse_for_all(command: commands.Base) -> None:
    """Raise `forbidden` where an isolated session asks for what concerns all of them."""
    queue = isinstance(command, commands.Pause | commands.Resume) and command.id is None
    queue = queue or isinstance(command, commands.UpdateYtdlp)
    if queue or (isinstance(command, commands.ChangeSettings) and command.values):
        raise CommandError(
            ErrorCode.FORBIDDEN,
            f"`{_name(command)}` would concern every session; only the service's own topic "
            "`command` may ask for that. Name one of your jobs.",
        )


def _bounded(name: str | None) -> str | None:
    return name[:64] if name else name


def _with_job(command: commands.Base, job: Job) -> dict[str, Any]:
    return wire.accepted(
        _name(command), command.request_id, job_id=job.id, job=job.model_dump(mode="json")
    )
