"""The machine: the programs that downloads need, the age of yt-dlp, the clock."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli.doctor.findings import Finding, ok, problem, warning
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.engine import programs
from mediarip_mqtt.service import health, ytdlp_version

OLD: Final = 60  # days after which a yt-dlp is likely to fail at some site
JUMP: Final = 0.5  # seconds that the clock may move against the time that has passed
_DATE: Final = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})")


def ffmpeg() -> list[Finding]:
    """Look for ffmpeg and ffprobe."""
    remedy = "Install your system's package ffmpeg, or `pip install 'mediarip-mqtt[ffmpeg]'`."
    path = programs.ffmpeg()
    if path is None:
        return [problem("ffmpeg", "not found: sound and picture can't be joined", remedy)]
    version = _version(path, "ffmpeg")
    if version is None:
        return [problem("ffmpeg", f"{path} does not run", remedy)]
    probe = programs.find("ffprobe")
    found = _version(probe, "ffprobe")
    if found is None:
        text = "not found, or it does not run: some formats can't be converted"
        missing = warning("ffprobe", text, "Install your system's package ffmpeg, which has it.")
    else:
        missing = ok("ffprobe", f"{found}, {probe}")
    return [ok("ffmpeg", f"{version}, {path}"), missing]


def _version(path: str | None, name: str) -> str | None:
    line = programs.version(path, "-version")
    return line.removeprefix(f"{name} version ").split()[0] if line else None


def javascript() -> list[Finding]:
    """Look for the JavaScript runtime that YouTube's pages need."""
    for name, found in programs.js_runtimes().items():
        line = programs.version(found["path"], "--version") or "does not tell its version"
        return [ok("JavaScript", f"{name} {line.removeprefix(name).strip()}, {found['path']}")]
    remedy = "Install Deno or Node 22, or `pip install 'mediarip-mqtt[js]'`."
    return [warning("JavaScript", "no runtime found: YouTube needs one", remedy)]


def ytdlp(folder: Path | None) -> list[Finding]:
    """Look at the yt-dlp that the service would use; ``folder`` is where it keeps fetched ones."""
    installed = ytdlp_version.installed()
    version = (ytdlp_version.read(folder).chosen if folder else None) or installed
    source = "" if version == installed else f", fetched; installed is {installed}"
    return [judge_age(version, source, datetime.now(UTC).date())]


def judge_age(version: str, source: str, today: date) -> Finding:
    """Return what is to be said of a version of yt-dlp, which is the day of its release."""
    text = f"{ytdlp_version.shown(version)}{source}"
    released = release_date(version)
    if released is None:
        return warning("yt-dlp", text, "Its version is no date. Install a release of yt-dlp.")
    days = (today - released).days
    if days > OLD:
        remedy = "`mediarip-mqtt command update_ytdlp` fetches and tries a newer one."
        return warning("yt-dlp", f"{text}, {days} days old: sites change faster", remedy)
    return ok("yt-dlp", f"{text}, {max(days, 0)} days old")


def release_date(version: str) -> date | None:
    """Return the day that a version of yt-dlp is named for."""
    match = _DATE.match(version)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def clock() -> list[Finding]:
    """Look whether the clock jumps, and whether it can be right; takes a second."""
    wall, passed = time.time(), time.monotonic()
    time.sleep(1)
    jumped = (time.time() - wall) - (time.monotonic() - passed)
    local = datetime.now().astimezone()
    text = f"{local:%Y-%m-%d %H:%M:%S}, zone {local:%Z} (UTC{local:%z}), which purge.cron uses"
    released = release_date(ytdlp_version.installed())
    remedy = "Let the machine set its clock by NTP."
    if released and local.date() < released:
        return [problem("clock", f"{text}: before yt-dlp's release; no certificate holds", remedy)]
    if abs(jumped) > JUMP:
        return [warning("clock", f"{text}; it jumped by {jumped:+.1f} s within a second", remedy)]
    return [ok("clock", text)]


def service(settings: Settings) -> list[Finding]:
    """Look at the signs of life of a service on this machine; none is no finding."""
    signs = health.read(health.signs_path(settings))
    if signs is None:
        return []
    bad = [one for one in health.examine(signs, time.monotonic()) if not one.ok]
    if not bad:
        return [ok("signs of life", f"process {signs.pid} is well in all its parts")]
    return [problem(f"signs of life: {one.name}", "not well", one.remedy) for one in bad]
