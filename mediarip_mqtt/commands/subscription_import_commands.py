"""The command that imports subscriptions from elsewhere: `import_subscriptions`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mediarip_mqtt.commands.context import Context, Origin
from mediarip_mqtt.commands.family import Command
from mediarip_mqtt.commands.replies import Accepted
from mediarip_mqtt.store import Tx
from mediarip_mqtt.subscriptions.subscription_import import RecordResult, SubscriptionImport
from mediarip_mqtt.subscriptions.subscription_records import MAX_RECORDS, SubscriptionRecord


class SubscriptionsImported(Accepted):
    """What became of each record, in their order."""

    results: list[RecordResult]
    dry_run: bool


class ImportSubscriptions(Command):
    """Import subscriptions of another program with what it has downloaded; known ones stay."""

    example: ClassVar = {
        "subscriptions": [
            {
                "url": "https://videos.example/@tides",
                "name": "Tides",
                "items": [{"item_key": "videos abc", "title": "Spring tide", "state": "done"}],
            }
        ]
    }

    command: Literal["import_subscriptions"] = "import_subscriptions"
    subscriptions: tuple[SubscriptionRecord, ...] = Field(
        min_length=1, max_length=MAX_RECORDS, description="Subscriptions, with their known items."
    )
    dry_run: bool = Field(default=False, description="Only say what is new.")

    def run(self, tx: Tx, context: Context, origin: Origin, _: None) -> SubscriptionsImported:
        """Add what the store does not have."""
        importing = SubscriptionImport(
            context.following, context.settings, origin.session_id, dry_run=self.dry_run
        )
        return SubscriptionsImported(
            results=importing.take(tx, self.subscriptions), dry_run=self.dry_run
        )
