"""The store: one SQLite file on the volume, one writer, each transaction one function.

Uses `volume` and `contract`; only this room imports sqlite3 and aiosqlite. Every room from `mqtt`
on up reads and writes through `Store`, which raises `StoreError` only.
"""

from mediarip_mqtt.store.changes import Changes
from mediarip_mqtt.store.database import Store
from mediarip_mqtt.store.history_rows import FinishedAt
from mediarip_mqtt.store.library_run_rows import FileOwner
from mediarip_mqtt.store.outbox_rows import Outgoing
from mediarip_mqtt.store.probe_rows import Probe
from mediarip_mqtt.store.show_rows import RememberedAnswer
from mediarip_mqtt.store.subscription_rows import SiteStop, SubscriptionRequest
from mediarip_mqtt.store.title_rows import PlacedTitle, TitleCount, TitleFilter
from mediarip_mqtt.store.title_upkeep_rows import LocatedTitle, RetainedTitle
from mediarip_mqtt.store.tx import Tx

__all__ = [
    "Changes",
    "FileOwner",
    "FinishedAt",
    "LocatedTitle",
    "Outgoing",
    "PlacedTitle",
    "Probe",
    "RememberedAnswer",
    "RetainedTitle",
    "SiteStop",
    "Store",
    "SubscriptionRequest",
    "TitleCount",
    "TitleFilter",
    "Tx",
]
