"""The store: one SQLite file on the volume, one writer, whole transactions as one function.

Uses `volume` and `contract`. Every room from `mqtt` on up reads and writes through `Store`.
"""

from mediarip_mqtt.store.database import Store
from mediarip_mqtt.store.ledger import Changes, Outgoing, Probe
from mediarip_mqtt.store.tx import Ended, Tx

__all__ = ["Changes", "Ended", "Outgoing", "Probe", "Store", "Tx"]
