"""Asks Home Assistant's Supervisor for the MQTT broker, if this runs as its app.

Only if the settings name no broker. No message contains the token or the broker's password.
"""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from mediarip_mqtt.contract.errors import BrokerError, ConfigError
from mediarip_mqtt.contract.settings import SUPERVISOR_TOKEN, MqttSettings, Settings

ADDRESS: Final = "http://supervisor"
ADDRESS_VARIABLE: Final = "MEDIARIP_SUPERVISOR"  # for another address, in tests
PATIENCE: Final = 60.0  # seconds for the Supervisor and the broker's app to start
PAUSE: Final = 2.0  # seconds between two requests
REQUEST_TIME: Final = 5.0  # seconds
GIVEN: Final = ("host", "port", "username", "password", "tls")  # settings from the Supervisor

logger = logging.getLogger(__name__)


class SupervisorError(BrokerError):
    """The Supervisor does not answer, or its answer can't be used."""


class _NoBrokerError(Exception):
    """The Supervisor has no broker yet; one may still be starting."""


def names_broker(settings: Settings) -> bool:
    """Whether to ask the Supervisor: this runs as its app, and the settings name no broker."""
    return bool(os.environ.get(SUPERVISOR_TOKEN)) and "host" not in settings.mqtt.model_fields_set


def with_broker(settings: Settings, patience: float = PATIENCE) -> Settings:
    """Return the settings with the Supervisor's broker; blocks, for up to ``patience`` seconds.

    Raises `ConfigError` if there is still no broker, `SupervisorError` if there is no answer.
    """
    if not names_broker(settings):
        return settings
    deadline = time.monotonic() + patience
    while True:
        try:
            broker = _ask()
            break
        except _NoBrokerError:
            problem: Exception = ConfigError(
                "Home Assistant has no MQTT broker yet. Install and start the app Mosquitto broker "
                "and set up the integration MQTT, or name a broker of your own in the option "
                "mqtt.host."
            )
        except SupervisorError as error:
            problem = error
        if time.monotonic() + PAUSE > deadline:
            raise problem
        logger.info("waiting for the Supervisor to name the MQTT broker")
        time.sleep(PAUSE)
    logger.info("the Supervisor names the broker %s:%d", broker.host, broker.port)
    given = {key: getattr(broker, key) for key in GIVEN}
    return settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update=given)})


def _ask() -> MqttSettings:
    import urllib3  # noqa: PLC0415 - slow to import, and only the app needs it

    address = os.environ.get(ADDRESS_VARIABLE, ADDRESS)
    try:
        response = urllib3.PoolManager().request(
            "GET",
            f"{address}/services/mqtt",
            headers={"Authorization": f"Bearer {os.environ[SUPERVISOR_TOKEN]}"},
            timeout=REQUEST_TIME,
            retries=False,
            redirect=False,  # keep the token from other hosts
        )
    except urllib3.exceptions.HTTPError:
        raise SupervisorError(
            "The Supervisor can't be reached. Restart the app; if that does not help, name the "
            "broker in the option mqtt.host."
        ) from None
    if response.status in {401, 403}:
        raise SupervisorError(
            "The Supervisor refuses to name the broker. Reinstall the app, or name the broker "
            "in the option mqtt.host."
        )
    data = _data(response.data)
    if response.status == 400 or (response.status == 200 and not data):  # noqa: PLR2004 - HTTP's numbers
        raise _NoBrokerError
    if response.status != 200:  # noqa: PLR2004 - the same
        raise SupervisorError(
            f"The Supervisor does not name the broker (HTTP {response.status}). Restart the app, "
            "or name the broker in the option mqtt.host."
        )
    return _settings(data)


def _data(body: bytes) -> dict[str, Any]:
    """Return an answer's data; empty if the answer is not in the Supervisor's form."""
    try:
        answer = json.loads(body)
        data = answer["data"] if answer["result"] == "ok" else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}


def _settings(data: dict[str, Any]) -> MqttSettings:
    password = data.get("password")
    try:
        return MqttSettings(
            host=data.get("host") or None,  # None is refused below
            port=data.get("port") or MqttSettings().port,
            username=data.get("username") or None,
            password=SecretStr(str(password)) if password else None,
            tls=bool(data.get("ssl")),
        )
    except ValidationError:
        raise SupervisorError(
            "The Supervisor's answer about the broker can't be used. Name the broker in the option "
            "mqtt.host."
        ) from None
