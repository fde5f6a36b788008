"""Every example of README and docs does what it says, on the real thing.

The pages' places and names stand for those of the test: `World.replaced` is the table.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from mediarip_mqtt.commands import parse
from mediarip_mqtt.commands.registry import CLASSES
from mediarip_mqtt.commands.update_commands import UPDATE_KEY
from mediarip_mqtt.homeassistant import entities
from mediarip_mqtt.service import load_settings
from tests.support.broker import Client, Mosquitto, free_port, wait_for
from tests.support.examples import KINDS, PAGES, ROOT, RUN, Example, examples
from tests.support.server import MediaServer
from tests.support.service import Service

SECONDS = 60
NETSCAPE = "# Netscape HTTP Cookie File\n.a.example\tTRUE\t/\tTRUE\t4102444800\tname\tvalue\n"
PASSWORD = "the-service-s-password"  # as docs/mosquitto.md says
PERSON = ("cli", "a-person-s-password")
ENDLESS = {"mediarip-mqtt run": "connected to", "mediarip-mqtt watch": "completed"}


def test_every_example_is_of_a_kind_that_is_run_or_says_why_not() -> None:
    for one in examples():
        assert one.kind in KINDS or one.reason, f"{one}: how is this to be run?"
        assert one.kind in KINDS | {"not run"}, f"{one}: what is {one.kind!r}?"


@pytest.mark.parametrize("one", examples("json"), ids=str)
def test_a_json_example_is_a_command_that_is_understood(one: Example) -> None:
    name = one.heading if one.heading in CLASSES else None
    assert parse.parse(one.text.encode(), name)


@pytest.mark.parametrize("one", examples("settings", "service"), ids=str)
def test_an_example_of_the_configuration_is_valid(one: Example, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "ca.pem").touch()
    config = tmp_path / "config.yaml"
    secret = str(tmp_path / "password")
    config.write_text(re.sub(r"/(?:run/secrets/mqtt|etc/mediarip/password)", secret, one.text))
    loaded = load_settings.load(config)
    for section, values in yaml.safe_load(config.read_text()).items():
        for key in values:
            assert key in getattr(loaded, section).model_fields_set, f"{section}.{key}"


@pytest.mark.parametrize("one", examples("homeassistant"), ids=str)
def test_an_example_for_home_assistant_names_entities_there_are(one: Example) -> None:
    known = {f"{row.platform}.mediarip_{row.key}" for row in entities.ENTITIES}
    named = set(re.findall(r"\b[a-z_]+\.mediarip_[a-z_]+", one.text))
    assert named <= known
    assert named or "subtype:" in one.text
    for message in _messages(yaml.safe_load(one.text)):
        if "{{" not in message:
            assert parse.parse(message.encode(), None)
    for trigger in re.findall(r"subtype: (\w+)", one.text):
        assert trigger in entities.TRIGGERS


def _messages(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("message"), str):
            yield value["message"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _messages(one)


FOREIGN = [
    ((ROOT / "compose.yaml").name, (ROOT / "compose.yaml").read_text("utf-8"), "compose-spec"),
    *((str(one), one.text, "compose-spec") for one in examples("compose")),
    *(
        (path.name, path.read_text("utf-8"), "github-workflows")
        for path in sorted((ROOT / ".github" / "workflows").iterdir())
    ),
]


@pytest.mark.parametrize(("name", "text", "schema"), FOREIGN, ids=[one[0] for one in FOREIGN])
def test_a_file_for_another_program_is_one_that_it_takes(
    name: str, text: str, schema: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*program, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_the_workflows_run_parts_there_are() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    named = {*jobs["linux"]["strategy"]["matrix"]["part"], *re.findall(r"\.ci/run ([\w-]+)", text)}
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    default = re.search(r"set -- (.+)", script)
    assert default
    assert named == set(default[1].split())


def test_every_link_to_a_file_leads_somewhere() -> None:
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


class World:
    """What the examples of a page act on: brokers, a service, media, a home and a folder `/etc`."""

    def __init__(
        self, folder: Path, broker: Mosquitto, media: MediaServer, authority: trustme.CA
    ) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.home = folder / "home"
        self._broker = broker
        self._media = media
        self._authority = authority
        self._stops: list[Mosquitto | Service] = []
        self._clients: list[Client] = []
        self._pages: dict[str, str] = {}
        self.waiting: list[str] = []  # configurations of brokers that nobody has started yet

    def begin(self) -> None:
        for path in ("mosquitto/certs", "mediarip", "lib"):
            (self.etc / path).mkdir(parents=True)
        (self.home / ".config").mkdir(parents=True)
        (self.folder / "docs").symlink_to(ROOT / "docs")
        (self.folder / "cookies.txt").write_text(NETSCAPE)
        (self.folder / "config").mkdir()
        (self.folder / "config" / ".HA_VERSION").write_text("2026.11.0")
        (self.folder / "service.log").write_text("2026-11-21 12:00:00 INFO mqtt: connected\n")
        (self.etc / "mediarip" / "password").write_text(f"{PASSWORD}\n")
        certificate = self._authority.issue_cert("localhost")
        certs = self.etc / "mosquitto" / "certs"
        certificate.cert_chain_pems[0].write_to_path(certs / "server.pem")
        certificate.private_key_pem.write_to_path(certs / "server.key")
        media, feed = self._media, [self._media.url(f"/bytes/1000/{n}.mp4") for n in range(6)]
        self._pages = {
            "https://videos.example/interview": media.url("/media/video.mp4"),
            "https://videos.example/concert": media.url("/media/video.mp4"),
            "https://videos.example/film": media.url("/media/avhls/master.m3u8"),
            "https://videos.example/playlist": media.feed("playlist", feed),
            "http://127.0.0.1:8099/harbour.mp4": media.url("/bytes/73100/harbour.mp4"),
        }
        self.serve(self._broker)
        done = self.client.download(media.url("/bytes/1000/before.mp4"))  # there is a last job
        self.client.wait_status(done, "completed")

    def end(self) -> None:
        for client in self._clients:
            client.close()
        for one in reversed(self._stops):
            one.stop()

    def serve(self, broker: Mosquitto, config: Path | None = None) -> None:
        """Start a service on a broker; the examples speak to that from now on."""
        service = Service(
            self.folder / f"service-{len(self._stops)}",
            broker.port,
            fresh=False,
            DOWNLOADS__SEARCH_PREFIX=self._media.url("/media/video.mp4?q="),
            UPDATES__INDEX_URL=f"http://127.0.0.1:{free_port()}/simple",
        )
        service.folder.mkdir()
        service.options = ["--config", str(config)] if config else []
        self._stops.append(service)
        self._service = service.start()
        self.port = broker.port
        username, password = PERSON if config else (None, "")
        self.client = Client(broker.port, username=username, password=password)
        self._clients.append(self.client)
        for name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
            (self.home / ".config" / name).write_text(f"-h 127.0.0.1\n-p {broker.port}\n")

    def broker(self, config: str) -> Mosquitto:
        """Start a broker with a page's configuration; it ends at once where that is wrong."""
        text = re.sub(r"^listener \d+.*\n", "", self.replaced(config), flags=re.MULTILINE)
        one = Mosquitto(self.folder / f"broker-{len(self._stops)}", text, anonymous=False)
        one.persistence = False  # as the page says it
        self._stops.append(one)
        return one.start()

    def replaced(self, text: str) -> str:
        """Return an example with the test's own places."""
        for place, path in {
            "/etc/mosquitto": self.etc / "mosquitto",
            "/etc/mediarip": self.etc / "mediarip",
            "/var/lib/mosquitto": self.etc / "lib",
            "/media": self.folder / "volume",
            "/config": self.folder / "config",
        }.items():
            text = re.sub(rf"(?<![\w./:]){place}\b", str(path), text)
        text = text.replace("192.0.2.10", "127.0.0.1")
        for page, url in self._pages.items():
            text = text.replace(page, url)
        return text

    def type_all(self, one: Example) -> None:
        """Run the lines of a console as bash does; they print what the page shows."""
        exports: list[str] = []
        for line, printed in one.lines:
            if line.startswith("export "):
                exports.append(self.replaced(line))
                continue
            if one.kind != "fails":
                self._prepare(line)
            self._type(line, exports, [] if one.reason else printed, fails=one.kind == "fails")

    def _type(self, line: str, exports: list[str], printed: list[str], *, fails: bool) -> None:
        if "0199a1b2" in line:
            line = line.replace("0199a1b2", self._failed())
        command = "\n".join([*exports, self.replaced(line)])
        endless = next((name for name in ENDLESS if line.startswith(name)), None)
        if endless:
            self._watch(f"exec {command}" if not exports else command, ENDLESS[endless])
            return
        answers = len(self.client.payloads("response"))
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        for one in printed:
            assert one in done.stdout.splitlines(), done.stdout
        if line.startswith("mosquitto_pub"):
            self.client.wait_count("response", answers + 1)
            reply = json.loads(self.client.payloads("response")[answers])
            assert reply["ok"], f"{line}\n{reply}"

    def _prepare(self, line: str) -> None:
        """See to it that `last` is a job to which the command applies."""
        if "cancel last" in line or "cancel current" in line or "prioritize" in line:
            self.client.download(self._media.url("/silent/x.mp4"))
        if "retry last" in line:
            self._failed()
        if "update_ytdlp" in line:
            wait_for(self._no_update, what="the end of the update before")

    def _no_update(self) -> bool:
        store = sqlite3.connect(self._service.root / ".mediarip" / "store.db")
        with contextlib.closing(store):
            return not store.execute("SELECT 1 FROM config WHERE key = ?", [UPDATE_KEY]).fetchone()

    def _failed(self) -> str:
        job_id = self.client.download(self._media.url("/status/404/x.mp4"))
        self.client.wait_status(job_id, "failed")
        return job_id

    def _watch(self, command: str, sign: str) -> None:
        """Run what does not end by itself until it shows a sign of life; then Ctrl-C."""
        log = self.folder / "endless.log"
        own = {"MEDIARIP__MQTT__NODE_ID": "docs", "MEDIARIP__MQTT__BASE_TOPIC": "docs"}
        if "--embedded-broker" in command:
            own["MEDIARIP__MQTT__PORT"] = str(free_port())
        environment = self._environment() | (own if " run" in command else {})
        with log.open("w") as file:
            process = subprocess.Popen(
                ["bash", "-ec", command],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        wait_for(lambda: sign in log.read_text(), SECONDS, f"{sign!r} of {command}")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(SECONDS) in {0, 130}
        assert "Traceback" not in log.read_text()

    def _environment(self) -> dict[str, str]:
        kept = {key: one for key, one in os.environ.items() if not key.startswith("MEDIARIP_")}
        programs = Path(sys.executable).parent
        return {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "MEDIARIP__MQTT__PORT": str(self.port),
            "MEDIARIP__STORAGE__MIN_FREE": "0",
            "MEDIARIP__LOG__LEVEL": "info",
        }


@pytest.fixture
def world(
    tmp_path: Path, mosquitto: Mosquitto, media: MediaServer, authority: trustme.CA
) -> Iterator[World]:
    one = World(tmp_path, mosquitto, media, authority)
    try:
        one.begin()
        yield one
    finally:
        one.end()


WITH_COMMANDS = [page for page in PAGES if any(one.page == page for one in examples(*RUN))]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_the_examples_of_a_page_work_one_after_the_other(page: Path, world: World) -> None:
    for one in [one for one in examples(*RUN) if one.page == page]:
        match one.kind:
            case "console" | "fails":
                world.type_all(one)
            case "mosquitto.conf":
                world.waiting.append(one.text)
            case "service":
                config = world.folder / "config.yaml"
                config.write_text(world.replaced(one.text))
                world.serve(world.broker(world.waiting.pop()), config)
            case _:
                acl = world.etc / "example.acl"
                acl.write_text(one.text)
                acl.chmod(0o600)
                world.broker(f"acl_file {acl}\n")
    for text in world.waiting:
        world.broker(text)


def test_mosquitto_s_clients_are_there_for_the_examples() -> None:
    for program in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr", "mosquitto_passwd"):
        assert shutil.which(program), f"{program} is missing: make test installs it"
