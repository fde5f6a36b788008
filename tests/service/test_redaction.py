"""What is shown of the settings, and what the log says of them: no secret that stands in any."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from mediarip_mqtt.cli import terminal
from mediarip_mqtt.cli.doctor import bundle
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.service import load_settings, redaction

CONFIG = """
mqtt: {password: hunter22-mqtt}
downloads:
  proxy: "http://user:p@ss-usual@10.0.0.1:8080"
  ytdlp_options:
    http_headers: {User-Agent: Mozilla/5.0 like others, X-Key: "Bearer header-0123"}
    extractor_args: {generic: {impersonate: [chrome], key: [key-option-01]}}
  sites:
    youtube.com:
      pause: 20
      proxy: "http://APIKEY0123:@10.0.0.2:8080"
      extractor_args: {youtube: {player_client: [web_safari], po_token: ["web.gvs+potoken-01"]}}
    other.example: {proxy: "socks5h://ONLYKEY45@10.0.0.3"}
    plain.example: {proxy: ""}
"""
SECRETS = (
    *("hunter22-mqtt", "p@ss-usual", "header-0123", "key-option-01"),
    *("APIKEY0123", "potoken-01", "ONLYKEY45"),
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_settings_are_shown_as_json_without_the_secrets_of_any(config: Path) -> None:
    loaded = load_settings.load(config)
    shown = {".".join(place): one for place, one in redaction.shown_settings(loaded).items()}
    text = json.dumps(shown)
    assert not [one for one in (*SECRETS, "ss-usual") if one in text]
    assert shown["downloads.proxy"] == "http://***@10.0.0.1:8080"
    sites = shown["downloads.sites"]
    assert (sites["youtube.com"]["pause"], sites["plain.example"]["proxy"]) == (20.0, "")
    assert sites["youtube.com"]["proxy"] == "http://***@10.0.0.2:8080"
    assert sites["youtube.com"]["extractor_args"]["youtube"]["po_token"] == "***"
    assert shown["downloads.ytdlp_options"]["http_headers"] == "***"
    assert shown["storage.root"] == "data"
    assert shown["mqtt.username"] is None


def test_the_bundle_s_settings_hold_no_secret(config: Path) -> None:
    loaded = load_settings.load(config)
    rows = redaction.scrub(bundle.settings(loaded, config), redaction.secrets_of(loaded))
    text = json.dumps(rows)
    assert not [one for one in (*SECRETS, "ss-usual", "potoken") if one in text]
    assert "http://10.0.0.1:8080" in text


@pytest.mark.usefixtures("restored_logging")
def test_the_log_of_the_service_hides_the_settings_secrets_wherever_they_stand(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.load(config, broker=False)
    for one in SECRETS:
        logging.getLogger("mediarip_mqtt.test").warning("the site said %r", one)
    logging.getLogger("mediarip_mqtt.test").warning("web_safari, chrome: what others like")
    said = capsys.readouterr().err
    assert not [one for one in SECRETS if one in said]
    assert "web_safari, chrome: what others like" in said  # no secrets, though set


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.example/b?c=d#e now", "see https://a.example/b?*** now"),
        ("https://me:pw@a.example:8443/b", "https://a.example:8443/b"),
        ("socks5://me:p%40w@h:1", "socks5://h:1"),
        ("https://me:p/w@a.example/b", "https://***"),
        ("https://me:p?w@a.example/b", "https://***"),
        ("https://me:p#w@a.example/b", "https://***"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("https://www.youtube.com/@channel/videos", "https://www.youtube.com/@channel/videos"),
        ("Authorization: Bearer abcdef", "Authorization: ***"),
        ("got bearer abcdef", "got bearer ***"),
        ("api_key=abc def", "api_key=*** def"),
        ('{"password": "a b"}', '{"password": ***}'),
    ],
)
def test_texts_are_told_without_secrets(text: str, expected: str) -> None:
    assert redaction.scrub_text(text, ()) == expected


def test_values_are_hidden_by_their_key_also_below_it() -> None:
    value = {"cookies": {"sid": "abc"}, "title": "x", "token": None, "list": [{"api_key": "k"}]}
    assert redaction.scrub(value, ()) == {
        "cookies": "***",
        "title": "x",
        "token": None,
        "list": [{"api_key": "***"}],
    }


def test_a_known_secret_is_hidden_wherever_it_stands() -> None:
    assert redaction.scrub({"a": ["x hunter22 y"], "hunter22": 1}, {"hunter22"}) == {
        "a": ["x *** y"],
        "***": 1,
    }


def test_the_login_of_a_declared_subscription_is_a_secret_of_its_own() -> None:
    follow = {"Tides": {"url": "https://anna:hunter2pw@videos.example/feed"}}
    loaded = Settings.model_validate({"subscriptions": {"follow": follow}})
    told = redaction.scrub_text("The password is hunter2pw.", redaction.secrets_of(loaded))
    assert told == "The password is ***."
