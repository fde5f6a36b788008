"""A measured figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``ratio`` is against ``peer`` in the same run."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float = 0.0

    @property
    def ratio(self) -> float | None:
        """How many times the peer's value it is; None without a peer."""
        return self.value / self.peer_value if self.peer_value else None
