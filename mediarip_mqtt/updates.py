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
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mediarip_mqtt import events, wire, ytdlp_choice
from mediarip_mqtt.dispatch import UPDATE_KEY as KEY
from mediarip_mqtt.errors import StoreError
from mediarip_mqtt.jobs import new_id
from mediarip_mqtt.logs import redact
from mediarip_mqtt.settings import UpdateSettings
from mediarip_mqtt.store import Store
from mediarip_mqtt.ytdlp_choice import Choice, in_use, is_newer, shown

FIRST_CHECK: Final = 300.0  # seconds after the start
PIP_TIME: Final = 300.0
SMOKE_TIME: Final = 90.0
RELEASES: Final = "https://github.com/yt-dlp/yt-dlp/releases/tag/"
_EJS: Final = re.compile(r"^yt-dlp-ejs\s*(==\s*[\w.]+)")
_VERSION: Final = re.compile(r"[0-9][0-9a-z.]{0,40}")

logger = logging.getLogger(__name__)


class UpdateError(Exception):
    """An update that did not come about; the text is for people."""


class Updates:
    """Knows the newest version, and installs it."""

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        settings: UpdateSettings,
        store: Store,
        topics: wire.Topics,
        *,
        folder: Path,
        running: Callable[[], str],
        changed: Callable[[], None],
        switch: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._topics = topics
        self._folder = folder
        self._running = running
        self._changed = changed
        self._switch = switch
        self._clock = clock
        self._latest: str | None = None
        self._percent: int | None = None
        self._told = ""
        self._wake = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether an update is under way."""
        return self._percent is not None

    @property
    def latest(self) -> str | None:
        """The newest version there is; None where it is not known."""
        return self._latest

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
            "in_progress": self.busy,
            "update_percentage": self._percent,
        }

    def wake(self) -> None:
        """See whether an update was asked for."""
        self._wake.set()

    async def run(self) -> None:
        """Tell how the last update ended; then look for newer versions, and update when asked.

        That this runs means that the service has come up with what it runs with.
        """
        await self._confirm()
        await self._tell_outcome()
        interval = self._settings.check_interval
        wait = min(FIRST_CHECK, interval)
        while True:
            wanted = bool((await self._config()).get(KEY))
            if not wanted:
                try:
                    async with asyncio.timeout(wait or None):
                        await self._wake.wait()
                except TimeoutError:
                    wanted = await self._look() and self._settings.auto
                self._wake.clear()
                wait = interval
                wanted = wanted or bool((await self._config()).get(KEY))
            if wanted:
                await self._update()

    async def _confirm(self) -> None:
        """End the trial of what the service runs with."""
        choice = await asyncio.to_thread(ytdlp_choice.read, self._folder)
        if choice.trial is None or choice.chosen != in_use():
            return
        choice.trial = None
        try:
            await asyncio.to_thread(ytdlp_choice.write, self._folder, choice)
            await asyncio.to_thread(ytdlp_choice.sweep, self._folder)
        except OSError as error:
            logger.warning("yt-dlp: the update could not be confirmed: %s", error.strerror)
        before = choice.previous or ytdlp_choice.installed()
        logger.info("yt-dlp: updated from %s to %s", before, choice.chosen)
        await self._emit(before, str(choice.chosen), None)

    # One update

    async def _look(self) -> bool:
        """Ask the index; return whether there is a newer version that is not known to be bad."""
        try:
            self._latest = await self._newest()
        except UpdateError as error:
            logger.info("yt-dlp: no look at the package index: %s", error)
            return False
        self._changed()
        bad = (await asyncio.to_thread(ytdlp_choice.read, self._folder)).bad
        return is_newer(self._latest, self._running()) and self._latest not in bad

    async def _update(self) -> None:
        """Install the newest version and switch to it; tell what became of it."""
        before, target = self._running(), self._latest or "?"
        self._show(0, "")
        try:
            target = self._latest = await self._newest()
            if not is_newer(target, before):
                self._show(None, f"{before} is the newest version.")
            else:
                self._show(10, f"Installing {target}.")
                await self._install(target)
                self._show(95, f"Switching to {target} as soon as no download runs.")
        except (UpdateError, OSError) as error:
            reason = redact(str(error))[:300]
            logger.warning("yt-dlp: %s was not installed: %s", target, reason)
            self._show(None, f"{target} was not installed: {reason}")
            await self._emit(before, target, reason)
        await self._set_config(None)
        if self.busy:
            self._switch()
            self._show(None, self._told)

    def _show(self, percent: int | None, text: str) -> None:
        self._percent, self._told = percent, text
        self._changed()

    async def _newest(self) -> str:
        text = await self._pip("--dry-run", "--ignore-installed", "--report", "-", "yt-dlp")
        try:
            found = str(json.loads(text)["install"][0]["metadata"]["version"])
        except (ValueError, LookupError, TypeError):
            raise UpdateError("pip's answer could not be read.") from None
        if not _VERSION.fullmatch(found):
            raise UpdateError("The package index names a version that is none.")
        return found

    async def _install(self, target: str) -> None:
        half = self._folder / f"{ytdlp_choice.HALF}{uuid4().hex[:8]}"
        await asyncio.to_thread(half.mkdir, mode=0o700, parents=True)
        try:
            await self._pip("--target", str(half), f"yt-dlp=={target}")
            self._show(50, self._told)
            scripts = await asyncio.to_thread(_needed_scripts, half)
            if scripts:
                await self._pip("--target", str(half), f"yt-dlp-ejs{scripts}")
            self._show(70, f"Trying {target}.")
            await self._try(half, target)
            self._show(90, self._told)
            await asyncio.to_thread(self._take_over, half, target)
        finally:
            await asyncio.to_thread(shutil.rmtree, half, ignore_errors=True)

    def _take_over(self, half: Path, target: str) -> None:
        """Give what was tried its final name, and choose it for the next start."""
        final = self._folder / target
        shutil.rmtree(final, ignore_errors=True)
        os.sync()
        half.rename(final)
        choice = ytdlp_choice.read(self._folder)
        choice.bad.pop(target, None)
        ytdlp_choice.write(
            self._folder,
            Choice(target, choice.chosen, ytdlp_choice.NEW, choice.bad),
        )

    async def _pip(self, *arguments: str) -> str:
        command = ["-m", "pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet"]
        command += ["--disable-pip-version-check", "--no-input", "--retries", "1"]
        extra: dict[str, str] = {}
        if self._settings.index_url:
            # This one and no other, whatever pip is set up with.
            command += ["--index-url", self._settings.index_url]
            extra = {"PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
        return await _python([*command, *arguments], PIP_TIME, extra)

    async def _try(self, folder: Path, target: str) -> None:
        try:
            await _python(
                ["-m", "mediarip_mqtt.smoke", target],
                SMOKE_TIME,
                {ytdlp_choice.VARIABLE: str(folder)},
            )
        except UpdateError as error:
            choice = await asyncio.to_thread(ytdlp_choice.read, self._folder)
            choice.bad[target] = str(error)[:300]
            await asyncio.to_thread(ytdlp_choice.write, self._folder, choice)
            raise UpdateError(f"It does not work here: {error}") from None

    # The outcome

    async def _tell_outcome(self) -> None:
        choice = await asyncio.to_thread(ytdlp_choice.read, self._folder)
        await asyncio.to_thread(ytdlp_choice.sweep, self._folder)
        if choice.failed is None:
            return
        reason = choice.bad.get(choice.failed, "")
        self._show(None, f"{choice.failed} was given up: {reason}")
        await self._emit(choice.failed, self._running(), reason)
        choice.failed = None
        with contextlib.suppress(OSError):
            await asyncio.to_thread(ytdlp_choice.write, self._folder, choice)

    async def _emit(self, before: str, after: str, reason: str | None) -> None:
        event = events.YtdlpUpdated(
            event_id=new_id(),
            at=self._clock(),
            ok=reason is None,
            from_version=shown(before),
            to_version=shown(after),
            reason=reason,
        )
        try:
            await self._store.write(
                lambda tx: tx.post(self._topics.event, wire.dumps(event.payload()), event.at)
            )
        except (StoreError, sqlite3.Error) as error:
            logger.warning("yt-dlp: the event could not be stored: %s", error)

    async def _config(self) -> dict[str, str]:
        try:
            return await self._store.read(lambda tx: tx.config())
        except (StoreError, sqlite3.Error):
            return {}

    async def _set_config(self, value: str | None) -> None:
        try:
            await self._store.write(lambda tx: tx.set_config(KEY, value, self._clock()))
        except (StoreError, sqlite3.Error) as error:
            logger.warning("yt-dlp: the end of the update could not be noted: %s", error)


def _needed_scripts(folder: Path) -> str:
    """Return which yt-dlp-ejs an installed yt-dlp asks for: ``==0.8.0``; empty for none."""
    for path in folder.glob("yt_dlp-*.dist-info"):
        for requirement in PathDistribution(path).requires or ():
            if match := _EJS.match(requirement):
                return match[1].replace(" ", "")
    return ""


async def _python(arguments: list[str], seconds: float, extra: dict[str, str]) -> str:
    """Run this interpreter; return what it prints, or raise `UpdateError` with its last words."""
    # Nothing of the service's own settings: they hold the broker's password.
    own = ("MEDIARIP", ytdlp_choice.VARIABLE)
    environment = {key: one for key, one in os.environ.items() if not key.upper().startswith(own)}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment | extra,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            printed, errors = await child.communicate()
    except TimeoutError:
        raise UpdateError(f"It did not end within {seconds:.0f} s.") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    if child.returncode:
        lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if "error" in line.lower()), None)
        raise UpdateError(redact(said or (lines or ["it failed without a word"])[-1])[:300])
    return printed.decode("utf-8", "replace")
