"""How a page that was read can show that its job is not wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mediarip_mqtt.contract.models import Job
from mediarip_mqtt.store import Tx


class PageJudge(Protocol):
    """Decides about the jobs of subscriptions: a list does not tell all that filters need."""

    def rejects(self, tx: Tx, job: Job, fields: Mapping[str, Any]) -> bool:
        """Delete the job if it is not wanted, and return whether it is gone.

        ``fields`` is the page's data for templates.
        """
