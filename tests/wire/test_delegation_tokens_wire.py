"""Delegation tokens on a real node: issued to users, valid for logins only (KIP-48)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.secured_node import SecuredNode, secured_node
from tests.wire.test_sasl_wire import FORMAT, SETTINGS, own

pytestmark = pytest.mark.wire
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
SECRET = {"delegation.token.secret.key": "the secret of all nodes"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredNode]:
    with secured_node(tmp_path_factory.mktemp("tokens"), {**SETTINGS, **SECRET}, FORMAT) as found:
        made = found.tool("topics", "--create", "--topic", "t", client=own())
        assert made.returncode == 0, made.stderr
        yield found


def tokens(node: SecuredNode, *words: str, client: dict[str, str]) -> str:
    done = node.tool("delegation-tokens", *words, client=client)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def create(node: SecuredNode, *words: str, client: dict[str, str]) -> tuple[str, str]:
    """(id, HMAC) of a new token."""
    shown = tokens(node, "--create", "--max-life-time-period", "-1", *words, client=client)
    row = shown.splitlines()[-1].split()
    assert f"Created delegation token with tokenId : {row[0]}\n" in shown
    return row[0], row[1]


def by_token(token: tuple[str, str], mechanism: str = "SCRAM-SHA-256") -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": f'{SCRAM} required username="{token[0]}" password="{token[1]}"'
        ' tokenauth="true";',
    }


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_whoever_has_a_token_is_its_owner(node: SecuredNode, mechanism: str) -> None:
    admin, alice = create(node, client=own()), create(node, client=own("alice"))
    for token, may in ((admin, True), (alice, False)):
        asked = node.tool("topics", "--list", client=by_token(token, mechanism))
        assert (asked.returncode, asked.stdout.split()) == (0, ["t"] if may else [])


def test_a_token_gives_no_tokens(node: SecuredNode) -> None:
    token = create(node, client=own())
    words = ("--create", "--max-life-time-period", "-1")
    refused = node.tool("delegation-tokens", *words, client=by_token(token))
    assert refused.returncode == 1
    assert "clients that log in by SASL or a certificate, not by" in refused.stderr


def test_a_token_that_has_ended_is_no_login(node: SecuredNode) -> None:
    token = create(node, client=own())
    period = ("--renew", "--hmac", token[1], "--renew-time-period", "600000")
    assert "Completed renew operation" in tokens(node, *period, client=own())
    ended = ("--expire", "--hmac", token[1], "--expiry-time-period", "-1")
    assert "Completed expire operation" in tokens(node, *ended, client=own())
    again = node.tool("delegation-tokens", *ended, client=own())
    assert again.returncode == 1 and "no such delegation token" in again.stderr
    for wrong in (token, (token[0], "d3Jvbmc="), ("admin", "admin-secret")):
        refused = node.tool("topics", "--list", client=by_token(wrong))
        assert refused.returncode == 1 and "Authentication failed" in refused.stderr


def test_tokens_of_others_take_a_permission(node: SecuredNode) -> None:
    words = ("--owner-principal", "User:admin")
    refused = node.tool(
        *("delegation-tokens", "--create", "--max-life-time-period", "-1", *words),
        client=own("alice"),
    )
    assert "--user-principal gives CreateTokens" in refused.stderr
    mine = create(node, "--owner-principal", "User:alice", client=own())
    others = create(node, client=own())
    shown = tokens(node, "--describe", client=own("alice"))
    assert mine[0] in shown and others[0] not in shown
    stolen = ("--expire", "--hmac", others[1], "--expiry-time-period", "-1")
    refused = node.tool("delegation-tokens", *stolen, client=own("alice"))
    assert "belongs to another user" in refused.stderr


def test_without_a_secret_there_are_no_tokens(tmp_path_factory: pytest.TempPathFactory) -> None:
    with secured_node(tmp_path_factory.mktemp("off"), SETTINGS, FORMAT) as node:
        words = ("--create", "--max-life-time-period", "-1")
        for each in (words, ("--describe",)):
            refused = node.tool("delegation-tokens", *each, client=own())
            assert refused.returncode == 1
            assert "set delegation.token.secret.key on every node" in refused.stderr
