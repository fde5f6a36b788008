"""Settings: environment over file over defaults, and every mistake named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mediarip_mqtt.contract import settings
from mediarip_mqtt.contract.errors import CommandError, ConfigError
from mediarip_mqtt.contract.runtime_settings import PREFIX, Preferences
from mediarip_mqtt.service import load_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "mqtt:\n  host: file\n  port: 1999\nstorage:\n  min_free: 2 GB\n")
    monkeypatch.setenv("MEDIARIP__MQTT__HOST", "environment")
    monkeypatch.setenv("MEDIARIP__SECURITY__ALLOWED_HOSTS", "nas.local, 10.0.0.0/8")
    found = load_settings.load(path)
    assert (found.mqtt.host, found.mqtt.port) == ("environment", 1999)
    assert found.mqtt.base_topic == "mediarip"
    assert found.storage.min_free == 2 * 1024**3
    assert found.security.allowed_hosts == ("nas.local", "10.0.0.0/8")


def test_the_manifest_of_the_home_assistant_app_is_a_configuration_too(tmp_path: Path) -> None:
    path = written(tmp_path, "name: x\noptions:\n  mqtt:\n    host: core-mosquitto\n")
    assert load_settings.load(path).mqtt.host == "core-mosquitto"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("mqtt:\n  host: a\n  prot: 1\n", "line 3: mqtt.prot: unknown setting"),
        ("mqqt:\n  host: a\n", "mqqt"),
        ("downloads:\n  max_concurrent: 99\n", "line 2: downloads.max_concurrent"),
        ("mqtt:\n  base_topic: a/#\n", "mqtt.base_topic: Value error, must not contain `+` or `#`"),
        (
            "mqtt:\n  base_topic: /a\n",
            "line 2: mqtt.base_topic: Value error, must not begin or end",
        ),
        ("mqtt:\n  base_topic: a/\n", "mqtt.base_topic: Value error, must not begin or end"),
        ("mqtt:\n  base_topic: a//b\n", "contain `//`"),
        ("mqtt:\n  base_topic: $SYS/a\n", "must not begin with `$`"),
        ('mqtt:\n  base_topic: "a\\tb"\n', "control characters"),
        ('mqtt:\n  base_topic: "a "\n', "a space"),
        ("homeassistant:\n  discovery_prefix: ha/+\n", "homeassistant.discovery_prefix"),
        ("mqtt: [1\n", "not valid YAML"),
        ("mqtt:\n  host: a\nlog:\n  level: info\nmqtt:\n  port: 1\n", "lines 1 and 5: `mqtt`"),
        ("mqtt:\n  host: a\n  port: 1\n  host: b\n", "lines 2 and 4: `mqtt.host`"),
        ("options:\n  mqtt:\n    host: a\n    host: b\n", "lines 3 and 4: `options.mqtt.host`"),
        ("purge: {max_age: 1, max_age: 2}\n", "lines 1 and 1: `purge.max_age`"),
        ("- a\n", "sections"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(
    tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings.load(written(tmp_path, text))
    assert place in caught.value.message


@pytest.mark.parametrize(
    "text", ["a.example, b.example", '["a.example", "b.example"]', "[a.example b.example]"]
)
def test_a_list_in_the_environment_may_be_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A host in quotation marks would block nothing, and nobody would be told."""
    monkeypatch.setenv("MEDIARIP__SECURITY__BLOCKED_HOSTS", text)
    assert load_settings.load().security.blocked_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    "name", ["MEDIARIP__MQTT__HOTS", "MEDIARIP__MQQT__HOST", "MEDIARIP__MQTT__PORT"]
)
def test_a_mistake_in_the_environment_is_named_with_its_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "nonsense")
    with pytest.raises(ConfigError) as caught:
        load_settings.load()
    assert name in caught.value.message


def test_the_password_comes_from_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    path = written(tmp_path, f"mqtt:\n  password_file: {tmp_path / 'secret'}\n")
    found = load_settings.load(path)
    assert found.mqtt.password is not None
    assert found.mqtt.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(found)
    assert "hunter2" not in found.model_dump_json()


def test_equal_keys_that_a_merge_overrides_are_no_mistake(tmp_path: Path) -> None:
    path = written(tmp_path, "mqtt:\n  <<: {host: base, port: 1999}\n  host: file\n")
    found = load_settings.load(path)
    assert (found.mqtt.host, found.mqtt.port) == ("file", 1999)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_secret_or_a_setting(
    tmp_path: Path, encoding: str
) -> None:
    """As Windows' editors and PowerShell write files."""
    secret, config = tmp_path / "secret", tmp_path / "config.yaml"
    secret.write_text("hunter2\r\n", encoding)
    config.write_text(f"mqtt:\n  host: nas\n  password_file: {secret}\n", encoding)
    found = load_settings.load(config)
    assert found.mqtt.host == "nas"
    assert found.mqtt.password is not None
    assert found.mqtt.password.get_secret_value() == "hunter2"


def test_a_runtime_setting_has_bounds_and_knows_where_its_value_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDIARIP__DOWNLOADS__MAX_ATTEMPTS", "5")
    preferences = Preferences(load_settings.load())
    assert preferences.describe()["max_attempts"]["source"] == "environment"
    assert preferences.describe()["max_concurrent"]["source"] == "default"
    assert preferences.restore({PREFIX + "max_concurrent": "2", PREFIX + "gone": "1"}) == ["gone"]
    assert preferences.max_concurrent == 2
    assert preferences.describe()["max_concurrent"]["source"] == "runtime"
    for key, value in [("max_concurrent", 0), ("max_concurrent", "x"), ("max_concurrent", True)]:
        with pytest.raises(CommandError) as caught:
            preferences.check(key, value)
        assert (caught.value.code, caught.value.field) == ("invalid_payload", key)


def test_a_setting_that_a_restored_store_does_not_have_goes_back_to_its_configured_value() -> None:
    preferences = Preferences(settings.Settings())
    preferences.restore({PREFIX + "max_concurrent": "7", PREFIX + "rate_limit": "1000"})
    assert preferences.restore({PREFIX + "max_concurrent": "2"}) == []
    assert (preferences.max_concurrent, preferences.rate_limit) == (2, 0)
    assert preferences.describe()["rate_limit"]["source"] == "default"
    assert preferences.restore({PREFIX + "max_concurrent": "99"}) == ["max_concurrent"]
    assert preferences.max_concurrent == 3


@pytest.mark.parametrize("key", ["rate_limit", "quiet_rate_limit"])
@pytest.mark.parametrize(
    "value", [2**53 + 1, 10**30, pytest.param(10**400, id="endless"), 1e300, "9999999999999T", -1]
)
def test_a_size_is_a_number_that_every_reader_of_json_keeps(key: str, value: object) -> None:
    preferences = Preferences(settings.Settings())
    with pytest.raises(CommandError) as caught:
        preferences.check(key, value)
    assert (caught.value.code, caught.value.field) == ("invalid_payload", key)
    assert preferences.check(key, 2**53) == 2**53
    with pytest.raises(ValidationError):
        settings.SiteSettings.model_validate({"rate_limit": value})


def test_every_setting_says_what_it_is() -> None:
    for name, section in settings.sections():
        for key, field in section.model_fields.items():
            assert field.description, f"{name}.{key}"


def test_a_password_in_the_search_prefix_is_refused_as_it_would_be_published(
    tmp_path: Path,
) -> None:
    wrong = "downloads:\n  search_prefix: https://me:hunter22@searx.example.org/?q=\n"
    with pytest.raises(ConfigError, match="it is published") as refused:
        load_settings.load(written(tmp_path, wrong))
    assert "hunter22" not in refused.value.message
    good = "downloads:\n  search_prefix: https://searx.example.org/?mail=a@b.example&q=\n"
    assert load_settings.load(written(tmp_path, good)).downloads.search_prefix.endswith("&q=")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mqtt:\n  base_topic: homeassistant\n", "line 2): `homeassistant` overlaps"),
        # Public report: Koenkk/zigbee2mqtt#23109, devices can't be controlled since both are one.
        ("mqtt:\n  base_topic: homeassistant/media\n", "overlaps homeassistant.discovery_prefix"),
        (
            "mqtt:\n  base_topic: home\nhomeassistant:\n  discovery_prefix: home/ha\n",
            "overlaps homeassistant.discovery_prefix `home/ha`",
        ),
        ("mqtt:\n  base_topic: homeassistant\nhomeassistant:\n  enabled: false\n", "overlaps"),
        ("mqtt:\n  base_topic: home/session/media\n", "below a level `session`"),
        ("mqtt:\n  base_topic: home/session/media/a\n", "below a level `session`"),
        (
            "mqtt:\n  base_topic: nas\nhomeassistant:\n  birth_topic: nas/status\n",
            "homeassistant.birth_topic",
        ),
    ],
)
def test_topics_that_can_not_be_used_together_are_refused_with_their_place(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings.check_topics(load_settings.load(path), path)
    assert problem in caught.value.message


@pytest.mark.parametrize("base", ["home/media", "homeassistant2", "home/session", "sessions/a"])
def test_other_base_topics_are_accepted(tmp_path: Path, base: str) -> None:
    path = written(tmp_path, f"mqtt:\n  base_topic: {base}\n")
    load_settings.check_topics(load_settings.load(path), path)
