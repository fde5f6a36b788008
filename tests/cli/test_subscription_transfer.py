"""`import` with subscriptions, by the real service: line by line, and only once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import subscription_files as files
from tests.support.broker import Client
from tests.support.cli import Cli


def followed(client: Client) -> dict[str, dict[str, Any]]:
    found = client.request("subscriptions", limit=200)["subscriptions"]
    return {each["name"]: each for each in found}


def test_a_database_of_pinchflat_moves_in(cli: Cli, client: Client, tmp_path: Path) -> None:
    made = files.pinchflat(tmp_path / "pinchflat.db")
    files.pinchflat_source(made, retention_period_days=30)
    files.pinchflat_source(made, 2, original_url="http://127.0.0.1/private", download_media=0)
    files.pinchflat_source(made, 3, original_url="file:///etc/passwd")
    for number in range(1, 29):
        files.pinchflat_item(made, number, media_filepath=f"/{number}.mp4")
    path = str(made.close())

    preview = cli.run("import", path, "--dry-run")
    assert preview.returncode == 1
    assert preview.stdout.splitlines() == [
        "new     Source 1 (https://www.youtube.com/@tides1); items: 28 downloaded; new here: 28",
        "new     Source 2 (http://127.0.0.1/private); paused, as nothing of it is downloaded there",
        "2 subscriptions are new, 1 refused.",
    ]
    assert "refused Source 3 (file:///etc/passwd): Only http and https URLs" in preview.stderr
    assert followed(client) == {}

    assert cli.run("import", path).stdout.endswith("2 subscriptions imported, 1 refused.\n")
    found = followed(client)
    assert found["Source 1"]["counts"] == {"done": 28}
    assert (found["Source 1"]["keep_days"], found["Source 2"]["enabled"]) == (30, False)
    again = cli.run("import", path)
    assert "known   Source 1" in again.stdout
    assert "0 subscriptions imported, 2 already known, 1 refused." in again.stdout


def test_many_items_take_several_commands(cli: Cli, client: Client, tmp_path: Path) -> None:
    seen = [files.video(number) for number in range(3000, 0, -1)]
    path = files.metube(tmp_path / "subscriptions.json", {"seen_ids": seen})
    result = json.loads(cli.run("import", str(path), "--json").stdout)
    assert (result["new"], result["subscriptions"][0]["new_items"]) == (1, 3000)
    assert followed(client)["The Tides"]["counts"] == {"baseline": 3000}
    items = client.request("subscriptions", id="The Tides", items=True, limit=2)["items"]
    assert [item["item_key"] for item in items] == [f"youtube {key}" for key in seen[:2]]


@pytest.mark.parametrize("content", [files.OPML, files.TAKEOUT, files.YTDL_SUB])
def test_texts_are_imported(cli: Cli, client: Client, tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    assert "subscriptions imported" in cli.run("import", str(path)).stdout
    assert "The Tides" in followed(client)


def test_an_archive_goes_into_the_subscription_that_is_named(
    cli: Cli, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "archive.txt"
    path.write_text(files.ARCHIVE)
    opml = tmp_path / "a.opml"
    opml.write_text(files.OPML)
    cli.run("import", str(opml))
    refused = cli.run("import", str(opml), "--into", "The Tides")
    assert "is no download archive of yt-dlp" in refused.stderr
    assert refused.returncode != 0
    done = cli.run("import", str(path), "--into", "The Tides")
    assert "items: 3 downloaded; new here: 3" in done.stdout
    assert followed(client)["The Tides"]["counts"] == {"done": 3}
