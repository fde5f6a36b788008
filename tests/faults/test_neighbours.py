"""Other users of the NAS who can write on the volume are not the service."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.broker import Client, Mosquitto, wait_for

SERVICE, NEIGHBOUR, GROUP = 12345, 12346, 12347
PWNED = "import pathlib; pathlib.Path('{}').touch()\nraise ImportError\n"


class Household:
    """A shared folder, the service's user, and a neighbour who is in the folder's group."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.root = folder / "media"
        self.home = folder / "home"
        self.data = self.home / "data"
        self.log = folder / "log"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        for path, mode in ((self.root, 0o2775), (self.home, 0o755)):
            path.mkdir()
            os.chown(path, SERVICE, GROUP)
            path.chmod(mode)
        (folder / "open").mkdir()
        (folder / "open").chmod(0o1777)
        self.pwned = folder / "open" / "pwned"

    def run(self, **settings: str) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path(__file__).parents[2])),
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.data),
            "MEDIARIP__MQTT__PORT": str(self._port),
            "MEDIARIP__STORAGE__ROOT": str(self.root),
            "MEDIARIP__STORAGE__MIN_FREE": "0",
            **{f"MEDIARIP__{name}": value for name, value in settings.items()},
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_become(SERVICE), sys.executable, "-m", "mediarip_mqtt", "run"],
                env=environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
            )
        return self._process

    def started(self, **settings: str) -> None:
        count = self.log.read_text().count("connected to") if self.log.exists() else 0
        process = self.run(**settings)
        wait_for(
            lambda: process.poll() is None and self.log.read_text().count("connected to") > count,
            30,
            "the service to connect",
        )

    def refused(self, **settings: str) -> str:
        """Return what the service says while it refuses to start."""
        before = len(self.log.read_text()) if self.log.exists() else 0
        assert self.run(**settings).wait(30) == 2
        return self.log.read_text()[before:]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def neighbour(self, script: str) -> bool:
        """Let the neighbour run a script; return whether it succeeded."""
        done = subprocess.run(
            [*_become(NEIGHBOUR), "sh", "-ec", script],
            cwd=self.root,
            check=False,
            stderr=subprocess.DEVNULL,
        )
        return done.returncode == 0


def _become(user: int) -> list[str]:
    return ["setpriv", "--reuid", str(user), "--regid", str(GROUP), "--clear-groups"]


@pytest.fixture
def household(mosquitto: Mosquitto) -> Iterator[Household]:
    if os.geteuid():
        pytest.fail("these tests become other users: run them as root")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for root alone
        folder = Path(name)
        folder.chmod(0o755)
        place = Household(folder, mosquitto.port)
        yield place
        place.stop()


def planted_code(household: Household) -> str:
    code = PWNED.format(household.pwned)
    return f"""mkdir -p .mediarip/ytdlp/9999.1.1/yt_dlp
cat > .mediarip/ytdlp/9999.1.1/yt_dlp/__init__.py <<'END'
{code}END
echo '{{"chosen": "9999.1.1"}}' > .mediarip/ytdlp/choice.json
chmod -R 777 .mediarip/ytdlp
"""


def test_code_that_a_neighbour_plants_before_the_first_start_does_not_run(
    household: Household,
) -> None:
    assert household.neighbour(planted_code(household))
    text = household.refused()
    assert f"belongs to user {NEIGHBOUR}" in text
    assert "storage.trust" in text
    household.started(STORAGE__TRUST="volume", STORAGE__ROOT=str(household.home / "own"))
    assert not household.pwned.exists()


def test_a_neighbour_can_t_exchange_the_folder_of_a_running_service(household: Household) -> None:
    household.started()
    assert not household.neighbour("mv .mediarip .old")
    assert household.neighbour("mkdir films && mv films mine")  # the folder is shared as before
    household.stop()
    household.started()
    assert not household.pwned.exists()
    assert "chmod +t" in household.log.read_text()


@pytest.mark.parametrize("mode", [0o777, 0o2775])
def test_a_root_of_root_that_others_may_write_to_needs_the_sticky_bit(
    household: Household, mode: int
) -> None:
    """haugene/docker-transmission-openvpn#841: a share of root, with mode 777."""
    os.chown(household.root, 0, GROUP)
    household.root.chmod(mode)
    assert "may rename what is in" in household.refused()
    assert not list(household.root.iterdir())
    household.root.chmod(mode | 0o1000)
    household.started()


def test_with_storage_trust_volume_the_household_decides(household: Household) -> None:
    os.chown(household.root, 0, GROUP)
    household.root.chmod(0o777)
    household.started(STORAGE__TRUST="volume")
    assert household.root.stat().st_mode & 0o7777 == 0o777


def test_fetched_code_that_lies_on_the_volume_is_not_imported_whoever_is_trusted(
    household: Household,
) -> None:
    household.started(STORAGE__TRUST="volume")
    household.stop()
    (household.root / ".mediarip").chmod(0o777)
    assert household.neighbour(planted_code(household))
    household.started(STORAGE__TRUST="volume")
    assert not household.pwned.exists()
    wait_for(lambda: not (household.root / ".mediarip" / "ytdlp" / "9999.1.1").exists(), 60)


def test_a_store_of_a_neighbour_in_the_service_s_own_folder_is_refused(
    household: Household,
) -> None:
    """As after a `chmod -R 777` on the share."""
    household.started()
    household.stop()
    own = household.root / ".mediarip"
    own.chmod(0o777)
    assert household.neighbour("rm -f .mediarip/store.db && touch .mediarip/store.db")
    assert f"belongs to user {NEIGHBOUR}" in household.refused()


def test_a_path_in_the_store_hands_over_no_file_of_the_service_s_user(
    household: Household, mosquitto: Mosquitto
) -> None:
    secret = household.home / "secret"
    secret.write_text("the broker's password")
    os.chown(secret, SERVICE, SERVICE)
    secret.chmod(0o600)
    household.started(STORAGE__TRUST="volume")
    client = Client(int(mosquitto.port))
    job_id = client.request("download", url="https://videos.example/x")["job_id"]
    client.wait_status(job_id, "failed")
    household.stop()
    with closing(sqlite3.connect(household.root / ".mediarip" / "store.db")) as store, store:
        store.execute("UPDATE jobs SET status = 'queued', error_code = NULL, completed_at = NULL")
        store.execute(
            "INSERT INTO files (job_id, filename, filesize, temp_path, main) "
            "VALUES (?, ?, ?, ?, 1)",
            (job_id, "gift.txt", secret.stat().st_size, str(secret)),
        )
    os.chown(household.root / ".mediarip" / "store.db", SERVICE, SERVICE)
    household.started(STORAGE__TRUST="volume")
    client.wait_status(job_id, "failed")
    client.close()
    assert secret.exists()
    assert not (household.root / "gift.txt").exists()


def test_a_temporary_folder_that_a_neighbour_made_first_is_refused(household: Household) -> None:
    shared = household.folder / "open"
    assert household.neighbour(f"mkdir -m 777 {shared}/mediarip-mediarip")
    text = household.refused(STORAGE__TEMP_DIR=str(shared))
    assert "storage.temp_dir" in text
    assert f"belongs to user {NEIGHBOUR}" in text
    (shared / "mediarip-mediarip").rmdir()
    household.started(STORAGE__TEMP_DIR=str(shared))
    assert not household.neighbour(f"mv {shared}/mediarip-mediarip {shared}/x")


def test_a_fetched_version_that_a_neighbour_can_exchange_is_not_imported(
    household: Household,
) -> None:
    household.data = household.folder / "open"
    key = hashlib.blake2b(bytes(household.root), digest_size=8).hexdigest()
    folder = household.data / "mediarip-mqtt" / key
    assert household.neighbour(planted_code(household).replace(".mediarip", str(folder)))
    household.started()
    assert not household.pwned.exists()
    assert f"belongs to user {NEIGHBOUR}" in household.log.read_text()
