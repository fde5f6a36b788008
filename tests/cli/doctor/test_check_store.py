"""What `doctor` says of a store."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mediarip_mqtt.cli.doctor import check_store
from mediarip_mqtt.cli.doctor.findings import OWNER, Severity
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.store.migrations import migrations
from tests.support.broker import Mosquitto
from tests.support.doctor import checks, lone, volume

slow = pytest.mark.slow


def old_store(tmp_path: Path, version: int) -> Path:
    own = volume(tmp_path) / ".mediarip"
    own.mkdir(mode=0o700)
    with closing(sqlite3.connect(own / "store.db")) as connection:
        for number, script in migrations():
            if number <= version:
                connection.executescript(script)
        connection.execute(f"PRAGMA user_version={version}")
    return own / "store.db"


@slow
@pytest.mark.parametrize(
    ("version", "state", "said"),
    [
        (1, "warning", "older version 1"),
        (99, "problem", "this program knows"),
        (migrations()[-1][0], "ok", "sound"),
    ],
    ids=["older", "newer", "same"],
)
def test_a_store_of_another_version(
    version: int, state: str, said: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    path = old_store(tmp_path, version)
    content = path.read_bytes()
    found = checks(lone(tmp_path, mosquitto.port).run("doctor", "--json"))
    assert found["store"]["state"] == state
    assert said in found["store"]["found"]
    assert path.read_bytes() == content
    assert sorted(one.name for one in path.parent.iterdir()) == ["store.db"]


@slow
def test_a_damaged_store(tmp_path: Path, mosquitto: Mosquitto) -> None:
    path = old_store(tmp_path, migrations()[-1][0])
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    path.write_bytes(content)
    found = checks(lone(tmp_path, mosquitto.port).run("doctor", "--json"))
    assert found["store"]["state"] == "problem"
    assert "damaged" in found["store"]["found"]
    assert path.read_bytes() == bytes(content)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MEDIARIP__STORAGE__ROOT", str(volume(tmp_path)))
    return Settings()


def test_without_a_store_all_is_well(settings: Settings) -> None:
    (finding,) = check_store.look(settings)
    assert (finding.state, "does not exist yet" in finding.found) == (Severity.OK, True)
    assert check_store.newest_errors(settings) == {}


def test_a_store_that_may_not_be_read_is_a_problem_of_its_owner(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_store(tmp_path, 1)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "copyfile", refuse)  # root may read all
    (finding,) = check_store.look(settings)
    assert (finding.state, finding.remedy) == (Severity.PROBLEM, OWNER)
    assert finding.found.endswith("store.db: Permission denied")


def test_a_store_is_not_copied_to_where_there_is_no_room(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_store(tmp_path, 1)
    monkeypatch.setattr(check_store, "SPARE", 2**80)
    (finding,) = check_store.look(settings)
    assert (finding.state, "no room for a copy" in finding.found) == (Severity.OK, True)
    assert check_store.newest_errors(settings) == {}
