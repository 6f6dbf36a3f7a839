"""Which quota applies to a client, and which clients share one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from raftka.broker.quotas.client_rates import ClientRates
from raftka.broker.quotas.connections import ConnectionRates
from raftka.broker.quotas.limits import Limit, Limits, Share
from raftka.broker.quotas.mutations import MutationCharge, MutationRates
from raftka.broker.quotas.rates import Windows
from raftka.broker.quotas.remembered import Remembered
from raftka.kraft.controller.client_quotas import (
    CONNECTION_CREATION_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
)
from raftka.kraft.sections.client_quotas import QuotaEntity
from raftka.model.errors import ErrorCode, KafkaError

Quotas = Mapping[QuotaEntity, Mapping[str, float]]

KEY = PRODUCER_BYTE_RATE
WINDOWS = Windows(11, 1000)

ORDER: list[tuple[QuotaEntity, Share]] = [
    ((("client-id", "app"), ("user", "ann")), Share("ann", "app")),
    ((("client-id", None), ("user", "ann")), Share("ann", "app")),
    ((("user", "ann"),), Share("ann", "")),
    ((("client-id", "app"), ("user", None)), Share("ann", "app")),
    ((("client-id", None), ("user", None)), Share("ann", "app")),
    ((("user", None),), Share("ann", "")),
    ((("client-id", "app"),), Share("", "app")),
    ((("client-id", None),), Share("", "app")),
]
"""Kafka's precedence, highest first."""


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_most_specific_quota_holds(first: int) -> None:
    quotas = {entity: {KEY: float(n + 1)} for n, (entity, _) in enumerate(ORDER) if n >= first}
    assert Limits(quotas, KEY).find("ann", "app") == Limit(ORDER[first][1], first + 1)


def test_quotas_of_others_and_of_other_kinds_do_not_hold() -> None:
    quotas: Quotas = {
        (("user", "bob"),): {KEY: 1.0},
        (("user", "ann"),): {"request_percentage": 1.0},
    }
    limits = Limits(quotas, KEY)
    assert limits
    assert limits.find("ann", "app") is None
    assert not Limits({}, KEY)


def test_a_client_without_an_id_has_no_quotas_of_client_ids() -> None:
    quotas: Quotas = {(("client-id", None),): {KEY: 1.0}}
    assert Limits(quotas, KEY).find("ann", "") is None
    quotas = {**quotas, (("user", None),): {KEY: 2.0}}
    assert Limits(quotas, KEY).find("ann", "") == Limit(Share("ann", ""), 2.0)


def test_clients_of_a_user_share_its_quota() -> None:
    rates = ClientRates(KEY, WINDOWS)
    rates.follow({(("user", "ann"),): {KEY: 100.0}})
    assert rates.record("ann", "one", 900, 0) == 0
    assert rates.record("ann", "two", 300, 0) == 2_000
    assert rates.record("bob", "one", 10**9, 0) == 0
    assert rates.most_at_once("ann", "one") == 1_000
    assert rates.most_at_once("bob", "one") is None


def test_what_was_used_counts_against_an_altered_quota() -> None:
    rates = ClientRates(KEY, WINDOWS, longest_ms=1_000)
    rates.follow({(("client-id", "app"),): {KEY: 100.0}})
    assert rates.record("ann", "app", 1_000, 0) == 0
    rates.follow({(("client-id", "app"),): {KEY: 50.0}})
    assert rates.record("ann", "app", 0, 0) == 1_000, "ten seconds, but no more than one is allowed"
    rates.take_back("ann", "app", 1_000, 0)
    assert rates.record("ann", "app", 0, 0) == 0
    rates.follow({})
    assert not rates.is_active
    assert rates.record("ann", "app", 10**9, 0) == 0


def test_only_what_is_in_use_is_remembered() -> None:
    rates = ClientRates(KEY, WINDOWS)
    rates.follow({(("client-id", None),): {KEY: 1.0}})
    for number in range(50_000):
        rates.record("ann", f"client-{number}", 1, number * 100)
    assert len(rates._rates) < 2_000


def test_a_measure_is_made_once() -> None:
    class Busy:
        def is_idle(self, now_ms: int) -> bool:
            return False

    kept: Remembered[str, Busy] = Remembered()
    assert kept.get("a", 0, Busy) is kept.get("a", 1, Busy)
    assert kept.get("a", 0, Busy) is not kept.get("b", 0, Busy)


class Mutations:
    """One client's changes at a rate of 1 a second, by a clock in milliseconds."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.rates = MutationRates(WINDOWS)
        self.rates.follow({(("user", "ann"),): {CONTROLLER_MUTATION_RATE: 1.0}})

    def charge(self, *, strict: bool) -> MutationCharge:
        bucket = self.rates.bucket("ann", "app", self.now_ms)
        return MutationCharge(bucket, lambda: self.now_ms, strict=strict)


def test_a_strict_request_is_refused_once_the_bucket_is_overdrawn() -> None:
    mutations = Mutations()
    charge = mutations.charge(strict=True)
    charge("a", 15)
    charge("a", 15)  # Decided again: counted once.
    assert charge.throttle_ms == 0
    with pytest.raises(KafkaError) as caught:
        charge("b", 1)
    assert caught.value.code is ErrorCode.THROTTLING_QUOTA_EXCEEDED
    mutations.now_ms = 500
    assert charge.throttle_ms == 3_500
    mutations.now_ms = 4_000
    mutations.charge(strict=True)("b", 1)


def test_an_old_request_goes_through_and_has_to_wait() -> None:
    mutations = Mutations()
    charge = mutations.charge(strict=False)
    charge("a", 15)
    assert charge.throttle_ms == 4_000
    charge("b", 1)
    assert charge.throttle_ms == 5_000


def test_nobody_else_is_charged() -> None:
    mutations = Mutations()
    assert mutations.rates.bucket("bob", "app", 0) is None
    free = MutationCharge(None, lambda: 0, strict=True)
    free("a", 10**9)
    free("b", 10**9)
    assert free.throttle_ms == 0


def test_connections_too_many_of_an_address_are_held_and_not_counted() -> None:
    rates = ConnectionRates(WINDOWS)
    assert rates.open("10.0.0.1", 0) == 0
    rates.follow(
        {
            (("ip", None),): {CONNECTION_CREATION_RATE: 1.0},
            (("ip", "10.0.0.2"),): {CONNECTION_CREATION_RATE: 2.0},
        }
    )
    assert [rates.open("10.0.0.1", 0) for _ in range(12)] == [0] * 10 + [1_000] * 2
    assert [rates.open("10.0.0.2", 0) for _ in range(21)] == [0] * 20 + [500]
    assert rates.open("10.0.0.1", 11_000) == 0
