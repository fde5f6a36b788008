"""One connection, to brokers of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import psutil
import pytest
import trustme

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import BrokerError, LinkError
from mediarip_mqtt.contract.settings import MqttSettings, Settings
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.homeassistant.discovery import Discovery
from mediarip_mqtt.mqtt.connection import Link, Will, connect, open_link
from mediarip_mqtt.mqtt.connection_errors import CredentialsError
from mediarip_mqtt.store import Store
from tests.support.broker import Client, Mosquitto, free_port, wait_for
from tests.support.proxy import FreezingProxy
from tests.support.server import MediaServer
from tests.support.service import Service


def downloads(client: Client, media: MediaServer) -> None:
    client.wait_status(client.download(media.url("/bytes/1000/x.mp4")), "completed")


def connections(port: int) -> int:
    sockets = psutil.Process().net_connections()
    return sum(socket.raddr.port == port for socket in sockets if socket.raddr)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_an_older_broker_s_mqtt_3_1_1_will_do(
    run: Callable[..., Service], mosquitto: Mosquitto, client: Client, media: MediaServer
) -> None:
    service = run(mosquitto.port, MQTT__PROTOCOL="3.1.1")
    assert "MQTT 3.1.1" in service.log
    downloads(client, media)


def test_a_user_name_and_a_password_file(
    run: Callable[..., Service], tmp_path: Path, media: MediaServer
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "me", "hunter2"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "secret").write_text("hunter2\n")
    broker = Mosquitto(tmp_path / "b", f"password_file {passwords}", anonymous=False).start()
    client = Client(broker.port, username="me", password="hunter2")
    try:
        service = run(
            broker.port, MQTT__USERNAME="me", MQTT__PASSWORD_FILE=str(tmp_path / "secret")
        )
        downloads(client, media)
        assert "hunter2" not in service.log
        service.stop()
        service.environment["MEDIARIP__MQTT__PASSWORD"] = "wrong-one"
        service.start(wait=False)
        wait_for(lambda: "refused the user name or password" in service.log)
        assert "wrong-one" not in service.log
    finally:
        client.close()
        broker.stop()


@pytest.mark.slow
def test_tls_with_an_authority_of_one_s_own_and_websockets(
    run: Callable[..., Service], tmp_path: Path, media: MediaServer, authority: trustme.CA
) -> None:
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "cert.pem").write_bytes(
        b"".join(one.bytes() for one in certificate.cert_chain_pems)
    )
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls, websockets = free_port(), free_port()
    broker = Mosquitto(
        tmp_path / "b",
        f"listener {tls} 127.0.0.1\ncertfile {tmp_path / 'cert.pem'}\n"
        f"keyfile {tmp_path / 'key.pem'}\n"
        f"listener {websockets} 127.0.0.1\nprotocol websockets\n",
    ).start()
    client = Client(broker.port)
    try:
        service = run(tls, MQTT__TLS="true", MQTT__CA_FILE=str(tmp_path / "ca.pem"))
        downloads(client, media)
        service.stop()
        service.environment |= {
            "MEDIARIP__MQTT__TLS": "false",
            "MEDIARIP__MQTT__PORT": str(websockets),
            "MEDIARIP__MQTT__TRANSPORT": "websockets",
        }
        service.start()
        downloads(client, media)
    finally:
        client.close()
        broker.stop()


async def test_a_broker_that_knows_only_3_1_1_is_spoken_to_in_3_1_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mediarip_mqtt.mqtt.connection.CONNECT_TIMEOUT", 1.0)
    listener = f"127.0.0.1:{(port := free_port())}"
    script = (
        "import asyncio, logging\nfrom amqtt.broker import Broker\n"
        "logging.disable(50)\n"
        f"config = {{'listeners': {{'default': {{'type': 'tcp', 'bind': '{listener}'}}}}, "
        "'plugins': {'amqtt.plugins.authentication.AnonymousAuthPlugin': "
        "{'allow_anonymous': True}}}\n"
        "async def main():\n    await Broker(config).start()\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    broker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await threads.call(wait_for, lambda: answers(port))
        async with connect(MqttSettings(port=port)) as link:
            assert link.protocol == "3.1.1"
    finally:
        broker.kill()
        await broker.wait()


async def test_no_broker_and_wrong_credentials_are_told_in_words(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with pytest.raises(BrokerError, match="can't be reached"):
        async with connect(MqttSettings(port=free_port())):
            pass
    broker = Mosquitto(tmp_path / "closed", "", anonymous=False).start()
    try:
        with pytest.raises(CredentialsError, match=r"mqtt\.username"):
            async with connect(MqttSettings(port=broker.port)):
                pass
    finally:
        broker.stop()


async def test_a_publication_that_fails_while_it_is_cancelled_logs_no_traceback() -> None:
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    link = Link(aiomqtt.Client("127.0.0.1"), "5")  # not connected: it fails at once
    for steps in range(6):
        publication = asyncio.create_task(link.publish("a", "b"))
        for _ in range(steps):
            await asyncio.sleep(0)
        publication.cancel()
        with contextlib.suppress(asyncio.CancelledError, LinkError):
            await publication
        del publication
        gc.collect()
    assert logged == []


@pytest.mark.parametrize("moment", ["on_connect", "on_subscribe", "on_disconnect"])
async def test_a_cancellation_is_heard_also_where_it_comes_with_an_answer_of_the_broker(
    moment: str, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `asyncio.wait_for` of Python 3.11 forgets one that comes when its result is there: a service
    # that ended, or lost its broker, at such a moment would have waited for ever.
    prepare, loop = Link.prepare, asyncio.get_running_loop()

    def later(ticks: int) -> None:
        if ticks:
            loop.call_soon(later, ticks - 1)
        else:
            reading.cancel()

    def prepared(link: Link, **options: Any) -> None:
        prepare(link, **options)
        inner = getattr(link._paho, moment)  # noqa: SLF001 - where the broker's answers arrive

        def answered(*arguments: Any) -> None:
            inner(*arguments)
            later(ticks)

        setattr(link._paho, moment, answered)  # noqa: SLF001 - the same

    async def read() -> None:
        async with connect(MqttSettings(port=mosquitto.port)) as link:
            await link.read_retained(["mediarip/#"], len)
        if moment == "on_disconnect":
            await asyncio.sleep(0.1)  # its cancellation comes here at the latest

    monkeypatch.setattr(Link, "prepare", prepared)
    before = connections(mosquitto.port)
    for ticks in range(6):
        reading = asyncio.create_task(read())
        await asyncio.wait({reading}, timeout=15)
        assert reading.cancelled(), ticks
    async with asyncio.timeout(10):
        while connections(mosquitto.port) > before:  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.01)


async def test_a_message_is_delivered_again_until_it_is_acknowledged(
    mosquitto: Mosquitto, client: Client
) -> None:
    settings = MqttSettings(port=mosquitto.port)
    async with open_link(settings, "5", identifier="svc", persistent=True) as link:
        await link.subscribe("mediarip/command")
        await threads.call(client.publish, "command", "one")
        first = await anext(link.messages())
    async with open_link(settings, "5", identifier="svc", persistent=True) as link:
        again = await anext(link.messages())
        assert (first.dup, again.dup) == (False, True)
        assert (again.mid, again.payload) == (first.mid, b"one")
        link.ack(again)
        await link.publish("mediarip/other", "flushes the acknowledgement")
    async with open_link(settings, "5", identifier="svc", persistent=True) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(link.messages())


async def test_after_any_end_but_a_good_one_the_broker_says_that_the_service_is_gone(
    mosquitto: Mosquitto, client: Client
) -> None:
    settings = MqttSettings(port=mosquitto.port)
    will = Will("mediarip/status", "offline")
    for way in ("failed", "good"):
        with contextlib.suppress(RuntimeError):
            async with open_link(
                settings, "5", identifier="svc", will=will, persistent=True
            ) as link:
                await link.publish("mediarip/status", f"online, {way}", retain=True)
                if way == "failed":
                    raise RuntimeError
    wanted = ["online, failed", "offline", "online, good"]
    await threads.call(wait_for, lambda: client.payloads("status")[:3] == wanted)
    client.publish("event", "{}")
    assert client.payloads("status") == wanted


async def test_an_answer_that_comes_too_late_leaves_no_connection_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediarip_mqtt.mqtt.connection.CONNECT_TIMEOUT", 0.3)
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):  # it never answers
            pass
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(BrokerError):
        async with open_link(MqttSettings(port=port), "3.1.1"):
            pass
    async with asyncio.timeout(5):
        await ended.wait()
    server.close()


async def test_a_subscription_that_the_broker_refuses_is_told_and_home_assistant_s_is_no_need(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    inner = aiomqtt.Client("127.0.0.1")
    link = Link(inner, "3.1.1")

    async def subscribe(topics: list[tuple[str, object]]) -> tuple[int, ...]:
        return tuple(1 if topic == "mediarip/a" else 128 for topic, _ in topics)

    inner.subscribe = subscribe  # type: ignore[method-assign, assignment] # Mosquitto 2.0 refuses none
    with pytest.raises(LinkError, match=r"subscribe to mediarip/b.*access list"):
        await link.subscribe("mediarip/a", "mediarip/b")
    settings = Settings()
    discovery = Discovery(
        settings,
        Topics("mediarip"),
        store,
        commands=(),
        extras=dict,
        clock=lambda: datetime.now(UTC),
    )
    await discovery.subscribe(link)
    assert "subscribe to homeassistant/status" in caplog.text


@pytest.mark.parametrize("noticed_by", ["watch", "nobody"])
async def test_no_traceback_is_logged_for_the_loss_of_a_broker(
    noticed_by: str, mosquitto: Mosquitto
) -> None:
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    with contextlib.suppress(LinkError):
        async with connect(MqttSettings(port=mosquitto.port)) as link:
            mosquitto.kill()
            async with asyncio.timeout(10):
                if noticed_by == "watch":
                    await link.watch()
                while link.connected:  # noqa: ASYNC110 - nobody waits for the connection's end
                    await asyncio.sleep(0.01)
    del link
    await asyncio.sleep(0)
    gc.collect()
    assert logged == []


async def test_a_publication_that_waits_is_woken_by_the_loss_of_the_connection(
    mosquitto: Mosquitto,
) -> None:
    proxy = FreezingProxy(mosquitto.port).start()
    async with connect(MqttSettings(port=proxy.port)) as link:
        proxy.freeze()
        publication = asyncio.create_task(link.publish("a", "b"))
        await asyncio.sleep(0.2)  # the broker does not get it
        assert not publication.done()
        proxy.stop()  # the connection ends
        async with asyncio.timeout(10):
            with pytest.raises(LinkError):
                await publication
