"""Requests that make little sense are answered as Apache Kafka answers them."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.local_cluster import LocalCluster
from tests.wire.odd_requests import outcomes

pytestmark = pytest.mark.wire

GOLDEN = Path(__file__).parent / "golden" / "odd_requests.txt"


def test_odd_requests_are_answered_as_kafka_answers_them(single: LocalCluster) -> None:
    lines = GOLDEN.read_text().splitlines()
    expected = dict(line.rsplit(":", 1) for line in lines)
    found = outcomes(single.ports[1])
    differs = {
        name: (codes.strip(), found.get(name))
        for name, codes in expected.items()
        if found.get(name) != codes.strip()
    }
    assert differs == {}
    assert found.keys() == expected.keys()
