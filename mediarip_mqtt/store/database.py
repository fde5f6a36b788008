"""The SQLite file: how it is opened, migrated, backed up and written."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from importlib import resources
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
from mediarip_mqtt.store.ledger import Changes
from mediarip_mqtt.store.reserve import Reserve
from mediarip_mqtt.store.tx import Tx

T = TypeVar("T")
BUSY_TIMEOUT: Final = 5.0  # seconds another process may hold the file
CLOSE_TIME: Final = 2.0
MIGRATION_PACKAGE: Final = "mediarip_mqtt.store.migrations"

_KINDS: Final = {
    sqlite3.SQLITE_FULL: StoreProblem.FULL,
    sqlite3.SQLITE_BUSY: StoreProblem.BUSY,
    sqlite3.SQLITE_LOCKED: StoreProblem.BUSY,
    sqlite3.SQLITE_CORRUPT: StoreProblem.DAMAGED,
    sqlite3.SQLITE_NOTADB: StoreProblem.DAMAGED,
    sqlite3.SQLITE_IOERR: StoreProblem.LOST,
    sqlite3.SQLITE_CANTOPEN: StoreProblem.LOST,
    sqlite3.SQLITE_READONLY: StoreProblem.LOST,
    sqlite3.SQLITE_PERM: StoreProblem.LOST,
}

logger = logging.getLogger(__name__)


def migrations() -> list[tuple[int, str]]:
    """Return the migrations, number and SQL, in order."""
    files = resources.files(MIGRATION_PACKAGE).iterdir()
    return sorted(
        (int(file.name.split("_")[0]), file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


def store_error(error: sqlite3.Error) -> StoreError:
    """Return what an error of SQLite means; see https://sqlite.org/rescode.html."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
    return StoreError(str(error), kind=_KINDS.get(code, StoreProblem.REFUSED))


class _DamagedError(Exception):
    """The file is no sound database."""


class Store:
    """Runs functions on the one connection, each in a transaction of its own.

    The functions run in aiosqlite's thread, one after the other, which makes it the single writer.
    A whole transaction is one hop there: statement by statement, another task's rollback could
    swallow a write, and a cancelled task would leave a transaction open.
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
        self._place: tuple[int, int] | None = None
        self._lost = asyncio.Event()
        self._lost_reason = ""
        self.recovered: str | None = None  # what was done about a damaged file

    @property
    def has_log(self) -> bool:
        """Whether there is a write-ahead log, where commits need not wait for the disk."""
        return self.journal_mode == "wal"

    @property
    def _address(self) -> str:
        # unix-excl takes the lock once and needs no shared memory: the one way that works on NFS,
        # CIFS, 9p and sshfs alike.
        return f"file:{quote(str(self.path))}{'?vfs=unix-excl' if self._exclusive else ''}"

    def on_commit(self, committed: Callable[[Changes], None]) -> None:
        """Call ``committed`` on the event loop after each transaction that changed something."""
        self._committed = committed

    async def open(self) -> None:
        """Open the file and bring it to this program's schema.

        A damaged file is put aside, and its newest sound copy in its place (`recovered`). Raises
        `StoreInUseError` where another process holds it, and `StoreError` where it is newer than
        the program or can't be read.
        """
        try:
            await self._open()
        except _DamagedError as error:
            self.recovered = await threads.call(backup.recover, self.path, str(error))
            try:
                await self._open()
            except _DamagedError:
                raise StoreError(f"The store {self.path} can't be read, nor its copy.") from None

    async def _open(self) -> None:
        connecting = aiosqlite.connect(
            self._address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT
        )
        connecting._thread.daemon = True  # noqa: SLF001 - one that hangs would keep the process
        try:
            database = await connecting
        except sqlite3.Error as error:
            raise self._opening_error(error) from None
        try:
            await _hop(database, self._prepare)
        except sqlite3.OperationalError as error:
            await database.close()
            raise self._opening_error(error) from None
        except sqlite3.DatabaseError as error:
            await database.close()
            raise _DamagedError(str(error)) from None
        except (StoreError, _DamagedError):
            await database.close()
            raise
        self._database = database

    def _opening_error(self, error: sqlite3.Error) -> StoreError:
        kind = store_error(error).kind
        if kind is StoreProblem.BUSY:
            return StoreInUseError(
                f"The store {self.path} is in use by another process. Stop that one first."
            )
        return StoreError(f"The store {self.path} can't be opened: {error}.", kind=kind)

    async def close(self) -> None:
        """Close the file; every transaction that was begun has ended by then, or hangs."""
        database, self._database = self._database, None
        if database is not None:
            # Not waited for long: its thread may hang in a volume that is gone, and a cancelled
            # `close` waits for it all the same.
            closing = asyncio.ensure_future(database.close())
            threads.leave(closing)
            await asyncio.wait({closing}, timeout=CLOSE_TIME)

    def suspend(self, reason: str) -> None:
        """Refuse all use from now on: the volume is lost. What is under way may hang with it."""
        self._lost_reason = reason
        self._lost.set()

    def _lost_error(self) -> StoreError:
        return StoreError(
            f"The store's volume is lost ({self._lost_reason}).", kind=StoreProblem.LOST
        )

    async def reopen(self) -> None:
        """Open the file anew, after its volume was lost, and allow its use again."""
        await self.close()
        await self.open()
        self._lost.clear()

    async def backup(self, keep: int) -> Path:
        """Copy the store beside itself; see `store.backup.save`."""
        if self._lost.is_set():
            raise self._lost_error()
        return await threads.start(partial(self._backup, keep), "store-copy")

    def _backup(self, keep: int) -> Path:
        try:
            # A connection of its own: the service's goes on meanwhile.
            with closing(sqlite3.connect(self._address, uri=True, timeout=BUSY_TIMEOUT)) as source:
                return backup.save(self.path, source, keep)
        except sqlite3.Error as error:
            raise store_error(error) from error

    async def write(self, function: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Run ``function`` in a transaction; committed once this returns, undone where it raises.

        A cancelled caller does not undo it: the transaction runs to its end in the thread, and its
        changes are announced all the same. One that is not ``durable`` survives the end of the
        process and perhaps not a power cut; where there is a write-ahead log it waits for no disk.
        """
        return await asyncio.shield(asyncio.ensure_future(self._write(function, durable)))

    async def _write(self, function: Callable[[Tx], T], durable: bool) -> T:  # noqa: FBT001 - as `write`
        result: T
        if durable or not self.has_log:
            result, changes = await self._hop(self._transaction, function)
        else:
            result, changes = await self._hop(self._quick_transaction, function)
        if changes and self._committed:
            self._committed(changes)
        return result

    async def read(self, function: Callable[[Tx], T]) -> T:
        """Run ``function``, which only reads, without a transaction."""
        work = asyncio.ensure_future(
            self._hop(lambda connection: function(Tx(connection, self._topics)))
        )
        threads.leave(work)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if not work.done():  # a write that hangs is waited for: what became of it must be known
            raise self._lost_error()
        return work.result()

    async def _hop(self, function: Callable[..., T], *arguments: Any) -> T:
        database = self._database
        if self._lost.is_set():
            raise self._lost_error()
        if database is None:
            raise StoreError("The store is closed.")
        try:
            return await _hop(database, function, *arguments)
        except sqlite3.Error as error:
            raise store_error(error) from error

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
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self.reserve.release():
                raise
            logger.error("store: the volume is full; the store takes its reserve")  # noqa: TRY400 - no traceback for a full volume
        return self._try(connection, function)

    def _try(
        self, connection: sqlite3.Connection, function: Callable[[Tx], T]
    ) -> tuple[T, Changes]:
        tx = Tx(connection, self._topics)
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = function(tx)
            self._refuse_lost_file()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result, tx.changes

    def _refuse_lost_file(self) -> None:
        """Raise where nobody finds any more what this connection writes to."""
        if self._place != _place(self.path):
            raise StoreError(
                "The store's file is gone: its volume is not mounted any more.",
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
        # FULL: an acknowledged command survives a power cut, too.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _DamagedError(str(found).replace("\n", " ")[:200])
        self._migrate(connection)
        self._place = _place(self.path)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        steps = migrations()
        newest = steps[-1][0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > newest:
            raise StoreError(
                f"The store {self.path} has version {version}, this program knows {newest}. Run a "
                "newer mediarip-mqtt, or move the store away."
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
        except (OSError, sqlite3.Error) as error:
            # Not the store's fault: it must not be taken for a damaged one.
            raise StoreError(
                f"The store {self.path} could not be copied before its upgrade: {error}. See that "
                "its volume has space and can be written, then start again."
            ) from None


async def _hop(database: aiosqlite.Connection, function: Callable[..., T], *arguments: Any) -> T:
    # Private, and worth it: the public calls cost one hop for each statement.
    result: T = await database._execute(function, database._conn, *arguments)  # type: ignore[no-untyped-call] # noqa: SLF001
    return result


def _place(path: Path) -> tuple[int, int] | None:
    """Return which file lies at a path now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
