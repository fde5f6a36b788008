"""Runs an extraction and a download in a thread, as the runner does."""

from __future__ import annotations

import threading
from pathlib import Path

from mediarip_mqtt.contract.errors import DownloadError, Stopped
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.work_control import WorkControl
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine


class Work:
    """Starts at construction; ``outcome`` is the produced files, or the error."""

    def __init__(
        self,
        url: str,
        folder: Path,
        security: SecuritySettings,
        *,
        login: str | None = None,
        **options: object,
    ) -> None:
        engine = YtdlpEngine(DownloadSettings(ytdlp_options=options), security)
        self.control: WorkControl = engine.control()
        self.outcome: object = None
        task = Task("job", url, folder, login=login)

        def work() -> None:
            try:
                found = engine.extract(task, self.control)
                self.outcome = engine.download(task, found, self.control, lambda _: None)
            except (DownloadError, Stopped) as error:
                self.outcome = error

        self.thread = threading.Thread(target=work, name="work")
        self.thread.start()

    def stop(self) -> None:
        self.control.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()
