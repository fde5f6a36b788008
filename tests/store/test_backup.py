"""Copies of the store are whole; a damaged store is replaced by its newest sound copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import StoreError, StoreProblem
from mediarip_mqtt.store import backup
from tests.support.stores import OpenStore, insert, job


@pytest.mark.parametrize("damage", ["garbage", "a page", "its end"])
async def test_a_damaged_store_goes_aside_and_its_last_sound_copy_comes_back(
    damage: str, tmp_path: Path, open_store: OpenStore
) -> None:
    path = tmp_path / "s.db"
    store = await open_store()
    await insert(store, *(job(number, title="x" * 100) for number in range(300)))
    await store.backup(keep=2)
    await insert(store, job(301))
    await store.close()
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = b"no database at all" * 1000
    elif damage == "a page":
        content[8192:12288] = bytes(4096)
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)
    store = await open_store()
    assert "is kept as s.db.damaged-" in (store.recovered or "")
    assert len(await store.read(lambda tx: tx.jobs(limit=1000))) == 300


@pytest.mark.parametrize("interrupted", ["before", "after the first move", "after all"])
async def test_a_recovery_that_a_kill_interrupted_is_done_again_at_the_next_start(
    interrupted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    path = tmp_path / "s.db"
    store = await open_store()
    await insert(store, job())
    await store.backup(keep=2)
    await store.close()
    path.write_bytes(b"no database at all" * 1000)

    class KilledError(BaseException):
        pass

    def kill(self: Path, target: Path) -> Path:
        if interrupted == "before":
            raise KilledError
        moved = replace(self, target)
        if interrupted == "after the first move" or target == path:
            raise KilledError
        return moved

    replace = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", kill)
        with pytest.raises(KilledError):
            backup.recover(path, "it can't be read")
    store = await open_store()
    assert "(it can't be read) and is kept as s.db.damaged-" in (store.recovered or "")
    assert len(await store.read(lambda tx: tx.jobs())) == 1
    assert len(list(tmp_path.glob("s.db.damaged-*Z"))) == 1  # noqa: ASYNC240 - a local folder
    await store.close()
    assert (await open_store()).recovered is None


async def test_a_damaged_store_without_a_copy_is_begun_anew(
    tmp_path: Path, open_store: OpenStore
) -> None:
    (tmp_path / "s.db").write_bytes(b"no database at all" * 1000)
    store = await open_store()
    assert "no sound copy" in (store.recovered or "")
    assert await store.read(lambda tx: tx.jobs()) == []


async def test_a_damaged_store_that_can_t_be_set_aside_is_reported_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    content = b"no database at all" * 1000
    (tmp_path / "s.db").write_bytes(content)

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match="could not be set aside: Read-only") as caught:
        await open_store()
    assert caught.value.kind is StoreProblem.LOST
    assert (tmp_path / "s.db").read_bytes() == content


async def test_copies_are_whole_and_only_the_newest_are_kept(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    await insert(store, job())
    assert backup.age(tmp_path / "s.db") is None
    made = [await store.backup(keep=2) for _ in range(4)]
    assert backup.copies(tmp_path / "s.db") == made[:1:-1]
    assert all(backup.sound(copy) for copy in made[2:])
    age = backup.age(tmp_path / "s.db")
    assert age is not None
    assert 0 <= age < 60


async def test_a_copy_made_while_the_clock_is_behind_is_still_the_newest(
    tmp_path: Path, open_store: OpenStore
) -> None:
    """Else it is the first to be removed, and an older one would be restored."""
    store = await open_store()
    copy = await store.backup(keep=2)
    ahead = copy.rename(copy.with_name("store-20990101T000000000000Z.db"))
    made = [await store.backup(keep=2) for _ in range(2)]
    assert backup.copies(tmp_path / "s.db") == made[::-1]
    assert not ahead.exists()


async def test_a_copy_that_fails_is_a_store_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    store = await open_store()
    (tmp_path / backup.FOLDER).write_text("a file in the place of the folder")
    with pytest.raises(StoreError) as caught:
        await store.backup(keep=2)
    assert caught.value.kind is StoreProblem.LOST
    (tmp_path / backup.FOLDER).unlink()
    monkeypatch.setattr(backup, "LONGEST", -1.0)
    with pytest.raises(StoreError, match="pages remained"):
        await store.backup(keep=2)
    assert list((tmp_path / backup.FOLDER).iterdir()) == []
