"""The log: forms, levels, and no secrets in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from mediarip_mqtt import logs
from mediarip_mqtt.settings import LogSettings


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


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
