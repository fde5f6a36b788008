"""Converts yt-dlp's errors to the contract's codes, with messages that say what to do."""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    NoSupportingHandlers,
    ProxyError,
    RequestError,
    SSLError,
    TransportError,
)
from yt_dlp.utils import (
    ExtractorError,
    GeoRestrictedError,
    PostProcessingError,
    UnsupportedError,
    UserNotLive,
)

from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode
from mediarip_mqtt.engine.child_programs import ProgramRefusedError
from mediarip_mqtt.engine.work_control import BlockedAddressError
from mediarip_mqtt.volume.storage_errors import volume_error

MAX_MESSAGE: Final = 400
MAX_READ: Final = 4000  # characters of a site's message; the rest is ignored

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BEGINS: Final = re.compile(r"(?:begin|premieres?|starts?|live) in (\d{1,4}) (minute|hour|day)")
_SECONDS: Final = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
UPCOMING_LEAST: Final = 60.0  # seconds between two checks of a stream that is late
UPCOMING_POLL: Final = 600.0  # seconds between two checks if the site gives no time
_URL: Final = re.compile(r"(https?://)(?:[^/?#\s]*@)?([^\s?#'\"<>]*)(?:[?#][^\s'\"<>]*)?")
_TAIL: Final = re.compile(
    r";?\s*(?:please report this issue on|Confirm you are on the latest).*", re.DOTALL
)

_NOT_LIVE: Final = "It is not live. Retry when it is."
_LOGIN: Final = "The site wants a login. Send its cookies with the command `cookies`, then retry."
# Patterns of extractors' messages; the first match counts.
_TEXTS: Final[tuple[tuple[str, ErrorCode, str], ...]] = (
    (
        r"\bdrm\b|widevine|playready|fairplay",
        ErrorCode.DRM_PROTECTED,
        "It is protected by DRM and can't be downloaded.",
    ),
    (
        r"javascript runtime|js runtime|no supported javascript",
        ErrorCode.JS_RUNTIME_MISSING,
        "The site needs a JavaScript runtime. Install deno (`pip install 'mediarip-mqtt[js]'`).",
    ),
    (
        r"confirm your age|age.?restrict|inappropriate for some|adult",
        ErrorCode.AGE_RESTRICTED,
        "It is for adults only; the site wants a login that proves the age.",
    ),
    (
        r"private video|video is private|is private|this is a private",
        ErrorCode.PRIVATE,
        "It is private; only an account that may see it can download it.",
    ),
    (
        r"log ?in|sign ?in|registered users|account|cookies|subscri|premium|members.only|password",
        ErrorCode.LOGIN_REQUIRED,
        _LOGIN,
    ),
    (
        r"geo.?restrict|not available (?:in|from) your (?:country|location|region)",
        ErrorCode.GEO_RESTRICTED,
        "It is not available in this country.",
    ),
    (
        r"not started|will begin|premieres? in|live event will|upcoming",
        ErrorCode.NOT_YET_LIVE,
        "It has not begun yet.",
    ),
    (r"not currently live|offline", ErrorCode.NOT_YET_LIVE, _NOT_LIVE),
    (
        r"too many requests|rate.?limit|(?:error|code|status)\D{0,10}429\b",
        ErrorCode.RATE_LIMITED,
        "The site wants fewer requests.",
    ),
    (
        r"ffmpeg.*not (?:installed|found)|ffprobe.*not found|ffmpeg not found",
        ErrorCode.POSTPROCESSING,
        "ffmpeg is missing. Install it, or `pip install 'mediarip-mqtt[ffmpeg]'`.",
    ),
    (
        r"requested format is not available|no video formats|unavailable|removed|deleted|no longer",
        ErrorCode.UNAVAILABLE,
        "The page does not offer it (any more), or not in this format.",
    ),
)
_PROXY_LOGIN: Final = "The proxy wants a name and a password; see downloads.proxy."
_STATUS: Final[dict[int, tuple[ErrorCode, str, bool]]] = {
    401: (ErrorCode.LOGIN_REQUIRED, _LOGIN, False),
    402: (ErrorCode.LOGIN_REQUIRED, f"{_LOGIN} It wants a paid account.", False),
    403: (
        ErrorCode.FORBIDDEN_BY_SITE,
        "The site refused it (403). It may want a login, or block this network.",
        False,
    ),
    404: (ErrorCode.NOT_FOUND, "There is nothing at this URL (404). Check it.", False),
    407: (ErrorCode.NETWORK, _PROXY_LOGIN, False),
    410: (ErrorCode.NOT_FOUND, "It was removed from the site (410).", False),
    408: (ErrorCode.TIMEOUT, "The site gave up waiting (408).", True),
    416: (
        ErrorCode.UNAVAILABLE,
        "The site does not have the part of a file that its stream is made of (416).",
        False,
    ),
    425: (ErrorCode.UNAVAILABLE, "The site wants to be asked later (425).", True),
    429: (ErrorCode.RATE_LIMITED, "The site wants fewer requests (429).", True),
    451: (ErrorCode.GEO_RESTRICTED, "It is not available here for legal reasons (451).", False),
}
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_NEVER: Final = frozenset({501, 505})  # answers of a server that never does what was asked for
_HTTP_ERROR: Final = re.compile(r"http error (\d{3})\b")
# What OpenSSL says where two sides don't fit together. Other errors are of broken connections.
_TLS_MISFIT: Final = re.compile(
    r"certificate|handshake.failure|protocol.version|unsupported.protocol|wrong.version|no.cipher"
    r"|no.shared|dh.key.too.small|legacy.renegotiation|unrecognized.name|inappropriate.fallback",
    re.IGNORECASE,
)
# Ends of downloads that may be another one the next time; all others are not.
_INTERRUPTED: Final = re.compile(
    r"got error|downloaded file is empty|did not get any data|fragment \d+ not found"
    r"|failed to update fragments|timed out|more expected"
)


def classify(error: BaseException) -> DownloadError:
    """Return the contract's error for an exception that yt-dlp raised."""
    if isinstance(error, DownloadError):
        return error
    causes = list(chain(error))
    for cause in causes:
        if (known := _by_type(cause)) is not None:
            return known
    return _by_text(clean(str(error)), causes)


def clean(text: str) -> str:
    """Strip colour codes, advice to report a bug, and the secrets that URLs may hold."""
    text = text[:MAX_READ]  # a site may send megabytes: the patterns would take hours
    text = _TAIL.sub("", _ANSI.sub("", text)).replace("ERROR: ", "")
    text = re.sub(r"^\[[\w:+-]+\]\s*(?:[\w.-]+:\s*)?", "", text.strip())
    text = _URL.sub(r"\1\2", text)
    return "".join(char for char in text if char.isprintable())[:MAX_MESSAGE].strip()


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all its causes; yt-dlp keeps them in several attributes."""
    todo: list[Any] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        exc_info = getattr(cause, "exc_info", None)
        todo += [exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) > 1 else None]
        todo += [getattr(cause, "cause", None), getattr(cause, "reason", None)]
        todo += [cause.__cause__, cause.__context__]


def _by_type(error: BaseException) -> DownloadError | None:  # noqa: C901, PLR0911 - one case for each type
    if isinstance(error, BlockedAddressError):
        return DownloadError(ErrorCode.BLOCKED_ADDRESS, error.message)
    if isinstance(error, CommandError):
        return DownloadError(error.code, error.message)
    if isinstance(error, ProgramRefusedError):
        return DownloadError(ErrorCode.UNSUPPORTED_URL, error.message)
    if isinstance(error, UnsupportedError):
        return DownloadError(
            ErrorCode.UNSUPPORTED_URL,
            "yt-dlp found no media at this URL. Check the page in a browser.",
        )
    if isinstance(error, GeoRestrictedError):
        return DownloadError(ErrorCode.GEO_RESTRICTED, "It is not available in this country.")
    if isinstance(error, UserNotLive):
        return DownloadError(ErrorCode.NOT_YET_LIVE, _NOT_LIVE)
    if isinstance(error, HTTPError):
        return _by_status(error)
    if isinstance(error, OSError) and not isinstance(error, RequestError):
        return _by_errno(error)
    if isinstance(error, TransportError):
        return _by_transport(error)
    if isinstance(error, NoSupportingHandlers):
        return DownloadError(
            ErrorCode.INVALID_URL, "The page leads to a URL that is not http or https."
        )
    return None


def _by_tls(error: SSLError) -> DownloadError:
    """Only a certificate and a version are the same the next time, not a broken connection."""
    text = clean(str(error))
    if isinstance(error, CertificateVerifyError) or _TLS_MISFIT.search(text):
        return DownloadError(
            ErrorCode.NETWORK, f"The site's certificate or encryption is not accepted ({text})."
        )
    return DownloadError(
        ErrorCode.NETWORK, f"The encrypted connection broke off ({text}).", transient=True
    )


def _by_status(error: HTTPError) -> DownloadError:
    return _of_status(error.status, _retry_after(error))


def _of_status(status: int, retry_after: float | None = None) -> DownloadError:
    if status in _STATUS:
        code, text, transient = _STATUS[status]
    else:
        code = ErrorCode.UNAVAILABLE
        text = f"The site answered with an error ({status})."
        transient = status >= 500 and status not in _NEVER  # noqa: PLR2004 - the server's fault
    return DownloadError(code, text, transient=transient, retry_after=retry_after)


def _retry_after(error: HTTPError) -> float | None:
    """Return the seconds that a site wants to wait; it may give a date (RFC 9110, 10.2.3)."""
    headers = error.response.headers
    value = str(headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d*)?", value, re.ASCII):
        return float(value)
    until = _date(value)
    if until is None:
        return None
    # By the site's own clock: a NAS may have another time.
    now = _date(str(headers.get("Date") or "")) or time.time()
    return max(until - now, 0.0)


def _date(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _by_errno(error: OSError) -> DownloadError | None:
    if isinstance(error, TimeoutError):
        return _timeout()
    if isinstance(error, ConnectionError | socket.gaierror) or error.errno in _UNREACHABLE:
        return _broken(error)
    return volume_error(error)


def _by_transport(error: TransportError) -> DownloadError:
    if isinstance(error, SSLError):
        return _by_tls(error)
    if isinstance(error, ProxyError):
        if re.search(r"\b407\b", str(error)):
            return DownloadError(ErrorCode.NETWORK, _PROXY_LOGIN)
        return DownloadError(ErrorCode.NETWORK, "The proxy can't be reached.", transient=True)
    text = str(error).lower()
    if "timed out" in text or "timeout" in text:
        return _timeout()
    return _broken(error)


def _broken(error: BaseException) -> DownloadError:
    return DownloadError(
        ErrorCode.NETWORK,
        f"The connection to the site failed ({clean(str(error))[:160]}).",
        transient=True,
    )


def _begins_in(text: str) -> float:
    """Return the seconds until a stream begins, read from an error message."""
    match = _BEGINS.search(text)
    return max(float(match[1]) * _SECONDS[match[2]], UPCOMING_LEAST) if match else UPCOMING_POLL


def _timeout() -> DownloadError:
    return DownloadError(ErrorCode.TIMEOUT, "The site did not answer in time.", transient=True)


def _by_text(text: str, causes: list[BaseException]) -> DownloadError:
    lower = text.lower()
    if match := _HTTP_ERROR.search(lower):
        return _of_status(int(match[1]))
    for pattern, code, advice in _TEXTS:
        if re.search(pattern, lower):
            upcoming = code is ErrorCode.NOT_YET_LIVE and advice is not _NOT_LIVE
            return DownloadError(
                code,
                f"{advice} ({text})"[:MAX_MESSAGE],
                transient=code is ErrorCode.RATE_LIMITED,
                begins=upcoming,
                retry_after=_begins_in(lower) if upcoming else None,
            )
    return _by_end(text, lower, causes)


def _by_end(text: str, lower: str, causes: list[BaseException]) -> DownloadError:
    """Return the error of a text that says only where yt-dlp gave up."""
    if any(isinstance(cause, PostProcessingError) for cause in causes):
        return DownloadError(
            ErrorCode.POSTPROCESSING,
            f"ffmpeg could not process the file; it may be broken. ({text})"[:MAX_MESSAGE],
        )
    if _INTERRUPTED.search(lower):
        return DownloadError(
            ErrorCode.NETWORK,
            f"The download was interrupted. ({text})"[:MAX_MESSAGE],
            transient=True,
        )
    if "initialization fragment found after" in lower:
        return DownloadError(
            ErrorCode.UNSUPPORTED_URL,
            "The stream changes its encoding on the way; that can't be put into one file.",
        )
    if re.search(r"unsupported url|no media|no video|is not a valid url|unusual", lower):
        return DownloadError(
            ErrorCode.UNSUPPORTED_URL, f"No media was found. ({text})"[:MAX_MESSAGE]
        )
    if any(isinstance(cause, ExtractorError) for cause in causes):
        return DownloadError(
            ErrorCode.UNAVAILABLE,
            f"The page could not be read; a newer yt-dlp may help. ({text})"[:MAX_MESSAGE],
        )
    return DownloadError(ErrorCode.INTERNAL, f"The download failed. ({text})"[:MAX_MESSAGE])
