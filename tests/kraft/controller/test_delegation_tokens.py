"""Delegation tokens: how long they last, who may change them, and when they expire (KIP-48)."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.controller.delegation_tokens import (
    TokenRules,
    Wish,
    create,
    expire,
    forget_expired,
    renew,
)
from raftka.kraft.controller.result import Rules
from raftka.model.access import Principal
from raftka.model.delegation import DelegationToken
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import ControllerOnPaper

ALICE, BOB, EVE = (Principal("User", name) for name in ("alice", "bob", "eve"))
RULES = TokenRules(lasts_ms=100, max_ms=1000)
NOW = 10_000


@pytest.fixture
def cluster() -> ControllerOnPaper:
    return ControllerOnPaper(random.Random(1))


def give(cluster: ControllerOnPaper, max_ms: int = -1, *renewers: Principal) -> DelegationToken:
    wish = Wish("id", ALICE, BOB, renewers, max_ms)
    return cluster.commit(create(cluster.image, RULES, wish, NOW))


@pytest.mark.parametrize(
    ("max_ms", "expires", "longest"),
    [(-1, 100, 1000), (0, 100, 1000), (500, 100, 500), (50, 50, 50), (5000, 100, 1000)],
)
def test_a_token_lasts_as_long_as_asked_and_allowed(
    cluster: ControllerOnPaper, max_ms: int, expires: int, longest: int
) -> None:
    token = give(cluster, max_ms)
    assert token == DelegationToken(ALICE, BOB, (), NOW, NOW + expires, NOW + longest)
    assert cluster.image.tokens == {"id": token}


def test_renewing_ends_where_the_token_must(cluster: ControllerOnPaper) -> None:
    give(cluster)

    def again(period_ms: int, now_ms: int) -> int:
        return cluster.commit(renew(cluster.image, RULES, "id", ALICE, period_ms, now_ms))

    assert again(-1, NOW + 50) == NOW + 150
    assert again(20, NOW + 60) == NOW + 80
    assert again(5000, NOW + 70) == NOW + 170
    for now_ms in range(NOW + 100, NOW + 1000, 50):
        again(-1, now_ms)
    assert again(-1, NOW + 1000) == NOW + 1000
    assert cluster.image.tokens["id"].expires_ms == NOW + 1000
    with pytest.raises(KafkaError) as e:
        again(-1, NOW + 1001)
    assert e.value.code is ErrorCode.DELEGATION_TOKEN_EXPIRED


def test_owners_and_renewers_change_a_token_and_nobody_else(cluster: ControllerOnPaper) -> None:
    give(cluster, -1, EVE)
    image = cluster.image
    for who in (ALICE, EVE):
        assert renew(image, RULES, "id", who, -1, NOW).records
        assert expire(image, "id", who, 10, NOW).response == NOW + 10
    # The requester owns nothing.
    with pytest.raises(KafkaError) as e:
        renew(image, RULES, "id", BOB, -1, NOW)
    assert e.value.code is ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    with pytest.raises(KafkaError) as e:
        expire(image, "id", BOB, -1, NOW)
    assert e.value.code is ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    with pytest.raises(KafkaError) as e:
        renew(image, RULES, None, ALICE, -1, NOW)
    assert e.value.code is ErrorCode.DELEGATION_TOKEN_NOT_FOUND


def test_a_token_ends_at_once_or_when_asked(cluster: ControllerOnPaper) -> None:
    give(cluster)
    assert cluster.commit(expire(cluster.image, "id", ALICE, 5000, NOW)) == NOW + 1000
    assert cluster.commit(expire(cluster.image, "id", ALICE, 0, NOW)) == NOW
    assert cluster.image.tokens["id"].has_expired(NOW + 1)
    assert cluster.commit(expire(cluster.image, "id", ALICE, -1, NOW)) == -1
    assert cluster.image.tokens == {}


def test_what_has_expired_is_forgotten(cluster: ControllerOnPaper) -> None:
    give(cluster)
    assert forget_expired(cluster.image, Rules(), NOW + 100).records == []
    cluster.commit(forget_expired(cluster.image, Rules(), NOW + 101))
    assert cluster.image.tokens == {}


def test_only_users_renew(cluster: ControllerOnPaper) -> None:
    with pytest.raises(KafkaError, match="Group:staff is not") as e:
        give(cluster, -1, Principal("Group", "staff"))
    assert e.value.code is ErrorCode.INVALID_PRINCIPAL_TYPE
