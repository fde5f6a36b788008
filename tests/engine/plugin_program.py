"""Run by test_ytdlp_plugins.py: plugins are loaded once per process, so each case has its own.

Takes settings of `downloads` as JSON; prints what the engine's session got, as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from yt_dlp.extractor.youtube.pot._director import initialize_pot_director
from yt_dlp.extractor.youtube.pot.provider import PoTokenContext, PoTokenRequest

from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine


def attempt(function: Any, *arguments: Any) -> str:
    """Return a function's result as text, or its error's."""
    try:
        return str(function(*arguments))
    except Exception as error:  # noqa: BLE001 - the test reads it
        return f"{type(error).__name__}: {error}"


def main(settings: dict[str, Any], urls: list[str]) -> None:
    """Ask for a token as YouTube's extractor does, then request and extract the URLs."""
    engine = YtdlpEngine(DownloadSettings(**settings), SecuritySettings())
    engine.check()
    found: dict[str, Any] = {"plugins": engine.facts().plugins}
    control = engine.control()
    with tempfile.TemporaryDirectory() as folder:
        task = Task("job", "https://www.youtube.com/watch?v=BaW_jenozKc", Path(folder))
        with control.working(), engine.open_session(task, control, reading=True) as session:
            director = initialize_pot_director(session.get_info_extractor("Youtube"))
            request = PoTokenRequest(
                PoTokenContext.GVS,
                {"client": {"clientName": "WEB"}},
                visitor_data="visitor",
                request_proxy=settings.get("proxy"),
            )
            found["token"] = attempt(director.get_po_token, request)
            found["requests"] = [attempt(session.urlopen, url) for url in urls]
            known = session._ies  # noqa: SLF001 - there is no public list
            found["extractors"] = [name for name in known if name.startswith("Example")]
            extract = partial(session.extract_info, "https://plugin.example/1", download=False)
            found["extracted"] = attempt(extract) if found["extractors"] else None
    found["modules"] = sorted(name for name in sys.modules if name.startswith("yt_dlp_plugins"))
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
