"""What a transaction changed; readers are notified after the commit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Changes:
    """The keys of what a transaction changed; falsy if no reader needs to be notified."""

    jobs: dict[str, str] = field(default_factory=dict)  # job id -> session id
    cleared: set[str] = field(default_factory=set)  # sessions whose finished jobs were cleared
    settings: set[str] = field(default_factory=set)  # keys of the table `config`
    titles: set[str] = field(default_factory=set)  # ids
    subscriptions: dict[str, str] = field(default_factory=dict)  # id -> session id
    queue: bool = False
    outbox: bool = False
    probes: bool = False
    runs: bool = False  # of the library
    checks: bool = False  # subscriptions to check

    def __bool__(self) -> bool:
        return bool(
            self.jobs
            or self.settings
            or self.titles
            or self.subscriptions
            or self.queue
            or self.outbox
            or self.probes
            or self.checks
            or self.runs
        )
