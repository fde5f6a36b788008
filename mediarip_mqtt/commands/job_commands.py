"""Commands about existing jobs: `cancel`, `retry`, `delete`, `keep`, `clear`, `list`, `get` etc."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from mediarip_mqtt import threads
from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command, MaybeReferring, Referring, When
from mediarip_mqtt.commands.library_commands import OneTitle, one_title
from mediarip_mqtt.commands.replies import Accepted, ManyJobs, OneJob
from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import (
    ACTIVE,
    TERMINAL,
    WAITING,
    Job,
    JobFile,
    JobStatus,
    Priority,
)
from mediarip_mqtt.contract.titles import Title
from mediarip_mqtt.jobs.use_cases import MANY
from mediarip_mqtt.library.archive import give_up
from mediarip_mqtt.library.title_reference import find_title
from mediarip_mqtt.store import Tx
from mediarip_mqtt.volume.files import remove_owned

# A `JobRef`, but not a number: that is a bad time.
_Before = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(coerce_numbers_to_str=False),
    AfterValidator(texts.printable),
]
RETRIED: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
MAX_LISTED: Final = 200


class _JobOrTitle(Referring):
    def title_meant(self, tx: Tx, context: Context, origin: Origin) -> Title | None:
        """Return the title with this id: the whole one, as beginnings may be those of jobs."""
        title = tx.title(self.id)
        scope = context.scope(origin.session_id)
        return title if title is not None and scope in {None, title.session_id} else None


class Cancel(Referring):
    """Stop a job for good."""

    example: ClassVar = {"id": "current"}

    command: Literal["cancel"] = "cancel"

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneJob | ManyJobs:
        """Cancel the job, or all unfinished ones."""
        return context.each(tx, self.id, origin, ACTIVE | WAITING, context.jobs.cancel)


class Retry(Referring):
    """Put a failed or cancelled job back in the queue."""

    example: ClassVar = {"id": "all", "status": "failed"}

    command: Literal["retry"] = "retry"
    status: Literal["failed", "cancelled"] | None = Field(
        None, description="With `all`: only jobs with this status."
    )

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneJob | ManyJobs:
        """Queue the job, or all failed or cancelled ones."""
        statuses = frozenset({JobStatus(self.status)}) if self.status else RETRIED
        return context.each(tx, self.id, origin, statuses, context.jobs.retry)


class Delete(_JobOrTitle):
    """Remove a finished job; with `files` also a title of the library by its whole id."""

    example: ClassVar = {"id": "last", "files": True}

    command: Literal["delete"] = "delete"
    files: bool = Field(
        default=False, description="Remove its files, too, and its title in the library."
    )

    async def prepare(self, context: Context, origin: Origin) -> frozenset[str] | str | None:
        """Remove the files before the rows that name them: a kill in between leaves no orphan.

        Remains of an unfinished move are removed even if the files stay. Return the ids of the jobs
        whose files were removed; None if files stay; a title's id if that is meant.
        """

        def read(tx: Tx) -> tuple[list[str], list[JobFile]] | str:
            if self.files and (title := self.title_meant(tx, context, origin)):
                return title.id
            if not self.files and not tx.planned_jobs():
                return [], []
            ids = self._chosen(tx, context, origin)
            owned = tx.owned_files(ids)
            return ids, [file for file in owned if self.files or file.temp_path]

        found = await context.store.read(read)
        if isinstance(found, str):
            return found
        ids, files = found
        for file in files:
            try:
                await threads.call(remove_owned, context.root, file)
            except OSError as error:
                raise CommandError(
                    ErrorCode.STORAGE_UNAVAILABLE,
                    f"The file {file.filename!r} can't be removed: {error.strerror}. The jobs were "
                    "kept.",
                ) from None
        return frozenset(ids) if self.files else None

    def run(
        self, tx: Tx, context: Context, origin: Origin, emptied: frozenset[str] | str | None
    ) -> OneJob | ManyJobs | OneTitle:
        """Delete jobs; with `files`, only those whose files `prepare` has removed.

        A title's files are removed by the organizer.
        """
        if isinstance(emptied, str):
            title = find_title(tx, emptied, context.scope(origin.session_id))
            return one_title(tx, give_up(tx, context.catalogue, title))
        if self.id == "all" or emptied is None:
            kept = tx.kept()

            def spared(job: Job) -> bool:
                return job.id in kept or (emptied is not None and job.id not in emptied)

            if emptied:
                context.catalogue.deleted(tx, [one for one in emptied if one not in kept])
            delete = context.jobs.delete
            return context.each(tx, self.id, origin, TERMINAL, delete, spared=spared)
        if emptied:
            job = context.find(
                tx, next(iter(emptied)), origin
            )  # `last` may mean another job by now
        else:
            job = context.find(tx, self.id, origin)
            if job.status in TERMINAL:
                raise CommandError(
                    ErrorCode.INVALID_TRANSITION,
                    "The job ended just now. Delete it again.",
                    field="id",
                )
        if emptied:
            context.catalogue.deleted(tx, list(emptied))
        return OneJob.of(context.jobs.delete(tx, job))

    def _chosen(self, tx: Tx, context: Context, origin: Origin) -> list[str]:
        """Return the ids of the jobs that would be deleted now."""
        if self.id == "all":
            kept, scope = tx.kept(), context.scope(origin.session_id)
            ended = tx.jobs(statuses=TERMINAL, session_id=scope, limit=MANY)
            return [job.id for job in ended if not {job.id, job.parent_id} & kept]
        job = context.find(tx, self.id, origin)
        return [job.id] if job.status in TERMINAL else []


class Keep(_JobOrTitle):
    """Protect a job, its files and titles from retention and `delete all`, or end that.

    Also a title of the library by its whole id.
    """

    example: ClassVar = {"id": "last"}

    command: Literal["keep"] = "keep"
    keep: bool = Field(default=True, description="False ends the protection.")

    def run(
        self, tx: Tx, context: Context, origin: Origin, _: None
    ) -> OneJob | ManyJobs | OneTitle:
        """Mark the job, or all jobs."""
        title = self.title_meant(tx, context, origin)
        if title is not None:
            return one_title(tx, tx.update_title(title.id, keep=self.keep))

        def keep(tx: Tx, job: Job) -> Job:
            for title_id in tx.titles_below([job.id]):
                tx.update_title(title_id, keep=self.keep)
            return context.jobs.keep(tx, job, keep=self.keep)

        return context.each(tx, self.id, origin, frozenset(JobStatus), keep)


class Cleared(Accepted):
    """How many jobs were hidden."""

    count: int


class Clear(MaybeReferring):
    """Hide finished jobs from `jobs`; they and their files stay."""

    example: ClassVar = {"id": "all"}

    command: Literal["clear"] = "clear"

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> Cleared:
        """Hide the job, or all finished ones."""
        job_id = None
        if self.id not in {None, "all"}:
            job = context.find(tx, self.id or "", origin)
            if job.status not in TERMINAL:
                raise CommandError(
                    ErrorCode.INVALID_TRANSITION,
                    f"The job is {job.status}; only finished ones can be cleared.",
                    field="id",
                )
            job_id = job.id
        return Cleared(count=tx.clear(context.clock(), job_id, context.scope(origin.session_id)))


class Prioritize(Referring):
    """Change a job's place in the queue."""

    example: ClassVar = {"id": "last", "priority": "high"}

    command: Literal["prioritize"] = "prioritize"
    priority: Priority = Field(Priority.HIGH, description="`high`, `normal` or `low`.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneJob | ManyJobs:
        """Change the job's priority, or that of all waiting jobs."""

        def prioritize(tx: Tx, job: Job) -> Job:
            return context.jobs.prioritize(tx, job, self.priority)

        return context.each(tx, self.id, origin, WAITING, prioritize)


class ListedJobs(Accepted):
    """Jobs, newest first."""

    jobs: list[Job]
    count: int
    truncated: bool = Field(
        default=False,
        description="The broker does not take more jobs in one packet: the next page has the rest.",
    )

    @classmethod
    def of(cls, jobs: list[Job]) -> ListedJobs:
        """Return the reply for jobs."""
        return cls(jobs=jobs, count=len(jobs))


class List(Command):
    """Return jobs, newest first."""

    example: ClassVar = {"status": ["queued", "downloading"], "limit": 10}
    reads = True
    skips_empty = True

    command: Literal["list"] = "list"
    status: tuple[JobStatus, ...] | JobStatus | None = Field(
        None, description="A status or a list."
    )
    session_id: texts.Line | None = Field(None, description="Only jobs of this session.")
    limit: int = Field(50, ge=1, le=MAX_LISTED, description="How many jobs.")
    before: When | _Before | None = Field(
        None, description="Only jobs older than this: a time, or a job's id (for the next page)."
    )

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> ListedJobs:
        """Read the jobs; an isolated session gets only its own."""
        statuses = (self.status,) if isinstance(self.status, JobStatus) else self.status or ()
        before = self.before
        jobs = tx.jobs(
            statuses=statuses,
            session_id=context.scope(origin.session_id) or self.session_id,
            before=context.find(tx, before, origin) if isinstance(before, str) else before,
            limit=self.limit,
        )
        return ListedJobs.of(jobs)


class Get(Referring):
    """Return one job."""

    example: ClassVar = {"id": "last"}
    reads = True

    command: Literal["get"] = "get"

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> OneJob | ListedJobs:
        """Read the job; for `all`, the newest ones."""
        if self.id == "all":
            scope = context.scope(origin.session_id)
            return ListedJobs.of(tx.jobs(session_id=scope, limit=MAX_LISTED))
        return OneJob.of(context.find(tx, self.id, origin))
