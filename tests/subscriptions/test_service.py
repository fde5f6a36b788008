"""Subscriptions in the real service: the real yt-dlp reads a site's feeds and lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.feed_site import Channel, FeedSite
from tests.support.service import Service


@pytest.fixture
def site(media_folder: Path) -> Iterator[FeedSite]:
    site = FeedSite((media_folder / "video.mp4").read_bytes())
    yield site
    site.stop()


@pytest.fixture
def following(
    tmp_path: Path, mosquitto: Mosquitto, client: Client, site: FeedSite
) -> Iterator[Service]:
    del client  # it is connected before the service
    downloads = site.settings()
    sites = {name: {"proxy": each.proxy} for name, each in downloads.sites.items()}
    service = Service(
        tmp_path,
        mosquitto.port,
        DOWNLOADS__SITES=json.dumps(sites),
        DOWNLOADS__YTDLP_OPTIONS=json.dumps(downloads.ytdlp_options),
    ).start()
    yield service
    service.stop()


def grown(site: FeedSite, *numbers: int) -> Channel:
    channel = site.channels.setdefault("sea", Channel())
    channel.grow(*numbers)
    return channel


def counts(client: Client, key: str) -> dict[str, int]:
    text = client.kept(f"subscription/{key}/state")
    return json.loads(text)["counts"] if text else {}


@pytest.mark.parametrize("kind", ["list", "atom"])
def test_what_is_new_is_downloaded_and_nothing_else(
    kind: str, client: Client, following: Service, site: FeedSite
) -> None:
    grown(site, 1, 2, 3)
    url = site.channel_url("sea") if kind == "list" else site.feed_url("sea")
    reply = client.request("subscribe", url=url, backfill=1, timeout=60)
    assert (reply["found"], reply["queued"], reply["baseline"]) == (3, 1, 2)
    key = reply["subscription_id"]
    wait_for(lambda: counts(client, key) == {"done": 1, "baseline": 2}, 60, "the newest")

    grown(site, 4)
    assert client.request("check", id=key)["ok"]

    wait_for(lambda: counts(client, key) == {"done": 2, "baseline": 2}, 60, "what is new")
    (event,) = client.events("subscription_new")
    assert [item["title"] for item in event["items"]] == ["Item 4"]
    summary = client.json("subscriptions")
    assert (summary["count"], summary["last_new"]) == (1, "Item 4")
    assert len([path for path in following.root.rglob("*.mp4") if path.is_file()]) == 2


def test_an_episode_of_a_podcast_has_the_title_of_its_feed(
    client: Client, following: Service, site: FeedSite
) -> None:
    grown(site, 1, 2)
    url = site.feed_url("sea", "podcast")
    wanted = {"output_template": "%(playlist_title)s/%(title)s.%(ext)s"}
    client.request("subscribe", url=url, backfill=1, wanted=wanted, timeout=60)
    (event,) = wait_for(lambda: client.events("completed"), 60)
    assert event["job"]["title"] == "Item 2"
    assert following.media() == ["A channel/Item 2.mp4"]


def test_a_dry_run_says_what_would_come_and_why(
    client: Client, following: Service, site: FeedSite
) -> None:
    del following
    grown(site, 1, 2, 3)
    reply = client.request(
        "subscribe",
        url=site.channel_url("sea"),
        backfill="all",
        title_exclude="Item 2",
        dry_run=True,
        timeout=60,
    )

    told = [(item["title"], item["state"], item["reason"]) for item in reply["items"]]
    assert told == [
        ("Item 3", "waiting", "queue_ahead"),
        ("Item 2", "filtered", "title_exclude"),
        ("Item 1", "waiting", "queue_ahead"),
    ]
    assert client.request("subscriptions")["count"] == 0


def test_a_single_medium_is_no_list(client: Client, following: Service, site: FeedSite) -> None:
    del following
    channel = grown(site, 1)
    reply = client.request("subscribe", url=site.item_url(channel.uploads[0]), timeout=60)

    assert reply["error"]["code"] == "not_a_list"


def test_a_kill_between_subscribe_and_its_answer_loses_neither(
    client: Client, following: Service, site: FeedSite
) -> None:
    grown(site, 1, 2).slow = 400
    client.publish(
        "command/subscribe",
        json.dumps({"url": site.channel_url("sea"), "backfill": 1, "request_id": "r1"}),
    )
    wait_for(lambda: site.paths("video-channels"), 30, "the site to be asked")
    following.kill()
    site.channels["sea"].slow = None
    following.start()

    wait_for(lambda: client.replies("r1"), 60, "the answer")
    (reply,) = client.replies("r1")
    assert (reply["found"], reply["queued"]) == (2, 1)
    assert client.request("subscriptions")["count"] == 1


def test_unsubscribe_clears_the_topic_and_keeps_the_files(
    client: Client, following: Service, site: FeedSite
) -> None:
    grown(site, 1)
    key = client.request("subscribe", url=site.feed_url("sea"), backfill=1, name="Sea", timeout=60)[
        "subscription_id"
    ]
    wait_for(lambda: counts(client, key) == {"done": 1}, 60, "the item")

    assert client.request("unsubscribe", id="sea")["ok"]

    topic = f"subscription/{key}/state"
    wait_for(lambda: not client.kept(topic), 10, "the topic to be cleared")
    assert len([path for path in following.root.rglob("*.mp4") if path.is_file()]) == 1


def test_what_the_configuration_declares_is_added_changed_and_removed_with_it(
    tmp_path: Path, client: Client, following: Service, site: FeedSite
) -> None:
    grown(site, 1, 2)
    config = tmp_path / "config.yaml"

    def restarted(**follow: object) -> None:
        following.stop()
        config.write_text(yaml.safe_dump({"subscriptions": {"follow": follow}}))
        following.options = ["--config", str(config)]
        following.start()

    url = site.channel_url("sea")
    restarted(Sea={"url": url, "backfill": 1})
    wait_for(lambda: client.request("subscriptions")["count"] == 1, 20, "it to be added")
    (one,) = client.request("subscriptions")["subscriptions"]
    wait_for(lambda: counts(client, one["id"]) == {"done": 1, "baseline": 1}, 60, "its check")
    refused = client.request("subscriptions", id="Sea", set={"keep_last": 3})
    assert refused["error"]["code"] == "forbidden"

    restarted(Sea={"url": url, "backfill": 1, "keep_last": 5})
    (same,) = client.request("subscriptions")["subscriptions"]
    assert (same["id"], same["keep_last"], same["declared"]) == (one["id"], 5, "Sea")

    restarted()
    assert client.request("subscriptions")["count"] == 0


def test_an_import_goes_on_where_the_other_program_was(
    client: Client, following: Service, site: FeedSite
) -> None:
    channel = grown(site, 1, 2, 3)
    known = [
        {"item_key": f"peertube {one.id}", "state": "done"} for one in reversed(channel.uploads[1:])
    ]
    record = {"url": site.channel_url("sea"), "name": "Sea", "items": known}
    reply = client.request("import_subscriptions", subscriptions=[record])
    (result,) = reply["results"]
    assert (result["result"], result["items"]) == ("new", 2)
    key = str(result["subscription_id"])
    assert client.request("check", id=key)["ok"]

    wait_for(lambda: counts(client, key) == {"done": 3}, 60, "what was missing")
    assert len([path for path in following.root.rglob("*.mp4") if path.is_file()]) == 1
