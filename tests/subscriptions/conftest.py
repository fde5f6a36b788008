"""A station that follows a simulated site."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.simulated_site import Site, Station, Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def site(time: Time) -> Site:
    return Site(time)


@pytest.fixture
async def station(tmp_path: Path, site: Site, time: Time) -> AsyncIterator[Station]:
    one = await Station(tmp_path, site, time).open()
    yield one
    await one.close()
