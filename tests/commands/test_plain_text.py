"""Any URL in any surroundings: it comes out as it was written."""

from __future__ import annotations

import json
import unicodedata
from urllib.parse import unquote, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mediarip_mqtt.commands.download_commands import Download
from mediarip_mqtt.commands.parse import parse
from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.settings import SecuritySettings
from mediarip_mqtt.contract.urls import hide_logins, read_target

# The same examples in every run.
steady = settings(derandomize=True, max_examples=200)
SECURITY = SecuritySettings()
# What a URL may end in, so that nothing of its end is taken for its surroundings.
ENDS = st.sampled_from(["", "/", ".mp4", "/watch", "?v=1", "?v=a-b_c&t=1s", "#top", "_(film)"])
NAMES = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
BEFORE = st.sampled_from(
    [
        "",
        "A film ",
        "A film: ",
        "Look\n",
        "\u201c",
        "\u00ab",
        "(",
        "<",
        "[A film](",
        "\u3010A film\u3011",
        "\u200b",
    ]
)
AFTER = st.sampled_from(
    [
        "",
        " ",
        "\n",
        " via App",
        "\nSent from my phone",
        "\u201d",
        "\u00bb",
        "\u2026",
        ",",
        "\u200b\u00a0",
        " \u2764\ufe0f",
    ]
)
CLOSING = {"(": ")", "<": ">", "[A film](": ")"}


def accepted(payload: str) -> Download:
    command = parse(payload.encode(), None)
    assert isinstance(command, Download)
    return command


@steady
@given(name=NAMES, end=ENDS, before=BEFORE, after=AFTER)
@example(name="u\u0308ber", end=".mp4", before="\u201c", after="\u201d")
def test_a_url_comes_out_of_its_surroundings_as_it_was_written(
    name: str, end: str, before: str, after: str
) -> None:
    url = f"https://videos.example/{name}{end}"
    text = f"{before}{url}{CLOSING.get(before, '')}{after}"
    assert accepted(text).url == url
    assert accepted(json.dumps({"url": text})).url == url


@steady
@given(words=st.lists(NAMES, min_size=1, max_size=4), suffix=st.sampled_from([".mp4", ".mkv?a=1"]))
def test_the_address_of_a_file_keeps_its_spaces(words: list[str], suffix: str) -> None:
    written = f"https://videos.example/{' '.join(words)}{suffix}"
    for payload in (written, json.dumps({"url": written})):
        url = accepted(payload).url
        assert url == written
        requested = read_target(url or "", SECURITY).url
        assert " " not in requested
        assert (
            unquote(urlsplit(requested).path)[1:] == f"{' '.join(words)}{suffix}".partition("?")[0]
        )


@steady
@given(text=st.text(max_size=80))
@example(text="https://a.example/a b/c d")
@example(text="http:https://a.example")
@example(text=")]}>https://a.example/)]}>")
def test_any_text_is_a_url_search_words_or_a_refusal(text: str) -> None:
    for payload in (text, f"https://a.example/{text}", f"{text} https://a.example/{text}"):
        try:
            command = accepted(payload)
        except CommandError:
            continue
        if command.url is not None:
            assert command.url in unicodedata.normalize("NFC", payload) or command.url.startswith(
                ("http://", "https://")
            )
        else:
            assert command.query


@steady
@given(
    user=st.text(st.characters(categories=("L", "N")), min_size=3, max_size=8),
    password=st.text(
        st.characters(categories=("L", "N", "S"), exclude_characters="<>`^|"),
        min_size=6,
        max_size=12,
    ),
    surroundings=st.tuples(BEFORE, AFTER),
)
def test_a_password_is_never_part_of_what_is_published(
    user: str, password: str, surroundings: tuple[str, str]
) -> None:
    before, after = surroundings
    url = f"https://{user}:{password}@videos.example/film.mp4"
    command = accepted(f"{before}{url}{CLOSING.get(before, '')}{after}")
    target = read_target(command.url or "", SECURITY)
    assert target == type(target)("https://videos.example/film.mp4", f"{user}:{password}")
    assert password not in hide_logins(f"{before}{url}{after}")
