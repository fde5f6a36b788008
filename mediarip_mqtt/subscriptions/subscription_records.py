"""Subscriptions of other programs as records, the input of an import."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from mediarip_mqtt.contract import texts
from mediarip_mqtt.contract.frozen_model import Frozen
from mediarip_mqtt.contract.subscription_models import SubscriptionOptions
from mediarip_mqtt.jobs.history_records import Line, Moment

MAX_ITEMS: Final = 1000  # in one record; more come in further records of the same URL
MAX_RECORDS: Final = 50  # in one command

ItemUrl = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]


class KnownItem(Frozen):
    """An item that the other program knows; ``item_key`` is yt-dlp's archive id."""

    item_key: texts.Line
    url: ItemUrl | None = Field(None, description="Null: the next check tells it.")
    title: Line = None
    published_at: Moment | None = None
    done_at: Moment | None = None
    state: Literal["baseline", "done", "expired", "ignored"] = Field(
        "baseline",
        description="`done`: it was downloaded there; `baseline`: it is known, and stays.",
    )


class SubscriptionRecord(SubscriptionOptions):
    """A subscription of another program, with the items that it knows, the oldest first.

    What the source has besides is new to the first check. Without items, all that is there then
    stays, as after `subscribe`.
    """

    url: ItemUrl
    name: Line = None
    items: tuple[KnownItem, ...] = Field((), max_length=MAX_ITEMS)
    first_rank: int = Field(1, ge=1, le=10**7, description="Place of the first of these items.")
    partial: bool = Field(
        default=False,
        description="Only the newest items of a channel are given: what is older stays, too.",
    )
    complete: bool = Field(
        default=True, description="No further record of this URL follows; the checks begin."
    )
