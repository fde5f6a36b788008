"""`check-config`: the effective settings, their sources, and what is wrong with them."""

from __future__ import annotations

import json

import pytest

from tests.support.cli import Cli

pytestmark = pytest.mark.slow


def test_wrong_settings_are_named_with_their_place_and_exit_with_2(lone: Cli) -> None:
    config = lone.folder / "config.yaml"
    config.write_text("mqtt:\n  hots: broker\ndownloads:\n  max_concurrent: 99\n")
    for words in (("check-config",), ("run",), ("download", "https://example.com/x")):
        done = lone.run(words[0], "--config", str(config), *words[1:])
        assert done.returncode == 2
        assert "line 2: mqtt.hots: unknown setting" in done.stderr
        assert "line 4: downloads.max_concurrent" in done.stderr
    assert lone.run("check-config", "--config", "nowhere.yaml").returncode == 2


def test_check_config_tells_values_and_their_origin_without_secrets(lone: Cli, port: int) -> None:
    config = lone.folder / "config.yaml"
    config.write_text("mqtt:\n  host: broker\n  password: hunter22\n  port: 5\n")
    done = lone.run("check-config", "--config", str(config))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert f'mqtt.host = "broker"  # {config}, line 2' in lines
    assert f"mqtt.port = {port}  # environment MEDIARIP__MQTT__PORT" in lines
    assert "downloads.max_concurrent = 3  # default" in lines
    assert "hunter22" not in done.stdout + done.stderr
    as_json = json.loads(lone.run("check-config", "--config", str(config), "--json").stdout)
    assert as_json["mqtt.password"]["value"] == "***"


def test_a_flaw_in_the_configured_cookies_file_is_told_with_its_line(lone: Cli) -> None:
    cookies = lone.folder / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1 FALSE s3cr3t\n")
    config = lone.folder / "config.yaml"
    config.write_text(f"downloads: {{cookies_file: {cookies}}}\n")
    done = lone.run("check-config", "--config", str(config))
    assert done.returncode == 0
    assert "downloads.cookies_file" in done.stderr
    assert "Line 2" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout


def test_check_config_shows_what_is_set_for_a_site_but_not_its_secrets(lone: Cli) -> None:
    config = lone.folder / "config.yaml"
    site = (
        "{pause: 20, proxy: 'http://APIKEY0123:@h:1', extractor_args: {youtube: {po_token: [pot]}}}"
    )
    config.write_text(f"downloads: {{sites: {{youtube.com: {site}}}}}\n")
    for form in ((), ("--json",)):
        done = lone.run("check-config", "--config", str(config), *form)
        assert done.returncode == 0, done.stderr
        assert "http://***@h:1" in done.stdout
        assert "APIKEY0123" not in done.stdout + done.stderr
    shown = json.loads(done.stdout)["downloads.sites"]["value"]["youtube.com"]
    assert (shown["pause"], shown["extractor_args"]) == (20.0, {"youtube": {"po_token": "***"}})


def test_a_base_topic_that_is_home_assistant_s_is_refused_by_the_service_and_shown_by_doctor(
    lone: Cli,
) -> None:
    lone.environment["MEDIARIP__MQTT__BASE_TOPIC"] = "homeassistant"
    for words in (["check-config"], ["run"], ["run", "--embedded-broker"]):
        done = lone.run(*words)
        assert done.returncode == 2
        assert "MEDIARIP__MQTT__BASE_TOPIC" in done.stderr
        assert "overlaps homeassistant.discovery_prefix" in done.stderr
    assert "overlaps homeassistant.discovery_prefix" in lone.run("doctor").stdout


def test_the_command_line_may_use_the_topics_of_one_session(lone: Cli) -> None:
    lone.environment["MEDIARIP__MQTT__BASE_TOPIC"] = "mediarip/session/bob"
    assert lone.run("run").returncode == 2
    done = lone.run("command", "list")
    assert done.returncode == 1
    assert "can't be reached" in done.stderr
