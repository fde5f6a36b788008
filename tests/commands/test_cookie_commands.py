"""Cookies: sent by a person, used for their site, and never told again."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.engine.cookie_files import Cookies, parse, problem_of
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
        # ETCExtensions/Edit-This-Cookie#316: spaces instead of tabs
        (HEADER + cookie().replace("\t", "    "), "Line 2"),
        (HEADER + cookie().replace("4000000000", "soon"), "Line 2"),
        (HEADER + cookie().replace("FALSE\t/\tFALSE", "FALSE\t/\tMAYBE"), "Line 2"),
        (f'[{{"domain": "a.example", "name": "n", "value": "{SECRET}", "path": "x"}}]', "Item 1"),
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


def exported(lines: str, header: str = HEADER) -> list[tuple[str, str | None, float | None]]:
    return [(one.domain, one.value, one.expires) for one in parse(header + lines)]


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (cookie(), f"\ufeff{HEADER}"),
        (cookie(), "# HTTP cookie file.\n# Generated by Wget on 2024-01-01.\n\n"),
        (cookie(), "# HTTP Cookie File\n# http://www.netscape.com/newsref/std/cookie_spec.html\n"),
        (cookie(), "# Made by an extension\n# Netscape HTTP Cookie File\n"),
        (cookie().replace("\n", "\r\n"), HEADER.replace("\n", "\r\n")),
        (cookie().replace("\n", "\r"), HEADER.replace("\n", "\r")),
        (cookie().replace("\tFALSE\t/", "\tTRUE\t/"), HEADER),
        (cookie().replace("FALSE", "false"), HEADER),  # ysard/cookie-quick-manager#139
        (f"#HttpOnly_{cookie()}", HEADER),
        (cookie().rstrip() + "\t\t\n", HEADER),
        (f"\n   \n# a comment\n{cookie()}\n\n", HEADER),
        (cookie().rstrip(), HEADER),
    ],
)
def test_files_of_the_known_exporters_are_accepted(lines: str, header: str) -> None:
    assert exported(lines, header) == [("127.0.0.1", SECRET, 4_000_000_000)]


@pytest.mark.parametrize(
    ("written", "expires"),
    [
        *(("", None), ("0", None), ("-1", None), ("-62135596800.5", None), ("Session", None)),
        *(("4000000000", 4_000_000_000), ("4000000000000", 4_000_000_000)),
        # hrdl-github/cookies-txt#31: Firefox 142 gives fractions, Edit-This-Cookie#99: Chrome too
        *(("4000000000.742", 4_000_000_000), ("4000000000000000", 4_000_000_000)),
    ],
)
def test_every_way_to_write_an_expiry_is_read(written: str, expires: int | None) -> None:
    (read,) = exported(cookie().replace("4000000000", written))
    assert read[2] == expires
    assert read[1] == SECRET


def test_the_dot_decides_whether_subdomains_get_a_cookie_not_the_flag() -> None:
    lines = cookie(".example.com") + cookie("example.org").replace("FALSE\t/", "TRUE\t/")
    assert [(one.domain, one.domain_initial_dot) for one in parse(HEADER + lines)] == [
        (".example.com", True),
        ("example.org", False),
    ]


def test_a_cookie_without_value_is_taken_even_where_its_last_tab_is_lost() -> None:
    """Moustachauve/cookie-editor#173: its own export with such a cookie could not be read."""
    for line in (cookie(value=""), cookie(value="").rstrip() + "\n"):
        (empty, full) = parse(HEADER + line + cookie("other.example"))
        assert (empty.name, empty.value) == ("session_key", "")
        assert full.value == SECRET


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_json_export_of_an_extension_is_accepted(wrapped: bool) -> None:  # noqa: FBT001 - a case
    cookies = [
        {
            "domain": ".example.com",
            "expirationDate": 4000000000.5,
            "hostOnly": False,
            "httpOnly": True,
            "name": "n",
            "path": "/",
            "sameSite": None,
            "secure": True,
            "session": False,
            "storeId": "0",
            "value": SECRET,
        },
        {"domain": "a.example", "name": "m", "value": "v", "expires": -1},
    ]
    first, second = parse(json.dumps({"cookies": cookies} if wrapped else cookies))
    assert (first.domain, first.value, first.expires) == (".example.com", SECRET, 4_000_000_000)
    assert (second.path, second.expires, second.secure) == ("/", None, False)


def test_a_json_export_can_be_sent_as_it_is(service: Service, client: Client) -> None:
    export = json.dumps([{"domain": "127.0.0.1", "name": "n", "value": SECRET}])
    client.publish("command/cookies", export)
    wait_for(lambda: stored(service))
    assert client.request("cookies")["cookies"]["count"] == 1


def test_a_value_outside_latin_1_is_sent_as_utf_8_and_breaks_no_download(
    service: Service, client: Client, media: MediaServer
) -> None:
    assert client.request("cookies", content=HEADER + cookie(value="\u2713\u00fc"))["ok"]
    job_id = client.download(media.url("/bytes/1000/a.mp4"))
    client.wait_status(job_id, "completed")
    (header,) = sent(media, "a.mp4")
    assert header is not None
    assert header.encode("latin-1").decode() == "session_key=\u2713\u00fc"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER.encode() + b"127.0.0.1\tFALSE\t/\tFALSE\t0\tn\t\xff" + SECRET.encode(), "Line 2"),
        ((HEADER + f"127.0.0.1 {SECRET}").encode(), "Line 2"),
        (b"", "no cookies"),
        (None, "No such file"),
    ],
)
def test_what_is_wrong_with_the_configured_file_is_told_without_its_content(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "cookies.txt"
    if content is not None:
        file.write_bytes(content)
    problem = problem_of(file)
    assert problem is not None
    assert said in problem
    assert str(file) in problem
    assert SECRET not in problem
    assert Cookies(tmp_path / "none", file).load("anyone") == []


def test_the_configured_file_may_be_of_windows_powershell(tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    for encoding in ("utf-16", "utf-8-sig"):
        file.write_text(HEADER + cookie(), encoding)
        assert problem_of(file) is None
        assert len(Cookies(tmp_path / "none", file).load("anyone")) == 1


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
def test_a_flaw_in_the_configured_file_is_logged_at_the_start(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(f"{HEADER}127.0.0.1 FALSE {SECRET}\n")
    service = Service(tmp_path, mosquitto.port, DOWNLOADS__COOKIES_FILE=str(file)).start()
    try:
        assert "downloads.cookies_file" in service.log
        assert "Line 2" in service.log
        client.wait_status(client.download(media.url("/bytes/1000/a.mp4")), "completed")
        assert SECRET not in service.log
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
