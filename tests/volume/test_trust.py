"""The service relies on no folder that somebody else can replace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediarip_mqtt.volume import trust


@pytest.fixture(autouse=True)
def no_private_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group of this user counts as one that others are in."""
    monkeypatch.setattr(trust, "_is_private", lambda *_: False)


def test_a_folder_of_this_user_alone_is_trusted(tmp_path: Path) -> None:
    assert trust.shared_way(tmp_path / "not" / "there") is None


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o2775, 0o757])
def test_a_folder_in_which_others_may_rename_is_not_trusted_nor_what_is_below_it(
    tmp_path: Path, mode: int
) -> None:
    shared = tmp_path / "shared"
    (shared / "own").mkdir(parents=True)
    shared.chmod(mode)
    assert f"{shared} (mode {mode:o})" in str(trust.shared_way(shared / "own"))
    shared.chmod(mode | 0o1000)
    assert trust.shared_way(shared / "own") is None


def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, 12345)
        text = trust.shared_way(tmp_path / "own")
    else:
        text = trust.shared_way(tmp_path / "own", os.geteuid() + 1)
    assert "belongs to user" in str(text)


def test_a_link_is_judged_by_what_it_leads_over(tmp_path: Path) -> None:
    # sshd's check of the resolved path alone misses the folder that holds the link.
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "real").mkdir()
    (shared / "link").symlink_to("../real")
    assert trust.shared_way(shared / "link") is None
    shared.chmod(0o777)
    assert trust.shared_way(shared / "link") is not None
    assert trust.shared_way(tmp_path / "real") is None
    (tmp_path / "again").symlink_to("again")
    with pytest.raises(OSError, match="too many links"):
        trust.shared_way(tmp_path / "again")


def test_a_group_of_one_user_is_no_group_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_is_private", lambda *_: True)
    tmp_path.chmod(0o775)
    assert trust.shared_way(tmp_path) is None
    tmp_path.chmod(0o777)
    assert trust.shared_way(tmp_path) is not None


def test_an_own_root_in_which_others_write_gets_the_sticky_bit(tmp_path: Path) -> None:
    tmp_path.chmod(0o2775)
    (remark,) = trust.secure(tmp_path, tmp_path / "own")
    assert "chmod +t" in remark
    assert tmp_path.stat().st_mode & 0o7777 == 0o3775
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
    assert trust.secure(tmp_path, tmp_path / "own") == []


def test_a_root_that_this_user_can_t_change_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refused)
    with pytest.raises(trust.NotTrustedError, match="may rename"):
        trust.secure(tmp_path, tmp_path / "own")
    assert list(tmp_path.iterdir()) == []


def test_a_filesystem_without_owners_is_used_with_a_remark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SMB with `dir_mode=0777`, where a new file has the permissions of the mount's options."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    monkeypatch.setattr(trust, "shows_owners", lambda _: False)
    (remark,) = trust.secure(tmp_path, tmp_path / "own")
    assert "does not show the true owners" in remark
    assert (tmp_path / "own").is_dir()


def test_the_filesystem_here_shows_owners(tmp_path: Path) -> None:
    assert trust.shows_owners(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_own_folder_that_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    """As by `chmod -R 777`, which households apply to a whole share."""
    own = tmp_path / "own"
    (own / "cookies").mkdir(parents=True)
    own.chmod(0o777)
    (remark,) = trust.secure(tmp_path, own)
    assert "its mode is now 700" in remark
    assert own.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_what_another_user_left_in_the_own_folder_is_refused(tmp_path: Path, mode: int) -> None:
    own = tmp_path / "own"
    (own / "cookies").mkdir(parents=True)
    planted = own / "store.db" if mode == 0o700 else own / "cookies" / "x.txt"
    planted.touch()
    os.chown(planted, 12345, 12345)
    own.chmod(mode)
    with pytest.raises(trust.NotTrustedError, match="belongs to user 12345"):
        trust.secure(tmp_path, own)


def test_what_the_umask_opens_to_others_is_made_sticky(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        trust.make_parents(tmp_path / "media" / "videos")
    finally:
        os.umask(before)
    for name in ("media", "media/videos"):
        assert (tmp_path / name).stat().st_mode & 0o7777 == 0o1775
