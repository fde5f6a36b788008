"""Brokers besides Mosquitto, each started as a child process if it is installed.

RabbitMQ and ejabberd are packages of Debian, Aedes and Mosca come from npm; `scripts/setup faults`
installs them where it can.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path

from tests.support.broker import PROGRAM, Mosquitto, free_port, wait_for

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
NPM = CACHE / "mediarip-mqtt" / "brokers" / "node_modules"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTS_WITHIN = 60.0  # seconds


class OtherBroker(ABC):
    """One broker on a free port of 127.0.0.1; it accepts `username` and `password`."""

    name: str
    versions: tuple[str, ...] = ("3.1.1", "5")  # of MQTT
    username: str | None = None
    password = "trial"
    lacks: frozenset[str] = frozenset()  # steps of the trial that fail
    note = ""  # for docs/brokers.md: what it can't, and how it was configured

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def is_installed(cls) -> bool: ...

    @classmethod
    @abstractmethod
    def version(cls) -> str: ...

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, str]]:
        """Write the configuration; return the command and its additional environment."""

    def start(self) -> OtherBroker:
        self.folder.mkdir(parents=True, exist_ok=True)
        command, environment = self._command()
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, STARTS_WITHIN, f"{self.name}, see {self.folder / 'broker.log'}")
        return self

    def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "broker.log").read_text()[-3000:]
        return _listens(self.port)


class UsualMosquitto(OtherBroker):
    name = "Mosquitto"
    note = (
        "Nothing is missing. Configure it as in [Mosquitto](mosquitto.md). `message_size_limit` "
        "makes it drop larger messages; with MQTT 3.1.1 it says nothing then, so prefer "
        "`max_packet_size`."
    )

    @classmethod
    def is_installed(cls) -> bool:
        return Path(PROGRAM).exists()

    @classmethod
    def version(cls) -> str:
        return _first_line([PROGRAM, "-h"]).split()[-1]

    def _command(self) -> tuple[list[str], dict[str, str]]:
        raise NotImplementedError

    def start(self) -> OtherBroker:
        self._mosquitto = Mosquitto(self.folder)
        self._mosquitto.port = self.port
        self._mosquitto.start()
        return self

    def stop(self) -> None:
        self._mosquitto.stop()


class Amqtt(OtherBroker):
    name = "amqtt"
    versions = ("3.1.1",)
    lacks = frozenset({"a command while the service is down"})
    note = (
        "It does not answer to MQTT 5: the service finds out, and uses 3.1.1. It forgets the "
        "session of a client that disconnects, so commands that are sent while the service is "
        "stopped are lost. It keeps nothing over its own restart."
    )

    @classmethod
    def is_installed(cls) -> bool:
        return True  # of the development environment

    @classmethod
    def version(cls) -> str:
        return version("amqtt")

    def _command(self) -> tuple[list[str], dict[str, str]]:
        script = (
            "import asyncio, logging\nfrom amqtt.broker import Broker\nlogging.disable(50)\n"
            f"config = {{'listeners': {{'default': {{'type': 'tcp', 'bind': '127.0.0.1:{self.port}'"
            "}}, 'plugins': {'amqtt.plugins.authentication.AnonymousAuthPlugin': "
            "{'allow_anonymous': True}}}\n"
            "async def main():\n    await Broker(config).start()\n"
            "    await asyncio.Event().wait()\n"
            "asyncio.run(main())"
        )
        return [sys.executable, "-c", script], {}


class _Erlang(OtherBroker):
    """A node of Erlang, which registers with epmd: here one of this broker's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._epmd_port = free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._node = f"{self.name.lower()}-{self.port}@localhost"

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> OtherBroker:
        # A node that finds no epmd starts one that outlives it.
        command = ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
        self._epmd = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(lambda: _listens(self._epmd_port), what="epmd")
        return super().start()

    def stop(self) -> None:
        super().stop()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(10)
            self._epmd = None


class RabbitMq(_Erlang):
    name = "RabbitMQ"
    versions = ("3.1.1",)  # MQTT 5 since RabbitMQ 3.13
    lacks = frozenset({"… and sent for a wildcard"})
    note = (
        "Enable the plugin `rabbitmq_mqtt`. Retained messages are sent only for subscriptions "
        "without wildcards, so a dashboard must subscribe to each topic, and the service can't "
        "find and clear the retained topics of jobs that were removed while it was offline. "
        "MQTT 5 needs RabbitMQ 3.13."
    )

    @classmethod
    def is_installed(cls) -> bool:
        return RABBITMQ.exists()

    @classmethod
    def version(cls) -> str:
        return _package("rabbitmq-server")

    def _command(self) -> tuple[list[str], dict[str, str]]:
        config = self.folder / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.default = 127.0.0.1:{free_port()}\n"
            f"mqtt.listeners.tcp.default = 127.0.0.1:{self.port}\n"
            "mqtt.allow_anonymous = true\nmqtt.default_user = guest\nmqtt.default_pass = guest\n"
        )
        (self.folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        environment = {
            **self._environment,
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        }
        return [str(RABBITMQ)], environment


class Ejabberd(_Erlang):
    name = "ejabberd"
    username = "trial@localhost"
    note = (
        "Enable `mod_mqtt`, as a listener and as a module. A user name has the form "
        "`user@host`. `session_expiry` of `mod_mqtt` (5 min by default) limits how long commands "
        "are kept while the service is offline; with MQTT 5 the service warns about it."
    )

    @classmethod
    def is_installed(cls) -> bool:
        return bool(_ejabberd_libraries())

    @classmethod
    def version(cls) -> str:
        return _package("ejabberd")

    def _command(self) -> tuple[list[str], dict[str, str]]:
        config = self.folder / "ejabberd.yml"
        config.write_text(
            "hosts: [localhost]\nloglevel: info\nauth_method: [anonymous]\n"
            "anonymous_protocol: login_anon\nallow_multiple_connections: true\n"
            f"listen:\n  - {{port: {self.port}, ip: 127.0.0.1, module: mod_mqtt, backlog: 100}}\n"
            "modules:\n  mod_mqtt: {}\n"
        )
        (self.folder / "database").mkdir(exist_ok=True)
        command = ["erl", "-noinput", "-sname", self._node, "-mnesia", "dir"]
        command += [f'"{self.folder / "database"}"', "-s", "ejabberd"]
        environment = {
            **self._environment,
            "ERL_LIBS": str(_ejabberd_libraries()[0]),
            "EJABBERD_CONFIG_PATH": str(config),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
        }
        return command, environment


class Aedes(OtherBroker):
    name = "Aedes"
    versions = ("3.1.1",)
    note = (
        "A library for Node.js. It closes the connection for a message that `authorizePublish` "
        "refuses: the service leaves the message out. Sessions and retained messages are lost at "
        "its restart unless a persistence is configured."
    )
    script = (
        "import {{ Aedes }} from '{module}'\nimport {{ createServer }} from 'net'\n"
        "const broker = await Aedes.createBroker()\n"
        "createServer(broker.handle).listen({port}, '127.0.0.1')\n"
    )
    module = "aedes/aedes.js"
    file = "broker.mjs"

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which("node") is not None and (NPM / cls.name.lower()).is_dir()

    @classmethod
    def version(cls) -> str:
        text = (NPM / cls.name.lower() / "package.json").read_text()
        return text.split('"version"')[1].split('"')[1]

    def _command(self) -> tuple[list[str], dict[str, str]]:
        script = self.folder / self.file
        script.write_text(self.script.format(module=(NPM / self.module).resolve(), port=self.port))
        return ["node", str(script)], {}


class Mosca(Aedes):
    name = "Mosca"
    lacks = frozenset({"states are retained", "… and sent for a wildcard"})
    note = (
        "It sends retained messages without the retain flag, so nobody can tell them from new "
        "ones, and the service publishes all of them at each connection. No longer maintained "
        "(Aedes succeeds it). With a current Node.js it needs `npm install mosca jsonschema@1.2.4`."
    )
    script = (
        "const mosca = require('{module}')\n"
        "new mosca.Server({{ port: {port}, host: '127.0.0.1', "
        "persistence: {{ factory: mosca.persistence.Memory }} }})\n"
    )
    module = "mosca"
    file = "broker.cjs"


ALL = (UsualMosquitto, Amqtt, RabbitMq, Ejabberd, Aedes, Mosca)


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0]


def _package(name: str) -> str:
    return _first_line(["dpkg-query", "-W", "-f=${Version}\n", name]).split("-")[0]


def _ejabberd_libraries() -> list[Path]:
    return [path.parent for path in Path("/usr/lib").glob("*/ejabberd-*")]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
