"""Every sample of voice.yaml, said to a real Home Assistant and done by a real service."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from scripts import voice
from tests.homeassistant.real.device import found
from tests.support.broker import Client, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
ClientOf = Callable[[str], Client]
DOC = voice.source()
LANGUAGES = list(voice.LANGUAGES)
ENDED = {"completed", "failed", "cancelled"}
LONG = 60  # seconds; the machine may be busy
TITLES = ("big buck bunny", "tatort", "la mer")  # of the samples
STALLED = "/stall/1000/bytes/90000/"  # never ends


class Household:
    """A service, and a Home Assistant that is spoken to about it."""

    def __init__(self, ha: HomeAssistant, client: Client, names: dict[str, str]) -> None:
        self.ha = ha
        self.client = client
        self.names = names

    def hears(self, name: str) -> None:
        """Add the automation, as a person who chooses the device in the blueprint's form does."""
        inputs = {"service": self.ha.device(name)["id"]}
        blueprint = {"path": "mediarip/voice.yaml", "input": inputs}
        self.ha.add_automation(f"voice_{name}", use_blueprint=blueprint)
        wait_for(lambda: self.ha.state(f"automation.voice_{name}")["state"] == "on")

    def say(self, sentence: str, language: str = "en") -> str:
        return self.ha.say(sentence, language)

    def add(self, url: str, **options: Any) -> str:
        """Add a job without words; return its id when Home Assistant lists it."""
        job_id = str(self.client.download(url, **options))
        self.listed(job_id)
        return job_id

    def listed(self, job_id: str, *statuses: str) -> None:
        """Wait until Home Assistant lists a job, with one of the statuses."""
        wait_for(
            lambda: any(
                one["id"] == job_id and (not statuses or one["status"] in statuses)
                for one in self.jobs()
            ),
            timeout=LONG,
            what=f"job {job_id} in Home Assistant's list",
        )

    def stored(self) -> list[dict[str, Any]]:
        """Return all jobs of the service, newest first."""
        return list(self.client.request("list", limit=200)["jobs"])

    def jobs(self, *statuses: str) -> list[dict[str, Any]]:
        jobs = self.ha.state(self.names["status"])["attributes"].get("jobs", [])
        return [one for one in jobs if not statuses or one["status"] in statuses]

    def waiting(self) -> int:
        """Return the number of waiting jobs; Home Assistant lists only the next ones."""
        more = self.ha.state(self.names["status"])["attributes"].get("more", 0)
        return len(self.jobs("queued")) + int(more)

    def none_left(self) -> None:
        """Wait until Home Assistant lists no unfinished job."""
        wait_for(lambda: {one["status"] for one in self.jobs()} <= ENDED, LONG)

    def finished(self) -> list[dict[str, Any]]:
        """Wait until all jobs have ended, also in Home Assistant; return them."""
        wait_for(lambda: {one["status"] for one in self.stored()} <= ENDED, LONG)
        jobs = self.stored()
        newest = {one["id"] for one in jobs[:3]}
        wait_for(lambda: {one["id"] for one in self.jobs()} >= newest, LONG)
        self.none_left()
        return jobs

    def paused(self, *, paused: bool) -> None:
        self.ha.call(f"switch.turn_{'on' if paused else 'off'}", entity_id=self.names["paused"])
        self.held("user" if paused else None)

    def held(self, reason: str | None) -> None:
        self.ha.wait(self.names["status"], timeout=LONG, pause_reason=reason)


@pytest.fixture
def household(
    ha: HomeAssistant, run: Run, client_of: ClientOf, media: MediaServer
) -> Callable[..., Household]:
    """Start a service; the search of its words finds a file that stalls."""

    def household(name: str, path: str = f"{STALLED}found.mp4?q=", **settings: str) -> Household:
        run(name, **{"DOWNLOADS__SEARCH_PREFIX": media.url(path), **settings})
        library = "LIBRARY__ENABLED" in settings
        one = Household(ha, client_of(name), found(ha, name, library=library))
        one.hears(name)
        return one

    return household


def samples(intent: str) -> Iterator[tuple[str, str]]:
    """Yield an intent's samples and their languages."""
    for language, sentences in DOC["samples"][intent].items():
        for sentence in sentences:
            yield sentence, language


def answer(key: str, language: str, table: str = "answers", **parts: object) -> str:
    """Return what is to be said."""
    return str(DOC[table][key][language]).format(**parts)


def wanted(sentence: str, language: str) -> str:
    """Return what a sample of `download` asks for, by its last words."""
    words = ["herunter", "runter", "please"]
    return " ".join(one for one in sentence.split() if one not in words).split()[-1].lower()


def test_every_sample_about_the_queue_does_what_it_says_and_others_are_left_alone(
    household: Callable[..., Household], media: MediaServer
) -> None:
    home = household("voicequeue")
    for sentence in DOC["not_ours"]:  # triggers know no language
        home.say(sentence)
    assert home.ha.state("automation.voice_voicequeue")["attributes"]["last_triggered"] is None
    home.ha.mark()  # Home Assistant complains about a timer that it does not find
    pairs = zip(samples("pause"), samples("resume"), strict=False)
    for (sentence, language), (back, back_language) in pairs:
        assert home.say(sentence, language) == answer("paused", language)
        home.ha.wait(home.names["paused"], "on", LONG)
        assert home.say(back, back_language) == answer("resumed", back_language)
        home.ha.wait(home.names["paused"], "off", LONG)
    home.paused(paused=True)
    for sentence, language in samples("pause"):
        assert home.say(sentence, language) == answer("paused", language)

    for sentence, language in samples("download"):
        before = len(home.stored())
        said = home.say(sentence, language)
        reason = answer("user", language, "pauses")
        assert said.endswith(reason), said
        jobs = home.stored()
        assert len(jobs) == before + 1
        assert quote_plus(wanted(sentence, language)).split("%2F")[-1] in jobs[0]["url"].lower()
    count = len(home.stored())
    wait_for(lambda: home.waiting() == count, LONG)
    for intent in ("what", "left"):
        for sentence, language in samples(intent):
            held = answer("user", language, "pauses")
            waiting = answer("waiting", language, n=count)
            assert home.say(sentence, language) == f"{waiting} {held}"
    for sentence, language in samples("cancel_all"):
        assert home.say(sentence, language) == answer("cancelled_many", language, n=count)
        count = 2
        for name in ("one", "two"):
            home.client.download(media.url(f"{STALLED}{name}.mp4"))
    home.say("cancel all downloads")
    home.none_left()
    _cancel_each(home, media)
    assert home.ha.complaints() == []


def _title(sentence: str, language: str) -> str:
    """Return the title that a sample of `cancel` names; empty if none."""
    words = sentence.removesuffix(" ab") if language == "de" else sentence
    return next((one for one in TITLES if words.endswith(one)), "")


def _cancel_each(home: Household, media: MediaServer) -> None:
    """Say each sample of `cancel`: those with a title beside other jobs, the others to one job."""
    rest = list(samples("cancel"))
    while rest:
        named = {title: one for one in rest if (title := _title(*one))}
        said_to = named or {"only": rest[0]}
        jobs = {title: home.add(media.url(f"{STALLED}{quote(title)}.mp4")) for title in said_to}
        for title, (sentence, language) in said_to.items():
            said = home.say(sentence, language)
            assert said.lower() == answer("cancelled", language, title=title).lower()
            home.client.wait_status(jobs[title], "cancelled")
            rest.remove((sentence, language))
        home.none_left()
    for language, sentence in (("en", "cancel the download"), ("de", "brich alle downloads ab")):
        assert home.say(sentence, language) == answer("nothing", language)


def test_what_was_downloaded_what_failed_and_how_much_room_is_left(
    household: Callable[..., Household], media: MediaServer
) -> None:
    home = household("voicedone")
    assert home.say("what was downloaded last") == answer("last_none", "en")
    assert home.say("retry the failed downloads") == answer("no_failed", "en")
    done = home.add(media.url("/bytes/1000/harbour%20at%20night.mp4"))
    home.client.wait_status(done, "completed", timeout=LONG)
    wait_for(
        lambda: home.ha.state(home.names["last_completed"])["attributes"].get("finished"), LONG
    )
    for sentence, language in samples("last"):
        ago = answer("now_ago", language, "times")
        said = home.say(sentence, language)
        assert said == answer("last", language, title="harbour at night", ago=ago)
    for sentence, language in samples("room"):
        said = home.say(sentence, language)
        assert any(
            said == answer(key, language, free=number)
            for key in ("room", "room_low", "room_none")
            for number in range(100_000)
        ), said
    home.add(media.url("/status/404/gone.mp4"))
    for sentence, language in samples("retry"):
        wait_for(lambda: home.stored()[0]["status"] == "failed", LONG)
        assert home.say(sentence, language) == answer("retried_one", language)
    assert home.ha.complaints() == []


def test_running_downloads_are_told_by_title_and_time_and_the_right_one_is_cancelled(
    household: Callable[..., Household], media: MediaServer
) -> None:
    home = household("voicerun")
    first = home.add(media.url("/slow/20000/bytes/4000000/harbour.mp4"))
    home.listed(first, "downloading")
    wait_for(lambda: home.jobs("downloading")[0].get("eta"), LONG)
    for sentence, language in samples("what"):
        said = home.say(sentence, language)
        assert any(
            said == answer("what_one", language, title="harbour", percent=percent)
            for percent in range(100)
        ), said
    for sentence, language in samples("left"):
        said = home.say(sentence, language)
        times = [answer("minutes", language, "times", n=n) for n in range(2, 60)]
        assert said in [answer("left", language, time=time) for time in times], said
    second = home.add(media.url(f"{STALLED}moon%20river.mp4"))
    home.listed(second, "downloading")
    said = home.say("what is downloading")
    assert said.startswith("2 downloads, ")
    for language, sentence in zip(
        LANGUAGES,
        ("stop this download", "brich den download ab", "annule le téléchargement"),
        strict=True,
    ):
        said = home.say(sentence, language)
        assert {"harbour", "river"} <= set(said.replace(".", " ").replace(":", " ").split()), said
    assert home.client.job(first)["status"] == home.client.job(second)["status"] == "downloading"
    third = home.add(media.url(f"{STALLED}moon%20landing.mp4"))
    home.listed(third, "downloading")
    assert "moon river" in home.say("cancel the download of moon")
    assert home.say("stop downloading moon landing please") == answer(
        "cancelled", "en", title="moon landing"
    )
    home.client.wait_status(third, "cancelled")
    said = home.say("brich den download von etwas anderem ab", "de")
    assert said == answer("not_found", "de", title="etwas anderem")
    assert home.client.job(second)["status"] == "downloading"

    home.say("cancel all downloads")
    home.none_left()
    title = "<speak>{{ 7*7 }}\u202e & [x](y) \U0001f600 " + "long " * 40
    hostile = home.add(media.url(f"/slow/2000/bytes/900000/{quote(title)}.mp4"))
    home.listed(hostile, "downloading")
    said = home.say("what is downloading")
    assert "long" in said
    assert not set(said) & set("<>{}[]*\u202e\U0001f600"), said
    assert "49" not in said
    assert len(said) < 90
    assert home.ha.complaints() == []


def test_a_download_by_voice_ends_on_the_volume_in_each_language(
    household: Callable[..., Household], run: Run, media: MediaServer
) -> None:
    home = household("voiceload", "/media/video.mp4?q=")
    said = {
        "en": ("download the harbour song please", "the harbour song"),
        "de": ("lade das hafenlied herunter", "das hafenlied"),
        "fr": ("télécharge la chanson de la mer", "la chanson de la mer"),
    }
    for language, (sentence, query) in said.items():
        assert home.say(sentence, language) == answer("accepted", language, query=query)
        assert home.finished()[0]["status"] == "completed"
    # As Assist passes on a typed link.
    link = media.url("/bytes/1000/typed.mp4").replace("://", "//")
    assert home.say(f"download {link}") == answer("accepted_link", "en")
    assert home.finished()[0]["status"] == "completed"
    # What the search found, which may not be what was meant.
    assert home.say("get me the latest episode of tatort") == answer(
        "accepted", "en", query="video"
    )
    assert "tatort+latest+episode" in home.finished()[0]["url"]
    assert home.say("Ajoute moon river aux téléchargements", "fr") == answer(
        "accepted", "fr", query="moon river"
    )
    # Another language: that of the sentence, or English for an own one.
    assert home.say("was wird geladen", "nl") in {
        answer("nothing", "de"),
        answer("waiting_one", "de"),
        answer("starting", "de", title="moon river"),
    }
    assert [one["status"] for one in home.finished()] == ["completed"] * 6
    assert home.ha.complaints() == []


def test_a_refusal_is_said_with_its_reason_and_no_reply_is_no_success(
    household: Callable[..., Household], run: Run, media: MediaServer
) -> None:
    home = household(
        "voicefail",
        "/status/404/x.mp4?q=",
        DOWNLOADS__QUEUE_LIMIT="1",
        SECURITY__BLOCKED_HOSTS="blocked.example",
    )
    links = {
        "en": "download https//blocked.example/x",
        "de": "lade https//blocked.example/x herunter",
        "fr": "télécharge https//blocked.example/x",
    }
    for language, sentence in links.items():
        reason = answer("blocked_address", language, "reasons")
        assert home.say(sentence, language) == answer("refused", language, reason=reason)
    # Found out only after the job was accepted.
    reason = answer("not_found", "de", "reasons")
    sentence, refused = (
        "lade die neueste folge von tatort herunter",
        answer("refused", "de", reason=reason),
    )
    wait_for(lambda: home.say(sentence, "de") == refused, LONG)  # if it fails within 8 s
    home.paused(paused=True)
    home.say("download one")
    reason = answer("queue_full", "fr", "reasons")
    assert home.say("télécharge une autre", "fr") == answer("refused", "fr", reason=reason)
    assert home.ha.complaints() == []


def test_a_service_that_is_off_silent_or_without_its_volume_is_said_so(
    ha: HomeAssistant, run: Run, client_of: ClientOf
) -> None:
    service = run("voiceoff")
    home = Household(ha, client_of("voiceoff"), found(ha, "voiceoff"))
    home.hears("voiceoff")
    os.kill(service.pid, signal.SIGSTOP)
    try:
        assert home.say("download one") == answer("no_answer", "en")
    finally:
        os.kill(service.pid, signal.SIGCONT)
    away = service.root.with_name("away")
    service.root.rename(away)
    ha.wait(home.names["status"], "storage_lost", LONG)
    for language in LANGUAGES:
        for intent in ("download", "what"):
            sentence = DOC["samples"][intent][language][0]
            assert home.say(sentence, language) == answer("storage_lost", language)
    away.rename(service.root)
    ha.wait(home.names["status"], "idle", LONG)
    service.stop()
    ha.wait(home.names["status"], "unavailable")
    for language, sentences in DOC["samples"]["download"].items():
        assert home.say(sentences[0], language) == answer("offline", language)
    for intent in DOC["samples"]:
        sentence, language = next(samples(intent))
        assert home.say(sentence, language) == answer("offline", language)
    assert ha.complaints() == []


@contextmanager
def intents(ha: HomeAssistant, status: str) -> Iterator[None]:
    """Put the custom sentences and the package into the configuration, and take them out again."""
    written = [ha.folder / "packages" / voice.PACKAGE.name]
    written[0].write_text(voice.package(DOC).replace("sensor.mediarip_status", status))
    for language in LANGUAGES:
        path = ha.folder / "custom_sentences" / language / "mediarip.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voice.sentences(DOC, language))
        written.append(path)
    try:
        for domain in ("script", "intent_script", "conversation"):
            ha.call(f"{domain}.reload")
        yield
    finally:
        for path in written:
            path.unlink()
        for domain in ("script", "intent_script", "conversation"):
            ha.call(f"{domain}.reload")


def test_custom_sentences_with_intents_do_the_same(
    ha: HomeAssistant, run: Run, client_of: ClientOf, media: MediaServer
) -> None:
    run("voiceintents", DOWNLOADS__SEARCH_PREFIX=media.url("/media/video.mp4?q="))
    home = Household(ha, client_of("voiceintents"), found(ha, "voiceintents"))
    with intents(ha, home.names["status"]):
        for language in LANGUAGES:
            query = {"en": "1984", "de": "das hafenlied", "fr": "la mer"}[language]
            sentence = {"en": "download {}", "de": "lade {} herunter", "fr": "télécharge {}"}[
                language
            ]
            said = home.say(sentence.format(query), language)
            assert said == answer("accepted", language, query=query)
            assert home.finished()[0]["status"] == "completed"
            for intent in DOC["intents"]:
                if intent != "download":
                    said = home.say(DOC["samples"][intent][language][0], language)
                    assert said not in {"", "Done"}
                    assert "{" not in said
            home.paused(paused=False)
        assert home.say("pause the downloads") == answer("paused", "en")
        home.held("user")
        for sentence in ("pause", "get me the weather"):
            home.say(sentence)
        assert len(home.stored()) == 3
    assert ha.complaints() == []


def test_the_library_is_asked_in_each_language(
    household: Callable[..., Household], media: MediaServer
) -> None:
    settings = {"LIBRARY__ENABLED": "true", "LIBRARY__REVIEW_BELOW": "0.9"}
    home = household("voicelibrary", **settings)
    for sentence, language in samples("reviews"):
        assert home.say(sentence, language) == answer("reviews_none", language)
    for sentence, language in samples("have"):
        said = home.say(sentence, language)
        assert said.endswith(answer("have_none", language, query="")), said
    for number, title in enumerate(("Tides S01E01 Ebb", "Tides S01E02 Flood"), start=1):
        home.client.download(media.url(f"/bytes/1000/{quote(title)}.mp4"))
        home.ha.wait(home.names["reviews_waiting"], str(number), LONG)
        for language in LANGUAGES:
            sentence = DOC["samples"]["reviews"][language][0]
            key = "reviews_one" if number == 1 else "reviews_many"
            assert home.say(sentence, language) == answer(key, language, n=number, title="Ebb")
    for number in (1, 2):
        job = home.client.request("review")["titles"][0]
        home.client.request("review", id=job["id"], accept=True)
        home.ha.wait(home.names["library"], str(number), LONG)
    told: dict[str, Any] = {"n": 2, "a": "Tides, Flood", "b": "Tides, Ebb"}
    for language, sentence in (
        ("en", "do we have the show tides"),
        ("de", "haben wir die serie tides"),
        ("fr", "avons-nous la série tides"),
    ):
        assert home.say(sentence, language) == answer("have_many", language, **told)
        one = answer("have_one", language, title="Tides, Flood")
        assert home.say(sentence.replace("tides", "flood"), language) == one
    assert home.ha.complaints() == []


def test_a_household_without_a_library_is_told_so(household: Callable[..., Household]) -> None:
    home = household("voicebare")
    for intent in ("reviews", "have"):
        sentence, language = next(samples(intent))
        assert home.say(sentence, language) == answer("no_library", language)
    assert home.ha.complaints() == []
