"""The engine: yt-dlp, driven as a library in threads of the service."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.extractor.common import UnsupportedURLIE
from yt_dlp.version import __version__ as ytdlp_version

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.media_options import MAX_PLACE
from mediarip_mqtt.contract.models import Entry, Facts, FormatInfo, MediaInfo, ProducedFile
from mediarip_mqtt.contract.presets import check_presets, effective
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.contract.urls import check_link, check_picture, check_url, host_of, site_of
from mediarip_mqtt.engine import patches, programs, template_fields, thumbnail, ytdlp_options
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.engine.error_classes import UPCOMING_LEAST, UPCOMING_POLL, classify
from mediarip_mqtt.engine.made_files import collect
from mediarip_mqtt.engine.progress_meter import ProgressMeter
from mediarip_mqtt.engine.protocol import Control, Extraction, Report, Task
from mediarip_mqtt.engine.work_control import WorkControl
from mediarip_mqtt.engine.ytdlp_session import Session
from mediarip_mqtt.volume import names

HANDLE_AGE: Final = 600.0  # seconds after which a page is read anew: its URLs expire
TEXT_LIMIT: Final = 300
FORMAT_LIMIT: Final = 200
SIDE_SUFFIXES: Final = frozenset({".part", ".ytdl", ".temp"})

# What a refused connection may look like once yt-dlp has wrapped it.
_MAYBE_BLOCKED: Final = frozenset(
    {
        ErrorCode.NETWORK,
        ErrorCode.TIMEOUT,
        ErrorCode.INVALID_URL,
        ErrorCode.UNAVAILABLE,
        ErrorCode.INTERNAL,
    }
)

_UNFIT_IN_URL: Final = re.compile(rf"{texts.UNFIT.pattern}| ")

logger = logging.getLogger(__name__)


@dataclass
class _Handle:
    """What an extraction keeps for the download."""

    info: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


class _Log:
    """Takes yt-dlp's messages; each one is also a moment to notice a stop."""

    def __init__(self, control: WorkControl) -> None:
        self._control = control

    def debug(self, _: str) -> None:
        self._control.check()
        self._control.touched = time.monotonic()

    info = warning = debug

    def error(self, _: str) -> None:
        """Do nothing: the error is raised as well."""


class YtdlpEngine:
    """Implements `engine.base.Engine`."""

    def __init__(
        self,
        downloads: DownloadSettings,
        security: SecuritySettings,
        cookies: Cookies | None = None,
    ) -> None:
        self._downloads = downloads
        self._security = security
        self._cookies = cookies
        self._cache = _cache_folder()
        self._extractors: list[Any] = []
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise `ConfigError` where the configuration can't be used."""
        check_presets(self._downloads)
        ytdlp_options.check_options(self._downloads)

    def facts(self) -> Facts:
        """Return versions."""
        ffmpeg = programs.version(programs.ffmpeg(), "-version")
        runtimes = programs.js_runtimes()
        name = next(iter(runtimes), None)
        return Facts(
            ytdlp=ytdlp_version,
            ffmpeg=ffmpeg.removeprefix("ffmpeg version ").split()[0] if ffmpeg else None,
            js_runtime=f"{name} {programs.version(runtimes[name]['path'], '--version')}"
            if name
            else None,
        )

    def control(self) -> WorkControl:
        """Return a fresh control."""
        patches.install()
        verified = not self._downloads.ytdlp_options.get("nocheckcertificate")
        return WorkControl(self._security, verify_tls=verified)

    def picture(self, url: str, control: Control) -> bytes:
        """Return a thumbnail; see `engine.base.Engine.picture`."""
        with self._at_work(control) as work:
            checked = check_url(url, self._security)
            params: dict[str, Any] = {"quiet": True, "socket_timeout": 10, "cachedir": False}
            proxy = ytdlp_options.picture_proxy(checked, self._downloads)
            if proxy is not None:
                params["proxy"] = proxy
            if proxy:
                work.go_through(proxy)
            session = Session(params, self._security, auto_init=False)
            try:
                return thumbnail.fetch(session, checked)
            finally:
                session.close()

    def extract(self, task: Task, control: Control) -> Extraction:
        """Read the page; see `engine.base.Engine.extract`."""
        with self._at_work(control, task.url) as work, self._session(task, work) as session:
            if task.url.lower().startswith(("http:", "https:")):
                check_link(task.url, self._security)  # an item's is the page's, checked by nobody
            info = session.extract_info(task.url, download=False)
            for _ in range(3):
                entry = _only_entry(info, task)
                if entry is None:
                    break
                if entry.get("_type") in {"url", "url_transparent"}:
                    info = session.extract_info(entry["url"], download=False)
                else:
                    info = entry
            if not info:
                raise DownloadError(ErrorCode.UNAVAILABLE, "The page holds nothing to download.")
            _refuse_upcoming(info)
            if info.get("is_live") and self._downloads.live_streams == "refuse":
                raise DownloadError(
                    ErrorCode.UNAVAILABLE,
                    "It is a live stream, which the setting downloads.live_streams refuses.",
                )
            media = self._media_info(task, info)
            return Extraction(media, _Handle(session.sanitize_info(info)))

    def download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> tuple[ProducedFile, ...]:
        """Download; see `engine.base.Engine.download`."""
        prepare_temp(task.temp_dir)
        try:
            return self._download(task, extraction, control, report)
        except DownloadError as error:
            if "(416)" not in error.message:
                raise
            # A complete `.part` makes the server answer 416, for ever: start that file over.
            empty(task.temp_dir)
            return self._download(task, extraction, control, report)

    def _download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> tuple[ProducedFile, ...]:
        handle = extraction.handle
        if not isinstance(handle, _Handle) or time.monotonic() - handle.at > HANDLE_AGE:
            handle = self.extract(task, control).handle
        meter = ProgressMeter(report)
        paths: list[str] = []
        with self._at_work(control, task.url) as work, self._session(task, work) as session:
            work.folder = task.temp_dir
            meter.plan(handle.info, processed=bool(session.params.get("postprocessors")))
            session.add_progress_hook(work.check)
            session.add_progress_hook(meter.downloading)
            session.add_postprocessor_hook(work.check)
            session.add_postprocessor_hook(meter.processing)
            session.add_post_hook(paths.append)
            info = {key: value for key, value in handle.info.items() if key != "requested_formats"}
            result = session.process_ie_result(info, download=True)
            work.check()

            def name(extension: str) -> str:
                return self._name(task, session, result or info, extension)

            produced = collect(paths, session.made, name, self._warning(task, session))
            if self._cookies and session.cookiejar.get_cookies_for_url(task.url):
                self._cookies.succeeded(task.session_id)
            return produced

    def _warning(self, task: Task, session: Session) -> str | None:
        """Return what of the wishes could not be had; None where all could."""
        info = session.made
        wanted, found = effective(task.options, self._downloads), list(session.warnings)
        if wanted.subtitles and not found and not info.get("requested_subtitles"):
            found.append("The page has no subtitles in these languages.")
        if wanted.sponsorblock and info.get("sponsorblock_chapters") is None and not found:
            found.append("SponsorBlock knows nothing of this site.")
        if wanted.split_chapters and not info.get("chapters"):
            found.append("It has no chapters to split it by.")
        return " ".join(found) or None

    def _name(self, task: Task, session: Any, info: dict[str, Any], extension: str) -> str:
        """Return the final name: the template filled in, below the sender's folder."""
        template = task.options.output_template or self._site_template(info, task.url)
        rendered = template_fields.fill(session, template, info, extension)
        if task.options.folder:
            rendered = f"{task.options.folder}/{rendered}"
        return names.safe_name(rendered)

    def _site_template(self, info: dict[str, Any], url: str) -> str:
        templates = self._downloads.output_templates
        site = site_of(host_of(str(info.get("webpage_url") or url)), templates)
        return templates[site] if site else self._downloads.output_template

    @contextmanager
    def _at_work(self, control: Control, url: str = "") -> Iterator[WorkControl]:
        """Run in the control's work; let nothing out but `DownloadError` and `Stopped`."""
        if not isinstance(control, WorkControl):
            raise TypeError("a control of another engine")
        programs.programs()  # found once, by starting them, which is not the work's to do
        try:
            with control.working():
                control.check()
                yield control
        except Exception as error:
            if control.stopped:
                raise Stopped from None
            if isinstance(error, CommandError):
                raise DownloadError(error.code, error.message) from None
            found = classify(error)
            if control.blocked and found.code in _MAYBE_BLOCKED:
                found = DownloadError(ErrorCode.BLOCKED_ADDRESS, control.blocked)
            if found.code is ErrorCode.INTERNAL:
                logger.warning("yt-dlp failed in a way that is not known", exc_info=error)
            if found.code is ErrorCode.LOGIN_REQUIRED and (host := urlsplit(url).hostname):
                found = DownloadError(found.code, f"{host}: {found.message}")
            raise found from None

    @contextmanager
    def _session(self, task: Task, control: WorkControl) -> Iterator[Session]:
        """Open a YoutubeDL for one job."""
        wanted = effective(task.options, self._downloads)
        params = ytdlp_options.build(task, wanted, self._downloads, self._security, self._cache)
        # auto_init sorts 1,700 extractors in a quadratic way, 43 ms of the interpreter's lock.
        if params.get("proxy"):
            control.go_through(params["proxy"])
        session = Session({**params, "logger": _Log(control)}, self._security, auto_init=False)
        for extractor in self._known_extractors():
            session.add_info_extractor(extractor)
        session.add_info_extractor(UnsupportedURLIE())
        # Set one by one: with a file of its own yt-dlp would write all cookies back into it.
        for cookie in self._cookies.load(task.session_id) if self._cookies else ():
            session.cookiejar.set_cookie(cookie)
        try:
            yield session
        finally:
            session.close()

    def _known_extractors(self) -> list[Any]:
        with self._lock:
            if not self._extractors:
                self._extractors = [one for one in gen_extractor_classes() if one._ENABLED]  # noqa: SLF001 - yt-dlp's own filter
            return self._extractors

    # What is told of a page

    def _media_info(self, task: Task, info: dict[str, Any]) -> MediaInfo:
        is_playlist = str(info.get("_type")) in {"playlist", "multi_video"}
        entries: tuple[Entry, ...] = ()
        if is_playlist:
            found = _dicts(info.get("entries"))
            entries = tuple(
                self._entry(one, number, task, info)
                for number, one in enumerate(found[: task.playlist_limit], start=1)
            )
            if not entries:
                raise DownloadError(ErrorCode.UNAVAILABLE, "The playlist has no items.")
        return MediaInfo(
            url=task.url,
            extractor=_text(info.get("extractor_key") or info.get("extractor")),
            title=_text(info.get("title")),
            duration=_number(info.get("duration")),
            thumbnail=self._thumbnail(info),
            uploader=_text(info.get("uploader") or info.get("channel")),
            live_status=_text(info.get("live_status")),
            formats=tuple(_format(one) for one in _dicts(info.get("formats"))[-FORMAT_LIMIT:]),
            is_playlist=is_playlist,
            entries=entries,
        )

    def _entry(self, one: dict[str, Any], number: int, task: Task, page: dict[str, Any]) -> Entry:
        """Return an item; one without a page of its own is reached by its number on this one."""
        own = str(one.get("_type")) in {"url", "url_transparent"}
        link = one.get("url") if own else one.get("webpage_url") or one.get("original_url")
        url = _link(str(link or ""))
        items = None
        if not url or url in (task.url, _link(str(page.get("webpage_url") or ""))):
            place = _number(one.get("playlist_index"))
            url, items = task.url, str(int(place) if place and 1 <= place <= MAX_PLACE else number)
        return Entry(
            url=url[:4096],
            title=_text(one.get("title")),
            duration=_number(one.get("duration")),
            thumbnail=self._thumbnail(one),
            index=number,
            items=items,
        )

    def _thumbnail(self, info: dict[str, Any]) -> str | None:
        """Return the URL of a picture; never one that leads inside."""
        url = info.get("thumbnail")
        if not url and (pictures := _dicts(info.get("thumbnails"))):
            url = pictures[-1].get("url")
        return check_picture(url, self._security)


def _cache_folder() -> Path | None:
    """Return where yt-dlp keeps what it learns of sites: on this machine, not on the volume."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mediarip-mqtt"
    except RuntimeError:  # a user without a home
        return None


def prepare_temp(folder: Path) -> None:
    """Leave in a job's folder only what a download can safely go on from.

    yt-dlp's native HLS resumes wrongly and without an error after a kill, so what belongs to
    fragments is thrown away; a lone ``.part`` goes on by a Range request.
    """
    entries = list(folder.iterdir())
    if any(entry.suffix == ".ytdl" or "-Frag" in entry.name for entry in entries):
        empty(folder)
        return
    for entry in entries:
        if ".temp." in entry.name:  # half of a merge or conversion
            entry.unlink()


def empty(folder: Path) -> None:
    """Remove all that a folder holds."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _only_entry(info: dict[str, Any] | None, task: Task) -> dict[str, Any] | None:
    """Return the one entry that a search, or a page with one medium, comes down to."""
    if not info or info.get("_type") not in {"playlist", "multi_video"}:
        return None
    found = info.get("entries") or []
    entries = [one for one in (found if isinstance(found, list) else list(found)) if one]
    info["entries"] = entries
    search = not task.url.startswith(("http://", "https://"))
    if len(entries) != 1 and not (search and entries):
        if search:
            raise DownloadError(ErrorCode.NOT_FOUND, "The search found nothing.")
        return None
    flat = entries[0].get("_type") in {"url", "url_transparent"}
    return entries[0] if search or not flat else None


def _refuse_upcoming(info: dict[str, Any]) -> None:
    if info.get("live_status") != "is_upcoming":
        return
    begins = _number(info.get("release_timestamp"))
    raise DownloadError(
        ErrorCode.NOT_YET_LIVE,
        "It has not begun yet.",
        begins=True,
        retry_after=max(begins - time.time(), UPCOMING_LEAST) if begins else UPCOMING_POLL,
    )


def _format(one: dict[str, Any]) -> FormatInfo:
    size = _number(one.get("filesize") or one.get("filesize_approx"))
    tall = _number(one.get("height"))
    return FormatInfo(
        format_id=texts.clean(str(one.get("format_id")), 100),
        ext=_text(one.get("ext")),
        resolution=_text(one.get("resolution")),
        height=int(tall) if tall else None,
        fps=_number(one.get("fps")),
        vcodec=_text(one.get("vcodec")),
        acodec=_text(one.get("acodec")),
        tbr=_number(one.get("tbr")),
        filesize=int(size) if size else None,
        note=_text(one.get("format_note")),
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    """Return what of a page's list is as it should be."""
    return (
        [one for one in value if one and isinstance(one, dict)] if isinstance(value, list) else []
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return texts.clean(str(value), TEXT_LIMIT) or None


def _link(url: str) -> str:
    """Return a page's URL without characters that could not be published; spaces are quoted."""
    web = url.strip().lower().startswith(("http://", "https://"))
    unfit = _UNFIT_IN_URL if web else texts.UNFIT  # else a search, whose words stay as they are
    return unfit.sub(lambda found: quote(found[0], safe="", errors="ignore"), url.strip())


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and value == value and abs(value) < 1e15 else None  # noqa: PLR0124, PLR2004 - NaN is not itself; no page's number is greater
