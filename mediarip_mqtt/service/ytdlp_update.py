"""A newer yt-dlp: learnt of, installed beside the running one, tried, and switched to.

pip does the work, in a child process: it knows the machine's way to a package index. What it
installs gets its final name only when the smoke test has passed, so that nothing half is ever used.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mediarip_mqtt import threads
from mediarip_mqtt.commands.update_commands import UPDATE_CHECK
from mediarip_mqtt.commands.update_commands import UPDATE_KEY as KEY
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.settings import SECRET_VARIABLES, Settings
from mediarip_mqtt.service import ytdlp_version
from mediarip_mqtt.service.logs import redact
from mediarip_mqtt.service.ytdlp_version import Choice, in_use, is_newer, shown
from mediarip_mqtt.store import Store

FIRST_CHECK: Final = 300.0  # seconds after the start
UP_TIME: Final = 30.0  # seconds to get online; the broker may be away, which is not yt-dlp's fault
PIP_TIME: Final = 300.0
SMOKE_TIME: Final = 120.0
STORE_RETRY: Final = 60.0
REASON_LIMIT: Final = 300
RELEASES: Final = "https://github.com/yt-dlp/yt-dlp/releases/tag/"
LATEST_KEY: Final = "ytdlp_latest"  # what the last look at the index found
SWITCHING: Final = "switching"  # value of KEY: installed, and waiting for a quiet moment
_EJS: Final = re.compile(r"^yt-dlp-ejs\s*(==\s*[\w.]+)")
_OFFLINE: Final = re.compile(r"connection broken by|NameResolutionError|NewConnectionError")
_CAUSE: Final = re.compile(r"\[Errno -?\d+\] ([\w ,'-]+)")

logger = logging.getLogger(__name__)


class UpdateError(Exception):
    """An update that did not come about; the text is for people."""


class Updates:
    """Knows the newest version, and installs it."""

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        settings: Settings,
        store: Store,
        *,
        folder: Path,
        running: Callable[[], str],
        online: asyncio.Event,
        changed: Callable[[], None],
        switch: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings.updates
        self._downloads = settings.downloads
        self._store = store
        self._folder = folder
        self._running = running
        self._online = online
        self._changed = changed
        self._switch = switch
        self._clock = clock
        self._latest: str | None = None
        self._percent: int | None = None
        self._told = ""
        self._wake = asyncio.Event()
        self._switching = False

    def versions(self) -> dict[str, str | None]:
        """Return what a reply tells: ``latest`` is None where no look at the index was possible."""
        return {
            "installed": self._running(),
            "latest": shown(self._latest) if self._latest else None,
        }

    def payload(self) -> dict[str, Any]:
        """Return what Home Assistant's update entity takes: these keys and no others."""
        running, latest = self._running(), self._running()
        if self._latest and is_newer(self._latest, running):
            latest = shown(self._latest)
        return {
            "installed_version": running,
            "latest_version": latest,
            "title": "yt-dlp",
            "release_url": RELEASES + latest,
            "release_summary": self._told[:255],
            "in_progress": self._percent is not None,
            "update_percentage": self._percent,
        }

    def wake(self) -> None:
        """See whether an update was asked for."""
        self._wake.set()

    async def run(self) -> None:
        """Tell how the last update ended; then look for newer versions, and update when asked."""
        try:
            await self._settle()
        except Exception:
            logger.exception("yt-dlp: how the last update ended is not known")
        interval = self._settings.check_interval
        wait = min(FIRST_CHECK, interval)
        while not self._switching:
            self._wake.clear()
            asked = (await self._config()).get(KEY)
            if asked:
                await self._carry_out(asked)
                continue
            try:
                async with asyncio.timeout(wait or None):
                    await self._wake.wait()
            except TimeoutError:
                wait = interval
                if await self._look() and self._settings.auto:
                    await self._update()

    async def _carry_out(self, asked: str) -> None:
        """Do what a command asked for, also one before a restart."""
        if asked == UPDATE_CHECK:
            await self._look(tell=True)
        elif asked != SWITCHING:  # it was, when the service ended: the switch is done
            await self._update()
        if not self._switching and not await self._set_config(KEY, None):
            await asyncio.sleep(STORE_RETRY)

    async def _settle(self) -> None:
        """End the trial of what the service has come up with; tell of what was given up."""
        self._latest = (await self._config()).get(LATEST_KEY)
        choice = await threads.call(ytdlp_version.read, self._folder)
        if choice.trial is not None and choice.chosen == in_use():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(UP_TIME):
                    await self._online.wait()
            await self._confirm(choice)
        elif choice.failed is not None:
            reason = redact(choice.bad.get(choice.failed, ""))
            self._show(None, f"{shown(choice.failed)} was given up: {reason}")
            await self._emit(choice.failed, self._running(), reason)
            choice.failed = None
            with contextlib.suppress(OSError):
                await threads.call(ytdlp_version.write, self._folder, choice)
        await threads.call(ytdlp_version.sweep, self._folder)

    async def _confirm(self, choice: Choice) -> None:
        choice.trial = choice.failed = None
        try:
            await threads.call(ytdlp_version.write, self._folder, choice)
        except OSError as error:
            logger.warning("yt-dlp: the update could not be confirmed: %s", error.strerror)
        before = choice.previous or ytdlp_version.installed()
        logger.info("yt-dlp: updated from %s to %s", before, choice.chosen)
        self._show(None, f"Updated from {shown(before)} to {self._running()}.")
        await self._emit(before, str(choice.chosen), None)

    # One update

    async def _look(self, *, tell: bool = False) -> bool:
        """Ask the index; return whether there is a newer version that is not known to be bad."""
        try:
            found = await self._newest()
        except (UpdateError, OSError) as error:
            reason = _reason(error)
            logger.info("yt-dlp: no look at the package index: %s", reason)
            if tell:
                self._show(None, f"The newest version is not known: {reason}")
            return False
        newer = is_newer(found, self._running())
        if tell:
            self._show(None, "" if newer else f"{self._running()} is the newest version.")
        bad = (await threads.call(ytdlp_version.read, self._folder)).bad
        return newer and found not in bad

    async def _update(self) -> None:
        """Install the newest version and switch to it; tell what became of it."""
        before, target = self._running(), self._latest or "?"
        self._show(0, "")
        try:
            target = await self._newest()
            if not is_newer(target, before):
                self._show(None, f"{before} is the newest version.")
                return
            self._show(10, f"Installing {shown(target)}.")
            await self._install(target)
        except Exception as error:  # noqa: BLE001 - an update never ends the service
            reason = _reason(error)
            logger.warning("yt-dlp: %s was not installed: %s", target, reason)
            self._show(None, f"{shown(target)} was not installed: {reason}")
            await self._emit(before, target, reason)
            return
        await self._set_config(KEY, SWITCHING)
        self._show(95, f"Switching to {shown(target)} as soon as no download runs.")
        self._switching = True
        self._switch()

    def _show(self, percent: int | None, text: str) -> None:
        self._percent, self._told = percent, text
        self._changed()

    async def _newest(self) -> str:
        """Return the newest version that the index has for this machine."""
        text = await self._pip(["--dry-run", "--ignore-installed", "--report", "-", "yt-dlp"])
        try:
            found = str(json.loads(text)["install"][0]["metadata"]["version"])
        except (ValueError, LookupError, TypeError):
            raise UpdateError("pip's answer could not be read.") from None
        if not ytdlp_version.VERSION.fullmatch(found):
            raise UpdateError("The package index names a version that is none.")
        if found != self._latest:
            self._latest = found
            await self._set_config(LATEST_KEY, found)
        self._changed()
        return found

    async def _install(self, target: str) -> None:
        half = self._folder / f"{ytdlp_version.HALF}{uuid4().hex[:8]}"
        packages, temporary = half / "packages", half / "tmp"
        await threads.call(_make, packages, temporary)
        try:
            # What a kill leaves of pip's temporary files goes with the folder.
            own = {"TMPDIR": str(temporary)}
            await self._pip(["--target", str(packages), f"yt-dlp=={target}"], own)
            self._show(50, self._told)
            scripts = await threads.call(_needed_scripts, packages)
            if scripts:
                await self._pip(["--target", str(packages), f"yt-dlp-ejs{scripts}"], own)
            self._show(70, f"Trying {shown(target)}.")
            await self._try(packages, target, own)
            self._show(90, self._told)
            await threads.call(self._take_over, packages, target)
        finally:
            await threads.call(shutil.rmtree, half, ignore_errors=True)

    def _take_over(self, packages: Path, target: str) -> None:
        """Give what was tried its final name, and choose it for the next start."""
        final = self._folder / target
        shutil.rmtree(final, ignore_errors=True)
        os.sync()
        packages.rename(final)
        ytdlp_version.sync(self._folder)
        bad = ytdlp_version.read(self._folder).bad
        bad.pop(target, None)
        ytdlp_version.write(self._folder, Choice(target, in_use(), ytdlp_version.NEW, bad))

    async def _pip(self, arguments: list[str], own: dict[str, str] | None = None) -> str:
        command = ["-P", "-m", "pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet"]
        command += ["--disable-pip-version-check", "--no-input", "--retries", "1", *arguments]
        # What a machine may have set up for people, and what `--target` does not go with.
        extra = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", **(own or {})}
        if self._settings.index_url:
            # This one and no other; not as an argument, which every user of the machine can read.
            nothing = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")
            extra |= dict.fromkeys(nothing, "") | {
                "PIP_INDEX_URL": self._settings.index_url,
                "PIP_CONFIG_FILE": os.devnull,
            }
        code, printed, errors = await _python(command, PIP_TIME, extra)
        if code:
            raise UpdateError(_of_pip(errors))
        return printed

    async def _try(self, packages: Path, target: str, own: dict[str, str]) -> None:
        """Run the smoke test in a fresh interpreter; remember a version that does not pass."""
        arguments = ["-m", "mediarip_mqtt.service.ytdlp_smoke_test", target]
        chosen = {ytdlp_version.VARIABLE: str(packages), **own}
        settings = self._downloads.model_dump_json()
        try:
            code, _, errors = await _python(arguments, SMOKE_TIME, chosen, settings)
            reason = _last_error(errors) if code else None
        except UpdateError as error:
            reason = str(error)
        if reason is None:
            return
        choice = await threads.call(ytdlp_version.read, self._folder)
        choice.bad[target] = redact(reason)[:REASON_LIMIT]
        await threads.call(ytdlp_version.write, self._folder, choice)
        raise UpdateError(f"It does not work here: {reason}")

    # The outcome

    async def _emit(self, before: str, after: str, reason: str | None) -> None:
        event = events.YtdlpUpdated(
            at=self._clock(),
            ok=reason is None,
            from_version=shown(before),
            to_version=shown(after),
            reason=reason,
        )
        try:
            await self._store.write(lambda tx: tx.emit(event))
        except StoreError as error:
            logger.warning("yt-dlp: the event could not be stored: %s", error)

    async def _config(self) -> dict[str, str]:
        try:
            return await self._store.read(lambda tx: tx.config())
        except StoreError:
            return {}

    async def _set_config(self, key: str, value: str | None) -> bool:
        try:
            await self._store.write(lambda tx: tx.set_config(key, value, self._clock()))
        except StoreError as error:
            logger.warning("yt-dlp: the state of the update could not be noted: %s", error)
            return False
        return True


def _make(*folders: Path) -> None:
    # The service's own folder must be there: nothing is made in the mount point of a lost volume.
    folders[0].parent.parent.mkdir(mode=0o700, exist_ok=True)
    folders[0].parent.mkdir(mode=0o700)
    for one in folders:
        one.mkdir(mode=0o700)


def _needed_scripts(folder: Path) -> str:
    """Return which yt-dlp-ejs an installed yt-dlp asks for: ``==0.8.0``; empty for none."""
    for path in folder.glob("yt_dlp-*.dist-info"):
        for requirement in PathDistribution(path).requires or ():
            if match := _EJS.match(requirement):
                return match[1].replace(" ", "")
    return ""


def _reason(error: Exception) -> str:
    """Return what went wrong, for people; what nobody foresaw is logged in full."""
    if isinstance(error, UpdateError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"The volume or a program can't be used: {error.strerror or error}."
    else:
        logger.error("yt-dlp: the update failed", exc_info=error)
        text = "The service failed at this; see its log."
    return redact(text)[:REASON_LIMIT]


def _of_pip(errors: str) -> str:
    """Return what pip's messages mean."""
    if "No module named pip" in errors:
        return "pip is missing where the service is installed. Install it: python -m ensurepip"
    if _OFFLINE.search(errors):
        cause = _CAUSE.search(errors)
        return (
            f"The package index can't be reached{f' ({cause[1]})' if cause else ''}. Check the "
            "network, and `updates.index_url` or pip's own configuration."
        )
    if "from versions: none" in errors:
        return (
            "The package index offers nothing that can be installed here. Check "
            "`updates.index_url` or pip's own configuration."
        )
    return _last_error(errors)


def _last_error(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "error" in line.lower()), None)
    return said or (lines or ["it failed without a word"])[-1]


async def _python(
    arguments: list[str], seconds: float, extra: dict[str, str], text: str = ""
) -> tuple[int, str, str]:
    """Run this interpreter; return its exit code, what it printed, and its errors.

    Raises `UpdateError` where it takes too long; it and its children are gone at the end.
    """
    # Nothing of the service's own settings: they hold the broker's password.
    own = (*SECRET_VARIABLES, ytdlp_version.VARIABLE)
    environment = {key: one for key, one in os.environ.items() if not key.upper().startswith(own)}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment | extra,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            printed, errors = await child.communicate(text.encode())
    except TimeoutError:
        raise UpdateError(f"It did not end within {seconds:.0f} s.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    return (
        child.returncode or 0,
        printed.decode("utf-8", "replace"),
        errors.decode("utf-8", "replace"),
    )
