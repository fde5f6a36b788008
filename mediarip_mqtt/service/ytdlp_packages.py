"""Finds versions of yt-dlp in a package index, installs them in a folder, and tries them.

Uses pip in a child process, as pip is configured for the machine's package index.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Final

from mediarip_mqtt import threads
from mediarip_mqtt.contract.settings import SECRET_VARIABLES, DownloadSettings
from mediarip_mqtt.service import ytdlp_version

PIP_TIME: Final = 300.0  # seconds
SMOKE_TIME: Final = 120.0  # seconds
_EJS: Final = re.compile(r"^yt-dlp-ejs\s*(==\s*[\w.]+)")
_OFFLINE: Final = re.compile(r"connection broken by|NameResolutionError|NewConnectionError")
_CAUSE: Final = re.compile(r"\[Errno -?\d+\] ([\w ,'-]+)")


class UpdateError(Exception):
    """An update failed; the text is shown to users."""


class YtdlpPackages:
    """Runs pip; ``index_url`` replaces the package index that pip is configured with.

    The methods raise `UpdateError`.
    """

    def __init__(self, index_url: str | None) -> None:
        self._index_url = index_url

    async def newest(self) -> str:
        """Return the newest version that the index has for this machine."""
        text = await self._pip(["--dry-run", "--ignore-installed", "--report", "-", "yt-dlp"], {})
        try:
            version = str(json.loads(text)["install"][0]["metadata"]["version"])
        except (ValueError, LookupError, TypeError):
            raise UpdateError("pip's report could not be read.") from None
        if not ytdlp_version.VERSION.fullmatch(version):
            raise UpdateError("The package index names an invalid version.")
        return version

    async def install(self, version: str, packages: Path, temporary: Path) -> None:
        """Install a version of yt-dlp into the folder ``packages``."""
        await self._install(f"yt-dlp=={version}", packages, temporary)

    async def install_scripts(self, packages: Path, temporary: Path) -> None:
        """Install the yt-dlp-ejs that the installed yt-dlp requires, if it does."""
        scripts = await threads.call(_required_scripts, packages)
        if scripts:
            await self._install(f"yt-dlp-ejs{scripts}", packages, temporary)

    async def _install(self, requirement: str, packages: Path, temporary: Path) -> None:
        await self._pip(["--target", str(packages), requirement], {"TMPDIR": str(temporary)})

    async def _pip(self, arguments: list[str], environment: dict[str, str]) -> str:
        command = ["-P", "-m", "pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet"]
        command += ["--disable-pip-version-check", "--no-input", "--retries", "1", *arguments]
        # Users may have set these; `--target` does not work with them.
        environment = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", **environment}
        if self._index_url:
            # This index only. Not as an argument: every user of the machine can read those.
            unset = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")
            environment |= dict.fromkeys(unset, "")
            environment |= {"PIP_INDEX_URL": self._index_url, "PIP_CONFIG_FILE": os.devnull}
        code, printed, errors = await _run_python(command, PIP_TIME, environment)
        if code:
            raise UpdateError(_pip_problem(errors))
        return printed


async def smoke_test(
    version: str, packages: Path, temporary: Path, downloads: DownloadSettings
) -> str | None:
    """Try a version in a fresh interpreter; return why it does not work, or None."""
    arguments = ["-m", "mediarip_mqtt.service.ytdlp_smoke_test", version]
    environment = {ytdlp_version.VARIABLE: str(packages), "TMPDIR": str(temporary)}
    try:
        code, _, errors = await _run_python(
            arguments, SMOKE_TIME, environment, downloads.model_dump_json()
        )
    except UpdateError as error:
        return str(error)
    return _last_error(errors) if code else None


def _required_scripts(folder: Path) -> str:
    """Return the version of yt-dlp-ejs that yt-dlp requires: ``==0.8.0``; empty if none."""
    for path in folder.glob("yt_dlp-*.dist-info"):
        for requirement in PathDistribution(path).requires or ():
            if match := _EJS.match(requirement):
                return match[1].replace(" ", "")
    return ""


def _pip_problem(errors: str) -> str:
    """Return what pip's error output means, and what to do about it."""
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
    message = next((line for line in reversed(lines) if "error" in line.lower()), None)
    return message or (lines or ["it failed without a message"])[-1]


async def _run_python(
    arguments: list[str], seconds: float, environment: dict[str, str], standard_input: str = ""
) -> tuple[int, str, str]:
    """Run this interpreter; return its exit code, output and error output.

    Raises `UpdateError` if it takes too long. It and its children have ended when this returns.
    """
    # Without the service's own settings: they hold the broker's password.
    own = (*SECRET_VARIABLES, ytdlp_version.VARIABLE)
    inherited = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(own)
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=inherited | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            output, errors = await child.communicate(standard_input.encode())
    except TimeoutError:
        raise UpdateError(f"It took more than {seconds:.0f} s.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    return (
        child.returncode or 0,
        output.decode("utf-8", "replace"),
        errors.decode("utf-8", "replace"),
    )
