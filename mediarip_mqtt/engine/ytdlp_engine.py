"""The engine: yt-dlp as a library, in worker threads of the service."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.extractor.common import UnsupportedURLIE
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.version import __version__ as ytdlp_version

from mediarip_mqtt.contract.errors import CommandError, DownloadError, ErrorCode, Stopped
from mediarip_mqtt.contract.models import Facts
from mediarip_mqtt.contract.presets import check_presets, effective
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.contract.urls import check_link, check_url, host_of
from mediarip_mqtt.engine import (
    finished_lists,
    made_check,
    page_info,
    page_items,
    partial_files,
    patches,
    playlist_entries,
    programs,
    template_fields,
    thumbnail,
    ytdlp_options,
    ytdlp_plugins,
)
from mediarip_mqtt.engine.error_classes import chain, classify
from mediarip_mqtt.engine.kept_recording import beside, salvage
from mediarip_mqtt.engine.made_files import collect
from mediarip_mqtt.engine.page_readers import PageReaders
from mediarip_mqtt.engine.progress_meter import ProgressMeter
from mediarip_mqtt.engine.protocol import (
    WIDTH,
    Control,
    Extraction,
    Made,
    Recorded,
    Report,
    Task,
)
from mediarip_mqtt.engine.recorded_parts import FOLDER, RecordedParts
from mediarip_mqtt.engine.site_login import SiteLogin
from mediarip_mqtt.engine.work_control import WorkControl
from mediarip_mqtt.engine.ytdlp_session import OPTIONAL, YtdlpSession
from mediarip_mqtt.volume.storage_errors import disk_full

HANDLE_AGE: Final = 600.0  # seconds; a page's URLs may expire after that

# The codes that a refused connection may get once yt-dlp has wrapped its error.
_MAYBE_BLOCKED: Final = frozenset(
    {
        ErrorCode.NETWORK,
        ErrorCode.TIMEOUT,
        ErrorCode.INVALID_URL,
        ErrorCode.UNAVAILABLE,
        ErrorCode.INTERNAL,
    }
)
_LOGIN_REFUSED: Final = (
    "The site does not accept the user name and password of the URL (401). Send the URL again with "
    "the right ones."
)

# The codes of a failed ffmpeg.
_MAYBE_FULL: Final = frozenset({ErrorCode.POSTPROCESSING, ErrorCode.INTERNAL})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Handle:
    """An extraction's info dict, kept for the download; None if ``whole``.

    ``whole``: only the process that reads the page can download it, both at once.
    """

    info: dict[str, Any] | None
    whole: bool = False

    def to_json(self) -> str | None:
        """Return the info dict as JSON, with the fragments of the chosen formats only."""
        if self.info is None:
            return None
        chosen = {part.get("format_id") for part in self.info.get("requested_formats") or ()}
        chosen = chosen or {self.info.get("format_id")}
        formats = [
            item
            if item.get("format_id") in chosen
            else {key: value for key, value in item.items() if key != "fragments"}
            for item in self.info.get("formats") or ()
        ]
        return json.dumps(self.info | ({"formats": formats} if formats else {}), default=str)


class _Log:
    """yt-dlp's logger; each message is an occasion to check for a stop."""

    def __init__(self, control: WorkControl) -> None:
        self._control = control

    def debug(self, _: str) -> None:
        self._control.check()
        self._control.touch()

    info = warning = debug

    def error(self, _: str) -> None:
        """Do nothing: yt-dlp raises the error as well."""


class CookieSource(Protocol):
    """The cookies of sessions; see `engine.cookie_files.Cookies`."""

    def load(self, session_id: str) -> list[Cookie]:
        """Return the cookies for a session's downloads."""

    def succeeded(self, session_id: str) -> None:
        """Record a successful download for which cookies were sent."""


class YtdlpEngine:
    """Implements `engine.protocol.Engine`.

    ``readers`` are the processes that read pages; without them, pages are read in this process, as
    a reader itself does.
    """

    def __init__(
        self,
        downloads: DownloadSettings,
        security: SecuritySettings,
        cookies: CookieSource | None = None,
        readers: PageReaders | None = None,
        *,
        min_free: int = 0,
    ) -> None:
        self._downloads = downloads
        self._security = security
        self._cookies = cookies
        self._readers = readers
        self._min_free = min_free  # bytes at which a recording ends
        self._cache = cache_folder()
        self._extractors: list[Any] = []
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise `ConfigError` for an unknown preset or an option that isn't allowed."""
        check_presets(self._downloads)
        ytdlp_options.check_options(self._downloads)

    def facts(self) -> Facts:
        """Return versions; see `engine.protocol.Engine.facts`."""
        ffmpeg = programs.version(programs.ffmpeg(), "-version")
        runtimes = programs.js_runtimes()
        name = next(iter(runtimes), None)
        return Facts(
            ytdlp=ytdlp_version,
            ffmpeg=ffmpeg.removeprefix("ffmpeg version ").split()[0] if ffmpeg else None,
            js_runtime=f"{name} {programs.version(runtimes[name]['path'], '--version')}"
            if name
            else None,
            plugins=ytdlp_plugins.load(self._downloads),
        )

    def control(self) -> WorkControl:
        """Return a new control; installs the patches of yt-dlp on first use."""
        patches.install()
        ytdlp_plugins.load(self._downloads)
        verified = not self._downloads.ytdlp_options.get("nocheckcertificate")
        control = WorkControl(self._security, verify_tls=verified)
        control.provider = self._downloads.pot_provider_url
        return control

    def picture(self, url: str, control: Control, width: int = WIDTH) -> bytes:
        """Return a thumbnail; see `engine.protocol.Engine.picture`."""
        with self.at_work(control) as work:
            checked = check_url(url, self._security)
            params: dict[str, Any] = {"quiet": True, "socket_timeout": 10, "cachedir": False}
            proxy = ytdlp_options.picture_proxy(checked, self._downloads)
            if proxy is not None:
                params["proxy"] = proxy
            if proxy:
                work.go_through(proxy)
            session = YtdlpSession(params, self._security, auto_init=False)
            try:
                return thumbnail.fetch(session, checked, width)
            finally:
                session.close()

    def extract(self, task: Task, control: Control) -> Extraction:
        """Read the page; see `engine.protocol.Engine.extract`."""
        if self._readers is None:
            return self.read_here(task, control)
        work = own(control)
        page = self._readers.read(task, self.load_cookies(task), work)
        whole = page.handle is None
        return Extraction(
            info=page.info,
            fields=page.fields,
            host=page.host,
            handle=Handle(None if page.handle is None else json.loads(page.handle), whole=whole),
            expires_at=time.monotonic() + min(page.lasts, HANDLE_AGE),
            logins=page.logins,
            listed=page.listed,
        )

    def read_here(self, task: Task, control: Control, *, whole: bool = False) -> Extraction:
        """Read the page in this process; ``whole``: the handle is for a download in this process.

        Such a handle may hold generators; others are data.
        """
        with (
            self.at_work(control, task.url) as work,
            self.open_session(task, work, reading=True) as session,
        ):
            if task.url.lower().startswith(("http:", "https:")):
                # A playlist's item: its URL was not checked yet.
                check_link(task.url, self._security)
            info = playlist_entries.read(session, task)
            if task.listed.identity and task.options.playlist_items:
                info = _followed(task, task.listed.identity, info, session)
            for _ in range(3):
                entry = page_info.only_entry(info, task)
                if entry is None:
                    break
                if entry.get("_type") in playlist_entries.LINKS:
                    info = session.process_ie_result(entry, download=False)
                else:
                    info = entry
            if not info:
                raise DownloadError(ErrorCode.UNAVAILABLE, "The page holds nothing to download.")
            page_info.refuse_upcoming(info)
            if info.get("is_live") and self._downloads.live_streams == "refuse":
                raise DownloadError(
                    ErrorCode.UNAVAILABLE,
                    "It is a live stream, which the setting downloads.live_streams refuses.",
                )
            if not playlist_entries.is_list(info):
                info |= task.listed.fields
            made_check.expect_silence(info)
            if session.list_holds_first:
                finished_lists.record_from_first(info)
            plain = session.sanitize_info(info)
            page = page_info.media_info(task, info, self._security)
            sponsors = effective(task.options, self._downloads).sponsorblock
            more = page_info.for_library(info, cut=bool(sponsors and sponsors.remove))
            return Extraction(
                info=page,
                fields=template_fields.harmless(plain) | more,
                host=host_of(str(info.get("webpage_url") or task.url)),
                handle=Handle(info if whole else plain, whole=page_info.is_whole(info)),
                logins=page_info.entry_logins(task, info),
                expires_at=time.monotonic() + HANDLE_AGE,
                listed=page_info.listed(task, info, page.entries),
            )

    def download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> Made:
        """Download; see `engine.protocol.Engine.download`."""
        RecordedParts(task.temp_dir).set_aside()
        prepare_temp(task.temp_dir)
        if self._readers is not None and extraction.handle == Handle(None, whole=True):
            return self._download_in_reader(self._readers, task, own(control), report)
        return self._download(task, extraction, control, report)

    def recorded(self, task: Task, control: Control) -> Recorded | None:
        """Return what was recorded; see `engine.protocol.Engine.recorded`."""
        parts = RecordedParts(task.temp_dir)
        if not parts.exist:
            return None
        with (
            self.at_work(control, task.url) as work,
            self.open_session(task, work, reading=False) as session,
        ):
            work.folder = task.temp_dir
            made = salvage(session, parts, task.temp_dir)
            host, fields = parts.page()
            return Recorded(made=made, fields=fields, host=host) if made else None

    def fill_template(self, template: str, fields: Mapping[str, Any], extension: str) -> str:
        """Fill an output template in; see `engine.protocol.Engine.fill_template`."""
        params = {"quiet": True, "windowsfilenames": True, "outtmpl_na_placeholder": ""}
        session = YtdlpSession(params, self._security, auto_init=False)
        session._num_downloads = session._num_videos = 1  # noqa: SLF001 - makes `autonumber` 1
        try:
            return template_fields.fill(session, template, fields, extension)
        finally:
            session.close()

    def _download(
        self,
        task: Task,
        extraction: Extraction,
        control: Control,
        report: Callable[[Report], None],
    ) -> Made:
        handle = extraction.handle
        if not isinstance(handle, Handle) or handle.info is None:
            raise TypeError("an extraction of another engine")
        meter = ProgressMeter(report)
        paths: list[str] = []
        with (
            self.at_work(control, task.url) as work,
            self.open_session(task, work, reading=False) as session,
        ):
            work.folder = task.temp_dir
            session.page = (extraction.host, extraction.fields)
            session.min_free = self._min_free
            meter.plan(handle.info, processed=bool(session.params.get("postprocessors")))
            session.add_progress_hook(work.check)
            session.add_progress_hook(meter.downloading)
            session.add_postprocessor_hook(work.check)
            session.add_postprocessor_hook(meter.processing)
            session.add_post_hook(paths.append)
            info = {key: value for key, value in handle.info.items() if key != "requested_formats"}
            session.title, info["title"] = info.get("title"), info.get("fulltitle")
            session.process_ie_result(info, download=True)
            work.check()
            made = collect(paths, session.made, self._warning(task, session))
            made = beside(made, RecordedParts(task.temp_dir))
            made = made.model_copy(update={"ended_by": session.ended_by})
            if self._cookies and session.cookiejar.get_cookies_for_url(task.url):
                self._cookies.succeeded(task.session_id)
            return made

    def _download_in_reader(
        self,
        readers: PageReaders,
        task: Task,
        control: WorkControl,
        report: Callable[[Report], None],
    ) -> Made:
        done = readers.download(task, self.load_cookies(task), control, report)
        for made in done.made.files:
            if not Path(made.path).resolve().is_relative_to(task.temp_dir.resolve()):
                raise DownloadError(ErrorCode.UNSAFE_PATH, "The reader named a file elsewhere.")
        if self._cookies and done.used_cookies:
            self._cookies.succeeded(task.session_id)
        return done.made

    def load_cookies(self, task: Task) -> list[Cookie]:
        """Return the cookies of the task's session."""
        return self._cookies.load(task.session_id) if self._cookies else []

    def _warning(self, task: Task, session: YtdlpSession) -> str | None:
        """Describe requested extras that were unavailable."""
        info = session.made
        wanted, warnings = effective(task.options, self._downloads), list(session.warnings)
        if wanted.subtitles:
            warnings += session.missing_subtitles(wanted.subtitles.languages)
        if wanted.sponsorblock and info.get("sponsorblock_chapters") is None:
            unsupported = "SponsorBlock does not support this site."
            warnings += [] if OPTIONAL["SponsorBlock"] in warnings else [unsupported]
        if wanted.split_chapters and not info.get("chapters"):
            warnings.append("The media has no chapters to split at.")
        return " ".join(warnings) or None

    @contextmanager
    def at_work(self, control: Control, url: str = "") -> Iterator[WorkControl]:
        """Run as part of the control's work; raise `DownloadError` and `Stopped` only."""
        control = own(control)
        programs.programs()  # runs them once to find them; work itself may not run them
        try:
            with control.working():
                control.check()
                yield control
        except Exception as error:
            if control.stopped:
                raise Stopped from None
            if control.failure is not None:
                raise control.failure from None
            if isinstance(error, CommandError):
                raise DownloadError(error.code, error.message) from None
            failure = classify(error)
            control.out_of_memory = any(isinstance(cause, MemoryError) for cause in chain(error))
            if control.blocked and failure.code in _MAYBE_BLOCKED:
                failure = DownloadError(ErrorCode.BLOCKED_ADDRESS, control.blocked)
            if failure.code in _MAYBE_FULL and control.ran_out_of_space():
                failure = disk_full()
            if failure.code is ErrorCode.INTERNAL and not control.out_of_memory:
                logger.warning("yt-dlp raised an unknown error", exc_info=error)
            if failure.code is ErrorCode.LOGIN_REQUIRED and (host := urlsplit(url).hostname):
                refused = control.login is not None and _has_status(error, HTTPStatus.UNAUTHORIZED)
                message = _LOGIN_REFUSED if refused else failure.message
                failure = DownloadError(failure.code, f"{host}: {message}")
            raise failure from None

    @contextmanager
    def open_session(
        self, task: Task, control: WorkControl, *, reading: bool
    ) -> Iterator[YtdlpSession]:
        """Open a YoutubeDL with the task's options and the session's cookies."""
        wanted = effective(task.options, self._downloads)
        control.login = SiteLogin.of(task.url, task.login)
        params = ytdlp_options.build(task, wanted, self._downloads, self._security, self._cache)
        if params.get("proxy"):
            control.go_through(params["proxy"])
        # auto_init would sort 1,700 extractors in quadratic time: 43 ms holding the GIL.
        session = YtdlpSession(
            {**params, "logger": _Log(control)}, self._security, reading=reading, auto_init=False
        )
        for extractor in self._known_extractors():
            session.add_info_extractor(extractor)
        session.add_info_extractor(UnsupportedURLIE())
        # Set one by one: yt-dlp would write a cookie file back when it closes.
        for cookie in self.load_cookies(task):
            session.cookiejar.set_cookie(cookie)
        try:
            yield session
        finally:
            session.close()

    def _known_extractors(self) -> list[Any]:
        with self._lock:
            if not self._extractors:
                self._extractors = [kind for kind in gen_extractor_classes() if kind._ENABLED]  # noqa: SLF001 - yt-dlp's own filter
            return self._extractors


def _followed(task: Task, item: str, info: Any, session: YtdlpSession) -> dict[str, Any]:
    """Return the item of a page that was listed under the task's number, where it is now."""

    def entries(page: Any) -> list[dict[str, Any]]:
        is_list = page and page.get("_type") in {"playlist", "multi_video"}
        return page_info.items_of(page, task) if is_list else [page] if page else []

    def whole_page() -> list[dict[str, Any]]:
        session.params["playlist_items"] = None
        return entries(playlist_entries.read(session, task))

    number = int(str(task.options.playlist_items))
    return page_items.follow(item, number, next(iter(entries(info)), None), whole_page)


def _has_status(error: BaseException, status: HTTPStatus) -> bool:
    return any(isinstance(cause, HTTPError) and cause.status == status for cause in chain(error))


def own(control: Control) -> WorkControl:
    """Return a control that `YtdlpEngine.control` made."""
    if not isinstance(control, WorkControl):
        raise TypeError("a control of another engine")
    return control


def cache_folder() -> Path | None:
    """Return yt-dlp's cache folder: on this machine, not on the volume."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mediarip-mqtt"
    except RuntimeError:  # a user without a home
        return None


def prepare_temp(folder: Path) -> None:
    """Remove from a job's folder what a download can't safely resume.

    After a kill yt-dlp's native HLS downloader resumes wrongly, without an error, so everything is
    removed if there are fragments. Else the files remain of which it is known what they are a part
    of; yt-dlp would take any other for what the page offers now: merged files, subtitles, pictures.
    """
    entries = list(folder.iterdir())
    if any(entry.suffix == ".ytdl" or "-Frag" in entry.name for entry in entries):
        empty(folder)
        return
    for entry in entries:
        if entry.is_file() and not partial_files.may_go_on(entry):
            entry.unlink()


def empty(folder: Path) -> None:
    """Remove everything but recordings in a folder; links are removed, not followed."""
    for entry in folder.iterdir():
        if entry.name == FOLDER:
            continue  # what was recorded of a stream can't be had again
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
