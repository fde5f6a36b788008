"""Take docs/device.png: the device's page in a real Home Assistant, in a real browser.

`python -m scripts.device_picture`; `make test-ha` installs what it needs.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from scripts.homeassistant import VERSIONS, install
from tests.homeassistant.real.device import found
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.browser import screenshot
from tests.support.homeassistant import HomeAssistant
from tests.support.media import make
from tests.support.server import MediaServer
from tests.support.service import Service

TARGET = Path(__file__).parent.parent / "docs" / "device.png"


def main() -> None:
    """Start everything, download some videos, and take the screenshot."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = MediaServer(make(folder / "media")).start()
        broker = Mosquitto(folder / "broker").start()
        service = Service(folder, broker.port)
        home = HomeAssistant(install(VERSIONS[-1]), folder / "config", broker.port)
        try:
            home.start()
            service.start()
            _fill(Client(broker.port), media, folder)
            names = found(home, "mediarip")
            home.wait(names["status"], "downloading")
            path = f"/config/devices/device/{home.device()['id']}"
            screenshot(home, path, TARGET, width=1400, height=2200)
        finally:
            service.stop()
            home.stop()
            broker.stop()
            media.stop()


def _fill(client: Client, media: MediaServer, folder: Path) -> None:
    """Create jobs: two completed, one failed, one running."""
    still = folder / "still.png"
    film = str(folder / "media" / "video.mp4")
    command = ["ffmpeg", "-v", "error", "-ss", "2", "-i", film, "-frames:v", "1", str(still)]
    subprocess.run(command, check=True)  # noqa: S603 - our own paths
    media.text("still.png", still.read_bytes(), "image/png")
    page = "<title>{}</title><video poster='/text/still.png' src='{}'></video>"
    for number, title in enumerate(("A walk in the woods", "Bread without kneading"), start=1):
        url = media.text(f"{number}.html", page.format(title, "/media/video.mp4"))
        client.wait_status(client.download(url), "completed")
    client.wait_status(client.download(media.url("/status/404/gone.mp4")), "failed")
    slow = "/slow/300000/bytes/9000000/garden.mp4"
    url = media.text("3.html", page.format("Building a garden bench", slow))
    job_id = client.download(url)
    wait_for(lambda: client.json(f"job/{job_id}/progress").get("progress_percent", 0) > 20)  # noqa: PLR2004 - some way
    client.close()


if __name__ == "__main__":
    main()
