"""What `doctor` finds on a volume."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.broker import Mosquitto
from tests.support.doctor import checks, lone
from tests.support.service import Service

slow = pytest.mark.slow


@slow
def test_others_may_not_look_into_the_services_folder(service: Service) -> None:
    assert stat.S_IMODE((service.root / ".mediarip").stat().st_mode) == 0o700


@slow
def test_a_folder_that_is_none_or_is_not_there(tmp_path: Path, mosquitto: Mosquitto) -> None:
    cli = lone(tmp_path, mosquitto.port)
    file = tmp_path / "file"
    file.touch()
    cli.environment["MEDIARIP__STORAGE__ROOT"] = str(file)
    found = checks(cli.run("doctor", "--json"))
    assert found["volume"]["state"] == "problem"
    assert "database" not in found
    cli.environment["MEDIARIP__STORAGE__ROOT"] = str(tmp_path / "new" / "folder")
    found = checks(cli.run("doctor", "--json"))
    assert found["volume"]["state"] == "warning"
    assert not (tmp_path / "new").exists()
    cli.environment["MEDIARIP__STORAGE__CREATE"] = "false"
    assert checks(cli.run("doctor", "--json"))["volume"]["state"] == "problem"


@slow
def test_the_longest_name_is_told(tmp_path: Path, mosquitto: Mosquitto) -> None:
    found = checks(lone(tmp_path, mosquitto.port).run("doctor", "--json"))
    assert "names have at most 255 bytes" in found["files"]["found"]


@slow
def test_too_little_room_and_a_wrong_journal_mode(tmp_path: Path, mosquitto: Mosquitto) -> None:
    cli = lone(tmp_path, mosquitto.port, MEDIARIP__STORAGE__MIN_FREE="900T")
    found = checks(cli.run("doctor", "--json"))
    assert found["space"]["state"] == "problem"
    assert "storage.min_free" in found["space"]["found"]


@slow
def test_a_volume_on_which_others_can_replace_the_store(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    cli = lone(tmp_path, mosquitto.port)
    root = tmp_path / "volume"
    assert checks(cli.run("doctor", "--json"))["neighbours"]["state"] == "ok"
    root.chmod(0o777)
    found = checks(cli.run("doctor", "--json"))["neighbours"]
    assert (found["state"], "chmod +t" in found["remedy"]) == ("warning", True)
    cli.environment["MEDIARIP__STORAGE__TRUST"] = "volume"
    assert checks(cli.run("doctor", "--json"))["neighbours"]["state"] == "ok"
    cli.environment["MEDIARIP__STORAGE__TRUST"] = "owner"
    tmp_path.chmod(0o777)  # the service does not change what is above its root
    root.chmod(0o755)
    found = checks(cli.run("doctor", "--json"))["neighbours"]
    assert (found["state"], "storage.trust" in found["remedy"]) == ("problem", True)
