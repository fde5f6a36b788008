"""Take the pictures of docs/images in a real Home Assistant, with a real service and a browser.

`python -m scripts.living_room_pictures [NAME ...]`; `make test-ha` installs what it needs.
The names are those of `PICTURES`; without any, all are taken.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scripts.homeassistant import VERSIONS, install
from tests.homeassistant.real.device import found
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.browser import open_page
from tests.support.homeassistant import HomeAssistant
from tests.support.media import make
from tests.support.server import MediaServer
from tests.support.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
LARGEST: Final = 150_000  # bytes
PATIENCE: Final = 180  # seconds
SHOWN: Final = 10  # percent of the first running job
SETTLED: Final = 2500  # milliseconds: animations, and images that fade in
WIDE: Final = (1280, 1000)
PHONE: Final = (400, 1150)  # all of the card
# Logos of brands come from the internet, which a test machine may not reach.
HIDE_BROKEN: Final = """() => {
  const hide = (node) => node.querySelectorAll("*").forEach((one) => {
    if (one.localName === "img" && !one.naturalWidth) one.style.visibility = "hidden";
    if (one.shadowRoot) hide(one.shadowRoot);
  });
  hide(document);
}"""
# How Home Assistant's app registers a phone.
PHONE_APP: Final[dict[str, Any]] = {
    "app_id": "pictures",
    "app_name": "Pictures",
    "app_version": "1",
    "device_name": "Anna's phone",
    "device_id": "pictures",
    "manufacturer": "Example",
    "model": "Phone",
    "os_name": "Android",
    "os_version": "16",
    "supports_encryption": False,
    "app_data": {"push_token": "none", "push_url": "http://127.0.0.1:9/push"},
}
CARD: Final = {
    "views": [
        {
            "title": "Downloads",
            "type": "panel",
            "cards": [{"type": "vertical-stack", "cards": [{"type": "custom:mediarip-card"}]}],
        }
    ]
}
LIBRARY: Final[dict[str, Any]] = {
    "type": "custom:mediarip-card",
    "entity": "sensor.films_status",
    "title": "Films",
    "sections": ["review", "library"],
    "add": False,
}
STRATEGY: Final = {"strategy": {"type": "custom:mediarip"}}


@dataclass(frozen=True)
class Film:
    """A page with a video: colours of its picture, and the path that it is loaded from."""

    title: str
    dark: str
    light: str
    path: str = "media/video.mp4"

    @property
    def name(self) -> str:
        """The last word, for addresses and files."""
        return self.title.rsplit(maxsplit=1)[-1].lower()


FINISHED: Final = (
    Film("A walk in the woods", "0x1b4332", "0x95d5b2"),
    Film("Bread without kneading", "0x7f5539", "0xffe6a7"),
    Film("Harbour at night", "0x03045e", "0xf48c06"),
)
RUNNING: Final = (
    Film("Building a garden bench", "0x386641", "0xf2e8cf", "slow/250000/bytes/60000000/b.mp4"),
    Film("The lighthouse keeper", "0x0d1b2a", "0xe0e1dd", "slow/120000/bytes/40000000/k.mp4"),
)
WAITING: Final = (
    Film("How a clock strikes", "0x3c096c", "0xff9e00", "slow/100000/bytes/5000000/c.mp4"),
    Film("Sourdough day by day", "0x9c6644", "0xede0d4", "slow/100000/bytes/5000000/s.mp4"),
)
FILED: Final = (
    (Film("Ebb and flow", "0x03045e", "0x90e0ef"), {"show": "Tides", "season": 1, "episode": 1}),
    (
        Film("Harbour wall", "0x03045e", "0x90e0ef"),
        {"show": "Tides", "season": 1, "episode": 2},
    ),
    (Film("Mountain light", "0x3c096c", "0xff9e00"), {"content_type": "movie", "year": 2019}),
)
UNSURE: Final = (
    Film("Tides S01E03 Storm", "0x0d1b2a", "0xe0e1dd"),
    Film("A day at the lighthouse", "0x0d1b2a", "0xe0e1dd"),
)


@dataclass(frozen=True)
class House:
    """What the pictures are taken of."""

    home: HomeAssistant
    names: dict[str, str]  # keys of the entities to their ids
    device: str
    port: int  # of the broker
    media: MediaServer
    folder: Path

    @contextmanager
    def library(self) -> Iterator[None]:
        """Run a second service, with a library of some titles."""
        service = Service(
            self.folder,
            self.port,
            MQTT__NODE_ID="films",
            MQTT__BASE_TOPIC="films",
            DOWNLOADS__PROXY=f"http://127.0.0.1:{self.media.port}",
            LIBRARY__ENABLED="true",
            LIBRARY__REVIEW_BELOW="0.85",
            HOMEASSISTANT__MEDIA_SOURCE="media-source://media_source/local/films",
        )
        client = Client(self.port, "films")
        try:
            service.start()
            for film, said in FILED:
                url = _page(self.media, self.folder, film)
                client.wait_status(client.download(url, library=said), "completed", timeout=60)
            for film in UNSURE:
                url = _page(self.media, self.folder, film)
                client.wait_status(client.download(url), "review", timeout=60)
            found(self.home, "films", library=True)
            self.home.wait("sensor.films_reviews_waiting", str(len(UNSURE)))
            yield
        finally:
            client.close()
            service.stop()

    @contextmanager
    def page(self, path: str, size: tuple[int, int], *, dark: bool = False) -> Iterator[Page]:
        """Open a page that has come to rest."""
        with open_page(self.home, path, width=size[0], height=size[1], dark=dark) as page:
            page.wait_for_function("!document.getElementById('ha-launch-screen')", timeout=60_000)
            page.wait_for_load_state("networkidle")  # icons are loaded in pieces
            page.wait_for_timeout(SETTLED)
            page.evaluate(HIDE_BROKEN)
            yield page

    def dashboard(self, name: str, config: dict[str, Any], *, in_sidebar: bool = False) -> str:
        """Create a dashboard if there is none of the name; return its path."""
        path = f"pictures-{name}"
        known = self.home.command("lovelace/dashboards/list")
        if path not in {one["url_path"] for one in known}:
            options = {"mode": "storage", "require_admin": False, "show_in_sidebar": in_sidebar}
            content = {"url_path": path, "title": "Downloads", "icon": "mdi:download", **options}
            self.home.command("lovelace/dashboards/create", **content)
            self.home.command("lovelace/config/save", url_path=path, config=config)
        return f"/{path}"

    def automation(self, name: str, blueprint: str, **inputs: Any) -> str:
        """Create an automation from a blueprint; return the path of its editor."""
        content = {"path": f"mediarip/{blueprint}.yaml", "input": inputs}
        alias = name.replace("_", " ").capitalize()
        self.home.add_automation(name, alias=alias, use_blueprint=content)
        return f"/config/automation/edit/{name}"


def device_page(house: House, target: Path) -> None:
    """Show the device's page."""
    with house.page(f"/config/devices/device/{house.device}", (1300, 2000)) as page:
        page.screenshot(path=target)


def card(house: House, target: Path) -> None:
    """Show the card on a dashboard."""
    _card(house, target, WIDE)


def card_dark(house: House, target: Path) -> None:
    """Show the card in Home Assistant's dark theme."""
    _card(house, target, WIDE, dark=True)


def card_phone(house: House, target: Path) -> None:
    """Show the card on a phone."""
    _card(house, target, PHONE)


def _card(house: House, target: Path, size: tuple[int, int], *, dark: bool = False) -> None:
    with house.page(house.dashboard("card", CARD), size, dark=dark) as page:
        page.get_by_text(RUNNING[0].title).first.wait_for()
        _shoot(page.locator("mediarip-card"), target)


def card_library(house: House, target: Path) -> None:
    """Show what waits for a review, and the library."""
    card = {"type": "vertical-stack", "cards": [LIBRARY]}
    views = {"views": [{"title": "Films", "type": "panel", "cards": [card]}]}
    with house.library(), house.page(house.dashboard("library", views), (700, 1300)) as page:
        page.get_by_role("button", name="Details: Storm").click()
        page.get_by_role("button", name="Details: Library").click()
        page.get_by_text("The newest titles").wait_for()
        page.wait_for_timeout(SETTLED)
        _shoot(page.locator("mediarip-card"), target)


def dashboard(house: House, target: Path) -> None:
    """Show the dashboard of the strategy."""
    path = house.dashboard("strategy", STRATEGY, in_sidebar=True)
    with house.page(path, (1280, 1400)) as page:
        page.get_by_text(RUNNING[0].title).first.wait_for()
        page.screenshot(path=target)


def assist(house: House, target: Path) -> None:
    """Show a conversation with Assist, answered by the voice blueprint."""
    house.automation("downloads_by_voice", "voice", service=house.device)
    path = house.dashboard("empty", {"views": [{"title": "Empty"}]})
    target.unlink(missing_ok=True)
    # Home Assistant 2026.11's dialog raises an error of its own at each answer: a callback of its
    # frontend reads a variable too early. `open_page` reports that.
    with (
        contextlib.suppress(AssertionError),
        house.page(path, (1000, 800)) as page,
    ):
        page.keyboard.press("a")  # the shortcut for Assist
        dialog = page.locator("ha-voice-command-dialog")
        for sentence in ("what is downloading", "how long will the download take"):
            field = dialog.locator("input").last
            field.fill(sentence)
            field.press("Enter")
            page.wait_for_timeout(SETTLED)
        box = dialog.locator("ha-assist-chat").bounding_box()
        # Without the round corners at the bottom, behind which the page shows.
        clip: FloatRect | None = box and {**box, "height": box["height"] - 24}
        page.screenshot(path=target, clip=clip)


def blueprint(house: House, target: Path) -> None:
    """Show the form of a blueprint."""
    house.home.post("/api/mobile_app/registrations", PHONE_APP)
    phone = house.home.device(PHONE_APP["device_name"])["id"]
    inputs = {"phones": [phone], "player": "media_player.test_player"}
    path = house.automation("tell_my_phone", "notify", service=house.device, **inputs)
    with house.page(path, (1100, 850)) as page:
        page.screenshot(path=target)


def _shoot(element: Locator, target: Path) -> None:
    element.first.screenshot(path=target, animations="disabled")


PICTURES: Final[dict[str, Callable[[House, Path], None]]] = {
    "device": device_page,
    "card": card,
    "card-dark": card_dark,
    "card-phone": card_phone,
    "card-library": card_library,
    "dashboard": dashboard,
    "assist": assist,
    "blueprint": blueprint,
}


def main() -> int:
    """Start everything, fill it with jobs, and take the pictures."""
    wanted = sys.argv[1:] or [*PICTURES]
    if unknown := set(wanted) - PICTURES.keys():
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}.")
        return 2
    IMAGES.mkdir(exist_ok=True)
    large = []
    with _house() as house:
        for name in wanted:
            target = IMAGES / f"{name}.png"
            PICTURES[name](house, target)
            print(f"{target.name}: {target.stat().st_size:,} bytes")
            large += [name] * (target.stat().st_size > LARGEST)
    if large:
        print(f"larger than {LARGEST:,} bytes: {', '.join(large)}")
    return 1 if large else 0


@contextmanager
def _house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = MediaServer(make(folder / "media")).start()
        broker = Mosquitto(folder / "broker").start()
        home = HomeAssistant(install(VERSIONS[-1]), folder / "config", broker.port)
        home.start()
        volume = home.folder / "media" / "mediarip"
        volume.mkdir()
        # The media server is the proxy of any host, so that the pictures show names of sites.
        proxy = f"http://127.0.0.1:{media.port}"
        at_once = str(len(RUNNING))
        source = f"media-source://media_source/local/{volume.name}/volume"
        service = Service(
            volume,
            broker.port,
            DOWNLOADS__PROXY=proxy,
            DOWNLOADS__MAX_CONCURRENT=at_once,
            HOMEASSISTANT__MEDIA_SOURCE=source,
        )
        try:
            _prepare(home)
            service.start()
            _fill(Client(broker.port), media, folder)
            names = found(home, "mediarip")
            home.wait(names["status"], "downloading")
            films = folder / "films"
            films.mkdir()
            yield House(home, names, home.device()["id"], broker.port, media, films)
        finally:
            service.stop()
            home.stop()
            broker.stop()
            media.stop()


def _prepare(home: HomeAssistant) -> None:
    """Add what a household's Home Assistant has, and the tests' has not."""
    (home.folder / "packages" / "pictures.yaml").write_text("assist_pipeline:\n")
    home.restart()


def _fill(client: Client, media: MediaServer, folder: Path) -> None:
    """Create jobs: some completed, one failed, some running and waiting."""
    for film in FINISHED:
        client.wait_status(
            client.download(_page(media, folder, film)), "completed", timeout=PATIENCE
        )
    missing = client.download("http://films.example/status/404/harbour.mp4")
    client.wait_status(missing, "failed", timeout=PATIENCE)
    jobs = [client.download(_page(media, folder, film)) for film in (*RUNNING, *WAITING)]
    first = f"job/{jobs[0]}/progress"
    wait_for(
        lambda: client.json(first).get("progress_percent", 0) > SHOWN, PATIENCE, "some progress"
    )
    client.close()


def _page(media: MediaServer, folder: Path, film: Film) -> str:
    """Serve a page with a video and its picture; return the address."""
    still = folder / f"{film.name}.png"
    colours = f"c0={film.dark}:c1={film.light}:nb_colors=2"
    source = f"gradients=s=640x360:{colours}:x0=0:y0=0:x1=640:y1=360"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "1", str(still)]
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    media.text(still.name, still.read_bytes(), "image/png")
    site = "http://videos.example"
    properties = {"image": f"{site}/text/{still.name}", "video": f"{site}/{film.path}"}
    meta = "".join(f'<meta property="og:{key}" content="{url}">' for key, url in properties.items())
    media.text(f"{film.name}.html", f"<title>{film.title}</title>{meta}")
    return f"{site}/text/{film.name}.html"


if __name__ == "__main__":
    sys.exit(main())
