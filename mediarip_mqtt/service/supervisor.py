"""Home Assistant's Supervisor: where this runs as its app, it names the broker.

It does so where the settings name none. Its token and the broker's password stand in no message.
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
PATIENCE: Final = 60.0  # seconds that the Supervisor, or the broker's app, may still be starting
PAUSE: Final = 2.0
REQUEST_TIME: Final = 5.0
GIVEN: Final = ("host", "port", "username", "password", "tls")  # settings that it names

logger = logging.getLogger(__name__)


class SupervisorError(BrokerError):
    """The Supervisor does not answer, or not with a broker."""


class _NoBrokerError(Exception):
    """The Supervisor knows of no broker; it may be on its way."""


def names_broker(settings: Settings) -> bool:
    """Whether the Supervisor is asked for the broker: in its app, where the settings name none."""
    return SUPERVISOR_TOKEN in os.environ and "host" not in settings.mqtt.model_fields_set


def with_broker(settings: Settings, patience: float = PATIENCE) -> Settings:
    """Return the settings with the broker that the Supervisor names; blocks.

    Asks for up to ``patience`` seconds. Raises `ConfigError` where there is no broker then, and
    `SupervisorError` where the Supervisor does not answer.
    """
    if not names_broker(settings):
        return settings
    deadline = time.monotonic() + patience
    while True:
        try:
            found = _ask()
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
    logger.info("the Supervisor names the broker %s:%d", found.host, found.port)
    given = {key: getattr(found, key) for key in GIVEN}
    return settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update=given)})


def _ask() -> MqttSettings:
    import urllib3  # noqa: PLC0415 - for the app alone; no command shall wait for it elsewhere

    address = os.environ.get(ADDRESS_VARIABLE, ADDRESS)
    try:
        answer = urllib3.PoolManager().request(
            "GET",
            f"{address}/services/mqtt",
            headers={"Authorization": f"Bearer {os.environ[SUPERVISOR_TOKEN]}"},
            timeout=REQUEST_TIME,
            retries=False,
            redirect=False,  # the token is for nobody else
        )
    except urllib3.exceptions.HTTPError:
        raise SupervisorError(
            "The Supervisor can't be reached. Restart the app; where that does not help, name the "
            "broker in the option mqtt.host."
        ) from None
    if answer.status in {401, 403}:
        raise SupervisorError(
            "The Supervisor refuses to name the broker. Install the app anew, or name the broker "
            "in the option mqtt.host."
        )
    data = _data(answer.data)
    if answer.status == 400 or (answer.status == 200 and not data):  # noqa: PLR2004 - HTTP's numbers
        raise _NoBrokerError
    if answer.status != 200:  # noqa: PLR2004 - the same
        raise SupervisorError(
            f"The Supervisor does not name the broker (HTTP {answer.status}). Restart the app, or "
            "name the broker in the option mqtt.host."
        )
    return _settings(data)


def _data(body: bytes) -> dict[str, Any]:
    """Return what an answer holds; empty where it is none of the Supervisor's."""
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
            host=data.get("host") or None,  # refused, as it must be
            port=data.get("port") or MqttSettings().port,
            username=data.get("username") or None,
            password=SecretStr(str(password)) if password else None,
            tls=bool(data.get("ssl")),
        )
    except ValidationError:
        raise SupervisorError(
            "What the Supervisor says of the broker can't be used. Name it in the option mqtt.host."
        ) from None
