"""`homeassistant install`: what it writes, what it leaves alone, and what it removes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mediarip_mqtt.cli import homeassistant_install
from mediarip_mqtt.cli.homeassistant_folder import RECORD
from mediarip_mqtt.cli.main import app
from mediarip_mqtt.homeassistant.shipped_files import (
    CARD,
    TARGET,
    Group,
    ShippedFile,
    shipped_files,
)

NOTIFY = "blueprints/automation/mediarip/notify.yaml"
PACKAGE = "packages/mediarip.yaml"
PART = "www/mediarip-library.js"  # the card loads it from beside itself
SENTENCES = "custom_sentences/de/mediarip.yaml"
FIRST = {
    CARD: (Group.CARD, b"card 1"),
    NOTIFY: (Group.BLUEPRINTS, b"notify 1"),
    PACKAGE: (Group.PACKAGE, b"package 1"),
    "dashboards/mediarip.yaml": (Group.DASHBOARD, b"dashboard 1"),
    SENTENCES: (Group.SENTENCES, b"sentences 1"),
}


def ship(monkeypatch: pytest.MonkeyPatch, files: dict[str, tuple[Group, bytes]]) -> None:
    found = [ShippedFile(group, target, content) for target, (group, content) in files.items()]
    monkeypatch.setattr(homeassistant_install, "shipped_files", lambda: found)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder of a new Home Assistant, and files to install."""
    ship(monkeypatch, FIRST)
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / ".HA_VERSION").write_text("2026.11.0")
    (folder / "configuration.yaml").write_text("default_config:\n")
    return folder


def install(folder: Path, *options: str) -> Result:
    done = CliRunner().invoke(app, ["homeassistant", "install", str(folder), *options])
    assert not done.exception or isinstance(done.exception, SystemExit), done.output
    return done


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def recorded(folder: Path) -> set[str]:
    return set(json.loads((folder / RECORD).read_text())["files"])


def test_it_copies_the_files_and_says_what_to_do_next(config: Path) -> None:
    done = install(config)
    assert done.exit_code == 0
    found = content(config)
    for target, (group, text) in FIRST.items():
        if group is Group.SENTENCES:
            assert target not in found
        else:
            assert found[target] == text
            assert f"written   {target}" in done.output
    assert "/local/mediarip-card.js?v=" in done.output
    assert "Restart it: it serves the new folder www" in done.output
    assert "Add dashboard: Downloads" in done.output
    assert "mediarip: !include packages/mediarip.yaml" in done.output


def test_the_steps_fit_the_version_of_home_assistant(config: Path) -> None:
    (config / ".HA_VERSION").write_text("2025.4.4\n")
    (config / "www").mkdir()
    done = install(config)
    assert "paste the content of dashboards/mediarip.yaml" in done.output
    assert "Restart it" not in done.output
    (config / ".HA_VERSION").write_text("2024.12.5")
    (config / CARD).unlink()
    assert "2025.4 or later is needed" in install(config).output


def test_an_update_replaces_what_nobody_changed(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = install(config)
    ship(monkeypatch, {**FIRST, CARD: (Group.CARD, b"card 2")})
    done = install(config)
    assert done.exit_code == 0
    assert (config / CARD).read_bytes() == b"card 2"
    assert f"updated   {CARD}" in done.output
    assert "unchanged 3 files" in done.output
    # Browsers load the new card, because the resource's address is another one.
    addresses = [
        word for text in (before, done) for word in text.output.split() if "/local/" in word
    ]
    assert len(set(addresses)) == 2


def test_a_changed_file_is_kept_until_force(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(config)
    (config / NOTIFY).write_text("mine")
    ship(monkeypatch, {**FIRST, NOTIFY: (Group.BLUEPRINTS, b"notify 2")})
    for _ in range(2):
        done = install(config)
        assert done.exit_code == 1
        assert f"kept      {NOTIFY}: it was changed here; --force replaces it" in done.output
        assert (config / NOTIFY).read_text() == "mine"
    done = install(config, "--force")
    assert done.exit_code == 0
    assert (config / NOTIFY).read_bytes() == b"notify 2"
    assert f"replaced  {NOTIFY}" in done.output


def test_a_file_that_was_there_before_is_kept(config: Path) -> None:
    (config / "packages").mkdir()
    (config / PACKAGE).write_text("mine")
    assert install(config).exit_code == 1
    assert (config / PACKAGE).read_text() == "mine"
    install(config, "--remove")
    assert (config / PACKAGE).read_text() == "mine"


def test_remove_leaves_what_was_there_before_and_nothing_else(config: Path) -> None:
    (config / "www").mkdir()
    (config / "www" / "photo.png").write_bytes(b"p")
    before, folders = content(config), sorted(config.rglob("*"))
    install(config)
    done = install(config, "--remove")
    assert done.exit_code == 0
    assert content(config) == before
    assert sorted(config.rglob("*")) == folders
    assert "nothing was installed" in install(config, "--remove").output


def test_remove_keeps_changed_files_and_folders_with_other_files(config: Path) -> None:
    install(config)
    (config / NOTIFY).write_text("mine")
    (config / "packages" / "other.yaml").write_text("theirs")
    done = install(config, "--remove")
    assert done.exit_code == 1
    assert f"kept      {NOTIFY}: it was changed here" in done.output
    left = content(config)
    assert left.keys() == {".HA_VERSION", "configuration.yaml", NOTIFY, "packages/other.yaml"}


def test_remove_with_force_removes_changed_files_too(config: Path) -> None:
    install(config)
    (config / NOTIFY).write_text("mine")
    assert install(config, "--remove", "--force").exit_code == 0
    assert content(config).keys() == {".HA_VERSION", "configuration.yaml"}


def test_a_dry_run_changes_nothing(config: Path) -> None:
    before = content(config)
    done = install(config, "--dry-run")
    assert f"written   {CARD}" in done.output
    assert content(config) == before
    install(config)
    before = content(config)
    assert f"removed   {CARD}" in install(config, "--remove", "--dry-run").output
    assert content(config) == before


def test_sentences_are_installed_when_asked_for_and_updated_from_then_on(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(config, "--sentences")
    assert (config / SENTENCES).read_bytes() == b"sentences 1"
    ship(monkeypatch, {**FIRST, SENTENCES: (Group.SENTENCES, b"sentences 2")})
    install(config)
    assert (config / SENTENCES).read_bytes() == b"sentences 2"


def test_a_file_that_a_later_version_lacks_is_removed_unless_it_was_changed(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(config)
    (config / PACKAGE).write_text("mine")
    ship(monkeypatch, {CARD: FIRST[CARD]})
    done = install(config)
    assert f"removed   {NOTIFY}" in done.output
    assert not (config / NOTIFY).exists()
    assert (config / PACKAGE).read_text() == "mine"
    assert recorded(config) == {CARD}


def test_the_card_of_hacs_is_not_joined_by_a_second_one(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(monkeypatch, {**FIRST, PART: (Group.CARD, b"part 1")})
    hacs = config / "www" / "community" / "mediarip-mqtt"
    hacs.mkdir(parents=True)
    (hacs / "mediarip-card.js").write_text("hacs")
    done = install(config)
    assert not (config / CARD).exists()
    assert not (config / PART).exists()
    assert "update it in HACS" in done.output


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "zigbee2mqtt", "link", "binary"])
def test_a_folder_that_is_not_home_assistant_s_is_refused_untouched(
    config: Path, kind: str
) -> None:
    folder = config.parent / "other"
    if kind == "file":
        folder.write_text("x")
    elif kind != "missing":
        folder.mkdir()
    if kind == "zigbee2mqtt":
        (folder / "configuration.yaml").write_text("mqtt: {}\n")
    if kind == "link":
        (folder / ".HA_VERSION").symlink_to(config / ".HA_VERSION")
    if kind == "binary":
        (folder / ".HA_VERSION").write_bytes(b"\xff\xfe")
    before = sorted(config.parent.rglob("*"))
    done = install(folder)
    assert done.exit_code == 2
    assert str(folder) in done.output
    assert sorted(config.parent.rglob("*")) == before


@pytest.mark.parametrize("link", ["www", "blueprints/automation", NOTIFY])
def test_no_link_is_followed(config: Path, link: str) -> None:
    outside = config.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    place = config / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside / "kept" if link == NOTIFY else outside)
    done = install(config, "--force")
    assert done.exit_code == 1
    assert "a link" in done.output
    assert content(outside) == {"kept": b"kept"}
    assert place.is_symlink()
    assert (config / PACKAGE).exists()
    assert not any(name.startswith(link) for name in recorded(config))


def test_a_link_in_place_of_a_written_file_is_not_removed(config: Path) -> None:
    install(config)
    outside = config.parent / "outside"
    outside.write_bytes(FIRST[CARD][1])
    (config / CARD).unlink()
    (config / CARD).symlink_to(outside)
    assert install(config, "--remove", "--force").exit_code == 1
    assert outside.exists()
    assert (config / CARD).is_symlink()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_what_is_no_file_is_left_alone(config: Path, make: object) -> None:
    (config / "www").mkdir()
    make(config / CARD)  # type: ignore[operator] # one of the two above
    done = install(config, "--force")
    assert done.exit_code == 1
    assert f"kept      {CARD}" in done.output
    assert not (config / CARD).is_file()


@pytest.mark.parametrize(
    "record",
    [
        "no json",
        "[]",
        '{"format": 1, "files": {"configuration.yaml": "%s"}, "folders": []}',
        '{"format": 1, "files": {"../victim": "%s"}, "folders": []}',
        '{"format": 1, "files": {"www/../configuration.yaml": "%s"}, "folders": []}',
        '{"format": 1, "files": {}, "folders": [".storage"]}',
        '{"format": 2, "files": {}, "folders": []}',
        '{"format": 1, "files": {"www/mediarip-card.js": 1}, "folders": ["www"]}',
    ],
)
def test_a_record_that_names_other_files_is_refused(config: Path, record: str) -> None:
    (config / ".storage").mkdir()
    (config / RECORD).write_text(record.replace("%s", "0" * 64))
    before, folders = content(config), sorted(config.rglob("*"))
    for options in (["--remove", "--force"], []):
        done = install(config, *options)
        assert done.exit_code == 2
        assert "is not a record of this program" in done.output
    assert content(config) == before
    assert sorted(config.rglob("*")) == folders


def test_without_its_record_it_recognises_its_own_files(config: Path) -> None:
    install(config)
    (config / RECORD).unlink()
    done = install(config)
    assert done.exit_code == 0
    assert "unchanged 4 files" in done.output
    assert recorded(config) == {CARD, NOTIFY, PACKAGE, "dashboards/mediarip.yaml"}


def test_after_an_error_halfway_the_record_names_what_was_written(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def full(source: str, target: str, **folders: int) -> None:
        if target == "mediarip.yaml":
            raise OSError(28, "No space left on device", target)
        real(source, target, **folders)

    monkeypatch.setattr(os, "rename", full)
    done = install(config)
    assert done.exit_code == 1
    assert "No space left on device" in done.output
    assert recorded(config) == {CARD, NOTIFY}
    assert not [name for name in content(config) if "mediarip.yaml." in name]


def test_the_files_of_this_version_are_ones_that_it_may_write() -> None:
    found = shipped_files()
    assert {CARD, PACKAGE} <= {one.target for one in found}
    for one in found:
        assert TARGET.fullmatch(one.target), one.target
        assert one.content
