"""What `doctor` says of the provider of PO tokens."""

from __future__ import annotations

import pytest

from mediarip_mqtt.cli.doctor.check_pot_provider import look
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.engine.plugin_settings import pot_version
from tests.support.pot_provider import pot_provider
from tests.support.server import MediaServer


def found(url: str | None) -> tuple[str, str, str]:
    (finding,) = look(Settings.model_validate({"downloads": {"pot_provider_url": url}}))
    return str(finding.state), finding.found, finding.remedy


def test_no_provider_is_fine() -> None:
    assert found(None)[:2] == ("ok", "disabled: downloads.pot_provider_url is not set")


def test_a_healthy_provider() -> None:
    with pot_provider() as provider:
        state, text, _ = found(provider.url + "/")
    assert state == "ok"
    assert "is healthy, version 2.0.2" in text


def test_a_provider_that_is_not_there() -> None:
    with pot_provider() as provider:
        url = provider.url
    state, text, remedy = found(url)
    assert (state, text) == ("warning", f"{url} is unreachable")
    assert "docker compose --profile pot up -d" in remedy


@pytest.mark.parametrize("version", ["1.3.1", "3.0.0"])
def test_a_provider_that_does_not_fit_the_plugin(version: str) -> None:
    with pot_provider(version) as provider:
        state, text, remedy = found(provider.url)
    assert state == "warning"
    assert f"has version {version}, which does not fit the plugin's" in text
    assert f"Use version {pot_version()}" in remedy


@pytest.mark.parametrize("body", ["<html>", '{"status": "ok"}', "[1]"])
def test_something_else_at_the_address(body: str, media: MediaServer) -> None:
    media.text("ping", body)
    state, text, _ = found(media.url("text"))
    assert state == "warning"
    assert "does not answer as a provider" in text
