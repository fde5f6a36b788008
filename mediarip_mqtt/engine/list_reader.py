"""Reads what subscriptions follow, in a reader process where the engine has them."""

from __future__ import annotations

from collections.abc import Callable

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import check_link
from mediarip_mqtt.engine import feeds, flat_lists
from mediarip_mqtt.engine.page_readers import PageReaders
from mediarip_mqtt.engine.protocol import Control, FeedAnswer, ListAnswer, ListedItem, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine, own


class YtdlpListReader:
    """Implements `engine.protocol.ListReader`; without ``readers``, reads in this process."""

    def __init__(
        self, engine: YtdlpEngine, security: SecuritySettings, readers: PageReaders | None = None
    ) -> None:
        self._engine = engine
        self._security = security
        self._readers = readers

    def read_feed(
        self,
        task: Task,
        control: Control,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> FeedAnswer:
        """Read a feed; see `engine.protocol.ListReader.read_feed`."""
        try:
            if self._readers is None:
                return self.read_feed_here(task, control, etag, last_modified)
            cookies = self._engine.load_cookies(task)
            read = self._readers.read_feed(task, cookies, own(control), etag, last_modified)
        except DownloadError as error:
            return FeedAnswer("failed", etag=etag, last_modified=last_modified, error=error)
        return FeedAnswer(
            "unchanged" if read.unchanged else "new",
            items=read.items,
            etag=read.etag,
            last_modified=read.last_modified,
            title=read.title,
        )

    def read_list(
        self, task: Task, control: Control, stop: Callable[[ListedItem], bool]
    ) -> ListAnswer:
        """Read a list; see `engine.protocol.ListReader.read_list`."""
        if self._readers is None:
            return self.read_list_here(task, control, stop)
        items: list[ListedItem] = []

        def found(item: ListedItem) -> bool:
            items.append(item)
            return stop(item)

        cookies = self._engine.load_cookies(task)
        read = self._readers.read_list(task, cookies, own(control), found)
        return ListAnswer(
            items=tuple(items),
            whole=read.whole,
            title=read.title,
            channel_id=read.channel_id,
            extractor=read.extractor,
            feed_url=read.feed_url,
        )

    def read_feed_here(
        self, task: Task, control: Control, etag: str | None, last_modified: str | None
    ) -> FeedAnswer:
        """Read a feed in this process; raise `DownloadError`."""
        with (
            self._engine.at_work(control, task.url) as work,
            self._engine.open_session(task, work, reading=True) as session,
        ):
            check_link(task.url, self._security)
            return feeds.read(session, task.url, self._security, etag, last_modified)

    def read_list_here(
        self, task: Task, control: Control, stop: Callable[[ListedItem], bool]
    ) -> ListAnswer:
        """Read a list in this process."""
        with (
            self._engine.at_work(control, task.url) as work,
            self._engine.open_session(task, work, reading=True) as session,
        ):
            if task.url.lower().startswith(("http:", "https:")):
                check_link(task.url, self._security)
            return flat_lists.read(session, task, self._security, stop)
