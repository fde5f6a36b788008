"""yt-dlp's session with our limits: where it writes, what it asks and by which protocols."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import yt_dlp
from yt_dlp.networking import Request
from yt_dlp.networking._requests import RequestsRH as _RequestsRH
from yt_dlp.networking._requests import RequestsSession
from yt_dlp.networking._urllib import UrllibRH as _UrllibRH
from yt_dlp.networking.exceptions import RequestError, TransportError
from yt_dlp.utils import DownloadCancelled, PostProcessingError, determine_protocol

from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_link
from mediarip_mqtt.engine.made_files import CHAPTER_LIMIT, known_languages
from mediarip_mqtt.engine.progress_meter import SUBTITLES
from mediarip_mqtt.engine.work_control import BlockedAddressError, current

PAGE_LIMIT = 64 * 2**20  # bytes of a page, playlist or answer that is read as a whole
_CHUNK: Final = 2**20

# What rides on http and https. All else of yt-dlp's would start other programs (rtmpdump), speak to
# servers in ways that nothing here guards, or, as websocket_frag, interrupt the process.
PROTOCOLS: Final = frozenset(
    (
        "bunnycdn",
        "f4m",
        "fc2_live",
        "http",
        "http_dash_segments",
        "http_dash_segments_generator",
        "https",
        "ism",
        "m3u8",
        "m3u8_native",
        "mhtml",
        "niconico_live",
        "soopvod",
        "youtube_live_chat",
        "youtube_live_chat_replay",
    )
)
SUBTITLE_LIMIT: Final = 50  # languages of one medium
METADATA: Final = "Metadata"
SPLIT_CHAPTERS: Final = "SplitChapters"
TEXT_LIMIT: Final = 8000  # characters of a page's text that go into a file
# What yt-dlp may raise where a page's data or files are not as they should be (XML: SyntaxError).
_BROKEN: Final = (ValueError, SyntaxError, LookupError, TypeError, AttributeError)
# Post-processors without which the medium is whole, by yt-dlp's `pp_key`.
OPTIONAL: Final = {
    "SponsorBlock": "SponsorBlock could not be asked; nothing was marked or removed.",
    "EmbedThumbnail": "The thumbnail could not be embedded.",
    "EmbedSubtitle": "The subtitles could not be embedded.",
    "SubtitlesConvertor": "The subtitles could not be converted.",
}
_HANDLERS: Final = frozenset(("Requests", "Websockets"))
_OUTSIDE_GUARD: Final = "CurlCFFI"  # has no sockets of Python

logger = logging.getLogger(__name__)


class _Following(RequestsSession):  # type: ignore[misc] # yt-dlp has no types
    """Looks at the host of each redirect: behind a proxy no address is seen when connecting."""

    security: SecuritySettings

    def send(self, request: Any, **named: Any) -> Any:
        _check(str(request.url), self.security)
        return super().send(request, **named)


class RequestsRH(_RequestsRH):  # type: ignore[misc] # yt-dlp has no types
    """yt-dlp's handler by requests, which follows redirects by itself."""

    security: SecuritySettings

    def _create_instance(self, *arguments: Any, **named: Any) -> Any:
        session = super()._create_instance(*arguments, **named)
        session.__class__ = _Following
        session.security = self.security
        return session


class UrllibRH(_UrllibRH):  # type: ignore[misc] # yt-dlp has no types
    """yt-dlp's handler by urllib, only for data: it would follow a redirect to ftp."""

    _SUPPORTED_URL_SCHEMES = ("data",)


class Session(yt_dlp.YoutubeDL):  # type: ignore[misc] # yt-dlp has no types
    """Writes into the job's temporary folder and asks web servers, whatever a page's data say."""

    def __init__(
        self,
        params: dict[str, Any],
        security: SecuritySettings,
        *,
        auto_init: bool = True,
    ) -> None:
        self._security = security
        self.made: dict[str, Any] = {}  # the details of the last file that was made
        self.warnings: list[str] = []  # what could not be had, where the medium itself is fine
        super().__init__(params, auto_init=auto_init)

    def prepare_filename(self, *arguments: Any, **named: Any) -> Any:
        """Return where a file goes; refuse what is not in the folder."""
        path = super().prepare_filename(*arguments, **named)
        home = Path(self.params["paths"]["home"]).resolve()
        if path and path != "-" and not Path(path).resolve().is_relative_to(home):
            raise DownloadError(ErrorCode.UNSAFE_PATH, "The page's data lead out of the folder.")
        return path

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """Leave out the handlers that the guard does not reach, and all protocols but the web's."""
        allowed = _HANDLERS | ({_OUTSIDE_GUARD} if self._security.impersonate else set())
        chosen = {one.RH_KEY: one for one in handlers if one.RH_KEY in allowed}
        ours = {one.RH_KEY: one for one in (RequestsRH, UrllibRH)}
        director = super().build_request_director((chosen | ours).values(), preferences)
        director.handlers[RequestsRH.RH_KEY].security = self._security
        return director

    def urlopen(self, req: Any) -> Any:
        """Send a request to a host that is allowed by its name; a proxy would hide its address."""
        request = Request(req) if isinstance(req, str) else req
        url = str(request.full_url if hasattr(request, "full_url") else request.url)
        if _scheme(url) in {"http", "https", "ws", "wss"}:
            _check(url, self._security)
        return _bounded(super().urlopen(request))

    def process_video_result(self, info_dict: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        """Choose among the formats that can be had over the web."""
        formats = list(info_dict.get("formats") or [])
        if formats:
            info_dict["formats"] = [one for one in formats if _is_web(one)]
            if not info_dict["formats"]:
                raise _no_web(formats[-1])
        elif info_dict.get("url") and not _is_web(info_dict):
            raise _no_web(info_dict)
        return super().process_video_result(info_dict, *arguments, **named)

    def process_subtitles(self, video_id: str, normal: Any, automatic: Any) -> Any:
        """Choose among subtitles whose languages are fit to be part of a name."""
        return super().process_subtitles(
            video_id, known_languages(normal), known_languages(automatic)
        )

    def _write_subtitles(self, info_dict: dict[str, Any], filename: str) -> Any:
        """Write one language after the other: a medium is not lost for want of subtitles."""
        wanted = info_dict.get("requested_subtitles") or {}
        written: list[Any] = []
        for language, one in list(wanted.items())[:SUBTITLE_LIMIT]:
            alone = {**info_dict, "requested_subtitles": {language: one}}
            try:
                written += super()._write_subtitles(alone, filename) or []
            except (yt_dlp.utils.YoutubeDLError, DownloadError, OSError, *_BROKEN) as error:
                self._check_stop(error)
                self.warnings.append(f"The subtitles in {language} could not be had.")
                del wanted[language]
        return written

    def run_pp(self, pp: Any, infodict: dict[str, Any]) -> Any:
        """Run a post-processor; one that only adds something may fail."""
        kind = pp.pp_key()
        if kind == METADATA:
            _shorten(infodict)
        if kind == SPLIT_CHAPTERS and len(infodict.get("chapters") or ()) > CHAPTER_LIMIT:
            self.warnings.append(f"It has more than {CHAPTER_LIMIT} chapters and was not split.")
            return infodict
        try:
            return super().run_pp(pp, infodict)
        except (PostProcessingError, *_BROKEN) as error:
            if kind not in OPTIONAL:
                raise
            self._check_stop(error)
            self.warnings.append(OPTIONAL[kind])
            return infodict

    def post_process(self, *arguments: Any, **named: Any) -> Any:
        """Do all that comes after the download; keep what is known of the file then."""
        info = super().post_process(*arguments, **named)
        self.made = dict(info)  # a copy: yt-dlp strips its own
        return info

    def _check_stop(self, error: BaseException) -> None:
        control = current()
        logger.info("done without: %s", error)
        if control is not None:
            control.check()

    def dl(self, name: str, info: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        """Download by a protocol that is known to be harmless."""
        if named.get("subtitle"):
            info = {**info, "format_id": SUBTITLES}  # else its progress would be the medium's
        for one in (info, *(info.get("requested_formats") or ())):
            if not _is_web(one):
                raise _no_web(one)
        return super().dl(name, info, *arguments, **named)

    def process_ie_result(
        self,
        ie_result: dict[str, Any],
        download: bool = True,  # noqa: FBT001, FBT002 - yt-dlp's signature
        extra_info: Any = None,
    ) -> Any:
        """Return a result's details; an item of a list that has none is returned as it is.

        Such an item becomes a job of its own, which says what is wrong with it.
        """
        is_item = bool(extra_info) and (extra_info.get("n_entries") or 0) > 1
        try:
            return super().process_ie_result(ie_result, download=download, extra_info=extra_info)
        except DownloadCancelled:
            raise
        except Exception as error:
            if not is_item or download:
                raise
            logger.debug("an item can't be read: %s", error)
            return {**ie_result, "formats": None}


def _check(url: str, security: SecuritySettings) -> None:
    """Refuse a host that is blocked or written as an inside address."""
    try:
        check_link(url, security)
    except CommandError as error:
        if error.code is not ErrorCode.BLOCKED_ADDRESS:
            raise RequestError(cause=error) from None
        control = current()
        if control is not None:
            control.blocked = error.message
        # As a connection fails: an extractor may do without this request.
        raise TransportError(cause=BlockedAddressError(error.message)) from None


def _scheme(url: str) -> str:
    """Return a URL's scheme; that of http for what has none, as yt-dlp takes it."""
    return url.partition(":")[0].lower() if "://" in url or url.startswith("data:") else "http"


def _shorten(info: dict[str, Any]) -> None:
    """Cut a page's texts: each becomes an argument of ffmpeg, whose length is limited."""
    for key, value in info.items():
        if isinstance(value, str) and len(value) > TEXT_LIMIT and "url" not in key:
            info[key] = value[:TEXT_LIMIT]


def _is_web(info: dict[str, Any]) -> bool:
    if not info.get("url") and not info.get("protocol"):
        return True  # yt-dlp itself says what is wrong with it
    try:
        return PROTOCOLS.issuperset(determine_protocol(info).split("+"))
    except (ValueError, AttributeError, TypeError):
        return False


def _no_web(info: dict[str, Any]) -> DownloadError:
    try:
        protocol = str(determine_protocol(info))[:30]
    except (ValueError, AttributeError, TypeError):
        protocol = "a broken URL"
    return DownloadError(
        ErrorCode.UNSUPPORTED_URL,
        f"The page offers it by {protocol} only; what can be downloaded is http and https.",
    )


class _Bounded:
    """Goes before yt-dlp's class of responses: reads no whole that is endless.

    A stage below `read`, which closes the response once all has arrived, though not all of it may
    be decompressed by then.
    """

    def _real_read(self, amt: int | None = None) -> bytes:
        original: Callable[[int], bytes] = super()._real_read  # type: ignore[misc] # the response's
        if amt is not None:
            return original(amt)
        data = bytearray()
        while chunk := original(_CHUNK):
            data += chunk
            if len(data) > PAGE_LIMIT:
                raise DownloadError(
                    ErrorCode.UNAVAILABLE,
                    f"The site sent a page of more than {PAGE_LIMIT >> 20} MiB.",
                )
        return bytes(data)


@cache
def _bounded_class(kind: Any) -> Any:
    return type(kind.__name__, (_Bounded, kind), {})


def _bounded(response: Any) -> Any:
    # Another class, not another attribute: that would make a cycle, which closes no sockets.
    kind: Any = type(response)
    if hasattr(kind, "_real_read"):  # those of other handlers are data: URLs and WebSockets
        response.__class__ = _bounded_class(kind)
    return response
