"""Checks run at the same time, and none of them ends the report."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator

import pytest

from mediarip_mqtt.cli.doctor.findings import (
    CHECK_DISK,
    MAKE_ROOM,
    OWNER,
    DoctorCheck,
    Finding,
    Severity,
    ok,
    run_checks,
)
from mediarip_mqtt.contract.errors import StoreError


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_a_check_that_hangs_is_a_problem_and_holds_up_no_other(gate: threading.Event) -> None:
    def hang() -> list[Finding]:
        gate.wait(30)
        return []

    def release() -> list[Finding]:
        return [ok("second", "a"), ok("second", "b")]

    findings = await run_checks(
        DoctorCheck("first", hang, 0.2, "Unmount it."), DoctorCheck("second", release)
    )
    assert [finding.name for finding in findings] == ["first", "second", "second"]
    assert findings[0].state is Severity.PROBLEM
    assert "no answer within" in findings[0].found
    assert findings[0].remedy == "Unmount it."


@pytest.mark.parametrize(
    ("error", "found", "remedy"),
    [
        (OSError(errno.EACCES, "Permission denied"), "Permission denied", OWNER),
        (OSError(errno.ENOSPC, "No space left"), "No space left", MAKE_ROOM),
        (StoreError("It is closed. Open it."), "It is closed", "Open it."),
        (ValueError("no time"), "no time", CHECK_DISK),
    ],
)
async def test_an_error_of_a_check_is_a_problem_with_a_remedy(
    error: Exception, found: str, remedy: str
) -> None:
    def fail() -> list[Finding]:
        raise error

    (finding,) = await run_checks(DoctorCheck("it", fail))
    assert (finding.state, finding.found, finding.remedy) == (Severity.PROBLEM, found, remedy)
