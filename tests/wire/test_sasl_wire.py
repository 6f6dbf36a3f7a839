"""A real node that requires a login, and third-party clients with each mechanism."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from kafka import KafkaConsumer, TopicPartition

from tests.support.secured_node import SecuredNode, secured_node

MODULES = "org.apache.kafka.common.security"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SETTINGS = {
    "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "sasl.enabled.mechanisms": ",".join(MECHANISMS),
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-256",
    "sasl.mechanism.controller.protocol": "SCRAM-SHA-512",
    "connection.failed.authentication.delay.ms": "50",
    "listener.name.client.plain.sasl.jaas.config": f"{MODULES}.plain.PlainLoginModule required"
    ' user_admin="admin-secret" user_alice="alice-secret";',
    "listener.name.client.scram-sha-256.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule"
    ' required username="admin" password="admin-secret";',
    "listener.name.controller.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.controller.scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule"
    ' required username="admin" password="admin-secret";',
}
FORMAT = [
    word
    for mechanism in MECHANISMS[1:]
    for user in ("admin", "alice")
    for word in ("--add-scram", f"{mechanism}=[name={user},password={user}-secret]")
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredNode]:
    with secured_node(tmp_path_factory.mktemp("secured"), SETTINGS, FORMAT) as found:
        made = found.tool("topics", "--create", "--topic", "t", client=own())
        assert made.returncode == 0, made.stderr
        yield found


def own(
    user: str = "admin", mechanism: str = "SCRAM-SHA-256", password: str = ""
) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password or f"{user}-secret",
    }


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_clients_log_in_under_each_mechanism(node: SecuredNode, mechanism: str) -> None:
    producer = Producer({"bootstrap.servers": node.bootstrap, **own(mechanism=mechanism)})
    producer.produce("t", b"confluent")
    assert producer.flush(20) == 0

    login = {
        "bootstrap_servers": node.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "admin",
        "sasl_plain_password": "admin-secret",
    }

    async def produce() -> None:
        async with AIOKafkaProducer(**login) as writer:
            await writer.send_and_wait("t", b"aiokafka")

    asyncio.run(produce())
    consumer = KafkaConsumer(auto_offset_reset="earliest", consumer_timeout_ms=20_000, **login)
    consumer.assign([TopicPartition("t", 0)])
    assert next(consumer).value in (b"confluent", b"aiokafka")
    consumer.close()

    sent = node.tool(
        "console-producer", "--topic", "t", client=own(mechanism=mechanism), stdin="raftka\n"
    )
    assert sent.returncode == 0, sent.stderr
    read = node.tool(
        *("console-consumer", "--topic", "t", "--from-beginning", "--max-messages", "1"),
        client=own(mechanism=mechanism),
    )
    assert read.returncode == 0 and read.stdout.strip(), read.stderr


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kcat_logs_in(node: SecuredNode, mechanism: str) -> None:
    words = [f"-X{name}={value}" for name, value in own(mechanism=mechanism).items()]
    listed = subprocess.run(
        ["kcat", "-b", node.bootstrap, "-L", *words], capture_output=True, text=True, timeout=30
    )
    assert 'topic "t"' in listed.stdout, listed.stderr


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_a_clear_error(node: SecuredNode, mechanism: str) -> None:
    refused = node.tool("topics", "--list", client=own(mechanism=mechanism, password="wrong"))
    assert refused.returncode == 1
    assert "Authentication failed" in refused.stdout + refused.stderr
    admin = AdminClient(
        {
            "bootstrap.servers": node.bootstrap,
            "log_level": 0,
            **own("nobody", mechanism),
        }
    )
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=2)
    assert "wrong" not in node.log and "-secret" not in node.log, "no log shows a password"


def test_each_sees_what_the_acls_allow(node: SecuredNode) -> None:
    alice = own("alice", "SCRAM-SHA-512")
    assert node.tool("topics", "--list", client=alice).stdout.strip() == ""
    granted = node.tool(
        *("acls", "--add", "--allow-principal", "User:alice", "--operation", "Read"),
        *("--topic", "t"),
        client=own(),
    )
    assert granted.returncode == 0, granted.stderr
    assert node.tool("topics", "--list", client=alice).stdout.split() == ["t"]
    # A broker forwards this to the controller, which authorizes alice, not the broker.
    made = node.tool("topics", "--create", "--topic", "hers", client=alice)
    assert made.returncode == 1
    assert "User:alice from 127.0.0.1 may not CREATE the TOPIC hers" in node.log
    removed = node.tool("acls", "--remove", "--force", "--topic", "t", client=own())
    assert removed.returncode == 0, removed.stderr
    assert node.tool("topics", "--list", client=alice).stdout.strip() == ""


def test_nothing_is_answered_to_who_has_not_logged_in(node: SecuredNode) -> None:
    host, _, port = node.bootstrap.partition(":")
    metadata = struct.pack(">hhih", 3, 0, 7, -1) + struct.pack(">i", 0)
    raft = b"RFTK" + bytes(60)
    for attempt in (struct.pack(">i", len(metadata)) + metadata, raft, b"\x7f\xff\xff\xff" * 9):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(attempt)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""
    assert "API key 3 was asked before authentication" in node.log
