"""Install a real Home Assistant for the tests: `python -m scripts.homeassistant [VERSION ...]`.

Installs once into a cache folder: a version whose Python this machine has, into a virtual
environment; any other, into its own Debian root (debootstrap, as root). If neither is possible,
it prints what is missing and exits with code 2.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

VERSIONS: Final = ("2025.4.4", "2026.11.0")  # tested by CI: an old version and the newest
# Minor version of Python 3 to the Debian release that ships it.
SUITES: Final = {13: "trixie", 14: "forky"}
PACKAGES: Final = "python3,python3-venv,python3-dev,gcc,g++,ca-certificates,libturbojpeg0,ffmpeg"
CACHE: Final = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    / "mediarip-mqtt"
    / "homeassistant"
)
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
SHARED: Final = CACHE / "shared"  # also visible inside the Debian roots
PASSED: Final = re.compile(
    r"^(PIP_|UV_|SSL_CERT|REQUESTS_CA|(https?|no|all)_proxy$)", re.IGNORECASE
)
# Prints the requirements of the integrations that the tests load. Installed beforehand; otherwise
# Home Assistant fetches them at its first start.
_REQUIREMENTS: Final = """
import json, pathlib, sys, homeassistant
from homeassistant import bootstrap
root = pathlib.Path(homeassistant.__file__).parent / "components"
todo = {*sys.argv[1:], *bootstrap.DEFAULT_INTEGRATIONS}
seen, found = set(), set()
while todo:
    name = todo.pop()
    seen.add(name)
    manifest = root / name / "manifest.json"
    if manifest.exists():
        content = json.loads(manifest.read_text())
        found.update(content.get("requirements", ()))
        todo |= set(content.get("dependencies", ())) - seen
print("\\n".join(sorted(found)))
"""
INTEGRATIONS: Final = [
    "mqtt",
    "api",
    "http",
    "websocket_api",
    "frontend",
    "lovelace",
    "config",
    "auth",
    "onboarding",
    "automation",
    "script",
    "conversation",
    "intent_script",
    "history",
    "logbook",
    "recorder",
    "notify",
    "image",
    "image_upload",
    "update",
    "event",
    "text",
    "template",
    "system_log",
    "diagnostics",
    "backup",
    "my",
    "person",
    "search",
    "trace",
    "blueprint",
    "assist_pipeline",
    "tts",
    "stt",
    "wake_word",
    "ffmpeg",
    "media_source",
    "media_player",
    "assist_satellite",
    "calendar",
    "local_calendar",
    "todo",
    "local_todo",
    "mobile_app",
    "webhook",
    "mcp_server",
    "kodi",
    "jellyfin",
    "plex",
    "kitchen_sink",
    "demo",
    "repairs",
]


class NotHereError(Exception):
    """A prerequisite is missing; the message says what to do."""


@dataclass(frozen=True)
class Installation:
    """An installed version; ``venv`` is its path inside ``root``, if there is one."""

    version: str
    venv: Path
    root: Path | None

    @property
    def outside(self) -> Path:
        """The path of the virtual environment as seen from outside the root."""
        return self.venv if self.root is None else self.root / self.venv.relative_to("/")

    def command(self, program: str, *arguments: str, shared: Path | None = None) -> list[str]:
        """Return a command line that runs a program of the environment.

        ``shared``: a folder of this machine to mount in the root under the same path.
        """
        inner = [str(self.venv / "bin" / program), *arguments]
        if self.root is None:
            return inner
        # A separate mount namespace, so that no mounts are left behind.
        script = (
            'root="$1"; shared="$2"; shift 2; mount --bind /proc "$root/proc"; '
            'mount --bind /dev "$root/dev"; mkdir -p "$root$shared"; '
            'mount --bind "$shared" "$root$shared"; '
            'cp -f /etc/resolv.conf /etc/hosts "$root/etc/"; exec chroot "$root" "$@"'
        )
        return [
            *("unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "-"),
            *(str(self.root), str(shared or SHARED), *inner),
        ]

    def environment(self, home: Path) -> dict[str, str]:
        """Return environment variables; only proxies and certificates are inherited."""
        kept = {key: value for key, value in os.environ.items() if PASSED.match(key)}
        path = f"{self.venv}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        own = {"HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC", "PATH": path}
        return {**kept, **own, "VIRTUAL_ENV": str(self.venv), "UV_LINK_MODE": "copy"}


def needed_python(version: str) -> tuple[int, int, int]:
    """Return the minimum Python of a version of Home Assistant."""
    year, month = (int(part) for part in version.split(".")[:2])
    if (year, month) >= (2026, 3):
        return 3, 14, 2
    return (3, 13, 2) if (year, month) >= (2025, 5) else (3, 13, 0)


def install(version: str) -> Installation:
    """Return a version, installing it if needed; raise `NotHereError` if that is impossible."""
    SHARED.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "lock"):
        installation = _place(version)
        stamp = installation.outside / "installed"
        if not stamp.exists():
            print(f"installing Home Assistant {version} (once; some minutes)", file=sys.stderr)
            if installation.root is None:
                _compiler(version)
            else:
                _debian(version, installation.root)
            _environment(installation)
            stamp.touch()
        return installation


def _place(version: str) -> Installation:
    """Return the location of a version; each recipe has its own, so that clones don't conflict."""
    python = _python(version)
    parts = [python or "", PACKAGES, _REQUIREMENTS, *INTEGRATIONS]
    name = f"{version}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}"
    if python:
        return Installation(version, CACHE / name, None)
    suite = SUITES[needed_python(version)[1]]
    return Installation(version, Path("/opt") / name, CACHE / suite)


def _python(version: str) -> str | None:
    """Return an interpreter of this machine with the required minor version, or None."""
    least = needed_python(version)
    name = f"python{least[0]}.{least[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [*map(str, pyenv.glob(f"{least[0]}.{least[1]}.*/bin/python")), name]
    check = f"import sys; sys.exit(not ({least} <= sys.version_info[:3] < (3, {least[1] + 1})))"
    for candidate in candidates:
        path = shutil.which(candidate)
        if path and not subprocess.run([path, "-c", check], check=False).returncode:  # noqa: S603 - an interpreter of this machine
            return path
    return None


def _compiler(version: str) -> None:
    """Ensure a compiler and headers, for packages without a wheel."""
    check = (
        "import pathlib, sysconfig, sys; "
        "sys.exit(not pathlib.Path(sysconfig.get_path('include'), 'Python.h').exists())"
    )
    headers = not subprocess.run([str(_python(version)), "-c", check], check=False).returncode  # noqa: S603 - the same
    if headers and shutil.which("g++"):
        return
    missing = ["gcc", "g++", f"libpython3.{needed_python(version)[1]}-dev"]
    if os.geteuid() or not shutil.which("apt-get"):
        raise NotHereError(
            f"Home Assistant {version} needs a C++ compiler (g++) and the headers of its Python. "
            f"On Debian or Ubuntu: apt-get install {' '.join(missing)}; then try again."
        )
    _apt(*missing)


def _apt(*packages: str) -> None:
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages])


def _debian(version: str, root: Path) -> None:
    """Create a Debian root with the required Python."""
    if os.geteuid() or not shutil.which("apt-get"):
        least = needed_python(version)
        others = " ".join(other for other in VERSIONS if other != version and _python(other))
        fewer = f", or leave it out: HA_VERSIONS='{others}' make test-ha" if others else ""
        raise NotHereError(
            f"Home Assistant {version} needs Python {'.'.join(map(str, least))} or a later "
            f"3.{least[1]}. Install that (python3.{least[1]} in PATH, or by pyenv), or run this as "
            f"root on Debian or Ubuntu, where it creates its own Debian root{fewer}."
        )
    if (root / "usr" / "bin" / "python3").exists():
        return
    program = shutil.which("debootstrap")
    if program is None:
        _apt("debootstrap", "gpgv", "debian-archive-keyring")  # the latter two verify the download
        program = "/usr/sbin/debootstrap"
    incomplete = root.with_name(f"{root.name}.half")
    shutil.rmtree(incomplete, ignore_errors=True)
    scripts = Path("/usr/share/debootstrap/scripts")
    script = scripts / (root.name if (scripts / root.name).exists() else "sid")
    mirror = _mirror()
    _run(
        [program, "--variant=minbase", f"--include={PACKAGES}", root.name, str(incomplete)]
        + ([mirror, str(script)] if mirror else [])
    )
    if CERTIFICATES.exists():  # including this machine's additional CAs
        shutil.copy(CERTIFICATES, incomplete / "etc" / "ssl" / "certs")
    incomplete.rename(root)


def _mirror() -> str | None:
    """Return the Debian mirror that this machine's apt uses, or None."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603 - apt
    return next((uri for uri in sorted(set(lines)) if uri.rstrip("/").endswith("/debian")), None)


def _environment(installation: Installation) -> None:
    def run(program: str, *arguments: str, text: str | None = None) -> str:
        return _run(
            installation.command(program, *arguments),
            env=installation.environment(SHARED),
            text=text,
        )

    shutil.rmtree(installation.outside, ignore_errors=True)
    if installation.root is None:
        _run([str(_python(installation.version)), "-m", "venv", str(installation.venv)])
    else:
        outside = Installation(installation.version, Path("/usr"), installation.root)
        _run(
            outside.command("python3", "-m", "venv", str(installation.venv)),
            env=outside.environment(SHARED),
        )
    run("pip", "install", "--quiet", "--disable-pip-version-check", "uv")
    python = ("--python", str(installation.venv / "bin" / "python"))
    run("uv", "pip", "install", "--quiet", *python, f"homeassistant=={installation.version}")
    requirements = run("python", "-", *INTEGRATIONS, text=_REQUIREMENTS)
    requirements_file = SHARED / f"requirements-{installation.version}.txt"
    requirements_file.write_text(requirements)
    where = run("python", "-c", "import homeassistant; print(homeassistant.__path__[0])").strip()
    constraints = f"{where}/package_constraints.txt"
    run("uv", "pip", "install", "--quiet", *python, "-c", constraints, "-r", str(requirements_file))
    run("hass", "--version")
    # uv's cache, twice the size of the installation.
    shutil.rmtree(SHARED / ".cache", ignore_errors=True)


def _run(command: list[str], *, env: dict[str, str] | None = None, text: str | None = None) -> str:
    result = subprocess.run(  # noqa: S603 - commands of our own
        command, env=env, input=text, capture_output=True, text=True, check=False
    )
    if result.returncode:
        last = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise NotHereError(f"{' '.join(command)} failed:\n{last}")
    return result.stdout


if __name__ == "__main__":
    try:
        for version in sys.argv[1:] or VERSIONS:
            print(install(version))
    except NotHereError as error:
        print(f"Home Assistant can't be installed here: {error}", file=sys.stderr)
        sys.exit(2)
