"""A page with the committed card, a fake `hass` and Chromium."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.homeassistant.card.situations import NOW, Situation

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

ROOT: Final = Path(__file__).parents[3]
DIST: Final = ROOT / "homeassistant" / "card" / "dist"
BUNDLES: Final = {f"/{one.name}": one for one in DIST.glob("*.js")}
# Not https, as in most homes: `crypto.randomUUID` and the clipboard are missing.
ORIGIN: Final = "http://home.test"
LANGUAGES: Final = ("en", "de", "fr", "ar")  # the card has no Arabic: it is for right to left
THIS_FOLDER: Final = Path(__file__).parent


class Bench:
    """One page. ``errors`` are its JavaScript errors and complaints on the console."""

    def __init__(self, page: Page, tiles: bytes) -> None:
        self.page = page
        self.errors: list[str] = []
        self.loaded: list[str] = []  # the card's files
        self.gone: set[str] = set()  # files that the server has not
        self._tiles = tiles

    def open(self) -> Bench:
        """Load the page, without a card."""
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._complain)
        self.page.route("**/*", self._serve)
        self.page.clock.install(time=NOW)
        self.page.clock.resume()
        self.page.goto(f"{ORIGIN}/")
        self.load("/mediarip-card.js")
        return self

    def _complain(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        local = {"/": "page.html", "/bench.js": "bench.js"}
        if path in local:
            file = THIS_FOLDER / local[path]
            kind = mimetypes.guess_type(file.name)[0]
            route.fulfill(body=file.read_bytes(), content_type=kind)
        elif path in self.gone:
            route.fulfill(status=404)
        elif path in BUNDLES:
            self.loaded.append(path)
            route.fulfill(body=BUNDLES[path].read_bytes(), content_type="text/javascript")
        elif path.startswith("/api/image_proxy/"):
            route.fulfill(body=self._tiles, content_type="image/jpeg")
        elif path == "/media/clip.mp4":
            route.fulfill(body=b"", content_type="video/mp4")
        else:
            route.fulfill(status=204)  # such as the favicon; others are in `errors` of a test

    def load(self, url: str) -> None:
        """Load a module as Home Assistant loads a dashboard's resource."""
        self.page.evaluate("(url) => import(url)", url)

    def start(
        self,
        *situations: Situation,
        language: str = "en",
        dark: bool = False,
        names: dict[str, str] | None = None,
        cards: int | None = None,
    ) -> Bench:
        """Show one card for each service: `mediarip`, `mediarip2` and so on."""
        states: dict[str, Any] = {}
        entities: dict[str, Any] = {}
        devices: dict[str, Any] = {}
        configs = []
        response = ""
        for number, situation in enumerate(situations):
            node = f"mediarip{number + 1 if number else ''}"
            found = situation.states(node, names)
            states |= found
            devices[f"device-{node}"] = {"id": f"device-{node}", "name": node, "name_by_user": None}
            for entity_id in found:
                about = {"entity_id": entity_id, "device_id": f"device-{node}", "platform": "mqtt"}
                entities[entity_id] = about
            response = response or (names or {}).get("response", f"sensor.{node}_response")
            status = (names or {}).get("status", f"sensor.{node}_status")
            configs.append({"type": "custom:mediarip-card", "entity": status, **situation.config})
        home = {
            "states": states,
            "entities": entities,
            "devices": devices,
            "language": language,
            "rtl": language == "ar",
            "dark": dark,
            "admin": False,
            "response": response,
        }
        self.page.evaluate("(home) => bench.start(home)", home)
        for config in configs[:cards]:
            self.page.evaluate("(config) => bench.add(config)", config)
        for number, situation in enumerate(situations):
            node = f"mediarip{number + 1 if number else ''}"
            if situation.known_before:
                self.go_offline(situation, node)
            if situation.refused:
                self.refuse()
        self.settle()
        return self

    def settle(self) -> None:
        """Wait until the cards are rendered and painted, and pictures are loaded."""
        self.page.evaluate(
            "async () => { await bench.painted(); await bench.painted(); await bench.painted(); }"
        )

    def change(self, states: dict[str, Any]) -> None:
        self.page.evaluate("(states) => bench.change(states)", states)
        self.settle()

    def go_offline(self, situation: Situation, node: str = "mediarip") -> None:
        """Make all entities of a service unavailable, as its last will does."""
        self.change(replace(situation, status="unavailable", known_before=False).states(node))

    def refuse(self) -> None:
        """Let Home Assistant refuse all actions, as to a user who may only look."""
        self.page.evaluate(
            "() => { bench.refusal = { code: 'unauthorized', message: 'Unauthorized' } }"
        )

    def reply(self, reply: dict[str, Any] | None) -> None:
        """Set the service's reply to the next commands; None: it does not answer."""
        self.page.evaluate("(reply) => { bench.reply = reply }", reply)

    def find(self, *titles: dict[str, Any]) -> None:
        """Set what the next searches find; each is one page."""
        self.page.evaluate("(titles) => { bench.titles = titles }", list(titles))

    def calls(self) -> list[dict[str, Any]]:
        """Return the actions that the card performed since the last call of this."""
        found: list[dict[str, Any]] = self.page.evaluate("() => bench.calls.splice(0)")
        return found

    def commands(self) -> list[dict[str, Any]]:
        """Return the commands that the card sent since the last call of this."""
        sent = []
        for call in self.calls():
            assert (call["domain"], call["service"]) == ("notify", "send_message"), call
            command = json.loads(call["data"]["message"])
            assert command.pop("request_id")[0].isalpha()  # Home Assistant makes a number of "12"
            sent.append(command)
        return sent

    @property
    def card(self) -> Locator:
        return self.page.locator("mediarip-card").first
