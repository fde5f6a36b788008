"""Subscriptions that the configuration file declares: added, changed and removed with it."""

from __future__ import annotations

import logging
from typing import Final

from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.models import new_id
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.subscription_models import Subscription, option_values
from mediarip_mqtt.contract.subscription_settings import DeclaredSubscription
from mediarip_mqtt.contract.topics import ROOT_SESSION
from mediarip_mqtt.contract.urls import read_target
from mediarip_mqtt.store import Tx
from mediarip_mqtt.subscriptions import schedule
from mediarip_mqtt.subscriptions.following import Following

# What a command may change of a declared one; a change of the file changes it again.
_FREE: Final = "enabled"

logger = logging.getLogger(__name__)


class Declared:
    """Compares the configuration file with the store, at each start."""

    def __init__(self, following: Following, settings: Settings) -> None:
        self._following = following
        self._settings = settings

    def apply(self, tx: Tx) -> None:
        """Add, change and remove; one that is not valid is logged, and left as it was."""
        declared = self._settings.subscriptions.follow
        known = tx.declared_subscriptions()
        for name in known.keys() - declared.keys():
            logger.info("subscription %r is no longer declared, and not followed", name)
            self._following.remove(tx, known[name], cancel=False)
        new = len(declared.keys() - known.keys())
        for name, wanted in declared.items():
            try:
                with tx.savepoint():
                    self._apply_one(tx, name, wanted, known.get(name), new)
            except CommandError as error:
                logger.warning("subscriptions.follow.%s: %s", name, error.message)

    def _apply_one(
        self,
        tx: Tx,
        name: str,
        wanted: DeclaredSubscription,
        known: Subscription | None,
        new: int,
    ) -> None:
        target = read_target(wanted.url, self._settings.security)
        if known is not None and known.url != target.url:
            # Another source: what is known of the former one says nothing of it.
            self._following.remove(tx, known, cancel=False)
            known = None
        if known is None:
            known = tx.subscription_of_url(target.url, ROOT_SESSION)
            if known is not None:  # a person's: what it knows stays
                tx.update_subscription(known.id, declared=name)
        if known is None:
            self._add(tx, name, wanted, target.url, target.login, new)
            return
        tx.set_subscription_login(known.id, target.login)
        before, after = option_values(known), option_values(wanted)
        if wanted.enabled:
            after.pop(_FREE)  # it may have been paused, or given up
        changed = {key: value for key, value in after.items() if value != before[key]}
        changed.pop("backfill", None)
        if changed or known.name != name:
            self._following.change(tx, known, {**changed, "name": name})

    def _add(  # noqa: PLR0913, PLR0917 - a target, and what is wanted of it
        self,
        tx: Tx,
        name: str,
        wanted: DeclaredSubscription,
        url: str,
        login: str | None,
        new: int,
    ) -> None:
        now = self._following.clock()
        key = new_id()
        subscription = Subscription(
            id=key,
            session_id=ROOT_SESSION,
            name=name,
            url=url,
            declared=name,
            created_at=now,
            next_check_at=schedule.spread(new, key, now) if new > 1 else now,
            **option_values(wanted),
        )
        self._following.add_unread(tx, subscription, login)
