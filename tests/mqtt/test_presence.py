"""Two services that use one base topic, or one client id, by mistake.

A container that is started twice, or a backup that is restored on a second machine, does that.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Client, Mosquitto, wait_for
from tests.support.cli import Cli
from tests.support.doctor import checks
from tests.support.faulty import program
from tests.support.server import MediaServer
from tests.support.service import Service

SOON = program(constants={"mediarip_mqtt.mqtt.contention:GIVE_WAY": 1.0})


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def second(port: int, **settings: Any) -> Service:
        folder = tmp_path / f"other{len(services)}"
        folder.mkdir()
        services.append(Service(folder, port, **settings))
        return services[-1]

    yield second
    for service in services:
        service.stop()


def finished(client: Client, media: MediaServer) -> str:
    job_id = client.download(media.url("/bytes/1000/x.mp4"))
    client.wait_status(job_id, "completed")
    return job_id


@pytest.mark.parametrize("node_id", ["mediarip", "attic"])
def test_a_second_service_on_the_base_topic_says_so_and_the_first_goes_on_undisturbed(
    node_id: str,
    run: Callable[..., Service],
    second: Callable[..., Service],
    mosquitto: Mosquitto,
    client: Client,
    media: MediaServer,
) -> None:
    first = run(mosquitto.port)
    job_id = finished(client, media)
    seen = len(client.payloads("status"))
    other = second(mosquitto.port, MQTT__NODE_ID=node_id).start(wait=False)
    wait_for(lambda: "Another mediarip-mqtt is online below the base topic" in other.log)
    assert f"the storage {first.root}" in other.log
    finished(client, media)  # a service that fights does it at once
    assert client.payloads("status")[seen:] == []
    assert "lost" not in first.log
    assert client.job(job_id)["status"] == "completed"
    assert client.request("list")["count"] == 2


@pytest.mark.slow
def test_healthcheck_says_why_a_service_is_not_online(
    run: Callable[..., Service], second: Callable[..., Service], mosquitto: Mosquitto
) -> None:
    first = run(mosquitto.port)
    checked = health_of(second(mosquitto.port).start(wait=False), 1)
    assert "only service: Another mediarip-mqtt" in checked.stderr
    assert "broker: ok" in checked.stdout
    health_of(first, 0)


def health_of(service: Service, code: int) -> Any:
    """Return the first `healthcheck` with this exit code; the signs are written every 5 s."""
    cli = Cli(service.folder, 0)
    cli.environment = service.environment

    def checked() -> Any:
        done = cli.run("healthcheck")
        return done if done.returncode == code and "process" in done.stdout else None

    return wait_for(checked, 20)


@pytest.mark.slow
def test_a_restored_copy_of_the_store_gives_way_and_takes_over_once_the_original_ends(
    run: Callable[..., Service],
    second: Callable[..., Service],
    mosquitto: Mosquitto,
    client: Client,
    media: MediaServer,
) -> None:
    first = run(mosquitto.port)
    finished(client, media)
    first.stop()
    copy = second(mosquitto.port)
    shutil.copytree(first.root, copy.root)
    first.start()
    later = finished(client, media)
    copy.program = SOON
    copy.start(wait=False)
    wait_for(lambda: "Another mediarip-mqtt" in copy.log)
    assert client.job(later)["status"] == "completed"  # the copy does not know this job
    assert client.kept("status") == "online"
    first.stop()
    wait_for(lambda: "connected to" in copy.log)
    wait_for(lambda: not client.job(later))
    assert client.request("list")["count"] == 1
    assert copy.log.count("Another mediarip-mqtt") == 1  # the reason is logged once


@pytest.mark.slow
def test_of_two_services_that_start_together_one_stays_and_its_topics_are_right(
    second: Callable[..., Service], mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    both = [second(mosquitto.port, MQTT__NODE_ID=name) for name in ("one", "two")]
    mosquitto.stop()  # so that both look, and connect, at the same time
    for service in both:
        service.start(wait=False)
    wait_for(lambda: all("Trying again" in service.log for service in both))
    mosquitto.start()
    wait_for(lambda: any("connected to" in service.log for service in both))
    loser = wait_for(lambda: [one for one in both if "this one gives way" in one.log])
    assert len(loser) == 1
    winner = next(service for service in both if service not in loser)
    wait_for(lambda: client.json("info").get("storage_root") == str(winner.root))
    wait_for(lambda: client.kept("status") == "online")
    finished(client, media)
    assert "gives way" not in winner.log


@pytest.mark.slow
def test_of_two_services_with_one_client_id_the_first_goes_on(
    run: Callable[..., Service],
    second: Callable[..., Service],
    mosquitto: Mosquitto,
    client: Client,
) -> None:
    """Public report: emqx/emqx#151, two clients with one id reconnect for ever, in turns."""
    same = {"MQTT__CLIENT_ID": "same"}
    first = run(mosquitto.port, **same)
    time.sleep(11)  # until its connection counts as stable
    other = second(mosquitto.port, MQTT__BASE_TOPIC="second", **same).start(wait=False)
    wait_for(lambda: "same id connected" in other.log, 30)
    wait_for(lambda: client.kept("status") == "online")
    time.sleep(5)
    assert client.payloads("status")[-1] == "online"
    assert "same id connected" not in first.log.partition("reconnected")[2]
    assert client.request("list")["ok"]
    assert "mqtt.node_id" in health_of(other, 1).stderr


@pytest.mark.slow
def test_doctor_counts_the_services_below_the_base_topic(
    run: Callable[..., Service],
    second: Callable[..., Service],
    mosquitto: Mosquitto,
    client: Client,
    tmp_path: Path,
) -> None:
    run(mosquitto.port)
    cli = Cli(tmp_path, mosquitto.port)
    assert checks(cli.run("doctor", "--json"))["service"]["state"] == "ok"
    answers: list[str] = []
    # In place of a second one, which would give way: answers each question.
    client._client.message_callback_add(  # noqa: SLF001 - the test's own client
        "mediarip/presence",
        lambda _, __, message: answer(client, message.payload, answers),
    )
    found = checks(cli.run("doctor", "--json"))["service"]
    assert found["state"] == "problem"
    assert "2 are online below mediarip/" in found["found"]
    assert "host attic" in found["found"]


def answer(client: Client, payload: bytes | bytearray, answers: list[str]) -> None:
    said = json.loads(payload)
    if said["kind"] != "question" or said["instance"] in answers:
        return
    answers.append(said["instance"])
    client.publish(
        "presence",
        {
            "kind": "answer",
            "instance": "f",
            "to": said["instance"],
            "node_id": "x",
            "host": "attic",
            "storage_root": "/y",
        },
        qos=0,
        wait=False,
    )


@pytest.mark.slow
def test_a_service_that_was_killed_together_with_its_broker_starts_again(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port)
    wait_for(lambda: client.kept("status") == "online")
    time.sleep(1.5)  # until the broker has saved it
    mosquitto.kill()
    service.kill()
    mosquitto.start()  # and `status` still says `online`
    began = time.monotonic()
    service.start()
    assert time.monotonic() - began < 8
    assert client.request("list")["ok"]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{}", b'{"kind": "answer"}', b"[" * 1000])
def test_whatever_is_said_on_the_topic_does_no_harm(
    payload: bytes, run: Callable[..., Service], mosquitto: Mosquitto, client: Client
) -> None:
    service = run(mosquitto.port)
    client.publish("presence", payload)
    client.publish("presence", payload, retain=True)
    assert client.request("list")["ok"]
    assert "Traceback" not in service.log


def test_a_broker_that_names_clients_by_user_keeps_commands_and_is_read(
    run: Callable[..., Service], tmp_path: Path, media: MediaServer
) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch()
    for user in ("svc", "me"):
        words = ["mosquitto_passwd", "-b", str(passwords), user, "pw"]
        subprocess.run(words, check=True, capture_output=True)
    broker = Mosquitto(
        tmp_path / "b", f"password_file {passwords}\nuse_username_as_clientid true", anonymous=False
    ).start()
    client = Client(broker.port, username="me", password="pw")
    try:
        service = run(broker.port, MQTT__USERNAME="svc", MQTT__PASSWORD="pw")
        job_id = finished(client, media)
        service.stop()
        client.publish("job/0199/state", "{}", retain=True)  # a job that is gone
        client.publish("command/pause", {"request_id": "p"})
        service.start()
        wait_for(lambda: client.replies("p"))
        wait_for(lambda: client.kept("job/0199/state") is None)
        assert client.job(job_id)["status"] == "completed"
        assert client.kept("status") == "online"
        assert "lost" not in service.log
    finally:
        client.close()
        broker.stop()
