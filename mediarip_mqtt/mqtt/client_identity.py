"""The client id, which is the key of the service's MQTT session at the broker.

Whoever connects with it takes the session over, and what waits in it. So it has a random part,
which the store keeps. An id that was used before, as the bare node id by earlier versions, is
remembered until its session has been emptied: commands may wait there.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.store import Store, Tx

KEY: Final = "client_id"  # in the store's table `config`
RANDOM_BYTES: Final = 6  # `mediarip-` and 12 digits are 21 characters; some brokers take only 23
_KEYS_OF_EARLIER: Final = ("base_topics", "discovery")  # in `config`, if it was ever online


@dataclass(frozen=True)
class _Kept:
    """What the store has: ids, and whether the new session already has its subscriptions."""

    identifier: str
    random: str
    former: str | None
    subscribed: bool


class ClientIdentity:
    """Knows the client id, and the former one if its session has not been emptied."""

    def __init__(self, settings: MqttSettings, store: Store, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._kept: _Kept | None = None

    @property
    def identifier(self) -> str:
        """The client id; `load` comes first."""
        return self._loaded.identifier

    @property
    def former(self) -> str | None:
        """The id whose session has still to be emptied."""
        return self._loaded.former

    @property
    def subscribed(self) -> bool:
        """Whether the session of the present id gets commands since before."""
        return self._loaded.subscribed

    async def load(self) -> None:
        """Read the ids, or choose them; raise `StoreError`."""
        if self._kept is None:
            text, used = await self._store.read(_read)
            kept = self._present(text, used=used)
            if text != _dumps(kept):
                await self._keep(kept)
            self._kept = kept

    async def has_subscribed(self) -> None:
        """Remember that the session of the present id gets all commands from now on."""
        await self._keep(replace(self._loaded, subscribed=True))

    async def has_emptied(self) -> None:
        """Forget the former id."""
        await self._keep(replace(self._loaded, former=None, subscribed=False))

    @property
    def _loaded(self) -> _Kept:
        if self._kept is None:
            raise RuntimeError("the client id is not loaded")
        return self._kept

    def _present(self, text: str | None, *, used: bool) -> _Kept:
        known = _Kept(**json.loads(text)) if text else None
        random = known.random if known else secrets.token_hex(RANDOM_BYTES)
        identifier = self._settings.client_id or f"{self._settings.node_id}-{random}"
        if known and known.identifier == identifier:
            return known
        before = known.former or known.identifier if known else None
        if known is None and used:
            before = self._settings.node_id
        former = before if before != identifier else None
        return _Kept(identifier, random, former, subscribed=False)

    async def _keep(self, kept: _Kept) -> None:
        await self._store.write(partial(_write, text=_dumps(kept), clock=self._clock))
        self._kept = kept


def _read(tx: Tx) -> tuple[str | None, bool]:
    """Return the stored ids, and whether an earlier version used this store with a broker."""
    config = tx.config()
    used = any(key in config for key in _KEYS_OF_EARLIER) or bool(tx.jobs(limit=1))
    return config.get(KEY), used


def _write(tx: Tx, text: str, clock: Callable[[], datetime]) -> None:
    tx.set_config(KEY, text, clock())


def _dumps(kept: _Kept) -> str:
    return json.dumps(asdict(kept))
