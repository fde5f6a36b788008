"""The image's entrypoint, as root, as Docker and Home Assistant's Supervisor start it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).parent.parent.parent / "docker" / "entrypoint"
USER = 12345


@pytest.fixture
def place() -> Iterator[Path]:
    """Where others may look in, with a `mediarip-mqtt` that tells how it was started."""
    if os.geteuid():
        pytest.fail("these tests become another user: run them as root")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for root alone
        folder = Path(name)
        folder.chmod(0o755)
        _write_program(folder / "bin" / "mediarip-mqtt")
        yield folder


def _write_program(program: Path) -> None:
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nid -u; echo "$MEDIARIP__STORAGE__ROOT"; cat "$MEDIARIP_OPTIONS"; touch '
        '"$MEDIARIP__STORAGE__ROOT/written"\n'
    )
    program.chmod(0o755)


def run(place: Path, *before: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, str(ENTRYPOINT), "run"],
        env={
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "PUID": str(USER),
            "PGID": str(USER),
            "MEDIARIP__STORAGE__ROOT": "/media",  # the image's
            "RUNTIME_DIRECTORY": str(place),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_app_gets_its_folder_and_reads_its_options(place: Path) -> None:
    options = place / "data.json"
    root = place / "media" / "mediarip"
    options.write_text(json.dumps({"storage": {"root": str(root)}, "mqtt": {"password": "x"}}))
    options.chmod(0o600)
    for _ in range(2):  # the second time the folder and the copy are there
        done = run(place, SUPERVISOR_TOKEN="t", MEDIARIP_OPTIONS=str(options))
        assert done.returncode == 0, done.stderr
        user, folder, content = done.stdout.split("\n", 2)
        assert (user, folder) == (str(USER), str(root))
        assert json.loads(content)["mqtt"] == {"password": "x"}
    assert (root.stat().st_uid, (root / "written").stat().st_uid) == (USER, USER)
    assert (place / "media").stat().st_uid == 0
    copy = place / "mediarip-options.json"
    assert (copy.stat().st_uid, copy.stat().st_mode & 0o777) == (USER, 0o400)
    options.write_text(json.dumps({"storage": {"root": str(root)}, "mqtt": {"password": "new"}}))
    changed = run(place, SUPERVISOR_TOKEN="t", MEDIARIP_OPTIONS=str(options))
    assert '"new"' in changed.stdout


def test_a_folder_with_others_files_is_not_given_away(place: Path) -> None:
    root = place / "media"
    root.mkdir()
    (root / "film").touch()
    options = place / "data.json"
    options.write_text(json.dumps({"storage": {"root": str(root)}}))
    run(place, SUPERVISOR_TOKEN="t", MEDIARIP_OPTIONS=str(options))
    assert root.stat().st_uid == 0
    assert not (root / "written").exists()


def test_without_the_supervisor_the_options_do_not_count(place: Path) -> None:
    options = place / "data.json"
    options.write_text(json.dumps({"storage": {"root": str(place / "other")}}))
    volume = place / "volume"
    volume.mkdir()
    done = run(place, MEDIARIP_OPTIONS=str(options), MEDIARIP__STORAGE__ROOT=str(volume))
    assert done.stdout.split("\n")[:2] == [str(USER), str(volume)]
    assert not (place / "other").exists()
    assert run(place, PUID="0").returncode == 2


@pytest.mark.parametrize("link", ["root", "above"])
def test_what_a_link_leads_to_is_not_given_away(place: Path, link: str) -> None:
    """thirdgen88/ignition-docker#97: who may write beside the volume gets no folder of root's."""
    precious = place / "precious"
    (precious / "empty").mkdir(parents=True)
    volume = place / "media"
    volume.symlink_to(precious / "empty" if link == "root" else precious)
    root = volume if link == "root" else volume / "empty"
    done = run(place, MEDIARIP__STORAGE__ROOT=str(root), MEDIARIP_OPTIONS="/dev/null")
    assert (precious / "empty").stat().st_uid == 0
    assert "over a link" in done.stderr
    assert done.stdout.split("\n")[0] == str(USER)


def test_the_service_gets_a_folder_for_code_off_the_volume(place: Path) -> None:
    data = place / "data"
    data.mkdir()
    volume = place / "volume"
    volume.mkdir()
    for _ in range(2):
        done = run(
            place,
            MEDIARIP__STORAGE__ROOT=str(volume),
            MEDIARIP_OPTIONS="/dev/null",
            XDG_DATA_HOME=str(data),
        )
        assert done.stderr == ""
    own = (data / "mediarip-mqtt").stat()
    assert (own.st_uid, own.st_gid, own.st_mode & 0o7777) == (USER, USER, 0o700)


ROOT_SQUASH = "-chown,-dac_override,-dac_read_search,-fowner,-fsetid"


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_root_that_an_nfs_export_squashes_changes_no_owner_and_starts(
    place: Path, mode: int
) -> None:
    volume = place / "volume"
    volume.mkdir()
    os.chown(volume, USER, USER)
    volume.chmod(mode)
    squashed = ("setpriv", "--bounding-set", ROOT_SQUASH, "--inh-caps", ROOT_SQUASH)
    done = run(place, *squashed, MEDIARIP__STORAGE__ROOT=str(volume), MEDIARIP_OPTIONS="/dev/null")
    assert (done.returncode, done.stderr) == (0, "")
    assert (volume / "written").exists()
    foreign = place / "foreign"
    foreign.mkdir()
    told = run(place, *squashed, MEDIARIP__STORAGE__ROOT=str(foreign), MEDIARIP_OPTIONS="/dev/null")
    assert f"{USER}" in told.stdout  # it starts, and says itself what it may not
    assert "root_squash" in told.stderr


def test_empty_variables_count_as_not_set(place: Path) -> None:
    volume = place / "volume"
    volume.mkdir()
    empty = dict.fromkeys(("PUID", "PGID", "UMASK", "SUPERVISOR_TOKEN", "TZ", "HOME"), "")
    done = run(place, MEDIARIP__STORAGE__ROOT=str(volume), MEDIARIP_OPTIONS="/dev/null", **empty)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "1000")


@pytest.mark.parametrize(("name", "value"), [("PUID", "media"), ("PGID", "-1"), ("UMASK", "rw")])
def test_a_variable_that_can_t_be_used_is_named(place: Path, name: str, value: str) -> None:
    done = run(place, **{name: value})
    assert done.returncode == 2
    assert f'{name} is "{value}"' in done.stderr
    done = run(place, MEDIARIP__LOG__FORMAT="json", **{name: value})
    assert name in json.loads(done.stderr)["message"]
