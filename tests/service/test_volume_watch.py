"""A lost volume holds everything and is reported; when it is back, the service goes on from it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from mediarip_mqtt.commands.queue_commands import PAUSED_KEY
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import PauseReason
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.jobs.limits import Limits
from mediarip_mqtt.service.holds import Holds
from mediarip_mqtt.service.kept_settings import KeptSettings
from mediarip_mqtt.service.quiet_hours import QuietHours
from mediarip_mqtt.service.storage import Storage
from mediarip_mqtt.service.volume_watch import VolumeWatch
from mediarip_mqtt.store import Tx
from tests.support.recording import RecordingRunner

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Volume:
    """A watched volume that can be taken away, and what the watch asked for."""

    def __init__(self, storage: Storage, holds: Holds, runner: RecordingRunner) -> None:
        self.storage = storage
        self.preferences = Preferences(Settings())
        self.sent: list[events.Event] = []
        self.put_back = 0
        self.compared = 0
        self.shown: list[str | None] = []  # what `state` showed as the problem, in turn
        hours = QuietHours(Limits(self.preferences, {}), runner, holds, lambda: NOW)
        self.watch = VolumeWatch(
            storage,
            holds,
            KeptSettings(storage.store, self.preferences, hours, lambda: None),
            interrupt=runner.interrupt,
            put_back=self._put_back,
            send_event=self._send,
            compare_retained=self._compare,
            state_changed=lambda: self.shown.append(storage.trouble),
        )

    def _put_back(self, _: Tx) -> None:
        self.put_back += 1

    def _send(self, event: events.Event) -> None:
        self.sent.append(event)

    def _compare(self) -> None:
        self.compared += 1

    @property
    def elsewhere(self) -> Path:
        return self.storage.root.with_name("elsewhere")

    async def go_away(self) -> None:
        self.storage.root.rename(self.elsewhere)
        await self.watch.check()

    async def come_back(self) -> None:
        self.elsewhere.rename(self.storage.root)
        await self.watch.check()

    async def posted(self) -> list[dict[str, str]]:
        """Return the events that the store will send."""
        rows = await self.storage.store.read(lambda tx: tx.outbox(limit=100))
        return [json.loads(row.payload) for row in rows]


@pytest.fixture
def volume(storage: Storage, holds: Holds, runner: RecordingRunner) -> Volume:
    return Volume(storage, holds, runner)


async def test_a_lost_volume_holds_the_queue_and_is_reported_at_once(
    volume: Volume, runner: RecordingRunner
) -> None:
    await volume.watch.check()
    assert (runner.hold, volume.sent) == (None, [])
    await volume.go_away()
    await volume.watch.check()
    assert runner.hold is PauseReason.STORAGE_LOST
    assert runner.interrupts == [True]  # live recordings, too
    assert [event.event_type for event in volume.sent] == ["storage_lost"]
    assert (volume.storage.problem, volume.storage.lost) == ("not mounted", True)
    with pytest.raises(StoreError, match="not mounted"):
        await volume.storage.store.read(Tx.config)
    await volume.come_back()


async def test_when_it_is_back_the_queue_goes_on_and_the_store_sends_both_events(
    volume: Volume, runner: RecordingRunner
) -> None:
    await volume.go_away()
    await volume.come_back()
    assert (runner.hold, volume.storage.problem, volume.put_back, volume.compared) == (
        None,
        None,
        1,
        1,
    )
    assert volume.storage.usable.is_set()
    posted = await volume.posted()
    assert [event["event_type"] for event in posted] == ["storage_lost", "storage_restored"]
    assert posted[0]["event_id"] == volume.sent[0].event_id  # the same event, not a second one


def change_config(**values: str | None) -> Callable[[Tx], None]:
    def change(tx: Tx) -> None:
        for key, value in values.items():
            tx.set_config(key.replace("setting_", PREFIX), value, NOW)

    return change


async def test_pause_and_settings_are_those_of_the_store_that_came_back(
    volume: Volume, holds: Holds, runner: RecordingRunner
) -> None:
    store = volume.storage.store
    await store.write(change_config(**{PAUSED_KEY: "1"}))
    older = await store.backup(1)
    await store.write(change_config(**{PAUSED_KEY: None}, setting_max_concurrent="9"))
    await volume.watch._settings.restore()  # noqa: SLF001 - as at the start of the service
    assert (runner.hold, volume.preferences.max_concurrent) == (None, 9)
    await volume.go_away()
    own = volume.elsewhere / ".mediarip"
    for file in own.glob("store.db*"):
        file.unlink()
    (own / "backups" / older.name).rename(own / "store.db")
    await volume.come_back()
    assert (runner.hold, volume.preferences.max_concurrent) == (PauseReason.USER, 3)


async def test_a_store_that_can_t_be_opened_yet_is_tried_again(
    volume: Volume, runner: RecordingRunner
) -> None:
    await volume.go_away()
    volume.storage.lease.unlock()
    with FileLock(volume.elsewhere / ".mediarip" / "lock"):  # another service took it meanwhile
        await volume.come_back()
        assert runner.hold is PauseReason.STORAGE_LOST
        assert volume.storage.problem == "not mounted"
    await volume.watch.check()
    assert runner.hold is None


async def remember(volume: Volume, key: str) -> None:
    await volume.storage.store.write(change_config(**{key: "1"}))


async def remembered(volume: Volume) -> set[str]:
    """Return what the store knows, once it was opened again without being asked to."""
    return set(await volume.storage.store.read(Tx.config))


async def check_reopened(volume: Volume, runner: RecordingRunner) -> None:
    """A write is refused, the loss is noticed at the next check, and mended at the one after."""
    with pytest.raises(StoreError):
        await remember(volume, "refused")
    await volume.watch.check()
    assert runner.hold is PauseReason.STORAGE_LOST
    await volume.watch.check()
    assert volume.storage.trouble is None
    assert [event.event_type for event in volume.sent] == ["storage_lost"]
    assert len(volume.shown) == 2
    await remember(volume, "later")


async def test_a_store_replaced_by_a_snapshot_is_opened_and_its_old_log_is_not_applied_to_it(
    volume: Volume, runner: RecordingRunner
) -> None:
    store = volume.storage.store
    await remember(volume, "early")
    snapshot = await store.backup(1)
    await remember(volume, "late")
    snapshot.replace(store.path)
    await check_reopened(volume, runner)
    assert await remembered(volume) == {"early", "later"}


async def test_the_service_s_folder_may_be_replaced_as_a_whole(
    volume: Volume, runner: RecordingRunner
) -> None:
    own = volume.storage.store.path.parent
    await remember(volume, "early")
    shutil.copytree(own, own.with_name("snapshot"))
    await remember(volume, "late")
    own.rename(own.with_name("old"))
    own.with_name("snapshot").rename(own)
    await check_reopened(volume, runner)
    assert await remembered(volume) == {"early", "later"}


async def test_a_removed_log_loses_nothing(volume: Volume, runner: RecordingRunner) -> None:
    await remember(volume, "early")
    for suffix in ("-wal", "-shm"):
        path = volume.storage.store.path
        path.with_name(path.name + suffix).unlink()
    await check_reopened(volume, runner)
    assert await remembered(volume) == {"early", "later"}


async def test_a_store_that_was_deleted_is_written_again_not_begun_anew(
    volume: Volume, runner: RecordingRunner
) -> None:
    await remember(volume, "early")
    volume.storage.store.path.unlink()
    await check_reopened(volume, runner)
    assert await remembered(volume) == {"early", "later"}


async def test_a_store_that_can_t_be_written_again_is_waited_for(
    volume: Volume, runner: RecordingRunner
) -> None:
    path = volume.storage.store.path
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    await volume.storage.store.close()  # nothing to write it from
    for _ in range(3):
        await volume.watch.check()
    assert runner.hold is PauseReason.STORAGE_LOST
    assert not path.exists()
    elsewhere.rename(path)
    await volume.watch.check()
    assert runner.hold is None


@pytest.mark.parametrize("content", [None, "", "0" * 32, "\xff"])
async def test_a_marker_that_someone_changed_is_written_again_if_the_store_is_still_ours(
    content: str | None, volume: Volume, runner: RecordingRunner
) -> None:
    marker = volume.storage.store.path.with_name("volume")
    right = marker.read_text()
    marker.unlink()
    if content is not None:
        marker.write_text(content, "latin-1")
    await volume.watch.check()
    assert runner.hold is None
    assert marker.read_text() == right


async def test_a_store_damaged_while_it_is_used_is_lost_then_replaced_by_its_copy(
    volume: Volume, runner: RecordingRunner
) -> None:
    """Gentleman-Programming/engram#1292: `/health` said `ok` for hours over an unreadable store."""
    store = volume.storage.store
    store.use(journal_mode="truncate", exclusive=False)
    await store.reopen()
    await remember(volume, "early")
    await store.backup(1)
    await remember(volume, "late")
    store.path.write_bytes(b"no database" * 9000)
    await check_reopened(volume, runner)
    assert await remembered(volume) == {"early", "later"}
    assert "is kept as store.db.damaged-" in (store.recovered or "")


async def test_a_store_that_another_program_locks_is_shown_but_not_lost(
    volume: Volume, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = volume.storage.store
    monkeypatch.setattr("mediarip_mqtt.store.database.BUSY_TIMEOUT", 0.1)
    await store.reopen()
    locker = sqlite3.connect(store.path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError):
        await remember(volume, "early")
    await volume.watch.check()
    assert (runner.hold, volume.shown) == (None, ["database is locked"])
    with pytest.raises(StoreError, match="locked"):
        await store.probe()
    locker.execute("ROLLBACK")
    locker.close()
    await remember(volume, "early")
    await volume.watch.check()
    await store.probe()
    assert volume.shown == ["database is locked", None]


@pytest.mark.parametrize("persistent", [False, True])
async def test_one_failed_write_is_not_a_lost_volume_but_if_all_fail_the_store_is_opened_again(
    persistent: bool,  # noqa: FBT001 - a parameter of the test
    volume: Volume,
    runner: RecordingRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A handle that became stale: the marker can be read, what is open can't be written."""
    store = volume.storage.store

    def refuse(_: Tx) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    with pytest.raises(StoreError):
        await store.write(refuse)
    if persistent:
        monkeypatch.setattr(Tx, "lease", refuse)
    await volume.watch.check()
    assert volume.storage.lost is persistent
    assert volume.storage.trouble == ("disk I/O error" if persistent else None)
    monkeypatch.undo()
    await volume.watch.check()
    assert runner.hold is None
