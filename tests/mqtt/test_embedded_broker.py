"""The embedded broker, with the real Mosquitto and the real amqtt."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt import embedded_broker as broker
from mediarip_mqtt.mqtt.connection import connect
from mediarip_mqtt.mqtt.embedded_broker import (
    EmbeddedBrokerInUseError,
    embedded_broker,
    running_broker,
)
from tests.support.broker import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def listener() -> Iterator[int]:
    """A program that listens, but is no broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def echo(settings: MqttSettings) -> bytes:
    async with connect(settings) as link:
        await link.subscribe("a/b")
        await link.publish("a/b", "hello")
        async for message in link.messages():
            return message.payload
    return b""


async def test_mosquitto_serves_clients_on_loopback(tmp_path: Path, port: int) -> None:
    settings = MqttSettings(host="elsewhere", port=port, username="u", tls=True)
    async with embedded_broker(settings, tmp_path) as reached:
        assert (reached.host, reached.port, reached.protocol) == ("127.0.0.1", port, "5")
        assert reached.tls is False
        assert await echo(reached) == b"hello"
    assert broker.port_is_free(port)


async def test_mosquitto_keeps_retained_messages_when_it_is_killed(
    tmp_path: Path, port: int
) -> None:
    settings = MqttSettings(port=port)
    async with embedded_broker(settings, tmp_path) as reached:
        async with connect(reached) as link:
            await link.publish("kept", "still here", retain=True)
        saved = tmp_path / "broker" / "mosquitto.db"
        async with asyncio.timeout(10):
            while not saved.exists() or b"still here" not in saved.read_bytes():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)
        os.kill(_mosquitto_of(tmp_path), signal.SIGKILL)
        async with asyncio.timeout(20):
            while await _retained(reached, "kept") != b"still here":  # noqa: ASYNC110 - another process starts
                await asyncio.sleep(0.05)


async def test_mosquitto_is_started_again_once_its_folder_is_back(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(broker, "RESTART_PAUSE", 0.1)
    monkeypatch.chdir(tmp_path)  # Mosquitto itself stands in its folder
    folder, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    folder.mkdir()
    async with embedded_broker(MqttSettings(port=port), folder):
        process = _mosquitto_of(folder)
        folder.rename(elsewhere)  # the volume is gone
        os.kill(process, signal.SIGKILL)
        async with asyncio.timeout(20):
            while "No such file" not in caplog.text:  # noqa: ASYNC110 - a start that fails
                await asyncio.sleep(0.05)
        elsewhere.rename(folder)
        async with asyncio.timeout(20):
            while not await threads.call(broker.broker_answers, port):  # noqa: ASYNC110 - another process starts
                await asyncio.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_mosquitto_dies_with_a_killed_service(tmp_path: Path, port: int) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from mediarip_mqtt.mqtt.embedded_broker import embedded_broker\n"
        "from mediarip_mqtt.contract.settings import MqttSettings\n"
        "async def main():\n"
        f"    async with embedded_broker(MqttSettings(port={port}), Path({str(tmp_path)!r})):\n"
        "        print('up', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout
    assert await service.stdout.readline() == b"up\n"
    service.kill()
    await service.wait()
    async with asyncio.timeout(10):
        while not broker.port_is_free(port):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(0.05)


async def test_amqtt_serves_where_mosquitto_is_missing(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "find_mosquitto", lambda: None)
    async with embedded_broker(MqttSettings(port=port), tmp_path) as reached:
        assert reached.protocol == "3.1.1"
        assert await echo(reached) == b"hello"
    assert broker.port_is_free(port)


async def test_without_any_broker_the_message_says_what_to_install(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "find_mosquitto", lambda: None)
    monkeypatch.setattr(broker, "amqtt_installed", lambda: False)
    with pytest.raises(BrokerError, match="apt-get install mosquitto"):
        async with embedded_broker(MqttSettings(port=port), tmp_path):
            pass


async def test_a_taken_port_is_an_error_where_it_was_chosen(tmp_path: Path, listener: int) -> None:
    with pytest.raises(BrokerError, match=f"Another program listens at 127.0.0.1:{listener}"):
        async with embedded_broker(MqttSettings(port=listener), tmp_path):
            pass


async def test_a_taken_default_port_gives_way_to_the_next_free_one(
    tmp_path: Path, listener: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(broker, "_DEFAULT_PORT", listener)
    async with embedded_broker(MqttSettings(port=listener), tmp_path) as reached:
        assert reached.port > listener
        assert await echo(reached) == b"hello"
    assert f"takes port {reached.port}" in caplog.text


async def test_a_broker_that_answers_is_told_from_another_program(
    tmp_path: Path, port: int, listener: int
) -> None:
    async with embedded_broker(MqttSettings(port=port), tmp_path):
        assert await threads.call(broker.broker_answers, port)
        assert not await threads.call(broker.broker_answers, listener)
        with pytest.raises(BrokerError, match="A broker already answers"):
            async with embedded_broker(MqttSettings(port=port), tmp_path / "other"):
                pass


async def test_a_second_service_on_the_folder_learns_where_the_broker_is(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "_DEFAULT_PORT", port)
    settings = MqttSettings(port=port)
    assert running_broker(settings, tmp_path) is None
    async with embedded_broker(settings, tmp_path) as reached:
        assert running_broker(settings, tmp_path) == reached
        with pytest.raises(EmbeddedBrokerInUseError) as caught:
            async with embedded_broker(settings, tmp_path):
                pass
        assert caught.value.settings == reached
    assert running_broker(settings, tmp_path) is None


async def test_mosquitto_that_ends_at_once_is_explained(tmp_path: Path, port: int) -> None:
    broken = tmp_path / "mosquitto"
    broken.write_text("#!/bin/sh\necho 'Error: out of luck' >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(BrokerError, match="out of luck"):
        async with broker.run_mosquitto(str(broken), port, tmp_path):
            pass


def test_the_configuration_loses_nothing_in_a_crash(tmp_path: Path) -> None:
    config = broker._mosquitto_config(1883, tmp_path).splitlines()  # noqa: SLF001 - what matters
    for line in ("autosave_on_changes true", "autosave_interval 1", "listener 1883 127.0.0.1"):
        assert line in config
    assert f"persistence_location {tmp_path}/" in config


async def _retained(settings: MqttSettings, topic: str) -> bytes | None:
    """Return what a broker retains; None where it does not answer or retains nothing."""
    try:
        async with asyncio.timeout(2), connect(settings) as link:
            await link.subscribe(topic)
            async for message in link.messages():
                return message.payload
    except (BrokerError, TimeoutError):
        pass
    return None


def _mosquitto_of(state_dir: Path) -> int:
    config = str(state_dir / "broker" / "mosquitto.conf").encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if config in (entry / "cmdline").read_bytes().split(b"\0"):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError("Mosquitto does not run")
