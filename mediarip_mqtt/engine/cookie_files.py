"""The cookie files of sessions, checked and stored in the service's own folder with mode 0600.

Cookies are secrets: they appear in no reply, log, topic or error. All functions block.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from datetime import UTC, datetime
from http.cookiejar import Cookie, LoadError
from pathlib import Path
from typing import Final

from yt_dlp.cookies import YoutubeDLCookieJar

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import CookieReport

FIELDS: Final = 7  # domain, subdomains, path, secure, expires, name, value
MAX_COOKIES: Final = 5000
USED: Final = ".used"  # the suffix of the file that marks the last success
_HEADER: Final = re.compile(r"#\s*(?:Netscape )?HTTP Cookie File", re.IGNORECASE)
_HTTP_ONLY: Final = "#HttpOnly_"
_DOMAIN: Final = re.compile(r"\.?[\w-]+(?:\.[\w-]+)*")
_EXPIRES: Final = re.compile(r"(?:\d{1,15}(?:\.\d+)?)?")


class Cookies:
    """One file for each session, in Netscape format.

    The modification time of an empty file beside it is the time of its last success. ``default`` is
    the administrator's file for sessions without one; it is only read.
    """

    def __init__(self, folder: Path, default: Path | None = None) -> None:
        self._folder = folder
        self._default = default

    def save(self, session_id: str, content: str) -> None:
        """Check and store a cookies.txt; raise `CommandError` with the number of a wrong line."""
        parse(content)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._path(session_id)
        half = path.with_suffix(".half")
        half.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(half, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
            path.with_suffix(USED).unlink(missing_ok=True)
        finally:
            half.unlink(missing_ok=True)

    def remove(self, session_id: str) -> None:
        """Remove a session's cookies, if it has any."""
        self._path(session_id).unlink(missing_ok=True)
        self._path(session_id).with_suffix(USED).unlink(missing_ok=True)

    def report(self, session_id: str) -> CookieReport:
        """Describe the session's own cookies, not the administrator's."""
        path = self._path(session_id)
        try:
            cookies = parse(path.read_text("utf-8"))
        except (FileNotFoundError, CommandError, UnicodeDecodeError):
            return CookieReport(stored=False)
        return CookieReport(
            stored=True,
            count=len(cookies),
            expired=sum(cookie.is_expired() for cookie in cookies),
            stored_at=_moment(path),
            last_success=_moment(path.with_suffix(USED)),
        )

    def load(self, session_id: str) -> list[Cookie]:
        """Return the cookies for a session's downloads; none if its file is invalid."""
        for path in (self._path(session_id), self._default):
            try:
                if path is not None:
                    return parse(path.read_text("utf-8"))
            except (OSError, UnicodeDecodeError):
                continue
            except CommandError:
                return []
        return []

    def succeeded(self, session_id: str) -> None:
        """Record a successful download for which cookies were sent."""
        path = self._path(session_id)
        with contextlib.suppress(OSError):  # not a reason to fail the download
            if path.exists():
                path.with_suffix(USED).touch(mode=0o600)

    def _path(self, session_id: str) -> Path:
        # A digest: session ids must not control file names.
        name = hashlib.blake2b(session_id.encode(), digest_size=16).hexdigest()
        return self._folder / f"{name}.txt"


def parse(content: str) -> list[Cookie]:
    """Parse a text in Netscape format; the `CommandError` for a bad one quotes no cookie."""
    lines = content.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith(("[", "{")):
        raise _bad("This is JSON. Export the cookies as cookies.txt, in Netscape's format.")
    if not _HEADER.match(first):
        raise _bad(
            "The first line must be `# Netscape HTTP Cookie File`, as in a browser's export."
        )
    count = 0
    for number, line in enumerate(lines, start=1):
        entry = line.removeprefix(_HTTP_ONLY)
        if not entry.strip() or entry.startswith("#"):
            continue
        problem = _problem(entry)
        if problem:
            raise _bad(f"Line {number} is not a cookie: {problem}.")
        count += 1
    if not count:
        raise _bad("It contains no cookies.")
    if count > MAX_COOKIES:
        raise _bad(f"It has {count} cookies; the maximum is {MAX_COOKIES}.")
    jar = YoutubeDLCookieJar()
    try:
        jar.load(io.StringIO("\n".join([*lines, ""])), ignore_discard=True, ignore_expires=True)
    except LoadError:  # its text quotes the line, which is secret
        raise _bad("It is not in Netscape's format.") from None
    return list(jar)


def _moment(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except FileNotFoundError:
        return None


def _problem(entry: str) -> str | None:  # noqa: PLR0911 - one check after the other
    fields = entry.split("\t")
    if len(fields) != FIELDS:
        return f"it has {len(fields)} fields, not {FIELDS} with tabs in between"
    domain, subdomains, path, secure, expires, _, _ = fields
    if not all(field.isprintable() for field in fields):
        return "it holds control characters"
    if not _DOMAIN.fullmatch(domain):
        return "its domain is not valid"
    if {subdomains.upper(), secure.upper()} - {"TRUE", "FALSE"}:
        return "its second and fourth fields must be TRUE or FALSE"
    if not path.startswith("/"):
        return "its path must begin with `/`"
    if not _EXPIRES.fullmatch(expires):
        return "its fifth field must be a time in seconds"
    return None


def _bad(message: str) -> CommandError:
    return CommandError(ErrorCode.INVALID_PAYLOAD, message, field="content")
