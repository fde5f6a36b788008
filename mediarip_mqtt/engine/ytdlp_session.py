"""A YoutubeDL with limits: on where it writes, what it requests, and by which protocols."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import yt_dlp
from yt_dlp.networking import Request
from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor
from yt_dlp.utils import DownloadCancelled, PostProcessingError, determine_protocol

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.engine import (
    containers,
    direct_files,
    made_check,
    partial_files,
    playlist_entries,
    request_handlers,
    response_limits,
    subtitle_choice,
    subtitle_steps,
)
from mediarip_mqtt.engine.kept_recording import is_cramped, playable, with_true_suffix
from mediarip_mqtt.engine.live_recording import LiveRecording, live_options
from mediarip_mqtt.engine.progress_meter import SUBTITLES
from mediarip_mqtt.engine.request_handlers import RequestsRH, UrllibRH
from mediarip_mqtt.engine.work_control import current
from mediarip_mqtt.volume.storage_errors import disk_full

ANSWER_LIMIT: Final = 20
FORMAT_ID_LIMIT: Final = 80  # bytes; some filesystems take names of 143

# Protocols on top of http and https. yt-dlp's others start programs (rtmpdump), open connections
# that nothing here guards, or, as websocket_frag does, send SIGINT to this process.
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
CHAPTER_LIMIT: Final = 200  # a page may claim any number; each costs a run of ffmpeg
METADATA: Final = "Metadata"
SPLIT_CHAPTERS: Final = "SplitChapters"
SPONSORBLOCK: Final = "SponsorBlock"
CONVERT_SUBTITLES: Final = "SubtitlesConvertor"
EMBED_SUBTITLES: Final = "EmbedSubtitle"
METADATA_LIMIT: Final = 8000  # characters of a page's text that are written into a file
# Subtitle languages that may become part of a file name.
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,38}[A-Za-z0-9])?")
_NO_SPACE: Final = re.compile(r"No space left on device|Disk quota exceeded")
# Raised by yt-dlp for malformed data or files of a page (SyntaxError: XML).
_BROKEN: Final = (ValueError, SyntaxError, LookupError, TypeError, AttributeError)
# Post-processors whose failure leaves the medium usable, by yt-dlp's `pp_key`, and the warning.
OPTIONAL: Final = {
    SPONSORBLOCK: "SponsorBlock could not be reached; nothing was marked or removed.",
    "EmbedThumbnail": "The thumbnail could not be embedded.",
}
_HANDLERS: Final = frozenset(("Requests", "Websockets"))
_OUTSIDE_GUARD: Final = "CurlCFFI"  # doesn't use Python's sockets

logger = logging.getLogger(__name__)


class YtdlpSession(yt_dlp.YoutubeDL):  # type: ignore[misc] # yt-dlp has no types
    """Writes only into the job's temporary folder and requests only over the web."""

    def __init__(
        self,
        params: dict[str, Any],
        security: SecuritySettings,
        *,
        reading: bool = True,
        auto_init: bool = True,
    ) -> None:
        self._security = security
        self.made: dict[str, Any] = {}  # the info dict of the last finished file
        self._whole_limit = response_limits.PAGE_LIMIT if reading else response_limits.LIST_LIMIT
        self._total_limit: int | None = None
        self.warnings: list[str] = []  # what is missing, or is not as it was wanted
        # The latest, by URL.
        self.answers: OrderedDict[str, direct_files.ServerAnswer] = OrderedDict()
        self.title: str | None = None  # of the page as it was read before; see `process_info`
        # Of the download: host, fields.
        self.page: tuple[str | None, Mapping[str, Any]] = (None, {})
        self.min_free = 0  # bytes
        self._recording: LiveRecording | None = None  # while something is downloaded
        self.ended_by: ErrorCode | None = None  # what ended a recording before its stream
        self._cramped = False  # there is no space for a second copy of a recording
        self.list_holds_first = False  # of the last HLS list without an end; see finished_lists
        self._only_forced: list[str] = []  # languages
        self._chosen_subtitles: list[str] = []  # languages
        super().__init__(params, auto_init=auto_init)

    def prepare_filename(self, *arguments: Any, **named: Any) -> Any:
        """Return a file's path; raise `DownloadError` if it is outside the home folder."""
        path = super().prepare_filename(*arguments, **named)
        home = Path(self.params["paths"]["home"]).resolve()
        if path and path != "-" and not Path(path).resolve().is_relative_to(home):
            raise DownloadError(
                ErrorCode.UNSAFE_PATH, "The page's data leads outside the temporary folder."
            )
        return path

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """Leave out handlers that the guard can't check, and protocols other than the web's."""
        allowed = _HANDLERS | ({_OUTSIDE_GUARD} if self._security.impersonate else set())
        chosen = {kind.RH_KEY: kind for kind in handlers if kind.RH_KEY in allowed}
        ours = {kind.RH_KEY: kind for kind in (RequestsRH, UrllibRH)}
        director = super().build_request_director((chosen | ours).values(), preferences)
        director.handlers[RequestsRH.RH_KEY].security = self._security
        return director

    def urlopen(self, req: Any) -> Any:
        """Send a request after a check of its host's name; a proxy would hide the address."""
        request = Request(req) if isinstance(req, str) else req
        url = str(request.full_url if hasattr(request, "full_url") else request.url)
        if _scheme(url) in {"http", "https", "ws", "wss"}:
            request_handlers.check(url, self._security)
        if getattr(request, "extensions", {}).get("impersonate"):  # for curl
            request_handlers.add_login(url, request.headers)
        response = partial_files.send(request, self._send)
        if self._recording is not None:
            self._recording.saw_response(response.headers)
        if hasattr(response, "answer"):
            self.answers[response.url] = response.answer = direct_files.ServerAnswer(
                response.headers
            )
            while len(self.answers) > ANSWER_LIMIT:
                self.answers.popitem(last=False)
        return response

    def _send(self, request: Any) -> Any:
        response = super().urlopen(request)
        return response_limits.limit(response, self._whole_limit, self._total_limit)

    def process_video_result(self, info_dict: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        """Offer only formats that can be downloaded over the web; name files without a page."""
        direct_files.describe(info_dict, self.answers)
        formats = list(info_dict.get("formats") or [])
        if formats:
            info_dict["formats"] = [item for item in formats if _is_web(item)]
            _shorten_ids(formats)
            if not info_dict["formats"]:
                raise _no_web(formats[-1])
        elif info_dict.get("url") and not _is_web(info_dict):
            raise _no_web(info_dict)
        return super().process_video_result(info_dict, *arguments, **named)

    def process_info(self, info_dict: dict[str, Any]) -> Any:
        """Download, with the title of the first time: yt-dlp adds the time to a live one again."""
        if self.title is not None:
            info_dict["title"] = self.title
        return super().process_info(info_dict)

    def process_subtitles(self, video_id: str, normal: Any, automatic: Any) -> Any:
        """Choose the subtitles; a language with forced ones only is saved as such."""
        normal, automatic = (
            subtitle_choice.arranged(_safe(tracks)) for tracks in (normal, automatic)
        )
        wanted = self.params.get("subtitleslangs") or ()
        offered = {**(automatic if self.params.get("writeautomaticsub") else {}), **normal}
        forced = [name for name in wanted if subtitle_choice.only_forced(name, offered)]
        self._only_forced = forced
        for name in forced:
            normal[name] = offered[name + subtitle_choice.FORCED]
        chosen = super().process_subtitles(video_id, normal, automatic) or {}
        for name in forced:
            chosen[name + subtitle_choice.FORCED] = chosen.pop(name)
        self._chosen_subtitles = [*chosen, *forced]
        return chosen or None

    def missing_subtitles(self, languages: Sequence[str]) -> list[str]:
        """Return a warning if the page lacks subtitles in languages that the sender named."""
        if not self._chosen_subtitles:
            return ["The page has no subtitles in these languages."]
        missing = subtitle_choice.missing(languages, self._chosen_subtitles)
        return [f"The page has no subtitles in {', '.join(missing)}."] if missing else []

    def _write_subtitles(self, info_dict: dict[str, Any], filename: str) -> Any:
        """Write each language by itself: missing subtitles must not fail the download."""
        wanted = info_dict.get("requested_subtitles") or {}
        written: list[Any] = []
        for name in self._only_forced:
            self.warnings.append(f"The page has only forced subtitles in {name}.")
        for language, subtitles in list(wanted.items())[:SUBTITLE_LIMIT]:
            single = {**info_dict, "requested_subtitles": {language: subtitles}}
            try:
                with self._limited_extra():
                    files = super()._write_subtitles(single, filename) or []
                written += [subtitle_steps.renamed(subtitles, *pair) for pair in files]
            except (yt_dlp.utils.YoutubeDLError, DownloadError, OSError, *_BROKEN) as error:
                self.check_stop(error)
                self.warnings.append(f"The subtitles in {language} could not be downloaded.")
                del wanted[language]
        return written

    def _write_thumbnails(self, label: str, info_dict: dict[str, Any], *arguments: Any) -> Any:
        """Write the thumbnail; one that can't be had must not fail the download."""
        offered = bool(info_dict.get("thumbnails"))
        written: list[Any] = []
        try:
            with self._limited_extra():
                written = super()._write_thumbnails(label, info_dict, *arguments) or []
        except (yt_dlp.utils.YoutubeDLError, DownloadError, OSError, *_BROKEN) as error:
            self.check_stop(error)
        if offered and not written and self.params.get("writethumbnail"):
            self.warnings.append("The thumbnail could not be downloaded.")
        return written

    @contextmanager
    def _limited_extra(self) -> Iterator[None]:
        """Limit the responses to requests for subtitles and thumbnails."""
        self._total_limit = response_limits.EXTRA_LIMIT
        try:
            yield
        finally:
            self._total_limit = None

    def run_pp(self, pp: Any, infodict: dict[str, Any]) -> Any:
        """Run a post-processor; where it fails, go on with what can be had, and a warning."""
        kind = pp.pp_key()
        if self._cramped and isinstance(pp, FFmpegPostProcessor):
            return infodict
        if kind == METADATA:
            _shorten(infodict)
        if kind == SPLIT_CHAPTERS and len(infodict.get("chapters") or ()) > CHAPTER_LIMIT:
            self.warnings.append(f"It has more than {CHAPTER_LIMIT} chapters and was not split.")
            return infodict
        if kind == SPONSORBLOCK and infodict.get("sponsorblock_chapters") is not None:
            return infodict  # asked when the page was read
        if kind == CONVERT_SUBTITLES:
            self.warnings += subtitle_steps.convert(pp, infodict, self._run_or_ignore)
            return infodict
        if kind == EMBED_SUBTITLES:
            self.warnings += subtitle_steps.embed(pp, infodict, self._run_or_ignore)
            return infodict
        return self._run_or_recover(pp, infodict)

    def _run_or_recover(self, pp: Any, infodict: dict[str, Any]) -> Any:
        kind = pp.pp_key()
        before = {key: infodict.get(key) for key in ("chapters", "duration")}
        try:
            return super().run_pp(pp, infodict)
        except (PostProcessingError, *_BROKEN) as error:
            self.check_stop(error)
            if kind == "ModifyChapters":
                infodict.update(before)  # it changes them before it cuts
            warning = OPTIONAL.get(kind)
            if warning is None:
                warning = containers.recover(pp, kind, infodict)
                self.check_stop(error)
            if warning is None:
                raise
            if warning and warning not in self.warnings:
                self.warnings.append(warning)
            return infodict

    def _run_or_ignore(self, pp: Any, infodict: dict[str, Any]) -> Any:
        try:
            return super().run_pp(pp, infodict)
        except (PostProcessingError, *_BROKEN) as error:
            self.check_stop(error)
            return infodict

    def post_process(
        self, filename: str, info: dict[str, Any], *arguments: Any, **named: Any
    ) -> Any:
        """Check the downloaded files, run the post-processors, and check the result.

        Keeps the resulting info dict in `made`.
        """
        path = Path(filename)
        if is_cramped(path):
            self._cramped = True
            path = with_true_suffix(path)
            filename, info["ext"] = str(path), path.suffix[1:]
            self.warnings.append("The recording was not converted: the volume has no space for it.")
        elif info.get("is_live") and info.get("requested_formats") and path.is_file():
            path = playable(self, path)  # yt-dlp leaves MPEG-TS in a file named .mp4
            filename, info["ext"] = str(path), path.suffix[1:]
        self.warnings += made_check.check_downloads(self, filename, info)
        info = super().post_process(filename, info, *arguments, **named)
        self.made = dict(info)  # a copy: yt-dlp removes keys from its own
        self.warnings += made_check.check_result(self, info)
        return info

    def check_stop(self, error: BaseException) -> None:
        """Raise if a stop or a full volume caused the error; else log it."""
        control = current()
        if control is not None:
            control.check()
            if control.ran_out_of_space():
                raise disk_full() from None
        logger.info("continuing without an optional part: %s", error)

    def dl(self, name: str, info: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        """Download; refuse protocols that are not in `PROTOCOLS`."""
        if named.get("subtitle"):
            info = {**info, "format_id": SUBTITLES}  # keeps its progress apart from the medium's
        for part in (info, *(info.get("requested_formats") or ())):
            if not _is_web(part):
                raise _no_web(part)
        control = current()
        if control is None or named.get("subtitle") or named.get("test"):
            return super().dl(name, info, *arguments, **named)
        info = live_options(info)
        parts = info.get("requested_formats") or ()
        names = [part["filepath"] for part in parts if part.get("filepath")] or [name]
        resumable = not info.get("is_live")
        if resumable:
            partial_files.reopen(Path(name), info)
        self._recording = LiveRecording(
            self, control, info, names, min_free=self.min_free, page=self.page
        )
        try:
            result = self._recording.run(partial(super().dl, name, info, *arguments, **named))
        finally:
            self.warnings += self._recording.warnings
            self.ended_by = self._recording.ended_by or self.ended_by
            self._recording = None
        if resumable:
            partial_files.note(Path(name), info)
        return result

    def write_debug(self, message: str, *arguments: Any, **named: Any) -> None:
        """Look for a full volume in what ffmpeg writes; yt-dlp's error has only its last line."""
        control = current()
        if control is not None and _NO_SPACE.search(message):
            control.no_space = True
        super().write_debug(message, *arguments, **named)

    def process_ie_result(
        self,
        ie_result: dict[str, Any],
        download: bool = True,  # noqa: FBT001, FBT002 - yt-dlp's signature
        extra_info: Any = None,
    ) -> Any:
        """Resolve a result; return a playlist's item unresolved if that fails.

        Such an item becomes a job of its own, which fails with the reason.
        """
        is_item = bool(extra_info) and (extra_info.get("n_entries") or 0) > 1
        try:
            result = super().process_ie_result(ie_result, download=download, extra_info=extra_info)
        except DownloadCancelled:
            raise
        except Exception as error:
            if not is_item or download:
                raise
            logger.debug("a playlist's item can't be read: %s", error)
            result = {**ie_result, "formats": None}
        return playlist_entries.place(result, extra_info)


def _scheme(url: str) -> str:
    """Return a URL's scheme; http if it has none, as in yt-dlp."""
    return url.partition(":")[0].lower() if "://" in url or url.startswith("data:") else "http"


def _shorten(info: dict[str, Any]) -> None:
    """Cut a page's long texts: each becomes an argument of ffmpeg, whose length is limited."""
    for key, value in info.items():
        if isinstance(value, str) and len(value) > METADATA_LIMIT and "url" not in key:
            info[key] = value[:METADATA_LIMIT]


def _shorten_ids(formats: list[dict[str, Any]]) -> None:
    """Cut long ids of formats: they are part of the names of unfinished files."""
    for number, item in enumerate(formats):
        format_id = str(item.get("format_id") or "")
        if len(format_id.encode("utf-8", "replace")) > FORMAT_ID_LIMIT:
            item["format_id"] = f"{format_id[:10]}-{number}"


def _is_web(info: dict[str, Any]) -> bool:
    if not info.get("url") and not info.get("protocol"):
        return True  # yt-dlp reports the error
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
        f"The page offers it only over {protocol}; only http and https can be downloaded.",
    )


def _safe(subtitles: Any) -> dict[str, Any]:
    """Return a page's subtitles whose language may become part of a file name."""
    if not isinstance(subtitles, dict):
        return {}
    return {
        key: value for key, value in subtitles.items() if value and _LANGUAGE.fullmatch(str(key))
    }
