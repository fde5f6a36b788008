"""The command line as a person or a script uses it: real processes, broker, service, files."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from mediarip_mqtt.cli.display import short_ids
from tests.support.broker import Mosquitto, free_port
from tests.support.cli import SECONDS, Cli
from tests.support.server import MediaServer
from tests.support.service import Service

pytestmark = pytest.mark.slow


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def lone(tmp_path: Path, port: int) -> Cli:
    """Without any broker or service."""
    return Cli(tmp_path, port)


def test_a_download_ends_with_the_path_of_its_file(cli: Cli, media: MediaServer) -> None:
    done = cli.run("download", media.url("media/video.mp4"))
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path.read_bytes() == (media.media / "video.mp4").read_bytes()
    assert "completed" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_failed_download_says_why_and_exits_with_1(cli: Cli, media: MediaServer) -> None:
    done = cli.run("download", media.url("status/404/x.mp4"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "not_found" in done.stderr


def test_a_refused_download_says_why_and_exits_with_1(cli: Cli) -> None:
    done = cli.run("download", "ftp://example.com/x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Only http and https" in done.stderr
    assert "invalid_url" in done.stderr


def test_programs_get_json(cli: Cli, media: MediaServer) -> None:
    done = cli.run("download", "--json", "--folder", "films", media.url("media/video.mp4"))
    job = json.loads(done.stdout)
    assert job["status"] == "completed"
    assert Path(job["path"]).is_file()
    assert Path(job["path"]).parent.name == "films"


def test_without_waiting_the_id_is_printed_and_a_request_id_acts_once(
    cli: Cli, media: MediaServer
) -> None:
    words = ("download", "--no-wait", "--request-id", "r1", media.url("media/video.mp4"))
    first, second = cli.run(*words), cli.run(*words)
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert len(first.stdout.strip()) == 36


def test_a_playlist_tells_the_counts_of_its_items(cli: Cli, media: MediaServer) -> None:
    items = "".join(
        f'<item><title>{name}</title><enclosure url="{media.url(path)}" type="video/mp4"/></item>'
        for name, path in (("one", "media/video.mp4"), ("two", "status/404/x.mp4"))
    )
    feed = f'<rss version="2.0"><channel><title>Feed</title>{items}</channel></rss>'
    media.texts["feed.xml"] = ("application/rss+xml", feed.encode())
    done = cli.run("download", media.url("text/feed.xml"))
    assert done.returncode == 0, done.stderr
    assert "1 of 2 items, 1 not downloaded" in done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_dir()


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


def test_watch_gives_programs_one_line_a_message(cli: Cli, media: MediaServer) -> None:
    watching = cli.start("watch", "--json")
    assert watching.stdout
    try:
        assert json.loads(watching.stdout.readline())["payload"] == "online"
        cli.run("download", "--no-wait", media.url("media/video.mp4"))
        for line in watching.stdout:
            message = json.loads(line)
            if message["topic"].endswith("/state") and "/job/" in message["topic"]:
                assert message["payload"]["url"] == media.url("media/video.mp4")
                break
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=SECONDS)
    assert watching.returncode == 130


def test_an_unreachable_broker_is_named(lone: Cli, port: int) -> None:
    with socket.socket() as held:  # taken, so that no other test's broker gets it; not listening
        held.bind(("127.0.0.1", port))
        for words in (("download", "https://example.com/x"), ("watch",), ("healthcheck",)):
            done = lone.run(*words)
            assert done.returncode == 1
            assert f"localhost:{port}" in done.stderr


def test_a_broker_without_a_service_is_told(tmp_path: Path, mosquitto: Mosquitto) -> None:
    done = Cli(tmp_path, mosquitto.port).run("download", "https://example.com/x")
    assert done.returncode == 1
    assert "No service has said anything below `mediarip`" in done.stderr


def test_wrong_settings_are_named_with_their_place_and_exit_with_2(lone: Cli) -> None:
    config = lone.folder / "config.yaml"
    config.write_text("mqtt:\n  hots: broker\ndownloads:\n  max_concurrent: 99\n")
    for words in (("check-config",), ("run",), ("download", "https://example.com/x")):
        done = lone.run(words[0], "--config", str(config), *words[1:])
        assert done.returncode == 2
        assert "line 2: mqtt.hots: unknown setting" in done.stderr
        assert "line 4: downloads.max_concurrent" in done.stderr
    assert lone.run("check-config", "--config", "nowhere.yaml").returncode == 2


def test_check_config_tells_values_and_their_origin_without_secrets(lone: Cli, port: int) -> None:
    config = lone.folder / "config.yaml"
    config.write_text("mqtt:\n  host: broker\n  password: hunter22\n  port: 5\n")
    done = lone.run("check-config", "--config", str(config))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert f'mqtt.host = "broker"  # {config}, line 2' in lines
    assert f"mqtt.port = {port}  # environment MEDIARIP__MQTT__PORT" in lines
    assert "downloads.max_concurrent = 3  # default" in lines
    assert "hunter22" not in done.stdout + done.stderr
    as_json = json.loads(lone.run("check-config", "--config", str(config), "--json").stdout)
    assert as_json["mqtt.password"]["value"] == "***"


def test_check_config_shows_what_is_set_for_a_site_but_not_its_secrets(lone: Cli) -> None:
    config = lone.folder / "config.yaml"
    site = (
        "{pause: 20, proxy: 'http://APIKEY0123:@h:1', extractor_args: {youtube: {po_token: [pot]}}}"
    )
    config.write_text(f"downloads: {{sites: {{youtube.com: {site}}}}}\n")
    for form in ((), ("--json",)):
        done = lone.run("check-config", "--config", str(config), *form)
        assert done.returncode == 0, done.stderr
        assert "http://***@h:1" in done.stdout
        assert "APIKEY0123" not in done.stdout + done.stderr
    shown = json.loads(done.stdout)["downloads.sites"]["value"]["youtube.com"]
    assert (shown["pause"], shown["extractor_args"]) == (20.0, {"youtube": {"po_token": "***"}})


def test_run_with_a_url_downloads_it_and_ends(lone: Cli, media: MediaServer) -> None:
    done = lone.run("run", "--embedded-broker", "--download", media.url("media/video.mp4"))
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path == lone.folder / "data" / "video.mp4"
    assert path.read_bytes() == (media.media / "video.mp4").read_bytes()
    failed = lone.run("run", "--embedded-broker", "--download", media.url("status/404/x.mp4"))
    assert (failed.returncode, failed.stdout) == (1, "")


def test_run_tells_what_to_type_and_a_second_one_hands_its_url_over(
    lone: Cli, media: MediaServer, port: int
) -> None:
    lone.environment["MEDIARIP__SECURITY__ALLOWED_HOSTS"] = "127.0.0.1"
    service = lone.start("run", "--embedded-broker")
    assert service.stdout
    try:
        said = ""
        while "mosquitto_pub" not in said:
            line = service.stdout.readline()
            assert line, "the service ended"
            said += line
        assert f"127.0.0.1:{port}" in said
        assert str(lone.folder / "data") in said
        assert f"mosquitto_pub -p {port} -t mediarip/command" in said
        second = lone.run("run", "--embedded-broker", "--download", media.url("media/video.mp4"))
        assert second.returncode == 0, second.stderr
        assert Path(second.stdout.splitlines()[-1]).is_file()
        third = lone.run("run", "--embedded-broker")
        assert third.returncode == 1
        assert "Another mediarip-mqtt" in third.stderr
    finally:
        service.send_signal(signal.SIGTERM)
        _, err = service.communicate(timeout=SECONDS)
    assert service.returncode == 0, err


def test_a_service_without_a_broker_says_so_and_ends_when_told_to(lone: Cli, port: int) -> None:
    service = lone.start("run")
    assert service.stderr
    line = ""
    while f"localhost:{port} can't be reached" not in line:
        line = service.stderr.readline()
        assert line, "the service ended"
    service.send_signal(signal.SIGINT)
    out, err = service.communicate(timeout=SECONDS)
    assert service.returncode == 0
    assert "Traceback" not in err
    assert "is up" not in out


def test_short_ids_are_the_shortest_that_name_one_job() -> None:
    ids = ["0199aaaa-0001", "0199aaaa-0002", "0199bbbb-0001"]
    assert short_ids(ids) == {
        "0199aaaa-0001": "0199aaaa-0001",
        "0199aaaa-0002": "0199aaaa-0002",
        "0199bbbb-0001": "0199bbbb",
    }
