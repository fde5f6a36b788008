# ruff: noqa: S108 - paths in the container of the app
"""apparmor.txt: what the app may do in its container, by the profile's own rules.

The matching is ours; tests/faults/test_apparmor.py compiles the profile with AppArmor's parser.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROFILE = (Path(__file__).parents[2] / "apparmor.txt").read_text("utf-8")
RULE = re.compile(r"^\s*(deny )?(?:owner )?(/\S*|@\{PROC\}\S*) ([a-z]+),", re.MULTILINE)
GLOBS = {"**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|"}


def pattern(glob: str) -> re.Pattern[str]:
    text = glob.replace("@{PROC}", "/proc").replace("@{pid}", "[0-9]*")
    parts = re.split(r"(\*\*|[*{},]|\[0-9\])", text)
    return re.compile(
        "".join(GLOBS.get(one, one if one == "[0-9]" else re.escape(one)) for one in parts)
    )


RULES = [
    (bool(deny), pattern(glob), permissions) for deny, glob, permissions in RULE.findall(PROFILE)
]


def allowed(path: str, permission: str) -> bool:
    """Return what AppArmor decides: a denial wins, and what no rule allows is denied."""
    found = [
        deny
        for deny, glob, permissions in RULES
        if permission in permissions and glob.fullmatch(path)
    ]
    return bool(found) and not any(found)


@pytest.mark.parametrize(
    ("permissions", "path"),
    [
        ("rw", "/data/mediarip-mqtt/021e/ytdlp/choice.json"),
        ("rwkl", "/media/mediarip/.mediarip/store.db"),
        ("rwkl", "/share/films/Page 1.mp4"),
        ("rwk", "/tmp/mediarip-mqtt-1000/a.json"),
        ("rw", "/dev/shm/a"),
        ("rw", "/run/mediarip-options.json"),
        ("r", "/data/options.json"),
        ("r", "/etc/resolv.conf"),
        ("r", "/proc/sys/kernel/random/boot_id"),
        ("rx", "/opt/mediarip/bin/deno"),
        ("rx", "/usr/bin/ffmpeg"),
        ("rx", "/usr/local/bin/entrypoint"),
        ("rx", "/bin/sh"),
        ("rx", "/usr/bin/tini"),
        ("rm", "/opt/mediarip/lib/python3.11/site-packages/brotli.so"),
        ("rm", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
    ],
)
def test_the_service_may_do_its_work(permissions: str, path: str) -> None:
    for one in permissions:
        assert allowed(path, one), one


@pytest.mark.parametrize(
    ("permissions", "path"),
    [
        ("xm", "/media/mediarip/film.mp4"),  # nothing that was downloaded is executed
        ("xm", "/share/a"),
        ("xm", "/data/mediarip-mqtt/021e/a"),
        ("xm", "/tmp/a"),
        ("xm", "/dev/shm/a"),
        ("w", "/opt/mediarip/lib/python3.11/site-packages/yt_dlp/__init__.py"),
        ("w", "/usr/local/bin/entrypoint"),
        ("w", "/etc/passwd"),
        ("w", "/proc/sys/kernel/core_pattern"),
        ("rw", "/config/secrets.yaml"),
        ("rw", "/homeassistant/.storage/auth"),
        ("rw", "/ssl/privkey.pem"),
        ("rw", "/backup/a.tar"),
        ("w", "/dev/sda"),
    ],
)
def test_the_service_may_not_do_more(permissions: str, path: str) -> None:
    for one in permissions:
        assert not allowed(path, one), one


def test_the_supervisor_finds_one_profile_in_it() -> None:
    # It renames the only line that begins like this; all else must not name the profile.
    (name,) = re.findall(r"^profile (\S+) .*\{$", PROFILE, re.MULTILINE)
    assert name == "mediarip_mqtt"
    assert PROFILE.count(name) == 1
