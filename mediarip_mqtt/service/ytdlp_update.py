"""Looks for a newer yt-dlp, installs it beside the running one, tries it, and switches to it.

An installed version gets its final name only when it has passed the smoke test: an incomplete one
is never used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mediarip_mqtt import threads
from mediarip_mqtt.commands.update_commands import UPDATE_CHECK, UPDATE_KEY
from mediarip_mqtt.contract import events
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.service import ytdlp_version
from mediarip_mqtt.service.logs import redact, warn_instead
from mediarip_mqtt.service.ytdlp_packages import UpdateError, YtdlpPackages, smoke_test
from mediarip_mqtt.service.ytdlp_version import Choice, in_use, is_newer, shown
from mediarip_mqtt.store import Changes, Store

FIRST_CHECK: Final = 300.0  # seconds after the start
UP_TIME: Final = 30.0  # seconds to get online; without a broker a trial passes anyway
STORE_RETRY: Final = 60.0  # seconds
REASON_LIMIT: Final = 300  # characters
SUMMARY_LIMIT: Final = 255  # characters; Home Assistant's
RELEASES: Final = "https://github.com/yt-dlp/yt-dlp/releases/tag/"
LATEST_KEY: Final = "ytdlp_latest"  # the newest version that the last check found
SWITCHING: Final = "switching"  # value of UPDATE_KEY: installed; the restart follows

logger = logging.getLogger(__name__)


class Updates:
    """Checks for the newest version, and installs it.

    ``former`` is where earlier releases kept the versions, on the volume; it is removed, if it is
    not a link. ``publish`` is called when `payload` has changed, ``switch`` when a new version is
    installed and chosen for the next start.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        settings: Settings,
        store: Store,
        *,
        folder: Path,
        former: Path,
        running: str,
        online: asyncio.Event,
        publish: Callable[[], None],
        switch: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings.updates
        self._downloads = settings.downloads
        self._store = store
        self._folder = folder
        self._former = former
        self._running = running
        self._online = online
        self._publish = publish
        self._switch = switch
        self._clock = clock
        self._packages = YtdlpPackages(settings.updates.index_url)
        self._latest: str | None = None
        self._percent: int | None = None
        self._summary = ""
        self._wake = asyncio.Event()
        self._switching = False

    def versions(self) -> dict[str, str | None]:
        """Return the versions for a reply; ``latest`` is None if the index was never reached."""
        return {
            "installed": self._running,
            "latest": shown(self._latest) if self._latest else None,
        }

    def payload(self) -> dict[str, Any]:
        """Return the payload of Home Assistant's update entity, which allows no other keys."""
        latest = self._running
        if self._latest and is_newer(self._latest, self._running):
            latest = shown(self._latest)
        return {
            "installed_version": self._running,
            "latest_version": latest,
            "title": "yt-dlp",
            "release_url": RELEASES + latest,
            "release_summary": self._summary[:SUMMARY_LIMIT],
            "in_progress": self._percent is not None,
            "update_percentage": self._percent,
        }

    def changed(self, changes: Changes) -> None:
        """Wake `run` if a transaction may have requested an update."""
        if UPDATE_KEY in changes.settings:
            self._wake.set()

    async def run(self) -> None:
        """Report how the last update ended; then check for newer versions, and update if asked."""
        try:
            await self._settle()
        except Exception:
            logger.exception("yt-dlp: the outcome of the last update is unknown")
        interval = self._settings.check_interval
        wait = min(FIRST_CHECK, interval)
        while not self._switching:
            self._wake.clear()
            requested = (await self._config()).get(UPDATE_KEY)
            if requested:
                await self._carry_out(requested)
                continue
            try:
                async with asyncio.timeout(wait or None):
                    await self._wake.wait()
            except TimeoutError:
                wait = interval
                if await self._check() and self._settings.auto:
                    await self._update()

    async def _carry_out(self, requested: str) -> None:
        """Do what a command requested, perhaps before a restart."""
        if requested == UPDATE_CHECK:
            await self._check(report=True)
        elif requested != SWITCHING:  # else the service has restarted: the switch is done
            await self._update()
        if not self._switching and not await self._set_config(UPDATE_KEY, None):
            await asyncio.sleep(STORE_RETRY)

    async def _settle(self) -> None:
        """End the trial of the version that runs, or report which version was given up."""
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
            await self._emit(choice.failed, self._running, reason)
            choice.failed = None
            with contextlib.suppress(OSError):
                await threads.call(ytdlp_version.write, self._folder, choice)
        await threads.call(ytdlp_version.sweep, self._folder)
        await threads.call(shutil.rmtree, self._former, ignore_errors=True)

    async def _confirm(self, choice: Choice) -> None:
        choice.trial = choice.failed = None
        try:
            await threads.call(ytdlp_version.write, self._folder, choice)
        except OSError as error:
            logger.warning("yt-dlp: the update could not be confirmed: %s", error.strerror)
        before = choice.previous or ytdlp_version.installed()
        logger.info("yt-dlp: updated from %s to %s", before, choice.chosen)
        self._show(None, f"Updated from {shown(before)} to {self._running}.")
        await self._emit(before, str(choice.chosen), None)

    # One update

    async def _check(self, *, report: bool = False) -> bool:
        """Ask the index; return whether it has a newer version that is not known to be bad.

        With ``report``, publish the result.
        """
        try:
            newest = await self._newest()
        except (UpdateError, OSError) as error:
            reason = _reason(error)
            logger.info("yt-dlp: the package index could not be queried: %s", reason)
            if report:
                self._show(None, f"The newest version is unknown: {reason}")
            return False
        newer = is_newer(newest, self._running)
        if report:
            self._show(None, "" if newer else f"{self._running} is the newest version.")
        bad = (await threads.call(ytdlp_version.read, self._folder)).bad
        return newer and newest not in bad

    async def _update(self) -> None:
        """Install the newest version and switch to it; report the outcome."""
        before, target = self._running, self._latest or "?"
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
        await self._set_config(UPDATE_KEY, SWITCHING)
        self._show(95, f"Switching to {shown(target)} as soon as no download runs.")
        self._switching = True
        self._switch()

    def _show(self, percent: int | None, summary: str) -> None:
        self._percent, self._summary = percent, summary
        self._publish()

    async def _newest(self) -> str:
        newest = await self._packages.newest()
        if newest != self._latest:
            self._latest = newest
            await self._set_config(LATEST_KEY, newest)
        self._publish()
        return newest

    async def _install(self, target: str) -> None:
        half = self._folder / f"{ytdlp_version.HALF}{uuid4().hex[:8]}"
        # pip's temporary files are in it too: after a kill they are removed with the folder.
        packages, temporary = half / "packages", half / "tmp"
        await threads.call(_make_folders, packages, temporary)
        try:
            await self._packages.install(target, packages, temporary)
            self._show(50, self._summary)
            await self._packages.install_scripts(packages, temporary)
            self._show(70, f"Trying {shown(target)}.")
            problem = await smoke_test(target, packages, temporary, self._downloads)
            if problem is not None:
                await self._remember_bad(target, problem)
                raise UpdateError(f"It does not work here: {problem}")
            self._show(90, self._summary)
            await threads.call(self._take_over, packages, target)
        finally:
            await threads.call(shutil.rmtree, half, ignore_errors=True)

    async def _remember_bad(self, target: str, problem: str) -> None:
        choice = await threads.call(ytdlp_version.read, self._folder)
        choice.bad[target] = redact(problem)[:REASON_LIMIT]
        await threads.call(ytdlp_version.write, self._folder, choice)

    def _take_over(self, packages: Path, target: str) -> None:
        """Move the folder to its final name, and choose the version for the next start; blocks."""
        final = self._folder / target
        shutil.rmtree(final, ignore_errors=True)
        digest = ytdlp_version.digest(packages)
        os.sync()
        packages.rename(final)
        ytdlp_version.sync(self._folder)
        choice = ytdlp_version.read(self._folder)
        choice.bad.pop(target, None)
        before = in_use()
        digests = {target: digest}
        if before in choice.digests:
            digests[before] = choice.digests[before]
        ytdlp_version.write(
            self._folder, Choice(target, before, ytdlp_version.NEW, choice.bad, digests=digests)
        )

    # The outcome

    async def _emit(self, before: str, after: str, reason: str | None) -> None:
        event = events.YtdlpUpdated(
            at=self._clock(),
            ok=reason is None,
            from_version=shown(before),
            to_version=shown(after),
            reason=reason,
        )
        with warn_instead(logger, "yt-dlp: the event could not be stored", StoreError):
            await self._store.write(lambda tx: tx.emit(event))

    async def _config(self) -> dict[str, str]:
        try:
            return await self._store.read(lambda tx: tx.config())
        except StoreError:
            return {}

    async def _set_config(self, key: str, value: str | None) -> bool:
        """Keep a value in the store; return whether that worked."""
        with warn_instead(logger, "yt-dlp: the state of the update was not stored", StoreError):
            await self._store.write(lambda tx: tx.set_config(key, value, self._clock()))
            return True
        return False


def _make_folders(packages: Path, temporary: Path) -> None:
    folder = packages.parent.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if problem := ytdlp_version.not_trusted(folder):
        raise UpdateError(
            f"{problem}: other users could change its code there. Set XDG_DATA_HOME to a folder of "
            "the service's user alone."
        )
    for folder in (packages.parent, packages, temporary):
        folder.mkdir(mode=0o700)


def _reason(error: Exception) -> str:
    """Return the reason as text for users; log an unexpected error with its traceback."""
    if isinstance(error, UpdateError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"A folder or a program can't be used: {error.strerror or error}."
    else:
        logger.error("yt-dlp: the update failed", exc_info=error)
        text = "An unexpected error; see the service's log."
    return redact(text)[:REASON_LIMIT]
