"""Passwords that kafka-configs sets, used by third-party clients over TLS (SASL_SSL)."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
import trio
from confluent_kafka import Producer

from raftka.client.admin import Admin
from tests.support.certificates import Authority
from tests.support.secured_node import SecuredNode, secured_node

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_SESSION_MS = 1_500


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredNode]:
    settings = {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:SSL",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:node;User:admin",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("node")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "ssl.principal.mapping.rules": "RULE:^CN=([a-z]+),.*$/$1/L,DEFAULT",
        "listener.name.controller.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "connections.max.reauth.ms": str(_SESSION_MS),
        "listener.name.client.scram-sha-512.sasl.jaas.config": f"{_SCRAM} required"
        ' username="admin" password="admin-secret";',
    }
    words = ["--add-scram", "SCRAM-SHA-512=[name=admin,password=admin-secret]"]
    with secured_node(tmp_path_factory.mktemp("secured"), settings, words) as found:
        made = found.tool("topics", "--create", "--topic", "t", client=own(authority))
        assert made.returncode == 0, made.stderr
        yield found


def own(
    authority: Authority,
    user: str = "admin",
    mechanism: str = "SCRAM-SHA-512",
    password: str = "admin-secret",
) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
    }


def librdkafka(authority: Authority, user: str, mechanism: str, password: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(authority.certificate),
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }


def configs(
    node: SecuredNode, authority: Authority, *words: str
) -> subprocess.CompletedProcess[str]:
    return node.tool("configs", "--entity-type", "users", *words, client=own(authority))


def test_a_password_is_set_used_shown_and_removed(node: SecuredNode, authority: Authority) -> None:
    alice = ("--entity-name", "alice")
    wish = "SCRAM-SHA-256=[iterations=8192,password=p,a=s s],SCRAM-SHA-512=[password=other]"
    made = configs(node, authority, *alice, "--alter", "--add-config", wish)
    assert made.returncode == 0, made.stderr
    assert made.stdout == "Completed updating config for user alice.\n"

    granted = node.tool(
        *("acls", "--add", "--allow-principal", "User:alice", "--operation", "Write"),
        *("--topic", "t"),
        client=own(authority),
    )
    assert granted.returncode == 0, granted.stderr
    for mechanism, password in (("SCRAM-SHA-256", "p,a=s s"), ("SCRAM-SHA-512", "other")):
        settings = librdkafka(authority, "alice", mechanism, password)
        producer = Producer({"bootstrap.servers": node.bootstrap, **settings})
        producer.produce("t", mechanism.encode())
        assert producer.flush(20) == 0

    shown = configs(node, authority, *alice, "--describe")
    assert shown.stdout == (
        "SCRAM credential configs for user-principal 'alice' are SCRAM-SHA-256=iterations=8192,"
        " SCRAM-SHA-512=iterations=4096\n"
    )
    everybody = configs(node, authority, "--describe")
    assert "'alice'" in everybody.stdout and "'admin'" in everybody.stdout

    removed = configs(node, authority, *alice, "--alter", "--delete-config", "SCRAM-SHA-256")
    assert removed.returncode == 0, removed.stderr
    shown = configs(node, authority, *alice, "--describe")
    assert shown.stdout.endswith("'alice' are SCRAM-SHA-512=iterations=4096\n")
    refused = node.tool(
        "topics", "--list", client=own(authority, "alice", "SCRAM-SHA-256", "p,a=s s")
    )
    assert refused.returncode == 1 and "Authentication failed" in refused.stderr
    again = configs(node, authority, *alice, "--alter", "--delete-config", "SCRAM-SHA-256")
    assert again.returncode == 1
    assert "Attempt to delete a user credential that does not exist" in again.stderr


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_kcat_logs_in_over_tls(node: SecuredNode, authority: Authority) -> None:
    settings = librdkafka(authority, "admin", "SCRAM-SHA-512", "admin-secret")
    words = [f"-X{name}={value}" for name, value in settings.items()]
    listed = subprocess.run(
        ["kcat", "-b", node.bootstrap, "-L", *words], capture_output=True, text=True, timeout=30
    )
    assert 'topic "t"' in listed.stdout, listed.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--entity-default", "SCRAM-SHA-256=[password=x]"), "--user-defaults is not allowed"),
        (("--entity-name", "a", "SCRAM-SHA-256=[iterations=1,password=x]"), "minimum 4096"),
        (("--entity-name", "a", "SCRAM-SHA-256=[iterations=99999,password=x]"), "Too many"),
        (("--entity-name", "a", "SCRAM-SHA-256=[name=x]"), "Invalid credential property"),
        (("--entity-name", "a", "SCRAM-SHA-1=[password=x]"), "Only quota and SCRAM credential"),
        (
            ("--entity-name", "a", "SCRAM-SHA-256=[password=x],producer_byte_rate=1"),
            "Cannot alter both quota and SCRAM",
        ),
    ],
)
def test_a_wrong_password_option_is_put_into_words(
    node: SecuredNode, authority: Authority, words: tuple[str, ...], error: str
) -> None:
    done = configs(node, authority, *words[:-1], "--alter", "--add-config", words[-1])
    assert done.returncode == 1 and error in done.stderr, done.stderr
    assert "password=x" not in done.stderr


def test_our_client_keeps_its_connection_over_many_sessions(
    node: SecuredNode, authority: Authority
) -> None:
    async def work() -> None:
        async with Admin({**own(authority), "bootstrap.servers": node.bootstrap}) as admin:
            assert await admin.list_topics()
            channel = await admin.cluster.any_channel()
            ends = time.monotonic() + 3 * _SESSION_MS / 1000
            while time.monotonic() < ends:
                assert await admin.list_topics()
                await trio.sleep(0.05)
            assert channel.broken is None

    trio.run(work)
    assert "was not renewed" not in node.log, "and so do the node's own connections"


def test_no_log_shows_a_password(node: SecuredNode) -> None:
    assert "admin-secret" not in node.log and "p,a=s s" not in node.log
