"""The service at each broker that `scripts/setup faults` installs: what works, and what can't."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.broker_trial import Trial
from tests.support.other_brokers import ALL, OtherBroker
from tests.support.server import MediaServer


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [
        pytest.param(kind, protocol, id=f"{kind.name}-{protocol}")
        for kind in ALL
        for protocol in kind.versions
    ],
)
def test_the_service_works_at_a_broker_but_for_what_the_broker_lacks(
    kind: type[OtherBroker], protocol: str, tmp_path: Path, media: MediaServer
) -> None:
    if not kind.is_installed():
        pytest.skip(f"{kind.name} is not installed")
    broker = kind(tmp_path / "broker").start()
    try:
        outcomes = Trial(broker, protocol, tmp_path, media).run()
    finally:
        broker.stop()
    failed = {outcome.step: outcome.problem for outcome in outcomes if outcome.problem}
    assert failed.keys() == kind.lacks, failed
