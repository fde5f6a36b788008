"""The machine: the programs that downloads need, the age of yt-dlp, the clock, the service."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli.doctor.findings import Finding, ok, problem, warning
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.engine import cookie_files, programs
from mediarip_mqtt.service import health, ytdlp_version

OLD: Final = 60  # days; an older yt-dlp is likely to fail on some sites
JUMP: Final = 0.5  # seconds that the clock may differ from the monotonic clock within a second
_DATE: Final = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})")


def ffmpeg() -> list[Finding]:
    """Check that ffmpeg and ffprobe are found and run."""
    remedy = "Install your system's package ffmpeg, or `pip install 'mediarip-mqtt[ffmpeg]'`."
    path = programs.ffmpeg()
    if path is None:
        return [problem("ffmpeg", "not found: video and audio streams can't be merged", remedy)]
    version = _version(path, "ffmpeg")
    if version is None:
        return [problem("ffmpeg", f"{path} does not run", remedy)]
    probe = programs.find("ffprobe")
    probe_version = _version(probe, "ffprobe")
    if probe_version is None:
        text = "not found, or it does not run: some formats can't be converted"
        ffprobe = warning("ffprobe", text, "Install your system's package ffmpeg, which has it.")
    else:
        ffprobe = ok("ffprobe", f"{probe_version}, {probe}")
    return [ok("ffmpeg", f"{version}, {path}"), ffprobe]


def _version(path: str | None, name: str) -> str | None:
    line = programs.version(path, "-version")
    return line.removeprefix(f"{name} version ").split()[0] if line else None


def javascript() -> list[Finding]:
    """Check that there is a JavaScript runtime, which YouTube needs."""
    for name, runtime in programs.js_runtimes().items():
        line = programs.version(runtime["path"], "--version") or "of an unknown version"
        return [ok("JavaScript", f"{name} {line.removeprefix(name).strip()}, {runtime['path']}")]
    remedy = "Install Deno or Node 22, or `pip install 'mediarip-mqtt[js]'`."
    return [warning("JavaScript", "no runtime found: YouTube needs one", remedy)]


def ytdlp(folder: Path) -> list[Finding]:
    """Check the yt-dlp that the service would use; ``folder`` has the versions that it fetched."""
    installed = ytdlp_version.installed()
    # Root may run doctor for a service of another user.
    not_trusted = ytdlp_version.not_trusted(folder) if os.geteuid() else None
    chosen = None if not_trusted else ytdlp_version.read(folder).chosen
    version = chosen or installed
    source = "" if version == installed else f", fetched; installed is {installed}"
    findings = [judge_age(version, source, datetime.now(UTC).date())]
    if not_trusted:
        remedy = "Set XDG_DATA_HOME to a folder that nobody but the service's user can write to."
        findings.append(
            warning("yt-dlp updates", f"{not_trusted}, so they are not installed there", remedy)
        )
    return findings


def judge_age(version: str, source: str, today: date) -> Finding:
    """Return the finding about a version of yt-dlp; versions are dates."""
    text = f"{ytdlp_version.shown(version)}{source}"
    released = release_date(version)
    if released is None:
        return warning("yt-dlp", text, "Its version is not a date. Install a release of yt-dlp.")
    days = (today - released).days
    if days > OLD:
        remedy = "`mediarip-mqtt command update_ytdlp` fetches and tests a newer one."
        return warning("yt-dlp", f"{text}, {days} days old: sites change faster", remedy)
    return ok("yt-dlp", f"{text}, {max(days, 0)} days old")


def release_date(version: str) -> date | None:
    """Return the day of release that a version of yt-dlp consists of."""
    match = _DATE.match(version)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def cookies(settings: Settings) -> list[Finding]:
    """Check the cookies file that the configuration names; no finding if it names none."""
    path = settings.downloads.cookies_file
    if path is None:
        return []
    if text := cookie_files.problem_of(path):
        remedy = "Export it again; downloads that need a login fail until then."
        return [problem("cookies file", text, remedy)]
    jar = cookie_files.read(path)
    expired = sum(cookie.is_expired() for cookie in jar)
    text = f"{path}: {len(jar)} cookies, {expired} of them expired"
    if expired == len(jar):
        return [warning("cookies file", text, "Log in at the site, and export them again.")]
    return [ok("cookies file", text)]


def clock() -> list[Finding]:
    """Check that the clock does not jump, and is not before yt-dlp's release; takes a second."""
    offset = time.time() - time.monotonic()
    time.sleep(1)
    jump = time.time() - time.monotonic() - offset
    local = datetime.now().astimezone()
    text = f"{local:%Y-%m-%d %H:%M:%S}, zone {local:%Z} (UTC{local:%z}), which purge.cron uses"
    released = release_date(ytdlp_version.installed())
    remedy = "Synchronise the machine's clock by NTP."
    if released and local.date() < released:
        return [
            problem(
                "clock", f"{text}: before yt-dlp's release, so certificates are not valid", remedy
            )
        ]
    if abs(jump) > JUMP:
        return [warning("clock", f"{text}; it jumped by {jump:+.1f} s within a second", remedy)]
    return [ok("clock", text)]


def service(settings: Settings) -> list[Finding]:
    """Check the signs of life of a service on this machine; no finding if there is none."""
    signs = health.read(health.signs_paths(settings))
    if signs is None:
        return []
    failed = [check for check in health.examine(signs, time.monotonic()) if not check.ok]
    if not failed:
        return [ok("signs of life", f"all parts of process {signs.pid} work")]
    return [
        problem(f"signs of life: {check.name}", "does not work", check.remedy) for check in failed
    ]
