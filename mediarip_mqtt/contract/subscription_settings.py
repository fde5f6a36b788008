"""The settings of subscriptions."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.section import Section
from mediarip_mqtt.contract.subscription_models import SubscriptionOptions

MAX_SUBSCRIPTIONS: Final = 1000
MAX_OF_SESSION: Final = 200  # of these, of one isolated session
HOURS: Final = r"^$|^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"


class DeclaredSubscription(SubscriptionOptions):
    """A subscription in the configuration file: its URL, and options as in `subscribe`."""

    url: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="http or https URL of a channel, playlist, feed or search."
    )


class SubscriptionSettings(Section):
    """Subscriptions: how they are checked, and those that the configuration file declares."""

    queue_ahead: int = Field(
        20, ge=1, le=1000, description="Maximum waiting jobs of one subscription."
    )
    max_concurrent: int = Field(2, ge=1, le=8, description="Maximum simultaneous checks.")
    hours: str = Field(
        "",
        pattern=HOURS,
        description="Daily hours of checks, in local time: `01:00-06:00`; empty: always.",
    )
    follow: dict[texts.Line, DeclaredSubscription] = Field(
        default_factory=dict,
        max_length=MAX_SUBSCRIPTIONS,
        description="Subscriptions by name: `url`, and options as in the command `subscribe`. What "
        "is removed here is no longer followed.",
    )
