"""What tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Extraction, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.named import NamedFile, download


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., tuple[NamedFile, ...]]:
    """Return what runs a download as the engine does; ``change`` may act as an extractor."""

    def get(url: str, change: Any = None, **options: Any) -> tuple[NamedFile, ...]:
        engine = YtdlpEngine(DownloadSettings(), SecuritySettings(allow_private_addresses=True))
        (tmp_path / "temp").mkdir(exist_ok=True)
        task = Task("job", url, tmp_path / "temp", DownloadOptions(**options))

        def extracted(extraction: Extraction) -> None:
            if change:
                change(extraction.handle.info)

        return download(engine, task, extracted=extracted)

    return get
