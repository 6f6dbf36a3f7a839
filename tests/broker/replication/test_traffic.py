"""Sums over topics are counters: they do not fall when a topic leaves."""

from __future__ import annotations

from raftka.broker.replication.traffic import Traffic


def test_a_topic_that_leaves_stays_in_the_sum() -> None:
    traffic = Traffic()
    traffic.of("a").bytes_in += 5
    traffic.of("b").bytes_in += 7
    assert traffic.total().bytes_in == 12
    traffic.forget("a")
    traffic.forget("never-here")
    assert [name for name, _ in traffic] == ["b"]
    assert traffic.total().bytes_in == 12
    assert traffic.of("a").bytes_in == 0
