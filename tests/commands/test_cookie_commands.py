"""Cookies: sent by a person, used for their site, and never told again."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.engine.cookie_files import parse
from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.server import MediaServer
from tests.support.service import Service

SECRET = "s3cr3t-v4lue"
HEADER = "# Netscape HTTP Cookie File\n"


def cookie(domain: str = "127.0.0.1", value: str = SECRET, expires: int = 4_000_000_000) -> str:
    return f"{domain}\tFALSE\t/\tFALSE\t{expires}\tsession_key\t{value}\n"


def stored(service: Service) -> list[Path]:
    return list((service.root / ".mediarip" / "cookies").glob("*.txt"))


def sent(media: MediaServer, part: str) -> set[str | None]:
    return {one.cookie for one in media.requests if part in one.path}


def test_cookies_are_kept_for_the_service_s_user_alone_and_sent_to_their_site(
    service: Service, client: Client, media: MediaServer
) -> None:
    told = client.request("cookies", content=HEADER + cookie() + cookie("example.com", "other"))
    assert told["cookies"] | {"stored_at": ""} == {
        "stored": True,
        "count": 2,
        "expired": 0,
        "stored_at": "",
        "last_success": None,
    }
    (file,) = stored(service)
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    job_id = client.download(media.url("/bytes/1000/a.mp4"))
    client.wait_status(job_id, "completed")
    assert sent(media, "a.mp4") == {f"session_key={SECRET}"}
    assert file.read_bytes() == before  # yt-dlp writes nothing back
    assert client.request("cookies")["cookies"]["last_success"] >= told["cookies"]["stored_at"]


def test_what_they_hold_is_in_no_topic_log_store_or_reply(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.request("cookies", content=HEADER + cookie())
    client.request("cookies", content=f"{HEADER}127.0.0.1\tNO\t{SECRET}")
    client.request("cookies", content=[SECRET])
    client.request("cookies", content=HEADER + cookie(), delete=True)
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    client.wait_status(client.download(media.url("/status/401/b.mp4")), "failed")
    sent_by_us = "mediarip/command"
    told = [text for topic, text in client.messages if not topic.startswith(sent_by_us)]
    assert not [one for one in told if SECRET in one]
    assert SECRET not in service.log
    service.stop()
    store = sqlite3.connect(service.root / ".mediarip" / "store.db")
    assert SECRET not in "".join(store.iterdump())
    store.close()


def test_cookies_can_be_sent_as_they_were_exported_and_deleted(
    service: Service, client: Client, media: MediaServer
) -> None:
    client.publish("command/cookies", HEADER + "#HttpOnly_" + cookie())  # mosquitto_pub -f
    wait_for(lambda: stored(service))
    assert client.request("cookies")["cookies"]["count"] == 1
    assert client.request("cookies", delete=True)["cookies"]["stored"] is False
    assert stored(service) == []
    client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
    assert sent(media, "a.mp4") == {None}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (cookie(), "first line"),
        (f'[{{"name": "a", "value": "{SECRET}"}}]', "JSON"),
        (HEADER, "no cookie"),
        (HEADER + cookie() + f"127.0.0.1 FALSE / FALSE 0 a {SECRET}\n", "Line 3"),
        (HEADER + cookie(value=f"a\x1b{SECRET}"), "control"),
        (HEADER + cookie(domain="a b"), "domain"),
        (HEADER + cookie().replace("\t/\t", f"\t{SECRET}\t"), "path"),
    ],
)
def test_what_is_no_cookies_txt_is_refused_with_its_line_and_the_last_one_kept(
    content: str, said: str, service: Service, client: Client
) -> None:
    client.request("cookies", content=HEADER + cookie())
    error = client.request("cookies", content=content)["error"]
    assert (error["code"], error["field"]) == ("invalid_payload", "content")
    assert said in error["message"]
    assert SECRET not in error["message"]
    assert client.request("cookies")["cookies"]["count"] == 1


def test_a_request_that_comes_again_does_not_bring_old_cookies_back(
    service: Service, client: Client
) -> None:
    client.request("cookies", content=HEADER + cookie(), request_id="one")
    client.request("cookies", delete=True)
    client.publish("command/cookies", {"request_id": "one", "content": HEADER + cookie()})
    wait_for(lambda: len(client.replies("one")) == 2)
    assert stored(service) == []


@pytest.mark.slow
def test_a_file_of_the_configuration_serves_who_has_sent_none(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(HEADER + cookie(value="from-a-file"))
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__COOKIES_FILE=str(file)).start()
    try:
        client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
        assert sent(media, "a.mp4") == {"session_key=from-a-file"}
        client.request("cookies", content=HEADER + cookie(value="own"))
        client.wait_status(client.download(media.url("/bytes/1000/b.mp4")), "completed")
        assert sent(media, "b.mp4") == {"session_key=own"}
    finally:
        service.stop()


@pytest.mark.slow
def test_a_session_s_cookies_are_its_own(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = Service(tmp_path, mosquitto.port, SESSION__MODE="isolated").start()
    anna, ben = (Client(mosquitto.port, f"mediarip/session/{one}") for one in ("anna", "ben"))
    try:
        assert anna.request("cookies", content=HEADER + cookie())["ok"]
        assert ben.request("cookies")["cookies"]["stored"] is False
        assert client.request("cookies")["cookies"]["stored"] is False
        anna.wait_status(anna.download(media.url("/bytes/1000/anna.mp4")), "completed")
        ben.wait_status(ben.download(media.url("/bytes/1000/ben.mp4")), "completed")
        assert sent(media, "anna.mp4") == {f"session_key={SECRET}"}
        assert sent(media, "ben.mp4") == {None}
    finally:
        service.stop()
        anna.close()
        ben.close()


def test_a_site_that_wants_a_login_is_named_and_what_to_do(
    service: Service, client: Client, media: MediaServer
) -> None:
    job = client.wait_status(client.download(media.url("/status/401/a.mp4")), "failed")
    assert job["error_code"] == "login_required"
    assert "127.0.0.1" in job["error_message"]
    assert "`cookies`" in job["error_message"]


@given(st.text(max_size=300) | st.text(alphabet="#\t/TRUEFALSE01.\n\r a\x85\u2028", max_size=300))
def test_any_text_is_cookies_or_a_refusal(text: str) -> None:
    for content in (text, HEADER + text, HEADER + cookie() + text):
        with contextlib.suppress(CommandError):
            assert parse(content)
