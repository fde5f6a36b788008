"""TLS: certificates and keys of every kind that people make for their broker."""

from __future__ import annotations

import gc
import os
import pty
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mediarip_mqtt import threads
from mediarip_mqtt.contract.errors import BrokerError
from mediarip_mqtt.contract.settings import MqttSettings
from mediarip_mqtt.mqtt.connection import connect
from tests.support.broker import Mosquitto, free_port, wait_for
from tests.support.service import Service

PASSWORD = "open-sesame"
# paho leaves the socket of a failed TLS handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    yield
    gc.collect()


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate that expired long ago, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "self.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "self.key").write_bytes(private_pem(key, None))
    return folder / "self.pem", folder / "self.key"


def private_pem(key: Any, password: str | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    pkcs8 = serialization.PrivateFormat.PKCS8
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption)
    return pem


@pytest.fixture
def mutual(tmp_path: Path, authority: trustme.CA) -> Iterator[Mosquitto]:
    """A broker that wants a certificate from its clients; files for one with an encrypted key."""
    server, mine = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("me@nas")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "me.pem")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    (tmp_path / "me.key").write_bytes(private_pem(key, PASSWORD))
    broker = Mosquitto(
        tmp_path / "b",
        f"cafile {tmp_path / 'ca.pem'}\ncertfile {tmp_path / 'server.pem'}\n"
        f"keyfile {tmp_path / 'server.key'}\nrequire_certificate true",
    ).start()
    yield broker
    broker.stop()


def files(folder: Path) -> dict[str, Any]:
    return {
        "MQTT__TLS": "true",
        "MQTT__CA_FILE": str(folder / "ca.pem"),
        "MQTT__CERT_FILE": str(folder / "me.pem"),
        "MQTT__KEY_FILE": str(folder / "me.key"),
    }


async def test_tls_insecure_accepts_a_certificate_that_is_self_signed_expired_and_another_host_s(
    tmp_path: Path,
) -> None:
    certificate, key = self_signed(tmp_path, "elsewhere")
    broker = Mosquitto(tmp_path / "b", f"certfile {certificate}\nkeyfile {key}").start()
    try:
        settings = MqttSettings(port=broker.port, tls=True)
        with pytest.raises(BrokerError, match=r"self.signed certificate.*mqtt\.ca_file.*insecure"):
            async with connect(settings):
                pass
        async with connect(settings.model_copy(update={"tls_insecure": True})) as link:
            await link.publish("a", "b")
    finally:
        broker.stop()


async def test_tls_insecure_with_a_ca_file_still_refuses_another_authority_s_certificate(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate = authority.issue_cert("elsewhere")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    broker = Mosquitto(
        tmp_path / "b", f"certfile {tmp_path / 'cert.pem'}\nkeyfile {tmp_path / 'key.pem'}"
    ).start()
    try:
        settings = MqttSettings(port=broker.port, tls=True, ca_file=tmp_path / "ca.pem")
        with pytest.raises(BrokerError, match=r"not valid for.*a name in the certificate"):
            async with connect(settings):
                pass
        async with connect(settings.model_copy(update={"tls_insecure": True})):
            pass
        other = {"tls_insecure": True, "ca_file": tmp_path / "other.pem"}
        with pytest.raises(BrokerError, match="not accepted"):
            async with connect(settings.model_copy(update=other)):
                pass
    finally:
        broker.stop()


async def test_a_port_without_tls_is_named_as_the_cause(mosquitto: Mosquitto) -> None:
    with pytest.raises(BrokerError, match=r"mqtt\.port and mqtt\.tls"):
        async with connect(MqttSettings(port=mosquitto.port, tls=True)):
            pass


def test_an_encrypted_key_is_used_with_its_password_which_is_shown_nowhere(
    run: Callable[..., Service], mutual: Mosquitto, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    secret = str(tmp_path / "secret")
    service = run(mutual.port, **files(tmp_path), MQTT__KEY_PASSWORD_FILE=secret)
    assert PASSWORD not in service.log


def test_an_encrypted_key_without_its_password_is_one_line_and_no_question(
    run: Callable[..., Service], mutual: Mosquitto, tmp_path: Path
) -> None:
    service = run(mutual.port, wait=False, **files(tmp_path))
    wait_for(lambda: "is encrypted. Set mqtt.key_password" in service.log)
    assert service.stop() < 5
    assert service.log.count("is encrypted") == 1
    assert "PEM pass phrase" not in service.log
    service.environment["MEDIARIP__MQTT__KEY_PASSWORD"] = "wrong-one"
    service.start(wait=False)
    wait_for(lambda: "and mqtt.key_password." in service.log)
    assert "wrong-one" not in service.log


@pytest.mark.slow
def test_no_password_is_asked_for_on_a_terminal(mutual: Mosquitto, tmp_path: Path) -> None:
    service = Service(tmp_path, mutual.port, **files(tmp_path))
    child, terminal = pty.fork()
    if child == 0:
        arguments = [sys.executable, "-m", "mediarip_mqtt", "run"]
        os.execve(sys.executable, arguments, service.environment)  # noqa: S606 - no shell is wanted
    seen = b""
    while b"is encrypted" not in seen:
        seen += os.read(terminal, 4096)
    os.kill(child, signal.SIGTERM)
    wait_for(lambda: os.waitpid(child, os.WNOHANG)[0], 10)
    os.close(terminal)
    assert b"PEM pass phrase" not in seen


async def test_a_file_that_can_not_be_used_is_named(tmp_path: Path, mutual: Mosquitto) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca_file": tmp_path / "none.pem"}, r"mqtt\.ca_file: .*none\.pem.*No such file"),
        ({"ca_file": tmp_path / "me.key"}, r"mqtt\.ca_file: .*PEM"),
        ({"cert_file": tmp_path / "none.pem"}, r"none\.pem.*No such file.*mqtt\.cert_file"),
        ({"key_file": tmp_path / "me.key"}, r"mqtt\.cert_file, which is missing"),
    ]
    for update, text in cases:
        settings = MqttSettings(port=mutual.port, tls=True).model_copy(update=update)
        with pytest.raises(BrokerError, match=text):
            async with connect(settings):
                pass


@pytest.mark.slow
async def test_a_service_ends_while_a_server_leaves_its_tls_handshake_unanswered(
    run: Callable[..., Service],
) -> None:
    with socket.create_server(("127.0.0.1", port := free_port())) as server:
        service = run(port, wait=False, MQTT__TLS="true")
        connection, _ = await threads.call(server.accept)
        with connection:
            assert service.stop() < 10
