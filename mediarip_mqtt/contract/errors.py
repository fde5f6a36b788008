"""Every error the service raises on purpose, each with the contract's stable ``code``."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """The stable identifiers of the contract; people's automations compare them."""

    # At the intake.
    INVALID_JSON = "invalid_json"
    INVALID_PAYLOAD = "invalid_payload"
    UNKNOWN_COMMAND = "unknown_command"
    RETAINED_COMMAND = "retained_command"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    INVALID_URL = "invalid_url"
    BLOCKED_ADDRESS = "blocked_address"
    UNKNOWN_PRESET = "unknown_preset"
    UNSAFE_PATH = "unsafe_path"
    JOB_NOT_FOUND = "job_not_found"
    AMBIGUOUS_ID = "ambiguous_id"
    INVALID_TRANSITION = "invalid_transition"
    QUEUE_FULL = "queue_full"
    FORBIDDEN = "forbidden"
    # Of the volume, at the intake and of a job.
    STORAGE_UNAVAILABLE = "storage_unavailable"
    # Of a job.
    UNSUPPORTED_URL = "unsupported_url"
    UNAVAILABLE = "unavailable"
    PRIVATE = "private"
    LOGIN_REQUIRED = "login_required"
    AGE_RESTRICTED = "age_restricted"
    GEO_RESTRICTED = "geo_restricted"
    DRM_PROTECTED = "drm_protected"
    NOT_YET_LIVE = "not_yet_live"
    RATE_LIMITED = "rate_limited"
    FORBIDDEN_BY_SITE = "forbidden_by_site"
    NOT_FOUND = "not_found"
    NETWORK = "network"
    TIMEOUT = "timeout"
    DISK_FULL = "disk_full"
    POSTPROCESSING = "postprocessing"
    JS_RUNTIME_MISSING = "js_runtime_missing"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class MediaripError(Exception):
    """The root of all: a ``code`` for programs, a ``message`` that tells a person what to do.

    The message is published; it never holds a secret, a traceback or a path outside the storage.
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class CommandError(MediaripError):
    """A command that is refused; becomes the ``error`` of its reply."""

    def __init__(self, code: ErrorCode, message: str, *, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.code = code


class DownloadError(MediaripError):
    """A job that could not be done; becomes its ``error_code`` and ``error_message``.

    ``transient`` says that another attempt may succeed, ``begins`` that it will once a stream or
    premiere has begun. ``retry_after`` is when, in seconds, as far as the site says it.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        transient: bool = False,
        begins: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.begins = begins
        self.transient = transient
        self.retry_after = retry_after


class Stopped(MediaripError):  # noqa: N818 - not an error: somebody wanted it
    """The work was stopped by its control: cancel, pause or shutdown; never the site's fault."""

    code = ErrorCode.CANCELLED

    def __init__(self) -> None:
        super().__init__("The job was stopped.")


class ConfigError(MediaripError):
    """A configuration that can't be used; ends the process with exit code 2."""


class StoreProblem(StrEnum):
    """What is wrong with a store that can't be used."""

    FULL = "full"  # the volume has no space left
    LOST = "lost"  # the volume is gone, hangs or can't be written
    DAMAGED = "damaged"  # the file is no sound database
    BUSY = "busy"  # another process holds its lock
    REFUSED = "refused"  # closed, of a newer version, or SQLite refuses the statement


class StoreError(MediaripError):
    """The store can't be opened, read or written; the only exception of the room `store`."""

    code = ErrorCode.STORAGE_UNAVAILABLE

    def __init__(self, message: str, *, kind: StoreProblem = StoreProblem.REFUSED) -> None:
        super().__init__(message)
        self.kind = kind


class StoreInUseError(StoreError):
    """Another service owns the store."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=StoreProblem.BUSY)


class BrokerError(MediaripError):
    """The embedded broker or a client of a broker can't do its work."""


class LinkError(BrokerError):
    """The broker can't be reached, or the connection was lost."""


class SubscriptionError(LinkError):
    """The broker does not let this user subscribe to a topic."""
