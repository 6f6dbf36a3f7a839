"""Consume, transform, produce while brokers are killed: every input once, in order per key.

The long form, with rounds, every client and a table: python -m benchmarks.exactly_once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.eos_workers import WORKERS, transformed
from benchmarks.exactly_once import Round as Found
from benchmarks.exactly_once import inputs, judge, play
from raftka.local_cluster import LocalCluster


def test_the_judge_sees_what_is_wrong() -> None:
    source = list(inputs(90))
    whole = [(partition, key, transformed(value)) for partition, key, value in source]
    good = Found("c", 1)
    judge(good, source, whole)
    assert good.passed
    for output, words in (
        (whole[1:], "1 missing"),
        ([*whole, whole[0]], "1 twice"),
        ([whole[30], *whole[:30], *whole[31:]], "1 out of order"),
        ([*whole, (0, b"k0", b"seen k0:999")], "1 that no input"),
    ):
        bad = Found("c", 1)
        judge(bad, source, output)
        assert not bad.passed
        assert words in bad.verdict


@pytest.mark.wire
@pytest.mark.parametrize("client", WORKERS)
def test_every_input_once_while_a_broker_dies(client: str, tmp_path: Path) -> None:
    options = argparse.Namespace(seed=5, records=300, timeout=120.0, no_kills=False, kills=3)
    with LocalCluster(tmp_path, nodes=3) as cluster:
        cluster.start(60)
        found = play(client, 1, cluster, options)
    assert found.passed, (found.verdict, found.kills, found.complaints)
