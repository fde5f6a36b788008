"""What each error code means to a person, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mediarip_mqtt.contract.errors import ErrorCode


class Of(StrEnum):
    """What an error code is told of."""

    COMMAND = "command"  # `error.code` of its reply
    JOB = "job"  # its `error_code`; a probe's reply has these, too
    BOTH = "both"


@dataclass(frozen=True)
class Guide:
    """An entry; both texts are Markdown."""

    of: Of
    meaning: str
    remedy: str


def _command(meaning: str, remedy: str) -> Guide:
    return Guide(Of.COMMAND, meaning, remedy)


def _job(meaning: str, remedy: str) -> Guide:
    return Guide(Of.JOB, meaning, remedy)


def _both(meaning: str, remedy: str) -> Guide:
    return Guide(Of.BOTH, meaning, remedy)


GUIDE: Final[dict[ErrorCode, Guide]] = {
    ErrorCode.INVALID_JSON: _command(
        "The payload begins with `{` and is not valid JSON.",
        "Look at the line and column in the message. In a shell, put single quotes around the JSON "
        "and double ones inside.",
    ),
    ErrorCode.INVALID_PAYLOAD: _command(
        "A key is not known, is missing, or its value is not one that it takes.",
        "`error.field` names the key; the command's section in the reference lists what it takes.",
    ),
    ErrorCode.UNKNOWN_COMMAND: _command(
        "There is no command of this name in this version.",
        "The message lists those there are; so does `info`, under `commands`.",
    ),
    ErrorCode.RETAINED_COMMAND: _command(
        "The command was published with the retain flag: the broker would repeat it at every "
        "reconnect, so it is never carried out.",
        "Publish it without the flag (`mosquitto_pub` without `-r`), and clear the topic with an "
        "empty retained message.",
    ),
    ErrorCode.PAYLOAD_TOO_LARGE: _command(
        "The payload is larger than `mqtt.max_payload`.",
        "Send less, or raise that setting.",
    ),
    ErrorCode.INVALID_URL: _both(
        "It is no http or https URL, or a page led to something that is none.",
        "Send the whole address of the page, with `https://`.",
    ),
    ErrorCode.BLOCKED_ADDRESS: _both(
        "The URL, a redirect or a DNS answer leads to an address inside your network, or to a host "
        "of `security.blocked_hosts`.",
        "If that is what you want, add the host to `security.allowed_hosts` and start the service "
        "again.",
    ),
    ErrorCode.UNKNOWN_PRESET: _command(
        "There is no preset of this name.",
        "`info` lists them under `presets`; own ones go into `downloads.presets`.",
    ),
    ErrorCode.UNSAFE_PATH: _both(
        "A folder, template or file name leads out of the storage root.",
        "Give a folder below the root, without `..` and without a leading slash.",
    ),
    ErrorCode.JOB_NOT_FOUND: _command(
        "No job has this id, or there is none that `last` or `current` could mean. Jobs of other "
        "isolated sessions are not found either.",
        "`mediarip-mqtt command list` shows the jobs.",
    ),
    ErrorCode.AMBIGUOUS_ID: _command(
        "More than one job's id begins like this.",
        "Give more characters of it.",
    ),
    ErrorCode.INVALID_TRANSITION: _command(
        "The job's status does not allow it: a finished job can't be cancelled, a running one not "
        "deleted. Or an update of yt-dlp is under way already.",
        "The message says which status it has.",
    ),
    ErrorCode.QUEUE_FULL: _command(
        "As many jobs wait as `queue_limit` (or a session's `session_queue_limit`) allows, or a "
        "hundred probes.",
        "Wait, cancel some, or raise the setting.",
    ),
    ErrorCode.FORBIDDEN: _command(
        "An isolated session asked for what concerns all of them: the whole queue, settings, an "
        "update.",
        "Send it to the service's own topic `command`, with the rights for that.",
    ),
    ErrorCode.STORAGE_UNAVAILABLE: _both(
        "The volume is not mounted, read-only, hangs or fails. Nothing was done.",
        "Look at the mount, and at `storage` in `state`. The service goes on by itself once the "
        "volume is back; then send the command again.",
    ),
    ErrorCode.UNSUPPORTED_URL: _job(
        "yt-dlp finds no medium at this URL.",
        "Open the page in a browser: is there one? Then a newer yt-dlp may know the site "
        "(`update_ytdlp`).",
    ),
    ErrorCode.UNAVAILABLE: _job(
        "The site failed, or does not offer it any more, or not in the wanted format.",
        "Try later (`retry`), or without a format: `probe` shows what the page offers.",
    ),
    ErrorCode.PRIVATE: _job(
        "Only some accounts may see it.",
        "Send the cookies of an account that may.",
    ),
    ErrorCode.LOGIN_REQUIRED: _job(
        "The site wants a login (401), or says so in its message.",
        "Send its cookies by the command `cookies`, then `retry`.",
    ),
    ErrorCode.AGE_RESTRICTED: _job(
        "The site wants a login that proves an age.",
        "Send the cookies of such an account, then `retry`.",
    ),
    ErrorCode.GEO_RESTRICTED: _job(
        "The site does not give it to this country (451).",
        "There is nothing to set here; a proxy elsewhere can be given to yt-dlp by "
        "`downloads.ytdlp_options`, if you may.",
    ),
    ErrorCode.DRM_PROTECTED: _job(
        "It is encrypted by DRM.",
        "The service can't and does not download it.",
    ),
    ErrorCode.NOT_YET_LIVE: _job(
        "The stream has not begun, or is over.",
        "`retry` it when it is live, or send it with `not_before`.",
    ),
    ErrorCode.RATE_LIMITED: _both(
        "The site wants fewer requests (429). Of a command: an isolated session has sent more than "
        "`session_rate` of them in a minute.",
        "The job waits as long as the site says and is tried again. Lower `max_concurrent` if it "
        "happens often.",
    ),
    ErrorCode.FORBIDDEN_BY_SITE: _job(
        "The site refuses it (403): it may want a login, or does not like this network.",
        "Try cookies; then a newer yt-dlp.",
    ),
    ErrorCode.NOT_FOUND: _job(
        "There is nothing at this URL (404), or not any more (410). It is not tried again.",
        "Check the URL.",
    ),
    ErrorCode.NETWORK: _job(
        "The connection was refused, reset or encrypted in an unacceptable way, or the host's name "
        "is not known.",
        "Open the URL from the service's machine: `curl -I URL`. In a container check its DNS.",
    ),
    ErrorCode.TIMEOUT: _job(
        "The site does not answer, or sent nothing for `downloads.stall_timeout`.",
        "It was tried as often as `max_attempts` says; `retry` later.",
    ),
    ErrorCode.DISK_FULL: _job(
        "The volume has no space left, or the user's quota is used up.",
        "Make space (`purge` with `files: true` removes finished ones), then `retry`. "
        "`storage.min_free` pauses the queue before it comes to that.",
    ),
    ErrorCode.POSTPROCESSING: _job(
        "ffmpeg is missing, or could not merge or convert the file, which may be broken.",
        "`info` tells which ffmpeg there is. Try `preset: best`, which converts nothing.",
    ),
    ErrorCode.JS_RUNTIME_MISSING: _job(
        "The site (YouTube, mostly) needs a JavaScript runtime.",
        "Install Deno, Node 22 or newer, Bun or QuickJS, or `pip install 'mediarip-mqtt[js]'`.",
    ),
    ErrorCode.CANCELLED: _job(
        "A person cancelled it.",
        "`retry` takes it up again.",
    ),
    ErrorCode.INTERNAL: _both(
        "The service failed at it in a way that nobody foresaw.",
        "Its log has the reason at that time; please report it with that.",
    ),
}
