"""A real node with TLS; clients with certificates, without, and with wrong ones."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

from tests.support.certificates import Authority
from tests.support.secured_node import SecuredNode, secured_node

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredNode]:
    settings = {
        "listener.security.protocol.map": "CLIENT:SSL,CONTROLLER:SSL",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:node;User:admin",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("node")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "ssl.client.auth": "requested",
        "listener.name.controller.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([a-z]+),.*$/$1/L,DEFAULT",
    }
    authority.issue("admin")
    with secured_node(tmp_path_factory.mktemp("secured"), settings) as found:
        made = found.tool("topics", "--create", "--topic", "t", client=own(authority))
        assert made.returncode == 0, made.stderr
        yield found


def own(authority: Authority, who: str | None = "admin") -> dict[str, str]:
    settings = {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
    }
    if who is not None:
        settings["ssl.keystore.type"] = "PEM"
        settings["ssl.keystore.location"] = str(authority.folder / f"{who}.pem")
    return settings


def librdkafka(authority: Authority) -> dict[str, str]:
    return {
        "security.protocol": "ssl",
        "ssl.ca.location": str(authority.certificate),
        "ssl.certificate.location": str(authority.folder / "admin.pem"),
        "ssl.key.location": str(authority.folder / "admin.key"),
    }


def test_clients_use_the_cluster_through_tls(node: SecuredNode, authority: Authority) -> None:
    large = "x" * 900_000
    sent = node.tool(
        *("console-producer", "--topic", "t"), client=own(authority), stdin=f"{large}\n"
    )
    assert sent.returncode == 0, sent.stderr
    producer = Producer({"bootstrap.servers": node.bootstrap, **librdkafka(authority)})
    producer.produce("t", b"confluent")
    assert producer.flush(20) == 0
    admin = str(authority.folder / "admin.pem")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(admin)

    async def produce() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=node.bootstrap, security_protocol="SSL", ssl_context=context
        ) as writer:
            await writer.send_and_wait("t", b"aiokafka")

    asyncio.run(produce())
    consumer = KafkaConsumer(
        bootstrap_servers=node.bootstrap,
        security_protocol="SSL",
        ssl_cafile=str(authority.certificate),
        ssl_certfile=admin,
        ssl_keyfile=admin,
        consumer_timeout_ms=20_000,
    )
    consumer.assign([TopicPartition("t", 0)])
    consumer.seek(TopicPartition("t", 0), 0)
    values = [next(consumer).value for _ in range(3)]
    consumer.close()
    assert values == [large.encode(), b"confluent", b"aiokafka"]
    read = node.tool(
        *("console-consumer", "--topic", "t", "--from-beginning", "--max-messages", "3"),
        client=own(authority),
    )
    assert read.returncode == 0 and read.stdout.split() == [large, "confluent", "aiokafka"]


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_kcat_uses_tls(node: SecuredNode, authority: Authority) -> None:
    words = [f"-X{name}={value}" for name, value in librdkafka(authority).items()]
    listed = subprocess.run(
        ["kcat", "-b", node.bootstrap, "-L", *words], capture_output=True, text=True, timeout=30
    )
    assert 'topic "t"' in listed.stdout, listed.stderr


def test_who_one_is_comes_from_the_certificate(node: SecuredNode, authority: Authority) -> None:
    authority.issue("alice")
    for who in ("alice", None):
        listed = node.tool("topics", "--list", client=own(authority, who))
        assert listed.returncode == 0 and not listed.stdout.strip(), listed.stderr
    granted = node.tool(
        *("acls", "--add", "--allow-principal", "User:alice", "--operation", "Describe"),
        *("--topic", "t"),
        client=own(authority),
    )
    assert granted.returncode == 0, granted.stderr
    assert node.tool("topics", "--list", client=own(authority, "alice")).stdout.split() == ["t"]
    assert not node.tool("topics", "--list", client=own(authority, None)).stdout.strip()


def test_a_certificate_of_another_authority_is_refused(
    node: SecuredNode, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    mallory = stranger.issue("admin")
    as_client = {**own(authority, None), "ssl.keystore.type": "PEM"}
    as_client["ssl.keystore.location"] = str(mallory)
    refused = node.tool("topics", "--list", client=as_client)
    assert refused.returncode == 1
    assert "the TLS handshake failed: the certificate is not accepted" in node.log
    # A client refuses a node with a certificate of an unknown authority.
    unknown = {**own(authority, None), "ssl.truststore.location": str(stranger.certificate)}
    refused = node.tool("topics", "--list", client=unknown)
    assert refused.returncode == 1
    assert "the certificate is not accepted" in refused.stdout + refused.stderr


def test_half_handshakes_and_other_protocols_leave_others_alone(
    node: SecuredNode, authority: Authority
) -> None:
    host, _, port = node.bootstrap.partition(":")
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            waiting = stack.enter_context(socket.create_connection((host, int(port))))
            waiting.sendall(b"\x16\x03\x01\x02\x00\x01")
        plain = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(100):
                pass
        assert "t" in node.tool("topics", "--list", client=own(authority)).stdout.split()
    assert "does not speak TLS" in node.log


def test_certificates_that_cannot_be_used_are_refused_when_they_are_set(
    node: SecuredNode, authority: Authority, tmp_path: Path
) -> None:
    def alter(*words: str) -> str:
        done = node.tool(
            *("configs", "--entity-type", "brokers", "--entity-name", "1", "--alter", *words),
            client=own(authority),
        )
        return f"{done.returncode} {done.stdout} {done.stderr}"

    place = "listener.name.client.ssl.keystore.location"
    refused = alter("--add-config", f"{place}={tmp_path}/nothing.pem")
    assert refused.startswith("1") and "listener CLIENT cannot be replaced" in refused
    broken = tmp_path / "broken.pem"
    broken.write_text((authority.folder / "admin.crt").read_text())
    refused = alter("--add-config", f"{place}={broken}")
    assert refused.startswith("1") and "holds no private key in PEM" in refused
    assert alter("--add-config", "ssl.cipher.suites=TLS_X_WITH_Y").startswith("1")
    another = authority.issue("other")
    assert alter("--add-config", f"{place}={another}").startswith("0")
    assert "t" in node.tool("topics", "--list", client=own(authority)).stdout.split()
    assert alter("--delete-config", place).startswith("0")


def test_a_certificate_is_replaced_without_a_restart(
    node: SecuredNode, authority: Authority
) -> None:
    host, _, port = node.bootstrap.partition(":")

    def serial() -> int:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        with (
            socket.create_connection((host, int(port)), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            found = secured.getpeercert()
            assert found is not None
            return int(str(found["serialNumber"]), 16)

    before = serial()
    authority.issue("node")
    deadline = time.monotonic() + 20
    while serial() == before:
        assert time.monotonic() < deadline, node.log
        time.sleep(0.2)
    assert "certificates were replaced" in node.log
    assert "t" in node.tool("topics", "--list", client=own(authority)).stdout.split()
