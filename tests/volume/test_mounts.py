"""The filesystem of the volume is recognised, since SQLite's journal depends on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mediarip_mqtt.volume import mounts
from mediarip_mqtt.volume.mounts import Mount

# From real machines: Debian with a NAS, an Unraid container, systemd's automounts.
MOUNTINFO = r"""
21 28 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 28 0:5 / /run/media rw,nosuid,nodev shared:4 - tmpfs tmpfs rw
31 28 0:6 / /run/media rw,nosuid,nodev shared:5 - tmpfs second rw
40 28 0:44 / /mnt/nas rw,relatime shared:222 - nfs4 nas.lan:/export/media rw,vers=4.2
41 40 0:45 / /mnt/nas/local rw,relatime - btrfs /dev/sdb1 rw
42 28 0:46 / /mnt/my\040media\134\011x rw,relatime - cifs //nas/my\040share rw
43 28 0:47 / /mnt/user rw,nosuid,nodev,noatime shared:9 master:3 - fuse.shfs shfs rw
44 28 0:48 / /mnt/auto rw,relatime shared:70 - autofs systemd-1 rw,fd=50
45 44 0:49 / /mnt/auto rw,relatime shared:71 - nfs nas.lan:/auto rw
46 28 0:50 / /mnt/nasty rw,relatime - xfs /dev/sdc1 rw
not a line of this file
47 28 0:51
"""

MOUNTS = r"""
rootfs / rootfs rw 0 0
/dev/sda1 / ext4 rw,relatime 0 1
nas.lan:/export /mnt/my\040nas nfs4 rw,vers=4.2 0 0
"""


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/srv/media", Mount("ext4", "/", "/dev/sda1")),
        ("/", Mount("ext4", "/", "/dev/sda1")),
        ("/mnt/nas", Mount("nfs4", "/mnt/nas", "nas.lan:/export/media")),
        ("/mnt/nas/films/new", Mount("nfs4", "/mnt/nas", "nas.lan:/export/media")),
        ("/mnt/nas/local/x", Mount("btrfs", "/mnt/nas/local", "/dev/sdb1")),
        ("/mnt/nasty", Mount("xfs", "/mnt/nasty", "/dev/sdc1")),
        ("/mnt/nas-not", Mount("ext4", "/", "/dev/sda1")),
        ("/mnt/my media\\\tx/a", Mount("cifs", "/mnt/my media\\\tx", "//nas/my share")),
        ("/mnt/user/media", Mount("fuse.shfs", "/mnt/user", "shfs")),
        ("/mnt/auto/a", Mount("nfs", "/mnt/auto", "nas.lan:/auto")),
        ("/run/media/x", Mount("tmpfs", "/run/media", "second")),
    ],
)
def test_the_mount_of_a_path_is_the_longest_and_the_last(path: str, mount: Mount) -> None:
    assert mounts.mount_of(Path(path), MOUNTINFO) == mount


def test_the_older_list_of_mounts_is_understood_as_well() -> None:
    assert mounts.mount_of(Path("/mnt/my nas/a"), MOUNTS).fstype == "nfs4"
    assert mounts.mount_of(Path("/srv"), MOUNTS) == Mount("ext4", "/", "/dev/sda1")


def test_a_link_to_the_volume_is_followed(tmp_path: Path) -> None:
    (tmp_path / "media").symlink_to("/mnt/nas/films")
    assert mounts.mount_of(tmp_path / "media", MOUNTINFO).fstype == "nfs4"


@pytest.mark.parametrize("text", ["", "garbage\n", "\n\n - \n1 2 3 4 - x\n"])
def test_without_a_list_of_mounts_the_filesystem_is_unknown(text: str) -> None:
    assert mounts.mount_of(Path("/srv"), text).fstype == mounts.UNKNOWN


def test_this_machines_own_mounts_agree_with_the_system(tmp_path: Path) -> None:
    found = mounts.mount_of(tmp_path)
    told = subprocess.run(
        ["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    names = {"ext2/ext3": "ext4", "overlayfs": "overlay"}
    listed = Path("/proc/self/mountinfo").read_text().splitlines()
    if not any(line.split()[4] == "/" for line in listed):
        told = mounts.UNKNOWN  # in a chroot the kernel does not tell what the root is on
    assert found.fstype == names.get(told, told)


LOCAL = ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "apfs", "f2fs", "vfat", "fuseblk"]
NETWORK = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.mergerfs",
    "fuse.shfs",
    "fuse.something-new",
    "something-new",
]


@pytest.mark.parametrize("fstype", LOCAL)
def test_a_local_filesystem_gets_a_write_ahead_log(fstype: str) -> None:
    assert not mounts.is_network(fstype)
    assert mounts.journal_mode("auto", fstype) == "wal"


@pytest.mark.parametrize("fstype", NETWORK)
def test_a_network_filesystem_and_one_that_nobody_knows_gets_a_rollback_journal(
    fstype: str,
) -> None:
    assert mounts.is_network(fstype)
    assert mounts.journal_mode("auto", fstype) == "truncate"


@pytest.mark.parametrize("mode", ["wal", "truncate", "delete"])
def test_the_setting_wins_over_what_is_recognised(mode: str) -> None:
    assert mounts.journal_mode(mode, "nfs4") == mode
    assert mounts.journal_mode(mode, "ext4") == mode


def test_the_space_of_the_volume_is_told_in_bytes(tmp_path: Path) -> None:
    free, total = mounts.disk_usage(tmp_path)
    assert 0 < free <= total
