"""Requests that make little sense are answered as Apache Kafka answers them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from raftka.local_cluster import LocalCluster
from tests.wire import odd_limits, odd_requests, odd_transactions

pytestmark = pytest.mark.wire

GOLDEN = Path(__file__).parent / "golden"


def test_odd_requests_are_answered_as_kafka_answers_them(single: LocalCluster) -> None:
    lines = (GOLDEN / "odd_requests.txt").read_text().splitlines()
    expected = dict(line.rsplit(":", 1) for line in lines)
    found = odd_requests.outcomes(single.ports[1])
    differs = {
        name: (codes.strip(), found.get(name))
        for name, codes in expected.items()
        if found.get(name) != codes.strip()
    }
    assert differs == {}
    assert found.keys() == expected.keys()


@pytest.mark.parametrize("asks", [odd_transactions, odd_limits])
def test_each_state_is_answered_as_kafka_answers_it(asks: ModuleType, single: LocalCluster) -> None:
    """Transactions, quotas, log directories, and settings of topics that check batches."""
    name = asks.__name__.rpartition(".")[2]
    expected = (GOLDEN / f"{name}.txt").read_text().splitlines()
    found = [f"{asked}: {words}" for asked, words in asks.outcomes(single.ports[1]).items()]
    assert [line for line in found if line not in expected] == []
    assert found == expected
