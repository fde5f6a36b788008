"""Opens, migrates, copies, reads and writes the SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiosqlite

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import StoreError, StoreInUseError, StoreProblem
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.fault_points import fault
from mediarip_mqtt.store import backup
from mediarip_mqtt.store.changes import Changes
from mediarip_mqtt.store.migrations import migrations
from mediarip_mqtt.store.reserve import Reserve
from mediarip_mqtt.store.store_errors import (
    WRITE_ERRORS,
    kind_of,
    raises_store_errors,
    store_error,
)
from mediarip_mqtt.store.tx import Tx
from mediarip_mqtt.volume.space import is_full

T = TypeVar("T")
BUSY_TIMEOUT: Final = 5.0  # seconds to wait for another process's lock
CLOSE_TIME: Final = 2.0  # seconds to wait for transactions to end

logger = logging.getLogger(__name__)


class Store:
    """Runs functions on the one connection, each in a transaction of its own.

    They run in aiosqlite's thread, one after the other: it is the single writer. A whole
    transaction is one call there: statement by statement, another task's rollback could undo a
    write, and a cancelled task would leave a transaction open.

    Raises `StoreError`, and whatever the functions raise.
    """

    def __init__(
        self,
        path: Path,
        *,
        journal_mode: str,
        exclusive: bool,
        topics: Topics | None = None,
        committed: Callable[[Changes], None] | None = None,
    ) -> None:
        self.path = path
        self.journal_mode = journal_mode
        self.reserve = Reserve(path.parent)
        self._exclusive = exclusive
        self._topics = topics or Topics(MqttSettings().base_topic)
        self._committed = committed
        self._database: aiosqlite.Connection | None = None
        # Device and inode of each file that is open: of the database, and of its write-ahead log.
        self._open_files: dict[Path, tuple[int, int]] = {}
        # Why the newest operation failed, if that was not the fault of its statement; None again
        # after the next write.
        self.failure: StoreError | None = None
        self._lost = asyncio.Event()
        self._lost_reason = ""
        self.recovered: str | None = (
            None  # what `open` did about a damaged file, as text for `info`
        )

    @property
    def has_log(self) -> bool:
        """Whether there is a write-ahead log: commits need not wait for the disk."""
        return self.journal_mode == "wal"

    def use(self, *, journal_mode: str, exclusive: bool) -> None:
        """Change how the next `open` or `reopen` opens the file."""
        self.journal_mode = journal_mode
        self._exclusive = exclusive

    @property
    def _address(self) -> str:
        # unix-excl locks once and needs no shared memory: the only VFS that works on NFS, CIFS, 9p
        # and sshfs alike.
        return f"file:{quote(str(self.path))}{'?vfs=unix-excl' if self._exclusive else ''}"

    def on_commit(self, committed: Callable[[Changes], None]) -> None:
        """Call ``committed`` on the event loop after each transaction that changed something."""
        self._committed = committed

    async def open(self) -> None:
        """Open the file and migrate it to this program's schema.

        A damaged file is set aside, and its newest sound copy restored (`recovered`). Raises
        `StoreInUseError` if another process has locked it, and `StoreError` if it is of a newer
        version or can't be opened.
        """
        recovered = await threads.call(self._recover, backup.finish_recovery, self.path)
        self.recovered = recovered or self.recovered
        try:
            await self._open()
        except StoreError as error:
            if error.kind is not StoreProblem.DAMAGED:
                raise
            problem = error.message
            self.recovered = await threads.call(self._recover, backup.recover, self.path, problem)
            await self._open_recovered()

    def _recover(self, work: Callable[..., str | None], *arguments: Any) -> str | None:
        try:
            return work(*arguments)
        except OSError as error:
            raise StoreError(
                f"The store {self.path} is damaged and could not be set aside: "
                f"{error.strerror}. See that its volume has space and can be written, then start "
                "again.",
                kind=kind_of(error),
            ) from error

    async def _open_recovered(self) -> None:
        try:
            await self._open()
        except StoreError as error:
            if error.kind is not StoreProblem.DAMAGED:
                raise
            raise StoreError(
                f"The store {self.path} can't be read, and neither can its copy. Check the disk.",
                kind=StoreProblem.DAMAGED,
            ) from error

    async def _open(self) -> None:
        connecting = aiosqlite.connect(
            self._address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT
        )
        thread = connecting._thread  # noqa: SLF001 - aiosqlite offers no other way
        # A daemon: otherwise a thread that hangs in a lost volume would prevent the process's exit.
        thread.daemon = True
        try:
            database = await connecting
        except sqlite3.Error as error:
            # aiosqlite does not wait for its thread, which would then fail on a closed event loop.
            await threads.call(thread.join, CLOSE_TIME)
            raise self._opening_error(error) from error
        try:
            await _run(database, self._prepare)
        except sqlite3.Error as error:
            await database.close()
            raise self._opening_error(error) from error
        except StoreError:
            await database.close()
            raise
        self._database = database
        self.failure = None

    def _opening_error(self, error: sqlite3.Error) -> StoreError:
        kind = kind_of(error)
        if kind is StoreProblem.BUSY:
            return StoreInUseError(
                f"The store {self.path} is in use by another process. Stop that one first."
            )
        if kind is StoreProblem.DAMAGED:
            return store_error(error)  # `open` handles it
        return StoreError(f"The store {self.path} can't be opened: {error}.", kind=kind)

    async def close(self) -> None:
        """Close the file after the transactions that have begun, unless they hang."""
        database, self._database = self._database, None
        if database is not None:
            # Its thread may hang in a lost volume; even cancelling `close` would wait for it.
            closing = asyncio.ensure_future(database.close())
            threads.leave(closing)
            await asyncio.wait({closing}, timeout=CLOSE_TIME)

    def suspend(self, reason: str) -> None:
        """Refuse all reads and writes, as the volume is lost; reads that are waiting fail."""
        self._lost_reason = reason
        self._lost.set()

    def _lost_error(self) -> StoreError:
        return StoreError(
            f"The store's volume is lost ({self._lost_reason}).", kind=StoreProblem.LOST
        )

    async def reopen(self) -> None:
        """Open the file again once its volume is back, and allow reads and writes.

        A file that was deleted is written again from the one that is still open. Raises
        `StoreError` if that fails: a new, empty store would forget all jobs.
        """
        if not await threads.call(self.path.exists):
            await self._write_again()
        before = dict(self._open_files)
        await self.close()
        await threads.call(_remove_stale_logs, self.path, before)
        await self.open()
        self._lost.clear()

    async def _write_again(self) -> None:
        if self._database is not None:
            logger.warning("store: %s was deleted; writing it again", self.path)
            with contextlib.suppress(StoreError, OSError, sqlite3.Error):
                await _run(self._database, lambda source: backup.put_back(self.path, source))
                return
        raise StoreError(
            f"The store {self.path} was deleted. Put it back, or restart the service to begin an "
            "empty one.",
            kind=StoreProblem.LOST,
        )

    async def probe(self) -> None:
        """Raise `StoreError` if the store can't be read, or if the newest write failed."""
        await self.read(Tx.config)
        if self.failure is not None:
            raise StoreError(self.failure.message, kind=self.failure.kind)

    def in_place(self) -> bool:
        """Whether the paths lead to the open files; blocks."""
        return bool(self._open_files) and self._open_files == _identities(self._open_files)

    async def backup(self, keep: int) -> Path:
        """Copy the store while it is in use, and keep the newest ``keep`` copies."""
        if self._lost.is_set():
            raise self._lost_error()
        return await threads.start(partial(self._backup, keep), "store-copy")

    def _backup(self, keep: int) -> Path:
        # Through a connection of its own, so that transactions go on meanwhile.
        with (
            raises_store_errors(),
            closing(sqlite3.connect(self._address, uri=True, timeout=BUSY_TIMEOUT)) as source,
        ):
            return backup.save(self.path, source, keep)

    async def write(self, function: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Run ``function`` in a transaction: committed when this returns, undone if it raises.

        Cancelling the caller does not undo it: the transaction completes in the thread, and
        `on_commit` is called. If not ``durable`` and there is a write-ahead log, it does not wait
        for the disk: it survives the end of the process, but perhaps not a power cut.
        """
        work = asyncio.ensure_future(self._write(function, durable))
        threads.leave(work)  # a cancelled caller does not hear of its failure
        return await asyncio.shield(work)

    async def _write(self, function: Callable[[Tx], T], durable: bool) -> T:  # noqa: FBT001 - as `write`
        result: T
        if durable or not self.has_log:
            result, changes = await self._run(self._transaction, function)
        else:
            result, changes = await self._run(self._quick_transaction, function)
        if changes and self._committed:
            self._committed(changes)
        return result

    async def read(self, function: Callable[[Tx], T]) -> T:
        """Run ``function``, which only reads, without a transaction.

        Unlike `write` it stops waiting for a hanging volume after `suspend`: the outcome of a read
        does not matter.
        """
        work = asyncio.ensure_future(
            self._run(lambda connection: function(Tx(connection, self._topics)))
        )
        threads.leave(work)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if not work.done():
            raise self._lost_error()
        return work.result()

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        database = self._database
        if self._lost.is_set():
            raise self._lost_error()
        if database is None:
            raise StoreError("The store is closed.")
        try:
            return await _run(database, function, *arguments)
        except sqlite3.Error as error:
            failure = store_error(error)
            self._note(failure)
            raise failure from error
        except StoreError as error:
            self._note(error)
            raise

    def _note(self, failure: StoreError) -> None:
        """Keep a failure of the store or its volume; other errors concern one statement only."""
        if failure.kind is not StoreProblem.REFUSED:
            self.failure = failure

    def _quick_transaction(
        self, connection: sqlite3.Connection, function: Callable[[Tx], T]
    ) -> tuple[T, Changes]:
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            return self._transaction(connection, function)
        finally:
            connection.execute("PRAGMA synchronous=FULL")

    def _transaction(
        self, connection: sqlite3.Connection, function: Callable[[Tx], T]
    ) -> tuple[T, Changes]:
        try:
            return self._try(connection, function)
        except StoreError as error:
            if error.kind is not StoreProblem.FULL or not self.reserve.release():
                raise
            logger.error("store: the volume is full; the store uses its reserve")  # noqa: TRY400 - no traceback for a full volume
        return self._try(connection, function)

    def _try(
        self, connection: sqlite3.Connection, function: Callable[[Tx], T]
    ) -> tuple[T, Changes]:
        tx = Tx(connection, self._topics)
        written = connection.total_changes
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = function(tx)
            self._refuse_lost_file()
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and self._is_full(error):
                raise StoreError(
                    "The volume is full, or its quota is used up.", kind=StoreProblem.FULL
                ) from error
            raise
        if connection.total_changes > written:
            self.failure = None
        return result, tx.changes

    def _is_full(self, error: sqlite3.Error) -> bool:
        """Whether there is no space; SQLite reports a quota (EDQUOT) as an I/O error."""
        if kind_of(error) is StoreProblem.FULL:
            return True
        code = getattr(error, "sqlite_errorcode", None)
        return code in WRITE_ERRORS and is_full(self.path.parent)

    def _refuse_lost_file(self) -> None:
        """Raise if the paths no longer lead to the open files: a write would be lost."""
        if not self.in_place():
            raise StoreError(
                "The store's file is gone or was replaced: is its volume still mounted?",
                kind=StoreProblem.LOST,
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        mode = connection.execute(f"PRAGMA journal_mode={self.journal_mode}").fetchone()[0]
        if str(mode).lower() != self.journal_mode:
            raise StoreError(
                f"SQLite did not accept journal mode {self.journal_mode} on this filesystem (it is "
                f"{mode}). Set storage.journal_mode."
            )
        # FULL: a commit waits for the disk, so that acknowledged commands survive a power cut.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA temp_store=MEMORY")  # a container may have no /tmp
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            text = str(answer).replace("\n", " ")[:200]
            raise StoreError(text, kind=StoreProblem.DAMAGED)
        self._migrate(connection)
        logs = _logs(self.path) if self.has_log else ()
        self._open_files = _identities((self.path, *logs))

    def _migrate(self, connection: sqlite3.Connection) -> None:
        steps = migrations()
        newest = steps[-1][0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > newest:
            raise StoreError(
                f"The store {self.path} has version {version}; this program supports up to "
                f"{newest}. Run a newer mediarip-mqtt, or move the store away."
            )
        if 0 < version < newest:
            self._copy(connection, version)
        connection.set_trace_callback(lambda _: fault("migration-statement"))
        for number, script in steps:
            if number <= version:
                continue
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;"
                )
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.rollback()
                raise
            logger.info("store: migrated to version %d", number)
        connection.set_trace_callback(None)

    def _copy(self, connection: sqlite3.Connection, version: int) -> None:
        try:
            backup.before_upgrade(self.path, connection, version)
        except (OSError, sqlite3.Error, StoreError) as error:
            # Not DAMAGED: the store itself is sound and stays where it is.
            full = not isinstance(error, StoreError) and kind_of(error) is StoreProblem.FULL
            raise StoreError(
                f"The store {self.path} could not be copied before its upgrade: {error}. See that "
                "its volume has space and can be written, then start again.",
                kind=StoreProblem.FULL if full else StoreProblem.LOST,
            ) from error


async def _run(database: aiosqlite.Connection, function: Callable[..., T], *arguments: Any) -> T:
    # aiosqlite's public methods would switch threads for each statement.
    result: T = await database._execute(function, database._conn, *arguments)  # type: ignore[no-untyped-call] # noqa: SLF001
    return result


def _logs(path: Path) -> tuple[Path, Path]:
    """Return the paths of a database's write-ahead log and of the log's index."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _identities(paths: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Return device and inode of each file that exists."""
    identities = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            identities[path] = status.st_dev, status.st_ino
    return identities


def _remove_stale_logs(path: Path, before: Mapping[Path, tuple[int, int]]) -> None:
    """Remove the log of a database that was replaced: SQLite would apply it to the new one."""
    now = _identities(before)
    if now.get(path) == before.get(path):
        return
    for log in _logs(path):
        if log in now and now[log] == before[log]:
            log.unlink(missing_ok=True)
