"""The cookie files of sessions, checked and stored in the service's own folder with mode 0600.

Cookies are secrets: they appear in no reply, log, topic or error. All functions block.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from typing import Final

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import CookieReport

FIELDS: Final = 7  # domain, subdomains, path, secure, expires, name, value
MAX_COOKIES: Final = 5000
USED: Final = ".used"  # the suffix of the file that marks the last success
_HEADER: Final = re.compile(r"#\s*(?:Netscape )?HTTP Cookie File", re.IGNORECASE)
_HTTP_ONLY: Final = re.compile(r"#HttpOnly_", re.IGNORECASE)
_DOMAIN: Final = re.compile(r"\.?(?:[\w-]+(?:\.[\w-]+)*|\[?[0-9a-f:]{2,39}\]?)", re.IGNORECASE)
# The end of the session is written as nothing, 0, a negative number or a word.
_EXPIRES: Final = re.compile(r"|-\d{1,19}(?:\.\d*)?|session|(\d{1,19})(?:\.\d*)?", re.IGNORECASE)
_MILLISECONDS: Final = 10**11  # seconds: the year 5138
_TRUE: Final = frozenset(("TRUE", "1"))
_FLAGS: Final = _TRUE | {"FALSE", "0"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")


logger = logging.getLogger(__name__)


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
            cookies = read(path)
        except (FileNotFoundError, CommandError):
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
                    return read(path)
            except FileNotFoundError:
                continue
            except (OSError, CommandError):
                # Not an error of the download: most pages need no cookies.
                logger.warning("cookies: %s", problem_of(path))
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
    """Parse a cookies.txt, or an export as JSON; the `CommandError` for a bad one quotes no cookie.

    The cookies are made here, not by yt-dlp: its loader skips lines silently, or fails without a
    line's number.
    """
    content = content.removeprefix("\ufeff")
    is_json = content.lstrip().startswith(("[", "{"))
    jar = CookieJar()  # of several cookies of one name the last one counts
    count = 0
    for place, entry in _json_entries(content) if is_json else _entries(content):
        cookie = _cookie(entry)
        if isinstance(cookie, str):
            raise _bad(f"{place} is not a cookie: {cookie}.")
        count += 1
        if count > MAX_COOKIES:
            raise _bad(f"It has more than {MAX_COOKIES} cookies.")
        jar.set_cookie(cookie)
    if not count:
        raise _bad("It contains no cookies.")
    return list(jar)


def read(path: Path) -> list[Cookie]:
    """Return the cookies in a file; raise `CommandError` for a bad one, `OSError` if unreadable."""
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    try:
        content = data.decode(encoding)
    except UnicodeDecodeError:
        line = data.count(b"\n", 0, _first_bad_byte(data)) + 1
        raise _bad(f"Line {line} is not UTF-8 text.") from None
    return parse(content)


def problem_of(path: Path | None) -> str | None:
    """Describe what is wrong with the file that the configuration names; it quotes no cookie."""
    if path is None:
        return None
    try:
        read(path)
    except CommandError as error:
        return f"{path} can't be used as a cookies.txt: {error.message}"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}."
    return None


def _first_bad_byte(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


@dataclass(frozen=True)
class _Entry:
    """A cookie as it is written in a file."""

    domain: str
    path: str
    secure: str
    expires: str
    name: str
    value: str


def _entries(content: str) -> Iterator[tuple[str, _Entry]]:
    """Yield the lines of a text in Netscape format, each with its place."""
    header = False
    # Not `splitlines`: it also splits at characters that a value may hold.
    for number, line in enumerate(re.split(r"\r\n|\n|\r", content), start=1):
        header = header or bool(_HEADER.match(line.strip()))
        entry = _HTTP_ONLY.sub("", line.lstrip(" "), count=1)
        if not entry.strip() or entry.startswith("#"):
            continue
        if not header:
            raise _bad(
                "The first line must be `# Netscape HTTP Cookie File`, as in a browser's export."
            )
        fields = entry.split("\t")
        while len(fields) > FIELDS and not fields[-1].strip():
            fields.pop()
        if len(fields) == FIELDS - 1:  # an editor has removed the tab before an empty value
            fields.append("")
        if len(fields) != FIELDS:
            raise _bad(
                f"Line {number} is not a cookie: it has {len(fields)} fields, not {FIELDS} with "
                "tabs in between."
            )
        domain, subdomains, path, secure, expires, name, value = (
            part.strip(" ") for part in fields
        )
        if subdomains.upper() not in _FLAGS:
            raise _bad(f"Line {number} is not a cookie: its second field must be TRUE or FALSE.")
        # The dot before a domain decides, as in browsers: exporters contradict it by the flag.
        yield f"Line {number}", _Entry(domain, path, secure, expires, name, value)


def _json_entries(content: str) -> Iterator[tuple[str, _Entry]]:
    """Yield the cookies of a JSON export: EditThisCookie, Cookie-Editor, Playwright."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise _bad(
            "This begins like JSON, but is not valid JSON. Export the cookies as cookies.txt, in "
            "Netscape's format."
        ) from None
    cookies = data.get("cookies") if isinstance(data, dict) else data
    for number, cookie in enumerate(cookies if isinstance(cookies, list) else (), start=1):
        place = f"Item {number} of this JSON"
        if not isinstance(cookie, dict) or not {"domain", "name", "value"} <= cookie.keys():
            raise _bad(f"{place} is not a cookie: it needs `domain`, `name` and `value`.")
        domain = str(cookie["domain"])
        if cookie.get("hostOnly") is False and not domain.startswith("."):
            domain = f".{domain}"
        expires = cookie.get("expirationDate", cookie.get("expires"))
        yield (
            place,
            _Entry(
                domain=domain,
                path=str(cookie.get("path") or "/"),
                secure=str(bool(cookie.get("secure"))),
                expires="" if expires is None or cookie.get("session") is True else str(expires),
                name=str(cookie["name"]),
                value=str(cookie["value"]),
            ),
        )


def _cookie(entry: _Entry) -> Cookie | str:
    """Return the cookie of an entry, or what is wrong with it."""
    problem = _problem(entry)
    if problem:
        return problem
    name, value = _sendable(entry.name), _sendable(entry.value)
    expires = _expiry(entry.expires)
    dotted = entry.domain.startswith(".")
    return Cookie(
        version=0,
        # Netscape's format has cookies without a name; here they have no value instead.
        name=name or value,
        value=value if name else None,
        port=None,
        port_specified=False,
        domain=entry.domain.lower(),
        domain_specified=dotted,
        domain_initial_dot=dotted,
        path=entry.path,
        path_specified=False,
        secure=entry.secure.upper() in _TRUE,
        expires=expires,
        discard=expires is None,
        comment=None,
        comment_url=None,
        rest={},
    )


def _sendable(text: str) -> str:
    """Return a text so that it is sent as UTF-8, as browsers do: headers are sent as Latin-1."""
    return text.encode().decode("latin-1")


def _expiry(text: str) -> int | None:
    """Return when a cookie expires, in seconds; None for the end of the session."""
    match = _EXPIRES.fullmatch(text)
    seconds = int(match[1]) if match and match[1] else 0
    while seconds >= _MILLISECONDS:  # some exporters count in milli- or microseconds
        seconds //= 1000
    return seconds if seconds > 0 else None


def _moment(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except FileNotFoundError:
        return None


def _problem(entry: _Entry) -> str | None:  # noqa: PLR0911 - one check after the other
    texts = (entry.domain, entry.path, entry.expires, entry.name, entry.value)
    if any(map(_CONTROL.search, texts)):
        return "it holds control characters"
    if not _DOMAIN.fullmatch(entry.domain):
        return "its domain is not valid"
    if entry.secure.upper() not in _FLAGS:
        return "its fourth field must be TRUE or FALSE"
    if not entry.path.startswith("/"):
        return "its path must begin with `/`"
    if not _EXPIRES.fullmatch(entry.expires):
        return "its fifth field must be a time in seconds"
    if not entry.name and not entry.value:
        return "it has neither a name nor a value"
    return None


def _bad(message: str) -> CommandError:
    return CommandError(ErrorCode.INVALID_PAYLOAD, message, field="content")
