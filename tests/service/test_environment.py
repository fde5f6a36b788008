"""A variable whose name nearly is that of a setting is told; an empty one counts as not set."""

from __future__ import annotations

import pytest

from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.service import environment, load_settings


@pytest.mark.parametrize(
    "name",
    [
        "MEDIARIP_MQTT__HOST",
        "MEDIARIP_MQTT_HOST",
        "MEDIARIP__MQTT_HOST",
        "MEDIARIP__MQTT__HOTS",
        "mediarip_mqtt_host",
        "MEDIA_RIP__MQTT__HOST",
        "MEDIARIP-MQTT-HOST",
    ],
)
def test_a_name_that_nearly_is_that_of_a_setting_is_refused_with_the_right_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "broker")
    with pytest.raises(ConfigError) as caught:
        load_settings.load()
    assert f"Environment variable {name}" in caught.value.message
    assert "MEDIARIP__MQTT__HOST" in caught.value.message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("MEDIARRIP__MQTT__HOST", "MEDIARIP__MQTT__HOST"),
        ("MEDIARIP_MQTT__HOSTT", "MEDIARIP__MQTT__HOST"),
        ("mediarip_config", "MEDIARIP_CONFIG"),
        ("MEDIARIP_TZ", "MEDIARIP_TZ is not read"),
    ],
)
def test_a_name_that_may_be_meant_for_us_is_warned_of(
    name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "broker")
    (warning,) = environment.check_names()
    assert name in warning
    assert told in warning


def test_two_names_that_differ_in_case_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIARIP__MQTT__HOST", "a")
    monkeypatch.setenv("mediarip__mqtt__host", "b")
    with pytest.raises(ConfigError, match="differ only in case"):
        load_settings.load()


def test_what_kubernetes_sets_for_a_service_of_our_name_is_none_of_our_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ScreamingFace/screamingface#538, langgenius/dify#539, kubernetes/kubernetes#60099.

    A service `mediarip-mqtt` gives each container MEDIARIP_MQTT_PORT=tcp://10.0.48.109:1883.
    """
    for name, value in {
        "MEDIARIP_MQTT_PORT": "tcp://10.0.48.109:1883",
        "MEDIARIP_MQTT_PORT_1883_TCP": "tcp://10.0.48.109:1883",
        "MEDIARIP_MQTT_PORT_1883_TCP_ADDR": "10.0.48.109",
        "MEDIARIP_MQTT_PORT_1883_TCP_PORT": "1883",
        "MEDIARIP_MQTT_PORT_1883_TCP_PROTO": "tcp",
        "MEDIARIP_MQTT_SERVICE_HOST": "10.0.48.109",
        "MEDIARIP_MQTT_SERVICE_PORT": "1883",
        "MEDIARIP_MQTT_SERVICE_PORT_MQTT": "1883",
    }.items():
        monkeypatch.setenv(name, value)
    assert environment.check_names() == []
    assert load_settings.load().mqtt.host == "localhost"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MQTT__PORT", "MQTT__HOST", "MQTT__TLS", "STORAGE__MIN_FREE", "LOG__FORMAT"):
        monkeypatch.setenv(f"MEDIARIP__{name}", "")
    monkeypatch.setenv("SUPERVISOR_TOKEN", "")
    monkeypatch.setenv("MEDIARIP_OPTIONS", "")
    loaded = load_settings.load()
    assert (loaded.mqtt.host, loaded.mqtt.port) == ("localhost", 1883)
    assert load_settings.origins()["mqtt", "port"] == "default"
    assert load_settings.log_format(None) == "text"
