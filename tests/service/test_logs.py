"""The log: forms, levels, and no secrets in it."""

from __future__ import annotations

import json
import logging

import pytest

from mediarip_mqtt.contract.settings import LogSettings
from mediarip_mqtt.service import logs

pytestmark = pytest.mark.usefixtures("restored_logging")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mqtt://user:hunter22@broker", "mqtt://***@broker"),
        (
            "http://user:p@ss@host:80/x by http://KEY:@host",
            "http://***@host:80/x by http://***@host",
        ),
        ("socks5h://KEY@10.0.0.1:1080 failed", "socks5h://***@10.0.0.1:1080 failed"),
        ("https://a.example/@me?x=a@b#c@d", "https://a.example/@me?x=a@b#c@d"),
        (
            "https://a.example?x=a@b https://b.example#a@b",
            "https://a.example?x=a@b https://b.example#a@b",
        ),
        ("https://a.example/x?token=abc&q=1", "https://a.example/x?token=***&q=1"),
        ("https://a.example/x?q=1&sig=abc", "https://a.example/x?q=1&sig=***"),
        ("the password is opensesame.", "the password is ***."),
        ("https://a.example/watch?v=1&design=2", "https://a.example/watch?v=1&design=2"),
    ],
)
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert logs.redact(text, ["opensesame"]) == shown


def test_json_lines_hold_what_a_program_needs(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(format="json"), secrets=["opensesame"])
    try:
        raise ValueError("opensesame")  # noqa: TRY301 - its traceback is the subject
    except ValueError:
        logging.getLogger("mediarip_mqtt.test").exception("it was %s", "opensesame")
    line = capsys.readouterr().err
    entry = json.loads(line)
    assert (entry["level"], entry["message"]) == ("error", "it was ***")
    assert entry["at"].endswith("Z")
    assert "ValueError" in entry["traceback"]
    assert "opensesame" not in line


def test_a_level_hides_what_is_below_it_and_libraries_stay_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(LogSettings(level="warning"))
    logging.getLogger("mediarip_mqtt.test").info("not this")
    logging.getLogger("mediarip_mqtt.test").warning("but this")
    logging.getLogger("mqtt").error("nor what aiomqtt says")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("WARNING but this")


HOSTILE = "a\x1b]0;owned\x07\x1b[2K\rb\x9b2Jc\u202egpj\u2066d\x00\x7f\u200be\U000e0041"


def test_what_a_page_says_neither_moves_the_cursor_nor_forges_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(LogSettings())
    log = logging.getLogger("mediarip_mqtt.test")
    log.warning("refused: %s", HOSTILE + "\n2026-01-01 00:00:00 INFO    all is well\n\ttab")
    try:
        raise ValueError(HOSTILE + "\n2026-01-01 00:00:00 INFO    all is well")  # noqa: TRY301 - its traceback is the subject
    except ValueError:
        log.exception("Grüße, 日本語 🎬")
    said = capsys.readouterr().err
    assert all(one.isprintable() for one in said.splitlines())
    assert "\\x1b]0;owned\\x07" in said
    assert "\\u202egpj" in said
    assert "Grüße, 日本語 🎬" in said
    assert 'File "' in said
    dated = [one for one in said.splitlines() if one.startswith("20")]
    assert len(dated) == 2, said


def test_json_lines_keep_every_character_and_hold_none_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(LogSettings(format="json"))
    logging.getLogger("mediarip_mqtt.test").warning("Grüße %s", HOSTILE)
    line = capsys.readouterr().err.rstrip("\n")
    assert json.loads(line)["message"] == f"Grüße {HOSTILE}"
    assert line.isprintable()
    assert "Grüße" in line


def test_a_secret_is_hidden_also_where_it_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(), secrets=["open\tsesame"])
    logging.getLogger("mediarip_mqtt.test").warning("it was open\tsesame")
    assert capsys.readouterr().err.endswith("it was ***\n")
