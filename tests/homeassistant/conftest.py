"""How the tests in real Home Assistants share the work: see `make test-ha`."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from scripts.homeassistant import VERSIONS

# An empty one takes all: no version would mean that pytest skips everything.
CHOSEN = tuple(os.environ.get("HA_VERSIONS", "").split()) or VERSIONS


class ByVersion(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """All tests of a version go to the same worker, which has its only Home Assistant.

    The others are shared out by file. The versions are in the tests' names: `xdist_group` has no
    effect in pytest 9.2 with xdist 3.8.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _version_of(nodeid) or nodeid.partition("::")[0]


def _version_of(nodeid: str) -> str:
    return next((one for one in CHOSEN if one in nodeid.partition("::")[2]), "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the versions, side by side: they take longest."""
    items.sort(key=lambda item: not _version_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return ByVersion(config, log) if config.option.dist == "loadscope" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seconds of each file, for `make test-ha`."""
    if terminalreporter.config.option.dist != "loadscope":
        return
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.split("::")[0]] += report.duration  # type: ignore[assignment] # seconds are not whole
    terminalreporter.section("seconds of each file, all versions together")
    for name, spent in seconds.most_common():
        terminalreporter.write_line(f"{spent:7.1f} {name}")
