"""The script blueprints as a language model gets them: tools of Home Assistant's own MCP server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scripts.voice import ROOT
from tests.homeassistant.real.device import found
from tests.support.blueprint_files import read_blueprint
from tests.support.broker import Client, wait_for
from tests.support.homeassistant import HomeAssistant
from tests.support.mcp import ToolServer, serve_tools
from tests.support.server import MediaServer
from tests.support.service import Service

Run = Callable[..., Service]
BLUEPRINTS = sorted((ROOT / "homeassistant/blueprints/script/mediarip").glob("*.yaml"))


def offered(ha: HomeAssistant, node_id: str) -> tuple[ToolServer, dict[str, str]]:
    """Make a script of each blueprint, and expose it; return the tools' names."""
    scripts = {path.stem: f"{node_id}_{path.stem}" for path in BLUEPRINTS}
    service = ha.device(node_id)["id"]
    for stem, name in scripts.items():
        path = f"mediarip/{stem}.yaml"
        ha.add_script(name, use_blueprint={"path": path, "input": {"service": service}})
    ha.command(
        "homeassistant/expose_entity",
        assistants=["conversation"],
        entity_ids=[f"script.{name}" for name in scripts.values()],
        should_expose=True,
    )
    server = serve_tools(ha)
    # Newer versions put the domain before the script's name.
    names = {
        stem: tool
        for stem, name in scripts.items()
        for tool in server.tools()
        if tool.endswith(name)
    }
    assert len(names) == len(BLUEPRINTS) == 3
    return server, names


def test_a_model_sees_the_tools_and_downloads_asks_and_controls(
    ha: HomeAssistant,
    run: Run,
    client_of: Callable[[str], Client],
    media: MediaServer,
) -> None:
    service = run("modeldoes", DOWNLOADS__SEARCH_PREFIX=media.url("/media/video.mp4?q="))
    client, entities = client_of("modeldoes"), found(ha, "modeldoes")
    server, names = offered(ha, "modeldoes")
    tools = server.tools()
    for path in BLUEPRINTS:
        blueprint, tool = read_blueprint(path.read_text("utf-8")), tools[names[path.stem]]
        assert tool["description"].startswith(blueprint["description"].strip())
        fields = tool["inputSchema"]["properties"]
        assert {key: one["description"] for key, one in fields.items()} == {
            key: one["description"] for key, one in blueprint["fields"].items()
        }
        assert all("example" in one for one in blueprint["fields"].values())

    def call(tool: str, **arguments: Any) -> dict[str, Any]:
        return dict(server.call(names[tool], **arguments))

    reply = call("download", what="the harbour", folder="films", sound_only=False)
    assert reply["accepted"]
    assert (
        client.wait_status(reply["job_id"], "completed", timeout=60)["filename"]
        == "films/video.mp4"
    )
    assert service.media() == ["films/video.mp4"]
    wait_for(lambda: ha.state(entities["last_completed"])["attributes"].get("finished"), 60)
    assert call("download", what=media.url("/status/404/gone.mp4")) == {
        "accepted": False,
        "reason": client.request("list", status="failed")["jobs"][0]["error_message"],
        "error_code": "not_found",
    }
    later = call("download", what="another", not_before="2099-01-01 10:00:00", quality="720p")
    assert client.job(later["job_id"])["not_before"].startswith("2099-01-01T10:00:00")
    refused = call("download", what="x", folder="../out")
    assert refused["accepted"] is False
    assert refused["error_code"] == "unsafe_path"

    client.download(media.url("/slow/20000/bytes/4000000/moon.mp4"))
    wait_for(lambda: "moon" in [one["title"] for one in call("status")["running"]], 60)
    told = call("status")
    assert told["service"] == "downloading"
    assert told["waiting_count"] == 1, told
    assert told["finished"][0]["title"] == "video"
    assert told["failed"][0]["title"].startswith("gone")
    assert told["free_gigabytes"] > 0

    assert call("control", action="cancel", title="nothing like it")["done"] is False
    assert call("control", action="cancel", title="Moon") == {
        "done": True,
        "titles": ["moon"],
    }
    assert call("control", action="pause")["done"]
    ha.wait(entities["paused"], "on")
    assert call("control", action="resume")["done"]
    ha.wait(entities["paused"], "off")
    assert call("control", action="retry") == {"done": True, "count": 1}
    wait_for(lambda: client.request("list", status="failed")["jobs"], 60)
    assert call("control", action="cancel_all")["count"] == 1
    client.wait_status(later["job_id"], "cancelled")
    # The same for automations.
    link = media.url("/bytes/1000/a.mp4")
    answer = ha.call("script.modeldoes_download", return_response=True, what=link)
    assert answer["accepted"]

    service.stop()
    ha.wait(entities["status"], "unavailable")
    off = "The download service is off."
    assert call("download", what="x") == {"accepted": False, "reason": off}
    assert call("control", action="pause") == {"done": False, "reason": off}
    assert call("status") == {"service": "off", "reason": off}
    assert ha.complaints() == []
