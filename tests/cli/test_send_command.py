"""`command`: sends any MQTT command."""

from __future__ import annotations

import json

import pytest

from tests.support.cli import Cli
from tests.support.service import Service

pytestmark = pytest.mark.slow


def test_any_command_can_be_sent(cli: Cli, service: Service) -> None:
    listed = cli.run("command", "list", "limit=5")
    assert (listed.returncode, json.loads(listed.stdout)["jobs"]) == (0, [])
    changed = cli.run("command", "settings", '{"max_concurrent": 2}')
    assert json.loads(changed.stdout)["settings"]["max_concurrent"] == 2
    refused = cli.run("command", "cancel", "nosuchjob")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "job_not_found"
    unknown = cli.run("command", "fly", "to=moon")
    assert json.loads(unknown.stdout)["error"]["code"] == "unknown_command"
    assert cli.run("command", "list", "{").returncode == 2
    assert cli.run("healthcheck").returncode == 0
    service.stop()
    offline = cli.run("command", "list")
    assert offline.returncode == 1
    assert "is offline" in offline.stderr
