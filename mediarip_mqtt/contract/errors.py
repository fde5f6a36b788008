"""Every error the service raises on purpose, each with the contract's stable ``code``."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Self


class ErrorScope(StrEnum):
    """Where an error code is reported."""

    COMMAND = "command"  # `error.code` of a refused command's reply
    JOB = "job"  # `error_code` of a job, and `error.code` of a refused `probe`
    BOTH = "both"


class ErrorCode(StrEnum):
    """The stable error codes of the contract, which automations may compare."""

    # A new code is one row here: its value, where it is reported, and two texts in Markdown for
    # docs/reference/errors.md: what it means, and what to do about it.
    _value_: str
    scope: ErrorScope
    meaning: str
    remedy: str

    def __new__(cls, value: str, scope: ErrorScope, meaning: str, remedy: str) -> Self:
        """Make a member from its row; it is equal to ``value``."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.scope = scope
        member.meaning = meaning
        member.remedy = remedy
        return member

    INVALID_JSON = (
        "invalid_json",
        ErrorScope.COMMAND,
        "The payload begins with `{` but is not valid JSON.",
        (
            "See the line and column in the message. In a shell, put single quotes around the "
            "JSON and double quotes inside."
        ),
    )
    INVALID_PAYLOAD = (
        "invalid_payload",
        ErrorScope.COMMAND,
        "A key is unknown or missing, or its value is not allowed.",
        (
            "`error.field` names the key; the command's section in the reference lists the "
            "allowed values."
        ),
    )
    UNKNOWN_COMMAND = (
        "unknown_command",
        ErrorScope.COMMAND,
        "This version has no command of this name.",
        "The message lists the commands; so does `info`, under `commands`.",
    )
    RETAINED_COMMAND = (
        "retained_command",
        ErrorScope.COMMAND,
        (
            "The command was published with the retain flag. The broker would deliver it again at "
            "every reconnect, so it is never carried out."
        ),
        (
            "Publish it without the flag (`mosquitto_pub` without `-r`), and clear the topic with "
            "an empty retained message."
        ),
    )
    PAYLOAD_TOO_LARGE = (
        "payload_too_large",
        ErrorScope.COMMAND,
        "The payload is larger than `mqtt.max_payload`, or the reply larger than the broker takes.",
        "Send a smaller payload, or raise that setting. For a reply: ask for less (`limit`).",
    )
    INVALID_URL = (
        "invalid_url",
        ErrorScope.BOTH,
        "The text is not an http or https URL, or a page led to something that is not one.",
        "Send the full address of the page, with `https://`, and one address at a time.",
    )
    BLOCKED_ADDRESS = (
        "blocked_address",
        ErrorScope.BOTH,
        (
            "The URL, a redirect or a DNS answer leads to an address inside your network, or to a "
            "host in `security.blocked_hosts`."
        ),
        "If you want that, add the host to `security.allowed_hosts` and restart the service.",
    )
    UNKNOWN_PRESET = (
        "unknown_preset",
        ErrorScope.COMMAND,
        "There is no preset of this name.",
        "`info` lists the presets under `presets`; define your own in `downloads.presets`.",
    )
    UNSAFE_PATH = (
        "unsafe_path",
        ErrorScope.BOTH,
        (
            "A folder, template or file name leads out of the storage root, or is longer than the "
            "volume takes."
        ),
        (
            "Give a folder below the root, without `..` and without a leading slash; or a shorter "
            "folder or `output_template`."
        ),
    )
    JOB_NOT_FOUND = (
        "job_not_found",
        ErrorScope.COMMAND,
        (
            "No job has this id, or no job matches `last` or `current`. Jobs of other isolated "
            "sessions are not found either."
        ),
        "`mediarip-mqtt command list` shows the jobs.",
    )
    AMBIGUOUS_ID = (
        "ambiguous_id",
        ErrorScope.COMMAND,
        "The ids of several jobs begin with this text.",
        "Give more characters of the id.",
    )
    SUBSCRIPTION_NOT_FOUND = (
        "subscription_not_found",
        ErrorScope.COMMAND,
        (
            "No subscription has this id or name. Those of other isolated sessions are not found "
            "either."
        ),
        "`mediarip-mqtt command subscriptions` shows them.",
    )
    NOT_A_LIST = (
        "not_a_list",
        ErrorScope.BOTH,
        "The URL leads to a single medium, not to a channel, playlist, feed or search.",
        "Give the page that lists the items, or `download` the one.",
    )
    TOO_MANY_SUBSCRIPTIONS = (
        "too_many_subscriptions",
        ErrorScope.COMMAND,
        "There are 1,000 subscriptions already, or 200 of an isolated session.",
        "`unsubscribe` from some.",
    )
    TITLE_NOT_FOUND = (
        "title_not_found",
        ErrorScope.COMMAND,
        (
            "No title of the library has this id, or a job that has. Titles of other isolated "
            "sessions are not found either."
        ),
        "`mediarip-mqtt command titles` shows the titles, `command review` those that wait.",
    )
    CONFLICT = (
        "conflict",
        ErrorScope.COMMAND,
        "Another title of the library has the same number, or its file the same name.",
        (
            "Give another `season` and `episode`, or `conflict`: `rename` keeps both, `skip` "
            "discards the new one."
        ),
    )
    INVALID_TRANSITION = (
        "invalid_transition",
        ErrorScope.COMMAND,
        (
            "The job's status does not allow it: a finished job can't be cancelled, a running job "
            "can't be deleted, only a title that waits can be discarded. Or an update of yt-dlp is "
            "already running."
        ),
        "The message names the job's status.",
    )
    QUEUE_FULL = (
        "queue_full",
        ErrorScope.COMMAND,
        (
            "The number of waiting jobs has reached `queue_limit` (or `session_queue_limit` of "
            "the session), or a hundred probes are waiting."
        ),
        "Wait, cancel some jobs, or raise the setting.",
    )
    FORBIDDEN = (
        "forbidden",
        ErrorScope.COMMAND,
        (
            "An isolated session sent a command that concerns all sessions: the whole queue, "
            "settings, an update."
        ),
        "Send it to the service's own topic `command`, as a user who may publish there.",
    )
    STORAGE_UNAVAILABLE = (
        "storage_unavailable",
        ErrorScope.BOTH,
        "The volume is not mounted, is read-only, hangs or fails. The command had no effect.",
        (
            "Check the mount, and `storage` in `state`. The service continues by itself once the "
            "volume is back; then send the command again."
        ),
    )
    UNSUPPORTED_URL = (
        "unsupported_url",
        ErrorScope.JOB,
        (
            "yt-dlp finds no media at this URL, or a stream that can't be put into one file: its "
            "encoding changes on the way."
        ),
        (
            "Open the page in a browser. If it does show media, a newer yt-dlp may support the "
            "site (`update_ytdlp`)."
        ),
    )
    UNAVAILABLE = (
        "unavailable",
        ErrorScope.JOB,
        (
            "The site failed, sent a page instead of the media, no longer offers it, or does not "
            "offer it in the requested format (audio of a film without sound)."
        ),
        "Try again later (`retry`), or without a format: `probe` shows what the page offers.",
    )
    PRIVATE = (
        "private",
        ErrorScope.JOB,
        "Only certain accounts may see it.",
        "Send the cookies of such an account.",
    )
    LOGIN_REQUIRED = (
        "login_required",
        ErrorScope.JOB,
        "The site requires a login (401, or its message says so).",
        (
            "Send the site's cookies with the command `cookies`, then `retry`. If the server asks "
            "for a user name and password (as for `https://user:password@host/file`), send the URL "
            "again with them."
        ),
    )
    AGE_RESTRICTED = (
        "age_restricted",
        ErrorScope.JOB,
        "The site requires a login that proves your age.",
        "Send the cookies of such an account, then `retry`.",
    )
    GEO_RESTRICTED = (
        "geo_restricted",
        ErrorScope.JOB,
        "The site does not offer it in this country (451).",
        (
            "Where you are allowed to, use a proxy in another country: `downloads.proxy`, or "
            "`proxy` of the site in `downloads.sites`."
        ),
    )
    DRM_PROTECTED = (
        "drm_protected",
        ErrorScope.JOB,
        "The media is encrypted with DRM.",
        "The service can't and does not download it.",
    )
    NOT_YET_LIVE = (
        "not_yet_live",
        ErrorScope.JOB,
        "The stream has not begun, or is over.",
        "`retry` when it is live, or send it with `not_before`.",
    )
    RATE_LIMITED = (
        "rate_limited",
        ErrorScope.BOTH,
        (
            "The site demands fewer requests (429). For a command: an isolated session sent more "
            "than `session_rate` commands in a minute."
        ),
        (
            "The job waits as long as the site says and is tried again. Lower `max_concurrent` if "
            "it happens often."
        ),
    )
    FORBIDDEN_BY_SITE = (
        "forbidden_by_site",
        ErrorScope.JOB,
        "The site refuses the request (403): it may require a login, or block this network.",
        "Try cookies; then a newer yt-dlp.",
    )
    NOT_FOUND = (
        "not_found",
        ErrorScope.JOB,
        "There is nothing at this URL (404), or no longer (410). It is not tried again.",
        "Check the URL.",
    )
    NETWORK = (
        "network",
        ErrorScope.JOB,
        (
            "The connection was refused or reset, TLS failed, the host name could not be resolved, "
            "or only a part of the file arrived that can't be played."
        ),
        "Open the URL from the service's machine: `curl -I URL`. In a container, check its DNS.",
    )
    TIMEOUT = (
        "timeout",
        ErrorScope.JOB,
        "The site does not answer, or sent nothing for `downloads.stall_timeout` seconds.",
        "The job was tried `max_attempts` times; `retry` later.",
    )
    DISK_FULL = (
        "disk_full",
        ErrorScope.JOB,
        "The volume has no space left, or the user's quota is used up.",
        (
            "Free some space (`purge` with `files: true` removes the files of finished jobs), "
            "then `retry`. `storage.min_free` pauses the queue before the volume is full."
        ),
    )
    POSTPROCESSING = (
        "postprocessing",
        ErrorScope.JOB,
        "ffmpeg is missing, or could not merge or convert the file, which is broken.",
        "`info` shows the version of ffmpeg. Try `preset: best`, which converts nothing.",
    )
    JS_RUNTIME_MISSING = (
        "js_runtime_missing",
        ErrorScope.JOB,
        "The site (mostly YouTube) needs a JavaScript runtime.",
        "Install Deno, Node 22 or newer, Bun or QuickJS, or `pip install 'mediarip-mqtt[js]'`.",
    )
    CANCELLED = (
        "cancelled",
        ErrorScope.JOB,
        "Someone cancelled the job.",
        "`retry` queues it again.",
    )
    INTERNAL = (
        "internal",
        ErrorScope.BOTH,
        "An unexpected error in the service.",
        "The log has the details; please include them in a bug report.",
    )


class MediaripError(Exception):
    """The base of all errors: a ``code`` for programs and a ``message`` for people.

    The message is published: it says what to do, and never holds a secret, a traceback or a path
    outside the storage root.
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class CommandError(MediaripError):
    """A refused command; becomes the ``error`` of its reply."""

    def __init__(self, code: ErrorCode, message: str, *, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.code = code


class DownloadError(MediaripError):
    """A failed attempt at a job; becomes its ``error_code`` and ``error_message``.

    ``transient``: another attempt may succeed. ``begins``: a stream or premiere that has not
    begun yet. ``retry_after``: seconds to wait, if the site says so.
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


class Stopped(MediaripError):  # noqa: N818 - a request, not an error
    """The work was stopped on request: cancel, pause or shutdown."""

    code = ErrorCode.CANCELLED

    def __init__(self) -> None:
        super().__init__("The job was stopped.")


class ConfigError(MediaripError):
    """The configuration is invalid; the process ends with exit code 2."""


class StoreProblem(StrEnum):
    """Why the store can't be used."""

    FULL = "full"  # the volume has no space left
    LOST = "lost"  # the volume is gone, hangs or is not writable
    DAMAGED = "damaged"  # the database file is corrupt
    BUSY = "busy"  # another process holds its lock
    REFUSED = "refused"  # closed, written by a newer version, or SQLite rejects the statement


class StoreError(MediaripError):
    """The store can't be opened, read or written; the only exception that `store` raises."""

    code = ErrorCode.STORAGE_UNAVAILABLE

    def __init__(self, message: str, *, kind: StoreProblem = StoreProblem.REFUSED) -> None:
        super().__init__(message)
        self.kind = kind


class StoreInUseError(StoreError):
    """Another running service owns the store."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=StoreProblem.BUSY)


class BrokerError(MediaripError):
    """The embedded broker can't run, or a broker refuses or drops the connection."""


class LinkError(BrokerError):
    """The broker can't be reached, or the connection was lost."""


class SubscriptionError(LinkError):
    """The broker denies this user a subscription; ``granted``: not all that were asked for."""

    def __init__(self, message: str, *, granted: bool = False) -> None:
        super().__init__(message)
        self.granted = granted


class RefusedError(BrokerError):
    """The broker does not take a message; the connection goes on.

    ``room``: a packet of at most so many bytes may be taken instead; 0 if the size is not the
    reason. ``retry_in``: seconds until it may be sent again. ``transient``: the broker may take it
    then.
    """

    def __init__(
        self,
        message: str,
        *,
        room: int = 0,
        retry_in: float = math.inf,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.room = room
        self.retry_in = retry_in
        self.transient = transient
