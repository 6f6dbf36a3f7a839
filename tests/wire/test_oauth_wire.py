"""A real node that accepts tokens: from librdkafka, raftka's tools, and other nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from tests.support.certificates import Authority
from tests.support.issuer import ISSUER, Issuer, served
from tests.support.secured_node import SecuredNode, secured_node

_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
_PREFIX = "listener.name.client.oauthbearer"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("EC")


@pytest.fixture(scope="module")
def address(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The issuer's address, and the certificate of its authority."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    with served(issuer, authority.issue("issuer")) as url:
        yield url, str(authority.certificate)


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, address: tuple[str, str]
) -> Iterator[SecuredNode]:
    url, certificate = address
    settings = {
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:raftka-client;User:admin;User:ANONYMOUS",
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        "sasl.mechanism.inter.broker.protocol": "OAUTHBEARER",
        "connection.failed.authentication.delay.ms": "50",
        "sasl.oauthbearer.jwks.endpoint.url": f"{url}/keys",
        "sasl.oauthbearer.expected.audience": "kafka",
        "sasl.oauthbearer.expected.issuer": ISSUER,
        "sasl.oauthbearer.clock.skew.seconds": "0",
        "sasl.oauthbearer.token.endpoint.url": f"{url}/token",
        # The options of the JAAS configuration and the settings are taken together.
        f"{_PREFIX}.sasl.jaas.config": f'{_MODULE} clientId="node" clientSecret="node-secret"'
        f' ssl.truststore.location="{certificate}";',
        f"{_PREFIX}.ssl.truststore.type": "PEM",
    }
    with secured_node(tmp_path_factory.mktemp("secured"), settings) as found:
        made = found.tool("topics", "--create", "--topic", "t", client=own(address))
        assert made.returncode == 0, made.stderr + found.log
        yield found


def own(address: tuple[str, str]) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": f"{address[0]}/token",
        "sasl.oauthbearer.client.credentials.client.id": "tool",
        "sasl.oauthbearer.client.credentials.client.secret": "tool-secret",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": address[1],
    }


def test_a_tool_finds_its_truststore_in_the_jaas_options(
    node: SecuredNode, address: tuple[str, str]
) -> None:
    client = own(address)
    options = " ".join(
        f'{name}="{client.pop(name)}"'
        for name in ("ssl.truststore.type", "ssl.truststore.location")
    )
    client["sasl.jaas.config"] = f"{_MODULE} {options};"
    listed = node.tool("topics", "--list", client=client)
    assert listed.returncode == 0 and "t" in listed.stdout.split(), listed.stderr


def librdkafka(node: SecuredNode, token: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": node.bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "oauth_cb": lambda _: (token, time.time() + 300),
        "log_level": 0,
    }


def refusal(node: SecuredNode, token: str) -> str:
    """librdkafka's error for a refused token."""
    heard: list[KafkaError] = []
    settings: dict[str, Any] = {**librdkafka(node, token), "error_cb": heard.append}
    client = AdminClient(settings)
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1.5)
    client.poll(0)
    return " ".join(str(each) for each in heard)


def test_librdkafka_logs_in_by_a_token(node: SecuredNode, issuer: Issuer) -> None:
    producer = Producer(librdkafka(node, issuer.token(sub="admin")))
    producer.produce("t", b"confluent")
    assert producer.flush(20) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aud": "others"}, "it is for others"),
        ({"exp": int(time.time()) - 5}, "it has expired"),
        ({"iss": "https://else"}, "it is from another issuer"),
    ],
)
def test_tokens_for_others_are_refused_in_words(
    node: SecuredNode, issuer: Issuer, changes: dict[str, object], words: str
) -> None:
    token = issuer.token(sub="admin", **changes)
    assert words in refusal(node, token)
    assert words in node.log and token not in node.log


def test_forged_tokens_are_refused(node: SecuredNode, issuer: Issuer) -> None:
    assert "not by a key of the issuer" in refusal(node, Issuer("EC").token(sub="admin"))
    unsigned = issuer.token(sub="admin").rpartition(".")[0] + "."
    assert "not accepted" in refusal(node, unsigned)


def test_a_session_ends_with_its_token(node: SecuredNode, issuer: Issuer) -> None:
    given: list[str] = []

    def renew(_: str) -> tuple[str, float]:
        ends = int(time.time()) + 4
        given.append(issuer.token(sub="admin", exp=ends))
        return given[-1], ends

    producer = Producer({**librdkafka(node, ""), "oauth_cb": renew})
    ends = time.monotonic() + 6
    while time.monotonic() < ends:
        producer.produce("t", b"x")
        assert producer.flush(5) == 0
        producer.poll(0.05)
    assert len(given) >= 2
    assert "was not renewed" not in node.log


def test_a_token_from_a_file_and_acls_by_its_name(
    node: SecuredNode, issuer: Issuer, address: tuple[str, str]
) -> None:
    file = node.folder / "token"
    file.write_text(issuer.token(sub="alice") + "\n")
    alice = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": file.as_uri(),
    }
    assert node.tool("topics", "--list", client=alice).stdout.strip() == ""
    granted = node.tool(
        *("acls", "--add", "--allow-principal", "User:alice", "--operation", "Read"),
        *("--topic", "t"),
        client=own(address),
    )
    assert granted.returncode == 0, granted.stderr
    assert node.tool("topics", "--list", client=alice).stdout.split() == ["t"]
    file.write_text(issuer.token(sub="alice", aud="others"))
    refused = node.tool("topics", "--list", client=alice)
    assert refused.returncode == 1 and "it is for others" in refused.stderr
    assert "tool-secret" not in node.log and "node-secret" not in node.log
