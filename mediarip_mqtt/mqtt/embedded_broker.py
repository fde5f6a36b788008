"""The embedded broker for a first try: Mosquitto if it is installed, else amqtt.

It listens on loopback only and asks for no password. Without ``--embedded-broker`` the service
connects to the broker in the settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.contract.settings import MqttSettings

HOST: Final = "127.0.0.1"
START_TIMEOUT: Final = 10.0  # seconds until a started broker must answer
STOP_TIMEOUT: Final = 3.0  # seconds
RESTART_PAUSE: Final = 5.0  # seconds after a start that failed
PORTS_TRIED: Final = 100  # starting with the default port
# Distributions and Homebrew install servers outside a user's PATH.
SERVER_PATHS: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/local/sbin")
_DEFAULT_PORT: Final[int] = MqttSettings.model_fields["port"].default
_DEFAULT_HOST: Final[str] = MqttSettings.model_fields["host"].default
_PR_SET_PDEATHSIG: Final = 1
# CONNECT of MQTT 3.1.1 without a client id, and the first byte of any answer to it.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
_CONNACK: Final = 0x20

logger = logging.getLogger(__name__)


class EmbeddedBrokerInUseError(BrokerError):
    """A broker already runs for the same folder; ``settings`` connect to it; None if unknown."""

    def __init__(self, message: str, settings: MqttSettings | None) -> None:
        super().__init__(message)
        self.settings = settings


@asynccontextmanager
async def embedded_broker(settings: MqttSettings, state_dir: Path) -> AsyncIterator[MqttSettings]:
    """Run a broker on loopback; yield the settings that connect to it.

    Its files are in ``state_dir/broker``. Raises `BrokerError` if none is installed or the port
    is taken, `EmbeddedBrokerInUseError` if one already runs for the folder.
    """
    folder = state_dir / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(settings, folder):
        port = _free_port(settings)
        program = find_mosquitto()
        if program:
            broker = run_mosquitto(program, port, folder)
        elif amqtt_installed():
            broker = run_amqtt(port)
        else:
            raise BrokerError(
                "There is no broker to embed. Install Mosquitto (Debian, Ubuntu: apt-get install "
                "mosquitto; macOS: brew install mosquitto) or the Python package amqtt (pip "
                "install 'mediarip-mqtt[broker]'), or leave --embedded-broker out and set "
                "mqtt.host to a broker of yours."
            )
        async with broker as protocol:
            connected = _connecting_to(settings, HOST, port, protocol)
            address = folder / "address.json"
            address.write_text(json.dumps({"host": HOST, "port": port, "protocol": protocol}))
            try:
                yield connected
            finally:
                address.unlink(missing_ok=True)


def running_broker(settings: MqttSettings, state_dir: Path) -> MqttSettings | None:
    """Return the settings that connect to the embedded broker of a folder; None if none runs.

    Also None if the settings name another broker.
    """
    if (settings.host, settings.port) != (_DEFAULT_HOST, _DEFAULT_PORT):
        return None
    folder = state_dir / "broker"
    lock = FileLock(folder / "lock")
    if not (folder / "lock").exists():
        return None
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _read_address(settings, folder)
    except (OSError, NotImplementedError):
        return None
    lock.release()
    return None


@contextlib.contextmanager
def _locked(settings: MqttSettings, folder: Path) -> Any:
    """Hold the folder's lock: two brokers would overwrite each other's files."""
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise EmbeddedBrokerInUseError(
            f"Another mediarip-mqtt with its own broker runs on {folder.parent.parent}. Use that "
            "one, or stop it first.",
            _read_address(settings, folder),
        ) from None
    except (OSError, NotImplementedError) as error:  # a filesystem without locks
        logger.debug("broker: %s can't be locked: %s", folder, error)
    try:
        yield
    finally:
        lock.release()


def _read_address(settings: MqttSettings, folder: Path) -> MqttSettings | None:
    try:
        address = json.loads((folder / "address.json").read_text("utf-8"))
        return _connecting_to(settings, address["host"], address["port"], address["protocol"])
    except (OSError, ValueError, KeyError):
        return None


def _connecting_to(settings: MqttSettings, host: str, port: int, protocol: str) -> MqttSettings:
    return settings.model_copy(
        update={
            "host": host,
            "port": port,
            "protocol": protocol,
            "username": None,
            "password": None,
            "tls": False,
            "transport": "tcp",
        }
    )


# Ports.


def _free_port(settings: MqttSettings) -> int:
    """Return the settings' port; if that is the default and taken, the next free one."""
    wanted = settings.port
    if port_is_free(wanted):
        return wanted
    taken_by = "A broker already answers" if broker_answers(wanted) else "Another program listens"
    if wanted != _DEFAULT_PORT:
        raise BrokerError(
            f"{taken_by} at {HOST}:{wanted}, so the embedded broker can't. Set mqtt.port to "
            "another port, or leave --embedded-broker out to use a broker of yours."
        )
    for port in range(wanted + 1, wanted + PORTS_TRIED):
        if port_is_free(port):
            logger.warning(
                "broker: %s at %s:%d; the embedded one takes port %d. To use a broker of yours, "
                "leave --embedded-broker out.",
                taken_by.lower(),
                HOST,
                wanted,
                port,
            )
            return port
    raise BrokerError(
        f"The ports {wanted} to {wanted + PORTS_TRIED - 1} of {HOST} are all taken. Set mqtt.port."
    )


def port_is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port; blocks for up to 0.5 s."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=0.5):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def broker_answers(port: int) -> bool:
    """Whether the program that listens on a loopback port speaks MQTT; blocks for up to 1 s."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(_CONNECT)
            return connection.recv(1)[:1] == bytes([_CONNACK])
    except OSError:
        return False


# Mosquitto, as a child process.


def find_mosquitto() -> str | None:
    """Return the path of the Mosquitto broker; None if it isn't installed."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *SERVER_PATHS])
    return shutil.which("mosquitto", path=places)


@asynccontextmanager
async def run_mosquitto(program: str, port: int, folder: Path) -> AsyncIterator[str]:
    """Run Mosquitto, restarted if it dies; yield the MQTT version it speaks."""
    folder = folder.absolute()  # noqa: ASYNC240 - does not touch the disk
    config = folder / "mosquitto.conf"
    config.write_text(_mosquitto_config(port, folder), "utf-8")
    process = await _start_mosquitto(program, config, folder)
    try:
        await _wait_until_it_listens(process, port, folder)
    except BaseException:
        await _stop(process)
        raise
    logger.info("broker: Mosquitto listens at %s:%d (this machine only)", HOST, port)
    keeper = asyncio.create_task(
        _keep_running(process, program, config, folder), name="embedded broker"
    )
    try:
        yield "5"
    finally:
        keeper.cancel()
        await asyncio.wait({keeper})


def _mosquitto_config(port: int, folder: Path) -> str:
    """Return a configuration that persists messages, so that a crash loses none."""
    lines = [
        "# Written by mediarip-mqtt at each start.",
        f"listener {port} {HOST}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_queued_messages 100000",
        "message_size_limit 4194304",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    if os.geteuid() == 0:
        # Otherwise it drops to the user `mosquitto`, which can't write to the folder.
        lines.append("user root")
    return "\n".join(lines) + "\n"


async def _start_mosquitto(program: str, config: Path, folder: Path) -> asyncio.subprocess.Process:
    with (folder / "mosquitto.log").open("wb") as log:
        try:
            return await asyncio.create_subprocess_exec(
                program,
                "-c",
                str(config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not end it before the service
                preexec_fn=_die_with_parent(),
            )
        except OSError as error:
            raise BrokerError(f"{program} can't be started: {error.strerror}.") from None


def _die_with_parent() -> Callable[[], None] | None:
    """Return a `preexec_fn` that has the kernel end the child with its parent; None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return set_death_signal


async def _wait_until_it_listens(
    process: asyncio.subprocess.Process, port: int, folder: Path
) -> None:
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            break
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    log = folder / "mosquitto.log"
    raise BrokerError(
        f"Mosquitto did not start on {HOST}:{port}: {_last_line(log)} (see {log} and "
        "mosquitto.conf there)."
    )


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it wrote no log"


async def _keep_running(
    process: asyncio.subprocess.Process, program: str, config: Path, folder: Path
) -> None:
    try:
        while True:
            code = await process.wait()
            logger.error("broker: Mosquitto exited (%d); restarting it", code)
            await asyncio.sleep(1)
            try:
                process = await _start_mosquitto(program, config, folder)
            except (OSError, BrokerError) as error:  # its folder may be on a lost volume
                logger.error("broker: %s", error)  # noqa: TRY400 - tried again
                await asyncio.sleep(RESTART_PAUSE)
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()


# amqtt, within this process.


def amqtt_installed() -> bool:
    """Whether the package of the extra `broker` can be imported."""
    try:
        import amqtt.broker  # noqa: F401, PLC0415 - optional, and slow to import
    except ImportError:
        return False
    return True


@asynccontextmanager
async def run_amqtt(port: int) -> AsyncIterator[str]:
    """Run amqtt in this event loop; yield the MQTT version it speaks."""
    from amqtt.broker import Broker  # noqa: PLC0415 - optional, and slow to import

    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    anonymous = "amqtt.plugins.authentication.AnonymousAuthPlugin"
    broker: Any = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {anonymous: {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except Exception as error:  # noqa: BLE001 - amqtt raises many kinds of its own
        raise BrokerError(f"amqtt did not start on {HOST}:{port}: {error}") from None
    logger.info("broker: amqtt listens at %s:%d (this machine only)", HOST, port)
    logger.warning(
        "broker: amqtt is for a first try only: it keeps nothing over a restart and speaks only "
        "MQTT 3.1.1. Install Mosquitto for more."
    )
    try:
        yield "3.1.1"
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(STOP_TIMEOUT):
                await broker.shutdown()
