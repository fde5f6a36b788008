"""The card in a real Home Assistant, used by a member of the household: it ends on the volume."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.homeassistant.real.dashboards import Screens, add_dashboard, card_view, screens, until
from tests.homeassistant.real.device import found
from tests.support.broker import Client
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Run = Callable[..., Service]
OLD = "2025.4.4"


@pytest.fixture(scope="module")
def browser() -> Iterator[Screens]:
    yield from screens()


class Card:
    """The card of one service on a page, and that service."""

    def __init__(
        self, page: Page, service: Service, client: Client, names: dict[str, str], number: int = 0
    ) -> None:
        self.page = page
        self.service = service
        self.client = client
        self.names = names
        self.card = page.locator("mediarip-card").nth(number)

    def button(self, name: str) -> Locator:
        """Return a button; a download is named for its file until the page is read."""
        pattern = re.compile(rf"^{re.escape(name)}(\.mp4)?$")
        return self.card.get_by_role("button", name=pattern)

    def press(self, *names: str) -> None:
        """Press buttons one after the other."""
        for name in names:
            self.button(name).click()

    @property
    def pause(self) -> Locator:
        """The button that pauses the queue."""
        return self.card.locator("header").get_by_role("button", name="Pause")

    @property
    def resume(self) -> Locator:
        return self.card.locator(".banner").get_by_role("button", name="Resume")

    @property
    def source(self) -> Locator:
        """The field."""
        return self.card.locator("#source")

    def option(self, name: str) -> Locator:
        return self.card.locator(f"form.add [name={name}]")

    def text(self, text: str | re.Pattern[str]) -> Locator:
        return self.card.get_by_text(text).first

    def rows(self, section: str) -> Locator:
        return self.card.get_by_role("region", name=re.compile(f"^{section}")).locator("li")

    def row(self, title: str, section: str = "") -> Locator:
        rows = self.rows(section) if section else self.card.locator("li[data-job]")
        return rows.filter(has_text=title)

    def add(self, text: str) -> None:
        self.source.fill(text)
        self.source.press("Enter")

    def wait(self, condition: Callable[[], Any]) -> Any:
        return until(condition, self.page)

    def job(self, name: str) -> dict[str, Any]:
        """Return the job of a file's address, as the service publishes it."""
        topics = [one for one in [*self.client.retained] if re.search(r"/job/[^/]+/state$", one)]
        jobs = [self.client.json(one.removeprefix(f"{self.client.base}/")) for one in topics]
        return next((one for one in jobs if one["url"].endswith(f"/{name}.mp4")), {})

    def status(self, title: str, status: str) -> dict[str, Any]:
        """Wait until a job has a status; return it."""
        job: dict[str, Any] = self.wait(
            lambda: one if (one := self.job(title)).get("status") == status else {}
        )
        return job


@pytest.fixture
def open_card(
    ha: HomeAssistant, run: Run, client_of: Callable[[str], Client], browser: Screens
) -> Iterator[Callable[..., Card]]:
    """Start a service and open a dashboard with its card, as a member of the household."""

    def open_card(node: str, user: HomeAssistant | None = None, **settings: str) -> Card:
        client = client_of(node)
        service = run(node, playable=True, **settings)
        names = found(ha, node)
        path = f"card-{node}"
        add_dashboard(ha, path, card_view({"entity": names["status"]}))
        page = browser.open(user or ha.member(), f"/{path}/0")
        card = Card(page, service, client, names)
        card.card.locator("ha-card").wait_for()
        return card

    try:
        yield open_card
    finally:
        browser.close()


def test_a_link_typed_into_the_field_ends_on_the_volume(
    open_card: Callable[..., Card], media: MediaServer, ha: HomeAssistant
) -> None:
    card = open_card("typed")
    card.text("Nothing here yet.").wait_for()
    card.add(media.url("/bytes/1000/film.mp4"))
    card.row("film", "Finished").wait_for()
    assert card.service.media() == ["film.mp4"]
    assert card.source.input_value() == ""
    card.add("ftp://somewhere/film.mp4")
    card.text("That is not a web address.").wait_for()
    assert card.source.input_value() == "ftp://somewhere/film.mp4"
    assert ha.complaints() == []


def test_the_options_decide_sound_folder_time_and_priority(
    open_card: Callable[..., Card], media: MediaServer
) -> None:
    card = open_card("options")
    card.press("Options")
    card.option("media_type").check()
    card.option("folder").fill("music/new")
    card.add(media.url("/media/video.mp4"))
    (file,) = card.wait(card.service.media)
    assert re.fullmatch(r"music/new/video\.(opus|m4a|mp3|ogg|aac)", file)
    card.option("media_type").uncheck()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    card.option("not_before").fill(tomorrow.strftime("%Y-%m-%dT%H:%M"))
    card.option("priority").select_option("high")
    card.option("preset").select_option("480p")
    card.add(media.url("/bytes/1000/tomorrow.mp4"))
    card.row("tomorrow", "Waiting").wait_for()
    job = card.status("tomorrow", "queued")
    assert job["priority"] == "high"
    assert job["preset"] == "480p"
    assert job["not_before"].startswith(tomorrow.strftime("%Y-%m-%dT%H:%M"))


def test_a_running_download_is_cancelled_and_tried_again(
    open_card: Callable[..., Card], media: MediaServer
) -> None:
    card = open_card("cancel")
    card.add(media.url("/stall/1000/bytes/90000/film.mp4"))
    card.row("film", "Running").wait_for()
    card.press("Cancel: film")
    card.status("film", "cancelled")
    assert card.service.media() == []
    card.press("Retry: film")
    card.row("film", "Running").wait_for()
    card.press("Details: film", "Pause")
    card.status("film", "paused")
    card.press("Cancel")
    card.status("film", "cancelled")
    card.press("Remove from list")
    card.text("Nothing here yet.").wait_for()


def test_the_queue_and_a_waiting_download_pause_and_go_on(
    open_card: Callable[..., Card], media: MediaServer, ha: HomeAssistant
) -> None:
    card = open_card("queue")
    card.pause.click()
    card.text("Downloads are paused.").wait_for()
    ha.wait(card.names["paused"], "on")
    card.add(media.url("/bytes/1000/first.mp4"))
    card.row("first", "Waiting").wait_for()
    card.press("Details: first", "Move up")
    card.wait(lambda: card.job("first")["priority"] == "high")
    card.press("Priority: Normal")
    card.wait(lambda: card.job("first")["priority"] == "normal")
    card.press("Pause")
    card.status("first", "paused")
    card.resume.click()
    ha.wait(card.names["paused"], "off")
    card.pause.wait_for()
    assert card.service.media() == []
    card.press("Resume: first")
    card.status("first", "completed")
    assert card.service.media() == ["first.mp4"]


def test_a_finished_file_is_kept_deleted_and_removed_from_the_list(
    open_card: Callable[..., Card], media: MediaServer
) -> None:
    card = open_card("files")
    for name in ("one", "two"):
        card.add(media.url(f"/bytes/1000/{name}.mp4"))
        card.status(name, "completed")
    card.press("Details: one", "Keep")
    card.wait(lambda: card.job("one")["keep"])
    card.press("Do not keep")
    card.wait(lambda: not card.job("one")["keep"])
    card.press("Delete file", "Do not delete")
    assert card.service.media() == ["one.mp4", "two.mp4"]
    card.press("Delete file", "Delete file: one")
    card.wait(lambda: card.service.media() == ["two.mp4"])
    card.row("one").wait_for(state="detached")
    card.press("Details: two", "Remove from list")
    card.row("two").wait_for(state="detached")
    assert card.service.media() == ["two.mp4"]


def test_failed_downloads_say_why_and_are_tried_again_together(
    open_card: Callable[..., Card], media: MediaServer
) -> None:
    card = open_card("failing")
    for name in ("one", "two"):
        card.add(media.url(f"/flaky/1/404/failing{name}/bytes/1000/{name}.mp4"))
        card.status(name, "failed")
    card.rows("Failed").get_by_text("There is nothing at this address.").first.wait_for()
    card.press("Details: one")
    card.text("Check the link.").wait_for()
    card.press("Retry all")
    card.status("one", "completed")
    card.status("two", "completed")
    assert card.service.media() == ["one.mp4", "two.mp4"]


def test_a_film_plays_in_the_browser_and_on_a_player(
    open_card: Callable[..., Card], media: MediaServer, ha: HomeAssistant
) -> None:
    card = open_card("cinema")
    card.add(media.url("/media/video.mp4"))
    card.press("Play: video")
    film = card.card.locator("dialog video")
    film.wait_for()
    card.wait(lambda: film.evaluate("(one) => one.readyState > 1 && one.videoWidth > 0"))
    card.press("Close")
    card.card.locator("dialog").wait_for(state="detached")
    card.press("Details: video", "Play on…", "Test player")
    card.text("Playing on Test player.").wait_for()
    (played,) = card.wait(lambda: ha.calls("media_player.play_media"))
    assert played["entity_id"] == "media_player.test_player"
    assert played["media_content_id"].endswith("/local/cinema/volume/video.mp4")


def test_someone_who_may_only_look_sees_no_controls_after_the_first_refusal(
    open_card: Callable[..., Card], media: MediaServer, ha: HomeAssistant
) -> None:
    card = open_card("looking", user=ha.member("system-read-only"))
    card.add(media.url("/bytes/1000/film.mp4"))
    card.text("You can look, but not change anything.").wait_for()
    assert card.pause.count() == 0
    assert card.source.count() == 0
    assert card.service.media() == []


def test_the_card_says_that_the_service_is_off_or_pauses_by_itself(
    open_card: Callable[..., Card], media: MediaServer
) -> None:
    now = datetime.now(UTC)
    quiet = f"{now - timedelta(minutes=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    card = open_card("states", DOWNLOADS__QUIET_HOURS=quiet)
    card.text(re.compile(r"^Quiet hours: nothing new starts until \d")).wait_for()
    card.add(media.url("/bytes/1000/night.mp4"))
    card.row("night", "Waiting").wait_for()
    card.service.stop()
    card.text(re.compile("^Off since")).wait_for()
    card.row("night").wait_for()  # the last that was known
    assert card.source.is_disabled()
    del card.service.environment["MEDIARIP__DOWNLOADS__QUIET_HOURS"]
    card.service.start()
    card.row("night", "Finished").wait_for(timeout=60_000)


def test_two_services_on_a_page_keep_apart(
    open_card: Callable[..., Card], media: MediaServer, ha: HomeAssistant, browser: Screens
) -> None:
    first, second = open_card("upstairs"), open_card("downstairs")
    ids = [{"entity": one.names["status"], "title": one.client.base} for one in (first, second)]
    add_dashboard(ha, "card-both", card_view(*ids))
    page = browser.open(ha.member(), "/card-both/0")
    left = Card(page, first.service, first.client, first.names, 0)
    right = Card(page, second.service, second.client, second.names, 1)
    left.add(media.url("/bytes/1000/up.mp4"))
    left.status("up", "completed")
    right.add(media.url("/bytes/1000/down.mp4"))
    right.status("down", "completed")
    left.row("up").wait_for()
    right.row("down").wait_for()
    assert left.row("down").count() == right.row("up").count() == 0
    right.pause.click()
    right.text("Downloads are paused.").wait_for()
    ha.wait(second.names["paused"], "on")
    assert ha.state(first.names["paused"])["state"] == "off"
    assert left.pause.count() == 1


def test_renamed_entities_do_no_harm(
    open_card: Callable[..., Card], media: MediaServer, ha: HomeAssistant
) -> None:
    card = open_card("renamed")
    for number, key in enumerate(("download", "response", "last_completed", "last_failed")):
        domain = card.names[key].split(".")[0]
        ha.command(
            "config/entity_registry/update",
            entity_id=card.names[key],
            new_entity_id=f"{domain}.something_else_{number}",
            name=f"Something else {number}",
        )
    # Also while the page is open.
    card.add(media.url("/bytes/1000/film.mp4"))
    card.row("film", "Finished").wait_for()
    card.page.reload()
    card.row("film", "Finished").wait_for()
    card.add(media.url("/bytes/1000/other.mp4"))
    card.row("other", "Finished").wait_for()
    assert card.service.media() == ["film.mp4", "other.mp4"]


def test_the_card_is_offered_for_its_entity_and_found_in_the_picker(
    ha: HomeAssistant, run: Run, browser: Screens
) -> None:
    run("picked")
    found(ha, "picked")
    add_dashboard(ha, "card-pick", {"views": [{"title": "Empty", "cards": []}]})
    page = browser.open(ha, "/card-pick/0?edit=1")
    page.get_by_text("Add card").first.click()
    dialog = page.locator("hui-dialog-create-card")
    search = dialog.locator("input:visible").first
    if ha.version != OLD:  # which has no suggestions
        search.fill("picked")
        dialog.get_by_text("picked", exact=True).first.click()
        dialog.locator("mediarip-card").get_by_text("Nothing here yet.").wait_for()
        dialog.get_by_text("By card").click()
    search.fill("mediarip")
    dialog.get_by_text("Downloads (mediarip-mqtt)").first.wait_for()
    dialog.locator("mediarip-card").get_by_text("Nothing here yet.").wait_for()
    browser.close()
