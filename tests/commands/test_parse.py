"""What people and programs may write on a command topic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr
from yt_dlp.utils import PlaylistEntries

from mediarip_mqtt.commands.download_commands import Download
from mediarip_mqtt.commands.job_commands import Cancel, List, Retry
from mediarip_mqtt.commands.parse import Head, parse, read_head
from mediarip_mqtt.commands.plain_text import repair_url
from mediarip_mqtt.commands.queue_commands import Pause
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.setting_commands import ChangeSettings
from mediarip_mqtt.contract.errors import CommandError


def refusal(payload: bytes | str, name: str | None = None) -> CommandError:
    data = payload.encode() if isinstance(payload, str) else payload
    with pytest.raises(CommandError) as caught:
        parse(data, name)
    return caught.value


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com/v", "https://example.com/v"),
        ("  https://example.com/v \n", "https://example.com/v"),
        ("<https://example.com/v>", "https://example.com/v"),
        ("https//example.com/v", "https://example.com/v"),
        ("http:/example.com/v", "http://example.com/v"),
        ("https:example.com/v", "https://example.com/v"),
        ("HTTPS://example.com/v", "HTTPS://example.com/v"),
        ("A fine film https://example.com/v", "https://example.com/v"),
        ("Look: https://example.com/v.", "https://example.com/v"),
        ("https://example.com/v shared from my phone", "https://example.com/v"),
        ("youtu.be/abc", "https://youtu.be/abc"),
        ("\ufeffhttps://example.com/v", "https://example.com/v"),
        ("\u200bhttps://example.com/v\u200b\u00a0", "https://example.com/v"),
        ("\u201chttps://example.com/v\u201d", "https://example.com/v"),
        ("\u201ehttps://example.com/v\u201c,", "https://example.com/v"),
        ("Look \u00bbhttps://example.com/v\u00ab toll", "https://example.com/v"),
        ("A film\u2026 https://example.com/v\u2026", "https://example.com/v"),
        ("https://example.com/v\u2026", "https://example.com/v"),
        ("A film https://example.com/v...", "https://example.com/v"),
        ("(https://example.com/v)", "https://example.com/v"),
        ("[A film](https://example.com/v)", "https://example.com/v"),
        ("\u3010A film\u3011https://example.com/v/?a=1", "https://example.com/v/?a=1"),
        ("\u300chttps://example.com/v\u300d", "https://example.com/v"),
        ('<a href="https://example.com/v">A film</a>', "https://example.com/v"),
        ("Look at this: https://example.com/v via App", "https://example.com/v"),
        # alexta69/metube#1068: what Douyin's "copy link" puts on the clipboard
        (
            "uFu:/ :0pm \u7b49\u4e86 # x  https://example.com/J0/ \u590d\u5236\uff01",
            "https://example.com/J0/",
        ),
        ("Research: https://example.com/v", "https://example.com/v"),
        ("A film\nhttps://example.com/v\n\nSent from my phone", "https://example.com/v"),
        ("https://example.com/v\nhttps://example.com/v", "https://example.com/v"),
        ("\u201cyoutu.be/abc\u201d", "https://youtu.be/abc"),
        ("See https://example.com/A_(film)", "https://example.com/A_(film)"),
        ("https://example.com/A_(film)", "https://example.com/A_(film)"),
        ("https://example.com/what?", "https://example.com/what?"),
        ("https://example.com/u\u0308ber.mp4", "https://example.com/u\u0308ber.mp4"),
        ("https://example.com/my film.mp4", "https://example.com/my film.mp4"),
        ("Here: https://example.com/my film.mp4?a=1 ", "https://example.com/my film.mp4?a=1"),
        ("https://example.com/my films/", "https://example.com/my films/"),
        ("https://example.com/a.mp4 and b.mp4", "https://example.com/a.mp4"),
        ("a.example/web/https://b.example/v", "https://a.example/web/https://b.example/v"),
    ],
)
def test_text_that_can_only_mean_one_url_is_repaired(text: str, url: str) -> None:
    command = parse(text.encode(), None)
    assert isinstance(command, Download)
    assert command.url == url


@pytest.mark.parametrize("text", ["cats playing piano", "Re: the film", "[Official] a song", "3"])
def test_other_text_is_a_search(text: str) -> None:
    command = parse(text.encode(), None)
    assert isinstance(command, Download)
    assert command.query == text
    assert command.url is None


@pytest.mark.parametrize(
    "text", ["file:///etc/passwd", "ftp://host/x", "ytsearch5:cats", "javascript:alert(1)"]
)
def test_another_scheme_stays_a_url_so_that_its_check_refuses_it(text: str) -> None:
    assert repair_url(text) == text


def test_two_urls_in_one_text_are_not_guessed_at() -> None:
    text = "https://a.example/1 https://a.example/2"
    command = parse(text.encode(), None)
    assert isinstance(command, Download)
    assert command.url == text  # refused by the check of URLs


@pytest.mark.parametrize(
    "text",
    [
        "Two films: https://a.example/1, https://a.example/2",
        "https://a.example/My Show/Season One",
    ],
)
def test_a_text_with_several_urls_or_an_unclear_end_is_not_guessed_at(text: str) -> None:
    assert refusal(text).code == "invalid_url"


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://a.example/my film", "http://a.example/my film"),
        ("http://a.example/My Show/Season One", "http://a.example/My Show/Season One"),
        # MotooriKashin/ef2#15: a file's address was cut at its space
        (
            "https://a.example/m.php?media=scan(German Mod)",
            "https://a.example/m.php?media=scan(German Mod)",
        ),
        ("\u201chttp://a.example/my film.mp4\u201d", "http://a.example/my film.mp4"),
        ("https://a.example/v via App", "https://a.example/v"),
        ("https://a.example/v\n\nshared by me", "https://a.example/v"),
        ("Look: https://a.example/v shared by me", "https://a.example/v"),
    ],
)
def test_the_url_of_an_object_is_one_address_with_its_spaces(url: str, taken: str) -> None:
    command = parse(json.dumps({"url": url}).encode(), None)
    assert isinstance(command, Download)
    assert command.url == taken


@pytest.mark.parametrize(
    "text",
    [
        *(
            "unknown",
            "unavailable",
            "None",
            "null",
            "undefined",
            "NaN",
            "[object Object]",
            "offline",
        ),
        *('"unknown"', "'None'", "\u200b", " UNKNOWN\n", "N/A", "[object Undefined]", "(null)"),
        *("false", "<x object at 0x7f00>"),
    ],
)
def test_what_an_automation_sends_for_nothing_is_not_searched_for(text: str) -> None:
    assert refusal(text).code == "invalid_payload"
    assert refusal(text, "probe").code == "invalid_payload"
    assert refusal(json.dumps({"url": text.strip()})).code == "invalid_payload"


def test_such_a_word_can_be_searched_for_as_a_query() -> None:
    command = parse(b'{"query": "Unknown"}', None)
    assert isinstance(command, Download)
    assert command.query == "Unknown"


def test_empty_slots_of_an_object_are_as_if_left_out() -> None:
    slots = {key: "" for key in Download.model_fields if key not in {"command", "url"}}
    sent = {"url": "https://a.example/v", "request_id": "", **slots}
    assert parse(json.dumps(sent).encode(), None) == Download(url="https://a.example/v")
    nulls = dict.fromkeys(slots)
    assert parse(json.dumps({"url": "https://a.example/v", **nulls}).encode(), None) == Download(
        url="https://a.example/v"
    )
    assert isinstance(parse(b'{"url": "", "query": "cats"}', None), Download)
    assert parse(b'{"status": "", "before": ""}', "list") == List()


@pytest.mark.parametrize(
    ("payload", "name"),
    [(b'{"id": ""}', "pause"), (b'{"status": ""}', "purge"), (b'{"id": ""}', "cancel")],
)
def test_an_empty_slot_never_makes_a_command_concern_more_jobs(payload: bytes, name: str) -> None:
    assert refusal(payload, name).code == "invalid_payload"


def test_numbers_and_single_texts_are_taken_for_texts_and_lists() -> None:
    sent = {"query": 1984, "folder": 2024, "tags": "a", "category": 5, "quality": 720}
    command = parse(json.dumps({**sent, "format_id": 22, "playlist_items": 3}).encode(), None)
    assert isinstance(command, Download)
    assert (command.query, command.folder, command.tags) == ("1984", "2024", ("a",))
    assert (command.category, command.quality) == ("5", "720")
    assert (command.format_id, command.playlist_items) == ("22", "3")
    tagged = parse(b'{"query": "x", "tags": [1, "b"]}', None)
    assert isinstance(tagged, Download)
    assert tagged.tags == ("1", "b")
    cancel = parse(b'{"id": 12345}', "cancel")
    assert isinstance(cancel, Cancel)
    assert cancel.id == "12345"


def test_search_words_with_a_password_are_refused_as_they_would_be_published() -> None:
    for payload in (b'{"query": "film ftp://me:pa55@host/x"}', b"see ftp://me:pa55@host/x"):
        error = refusal(payload)
        assert error.code == "invalid_payload"
        assert "pa55" not in error.message


def test_an_object_names_its_command_and_is_a_download_where_it_does_not() -> None:
    assert isinstance(parse(b'{"url": "https://example.com/v"}', None), Download)
    assert isinstance(parse(b'{"command": "cancel", "id": "last"}', None), Cancel)
    assert isinstance(parse(b'{"id": "last"}', "retry"), Retry)
    assert isinstance(parse(b"last", "retry"), Retry)
    assert isinstance(parse(b"", "pause"), Pause)
    assert isinstance(parse(b'"https://example.com/v"', None), Download)


def test_the_id_of_a_reply_can_be_sent_back_as_it_came() -> None:
    command = parse(b'{"job_id": "0199abcd"}', "cancel")
    assert isinstance(command, Cancel)
    assert command.id == "0199abcd"


@pytest.mark.parametrize(
    ("payload", "name", "code", "field"),
    [
        (b'{"url": ', None, "invalid_json", None),
        (b"{" * 100_000, None, "invalid_json", None),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, None, "invalid_json", None),
        (b'{"url": NaN}', None, "invalid_json", None),
        (b"\xff\xfe", None, "invalid_payload", None),
        (b"a\x00b", None, "invalid_payload", None),
        (b'{"url": "\\ud800"}', None, "invalid_payload", None),
        (b'{"query": "a\\u0000b"}', None, "invalid_payload", None),
        (b'"a\\u0000b"', None, "invalid_payload", None),
        (b'"\\ud800"', None, "invalid_payload", None),
        (b'"\\ud800abcd"', "get", "invalid_payload", None),
        (b"a\x1b[2Jb", None, "invalid_payload", "query"),
        (b"last\x07", "cancel", "invalid_payload", "id"),
        (b"[1, 2]", None, "invalid_payload", None),
        (b"", None, "invalid_payload", "url"),
        (b"{}", None, "invalid_payload", "url"),
        (b'{"url": 3}', None, "invalid_payload", "url"),
        (b'{"url": "https://a.example", "colour": 1}', None, "invalid_payload", "colour"),
        (b'{"url": "https://a.example", "quality": "huge"}', None, "invalid_payload", "quality"),
        (
            b'{"url": "https://a.example", "format_id": "x;id"}',
            None,
            "invalid_payload",
            "format_id",
        ),
        (b'{"command": "explode"}', None, "unknown_command", "command"),
        (b'{"command": "cancel"}', "retry", "invalid_payload", "command"),
        (b'{"command": 7}', None, "invalid_payload", "command"),
        (b"{}", "cancel", "invalid_payload", "id"),
        (b"some words", "list", "invalid_payload", None),
        (b'{"limit": 100000}', "list", "invalid_payload", "limit"),
    ],
)
def test_bad_input_is_refused_with_a_code_and_the_field(
    payload: bytes, name: str | None, code: str, field: str | None
) -> None:
    error = refusal(payload, name)
    assert error.code == code
    if field is not None:
        assert error.field == field
    assert error.message


@pytest.mark.parametrize(
    ("payload", "name", "head"),
    [
        (b'{"command": "cancel", "request_id": "r1"}', None, Head("cancel", "r1")),
        (b'{"request_id": 7, "url": "x"}', None, Head("download", "7")),
        (b"{}", None, Head("download", None)),
        (b'{"id": "last"}', "get", Head("get", None)),
        (b'{"command": "get", "request_id": "r1"}', "cancel", Head("cancel", "r1")),
        (b'{"command": 7, "request_id": "r1"}', None, Head(None, "r1")),
        (b'{"command": "list", "command": "get"}', None, Head("get", None)),
        (b"https://a.example/x", None, Head("download", None)),
        (b"last", "cancel", Head("cancel", None)),
        (b"", "pause", Head("pause", None)),
        # Not whole, or not JSON: as far as it goes.
        (b'{"command": "cancel", "request_id": "r1", "id": ', None, Head("cancel", "r1")),
        (b'{"command": "cancel", "request_id": "r1" "id"', None, Head("cancel", "r1")),
        (b'{"command": "cancel", "request_id": "r1"', None, Head("cancel", "r1")),
        (b'{"command": "cancel", "request_id": "r1', None, Head("cancel", None)),
        (b'{"command": "can', None, Head(None, None)),
        (b'{"command": "list", "request_id": 12', None, Head("list", None)),
        (b'{"request_id": "r1", "url": "http', None, Head(None, "r1")),
        (b'{"url": NaN, "request_id": "r1"}', None, Head("download", "r1")),
        (
            b'{"jobs": [{"request_id": "inner"}], "request_id": "r1"}',
            "import",
            Head("import", "r1"),
        ),
        (b'{"jobs": [{"command": "inner"', None, Head(None, None)),
        # Characters that no value may hold, elsewhere and in the two themselves.
        (b'{"request_id": "r1", "query": "a\x00b"}', None, Head("download", "r1")),
        (b'{"query": "\\ud800\\u0000", "request_id": "r1"}', None, Head("download", "r1")),
        (b'{"query": "\xff\xfe", "request_id": "r1"}', None, Head("download", "r1")),
        (b'{"request_id": "r\xff", "command": "get"}', None, Head("get", None)),
        (b'{"request_id": "r\\u202e"}', None, Head("download", None)),
        (b'{"command": "g\\u202eet\xff"}', None, Head("get", None)),
        (b"caf\xe9 at night", None, Head("download", None)),
        (b"\xff\xfe{\x00", None, Head(None, None)),
        (json.dumps({"command": "c" * 500}).encode(), None, Head("c" * 64, None)),
        (json.dumps({"request_id": "r" * 129}).encode(), None, Head("download", None)),
    ],
)
def test_whose_reply_it_will_be_is_read_from_whatever_arrives(
    payload: bytes, name: str | None, head: Head
) -> None:
    assert read_head(payload, name) == head


def test_a_deep_or_long_payload_does_not_keep_its_head_from_being_read() -> None:
    deep = b'{"command": "get", "url": ' + b"[" * 100_000
    assert read_head(deep, None) == Head("get", None)
    late = b'{"content": "%s", "request_id": "r1"}' % (b"x" * 200_000)
    assert read_head(late, "cookies") == Head("cookies", "r1")


def test_a_number_as_request_id_comes_back_as_text() -> None:
    command = parse(b'{"url": "https://example.com/v", "request_id": 7}', None)
    assert command.request_id == "7"


def test_settings_take_any_key_and_leave_its_check_to_the_settings() -> None:
    command = parse(b'{"max_concurrent": 2, "request_id": "r"}', "settings")
    assert isinstance(command, ChangeSettings)
    assert command.values == {"max_concurrent": 2}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_no_command_takes_an_unknown_key(name: str) -> None:
    required: dict[str, Any] = {
        key: "https://example.com" if key == "url" else "last"
        for key, field in CLASSES[name].model_fields.items()
        if field.is_required()
    }
    if name == "settings":
        return  # its keys are the settings
    assert refusal(json.dumps({**required, "surprise": 1}), name).code == "invalid_payload"


@pytest.mark.parametrize(
    ("name", "text", "field"),
    [
        ("download", "https://a.example/x", "url"),
        ("cancel", "last", "id"),
        ("update_ytdlp", "install", "action"),
        ("cookies", "# Netscape HTTP Cookie File", "content"),
    ],
)
def test_plain_text_means_a_command_s_main_argument(name: str, text: str, field: str) -> None:
    value = getattr(parse(text.encode(), name), field)
    assert (value.get_secret_value() if isinstance(value, SecretStr) else value) == text


@pytest.mark.parametrize(
    "items", ["1", "1:5,8", "1-5", "-1", ":-2", "2:", ":5", "::2", "-5::2", "1:100000", "3,1,2"]
)
def test_items_of_a_playlist_are_named_as_for_yt_dlp(items: str) -> None:
    command = parse(
        json.dumps({"url": "https://a.example", "playlist_items": items}).encode(), None
    )
    assert isinstance(command, Download)
    assert command.playlist_items == items
    assert list(PlaylistEntries.parse_playlist_items(items))


@pytest.mark.parametrize(
    "items",
    [
        "99999999999:1:-1",
        "100001",
        "1:100001",
        "-100001:",
        "1:5:0",
        "5:1:-1",
        "::-1",
        "1:5:999999",
        "1,,2",
        ",",
        "1:2:3:4",
        "1,2," * 25 + "1",
    ],
)
def test_items_that_would_be_counted_for_ever_are_refused(items: str) -> None:
    wanted = {"url": "https://a.example/feed", "playlist_items": items}
    error = refusal(json.dumps(wanted))
    assert (error.code, error.field) == ("invalid_payload", "playlist_items")
    assert "1:5,8" in error.message
    ended = wanted | {"status": "completed", "completed_at": "2026-01-02T03:04:05Z"}
    assert refusal(json.dumps({"jobs": [ended]}), "import").code == "invalid_payload"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate_limit", 10**30),
        ("rate_limit", 2**63),
        ("rate_limit", 2**53 + 1),
        ("rate_limit", 1e300),
        ("rate_limit", "9999999999999T"),
        ("not_before", "9999-12-31T23:59:59-14:00"),
        ("not_before", "0001-01-01T00:00:00+14:00"),
        ("not_before", "1969-12-31T23:59:59Z"),
        ("not_before", "9100-01-01T00:00:00Z"),
        ("not_before", 10**15),
        ("not_before", "2026-01-02T03:04:05"),
    ],
)
def test_a_number_or_time_that_nothing_can_hold_is_refused(key: str, value: Any) -> None:
    error = refusal(json.dumps({"url": "https://a.example", key: value}))
    assert (error.code, error.field) == ("invalid_payload", key)


def test_a_purge_and_a_list_take_no_numbers_out_of_range_either() -> None:
    assert refusal(json.dumps({"max_total_size": 2**63}), "purge").field == "max_total_size"
    assert refusal(json.dumps({"before": 10**15}), "list").field == "before"
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        listing = parse(json.dumps({"before": moment}).encode(), "list")
        assert isinstance(listing, List)
        assert listing.before == moment  # the id of no job


UNFIT = ["\x1b[2J", "\x07", "\x7f", "\x85", "\u200e", "\u202e", "\u2066", "\u2028"]


@pytest.mark.parametrize("char", UNFIT)
def test_a_text_that_acts_on_a_terminal_or_turns_a_line_around_is_refused(char: str) -> None:
    page = {"url": "https://a.example/x"}
    for key, value in (("category", f"a{char}b"), ("tags", ["x", f"a{char}b"])):
        error = refusal(json.dumps(page | {key: value}))
        assert (error.code, error.field) == ("invalid_payload", key)
        assert char not in error.message
    assert refusal(json.dumps(page | {"request_id": f"a{char}b"})).field == "request_id"
    for payload, name in (
        (json.dumps({f"a{char}b": 1}), None),
        (json.dumps({"command": f"a{char}b"}), None),
        (json.dumps({"command": f"a{char}b"}), "download"),
    ):
        error, head = refusal(payload, name), read_head(payload.encode(), name)
        assert char not in f"{error.message}{error.field}{head.command}"
    if not char.isspace():
        assert refusal(json.dumps({"query": f"a{char}b"})).field == "query"


def test_texts_of_all_languages_and_emoji_come_as_they_were_sent() -> None:
    words = ["naïve", "日本　語", "עברית", "👩\u200d👩\u200d👧"]
    sent = {"url": "https://a.example/x", "category": words[0], "tags": words, "request_id": "é"}
    command = parse(json.dumps(sent).encode(), None)
    assert isinstance(command, Download)
    assert (list(command.tags), command.request_id) == (words, "é")


def test_search_words_are_one_line_and_the_marks_around_a_url_are_left_out() -> None:
    words = parse(b"cats\r\n playing\tpiano", None)
    assert isinstance(words, Download)
    assert words.query == "cats playing piano"
    assert repair_url("\u200ehttps://a.example/x\u202c ") == "https://a.example/x"


COOKIE = ".site.example\tTRUE\t/\tTRUE\t0\tSID\ts3cret"


@pytest.mark.parametrize("name", [None, "download", "probe"])
@pytest.mark.parametrize(
    "text",
    [
        f"# Netscape HTTP Cookie File\n{COOKIE}",
        f"\ufeff# HTTP Cookie File\r\n{COOKIE}\r\n",
        f"# made by hand\n# http cookie file\n{COOKIE}",
        f"{COOKIE}\n{COOKIE}",
        f"#HttpOnly_{COOKIE}",
        COOKIE.replace("\t", "  "),
        f"# Netscape HTTP Cookie File # see https://a.example/x {COOKIE}",
        f"# Netscape HTTP Cookie File\n{COOKIE}\n" * 2000,
    ],
)
def test_cookies_that_are_sent_to_the_wrong_topic_are_refused_and_not_told(
    text: str, name: str | None
) -> None:
    payloads = [text, json.dumps(text), json.dumps({"url": text})]
    for payload in [*payloads, json.dumps({"query": text})][: 3 if name == "probe" else 4]:
        error = refusal(payload, name)
        assert error.code == "invalid_payload"
        assert "command/cookies" in error.message
        assert "s3cret" not in error.message
        assert "site.example" not in error.message


def test_words_about_cookies_are_searched_for() -> None:
    for text in ("netscape http cookie file", "cookies TRUE or FALSE", "#1 cookie file"):
        command = parse(text.encode(), None)
        assert isinstance(command, Download)
        assert command.query == text
