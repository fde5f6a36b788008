"""A client of Home Assistant's MCP server: the tools as a language model gets them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.support.homeassistant import HomeAssistant

STREAMABLE = "/api/mcp"  # 2025.4 has only the older transport, by server-sent events
EVENTS = "/mcp_server/sse"
TIMEOUT = 60  # seconds


class ToolServer:
    """Home Assistant's MCP server; its tools are listed and called."""

    def __init__(self, ha: HomeAssistant) -> None:
        self._url = ha.url
        self._headers = {"Authorization": f"Bearer {ha.token}", "Accept": "application/json"}
        self._numbers = itertools.count(1)

    def tools(self) -> dict[str, dict[str, Any]]:
        """Return the tools by name."""
        return {one["name"]: one for one in self._ask("tools/list", {})["tools"]}

    def call(self, name: str, **arguments: Any) -> Any:
        """Call a tool; return its result."""
        found = self._ask("tools/call", {"name": name, "arguments": arguments})
        assert not found.get("isError"), found
        return json.loads(found["content"][0]["text"])["result"]

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        request = self._message(method, parameters, number=next(self._numbers))
        answer = self._post(STREAMABLE, request)
        if answer.status_code == requests.codes.not_found:
            with self._session() as (address, events):
                self._post(address, request)
                content = next(events)
        else:
            assert answer.ok, answer.text
            content = answer.json()
        assert "result" in content, content
        return dict(content["result"])

    @contextmanager
    def _session(self) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
        """Open a session by server-sent events: where to post to, and the answers."""
        with requests.get(
            self._url + EVENTS, headers=self._headers, stream=True, timeout=TIMEOUT
        ) as stream:
            assert stream.ok, stream.text
            data = (
                line.decode().removeprefix("data: ")
                for line in stream.iter_lines(chunk_size=1)
                if line.startswith(b"data: ")
            )
            address = next(data)
            events = map(json.loads, data)
            client = {"name": "tests", "version": "1"}
            hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": client}
            self._post(address, self._message("initialize", hello, number=0))
            next(events)
            self._post(address, self._message("notifications/initialized", {}))
            yield address, events

    def _post(self, path: str, message: dict[str, Any]) -> requests.Response:
        return requests.post(self._url + path, headers=self._headers, json=message, timeout=TIMEOUT)

    @staticmethod
    def _message(
        method: str, parameters: dict[str, Any], *, number: int | None = None
    ) -> dict[str, Any]:
        known = {} if number is None else {"id": number}
        return {"jsonrpc": "2.0", "method": method, "params": parameters, **known}


def serve_tools(ha: HomeAssistant) -> ToolServer:
    """Set up the MCP server, once; return a client of it."""
    if not ha.get("/api/config/config_entries/entry?domain=mcp_server"):
        path = "/api/config/config_entries/flow"
        step = ha.post(path, {"handler": "mcp_server"})
        answer = {"llm_hass_api": "assist"} if step.get("data_schema") else {}
        step = ha.post(f"{path}/{step['flow_id']}", answer)
        assert step["type"] == "create_entry", step
    return ToolServer(ha)
