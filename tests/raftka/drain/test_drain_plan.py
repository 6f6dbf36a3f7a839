"""The brokers that receive the replicas of a leaving broker."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.drain.plan import NoPlace, Site, plan
from raftka.model.ids import TopicPartition


def at(index: int) -> TopicPartition:
    return TopicPartition("t", index)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[dict[TopicPartition, list[int]], list[Site], set[int]]:
    """The partitions' replicas, the live brokers, and those that leave."""
    brokers = list(range(1, draw(st.integers(4, 8)) + 1))
    racks = draw(st.sampled_from([None, 2, 3]))
    sites = [Site(each, None if racks is None else f"r{each % racks}") for each in brokers]
    leaving = set(draw(st.lists(st.sampled_from(brokers), min_size=1, max_size=2)))
    most = len(brokers) - len(leaving)
    replicas = st.lists(st.sampled_from(brokers), min_size=1, max_size=min(3, most), unique=True)
    many = draw(st.lists(replicas, max_size=40))
    return {at(index): each for index, each in enumerate(many)}, sites, leaving


@given(clusters())
def test_nobody_is_left_behind_and_nothing_else_moves(
    cluster: tuple[dict[TopicPartition, list[int]], list[Site], set[int]],
) -> None:
    current, sites, leaving = cluster
    planned = plan(current, leaving, sites)
    assert planned.keys() == {t for t, replicas in current.items() if set(replicas) & leaving}
    for target, made in planned.items():
        before = current[target]
        assert len(made) == len(before) == len(set(made))
        assert not set(made) & leaving
        for old, new in zip(before, made, strict=True):
            assert old == new or old in leaving
    assert plan({**current, **planned}, leaving, sites) == {}, "a second run has nothing to do"


def test_the_burden_is_shared_and_so_is_leadership() -> None:
    current = {at(index): [4, 1 + index % 3] for index in range(30)}
    planned = plan(current, {4}, [Site(each) for each in (1, 2, 3, 4)])
    everything = Counter(broker for replicas in planned.values() for broker in replicas)
    assert set(everything.values()) == {20}
    assert set(Counter(replicas[0] for replicas in planned.values()).values()) == {10}


def test_replicas_stay_in_different_racks() -> None:
    sites = [Site(1, "a"), Site(2, "a"), Site(3, "b"), Site(4, "b")]
    planned = plan({at(index): [1, 4] for index in range(9)}, {4}, sites)
    assert set(map(tuple, planned.values())) == {(1, 3)}
    # Where no other rack is left, the broker counts.
    assert plan({at(0): [1, 3, 4]}, {4}, sites) == {at(0): [1, 3, 2]}


def test_a_named_successor_takes_everything_it_can() -> None:
    sites = [Site(each) for each in (1, 2, 3, 4)]
    planned = plan({at(0): [1, 2], at(1): [2, 4], at(2): [1, 3]}, {2}, sites, {2: 4})
    assert planned == {at(0): [1, 4], at(1): [3, 4]} or planned == {at(0): [1, 4], at(1): [1, 4]}


def test_too_few_brokers_are_put_into_words() -> None:
    with pytest.raises(NoPlace, match=r"t-0 has 3 replicas.*2 would be left. Add a broker"):
        plan({at(0): [1, 2, 3]}, {3}, [Site(1), Site(2), Site(3)])
