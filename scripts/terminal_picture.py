#!/usr/bin/env python3
"""Draw docs/images/terminal.svg: a real download and the real table, from a temporary service."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from mediarip_mqtt.cli import add_download
from mediarip_mqtt.cli.client import Snapshot, decode, open_client
from mediarip_mqtt.cli.display import JobTable, ProgressBar
from mediarip_mqtt.contract import settings
from mediarip_mqtt.mqtt.embedded_broker import embedded_broker
from mediarip_mqtt.service import app, load_settings

PICTURE: Final = Path(__file__).parent.parent / "docs" / "images" / "terminal.svg"
# Title to size. The first is followed to its end, while the others still run or wait.
FILMS: Final = {
    "Interview": 12_000_000,
    "Lecture 12 - Queues": 40_000_000,
    "Harbour at night": 70_000_000,
    "Concert, second half": 50_000_000,
    "Keynote": 10_000_000,
}


class Films(SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, *_: object) -> None:
        """Suppress the log."""

    def copyfile(self, *files: Any) -> None:
        """Send a file; ignore a client that disconnects."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(*files)


async def record(folder: Path) -> str:
    """Return the picture of a download and of the table during it."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    overrides: dict[str, dict[str, Any]] = {
        "mqtt": {"port": 18830},
        "storage": {"root": folder / "data", "min_free": 0},
        "security": {"allow_private_addresses": True},
        "downloads": {"rate_limit": 6_000_000},
    }
    loaded = load_settings.load(None, overrides)
    ready, stop = asyncio.Event(), asyncio.Event()
    async with embedded_broker(loaded.mqtt, folder / "data" / ".mediarip") as mqtt:
        served = loaded.model_copy(update={"mqtt": mqtt})
        service = asyncio.create_task(app.serve(served, ready=ready, stop=stop))
        await ready.wait()
        url = serve(folder)
        async with open_client(mqtt) as client:
            for name in list(FILMS)[1:3]:
                await client.ask("download", {"url": url + name.replace(" ", "%20") + ".mp4"})
        table = JobTable()
        bar = ProgressBar(Console(width=100, file=io.StringIO(), force_terminal=True))
        snapshots: list[Snapshot] = []
        outcome = await add_download.add_and_follow(
            mqtt, {"url": f"{url}Interview.mp4"}, snapshots.append
        )
        async with open_client(mqtt) as client:
            for name in list(FILMS)[3:]:
                await client.ask("download", {"url": url + name.replace(" ", "%20") + ".mp4"})
            await asyncio.sleep(1)
        halfway = next(snapshot for snapshot in snapshots if snapshot.percent > 40)  # noqa: PLR2004 - percent, in the middle of the download
        console.print(Text("$ mediarip-mqtt download https://videos.example/interview"))
        with bar:
            bar.show(halfway)
            console.print(bar)
        console.print(Text(f"/media/{Path(str(outcome.path)).name}\n\n$ mediarip-mqtt watch"))
        await fill(table, mqtt)
        console.print(table.render(9))
        stop.set()
        await service
    svg = console.export_svg(title="mediarip-mqtt")
    # Browsers don't load external fonts for images.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def serve(folder: Path) -> str:
    """Serve random files from a folder; return the server's URL."""
    films = folder / "films"
    films.mkdir()
    for name, size in FILMS.items():
        (films / f"{name}.mp4").write_bytes(os.urandom(size))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Films, directory=str(films)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


async def fill(table: JobTable, mqtt: settings.MqttSettings) -> None:
    """Fill the table from the retained messages."""
    async with open_client(mqtt) as client:
        topics = client.topics
        table.online = True
        await client.subscribe(topics.state, topics.job_state("+"), topics.job_progress("+"))
        end = asyncio.get_running_loop().time() + 1
        with contextlib.suppress(TimeoutError):
            while (remaining := end - asyncio.get_running_loop().time()) > 0:
                message = await client.receive(remaining)
                parsed_topic = topics.parse_job(message.topic)
                content = decode(message.payload)
                if parsed_topic is None:
                    table.state = {**content, "disk_free": 2_400_000_000_000}
                elif parsed_topic[1] == "state":
                    table.update_job(parsed_topic[0], content)
                else:
                    table.update_progress(parsed_topic[0], content)


def main() -> None:
    """Write the SVG."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(asyncio.run(record(Path(folder))), "utf-8")


if __name__ == "__main__":
    main()
