"""Assignments: rules that hold for every group, and the rules of each strategy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.client.consumer.assignors import ASSIGNORS, Assignment, Member, assignors
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition as TP

TOPICS = ("a", "b", "c")
partition_counts = st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 7), min_size=1)


@st.composite
def groups(draw: st.DrawFn) -> list[Member]:
    count = draw(st.integers(1, 6))
    same = draw(st.booleans())
    topics = st.sets(st.sampled_from(TOPICS), min_size=1).map(lambda s: tuple(sorted(s)))
    shared = draw(topics)
    return [
        Member(
            f"m{index}",
            shared if same else draw(topics),
            draw(st.none() | st.just(f"static-{index}")),
        )
        for index in range(count)
    ]


def owners(assignment: Assignment) -> dict[TP, str]:
    found: dict[TP, str] = {}
    for member, share in assignment.items():
        for target in share:
            assert target not in found, f"{target} has two owners"
            found[target] = member
    return found


@pytest.mark.parametrize("name", ASSIGNORS)
@given(counts=partition_counts, members=groups())
def test_every_partition_has_one_owner_that_wants_it(
    name: str, counts: dict[str, int], members: list[Member]
) -> None:
    assignment = ASSIGNORS[name].assign(counts, members)
    found = owners(assignment)
    wanted = {topic for member in members for topic in member.topics}
    assert set(found) == {TP(t, p) for t in counts if t in wanted for p in range(counts[t])}
    by_id = {member.id: member for member in members}
    assert all(target.topic in by_id[owner].topics for target, owner in found.items())
    assert set(assignment) == set(by_id)


@given(counts=partition_counts, members=groups())
def test_sticky_shares_differ_by_one_at_most(counts: dict[str, int], members: list[Member]) -> None:
    members = [replace(member, topics=tuple(sorted(counts))) for member in members]
    shares = [len(share) for share in ASSIGNORS["sticky"].assign(counts, members).values()]
    assert max(shares) - min(shares) <= 1


@given(counts=partition_counts, members=groups(), data=st.data())
def test_sticky_moves_no_more_than_balance_takes(
    counts: dict[str, int], members: list[Member], data: st.DataObject
) -> None:
    """One member leaves: those that stay keep all they had."""
    members = [replace(member, topics=tuple(sorted(counts))) for member in members]
    before = ASSIGNORS["sticky"].assign(counts, members)
    leaver = data.draw(st.sampled_from(members))
    rest = [
        replace(member, owned=tuple(before[member.id]), generation=1)
        for member in members
        if member is not leaver
    ]
    after = ASSIGNORS["sticky"].assign(counts, rest)
    for member in rest:
        assert set(before[member.id]) <= set(after[member.id])


@given(counts=partition_counts, members=groups(), joiners=st.integers(1, 3))
def test_a_cooperative_group_settles_in_two_rounds_without_a_double_owner(
    counts: dict[str, int], members: list[Member], joiners: int
) -> None:
    assignor = ASSIGNORS["cooperative-sticky"]
    everything = tuple(sorted(counts))
    members = [replace(member, topics=everything) for member in members]
    current = assignor.assign(counts, members)
    crowd = members + [Member(f"new{index}", everything) for index in range(joiners)]
    for generation in (1, 2):
        held = {member.id: set(current.get(member.id, ())) for member in crowd}
        asking = [
            replace(member, owned=tuple(sorted(held[member.id])), generation=generation)
            for member in crowd
        ]
        current = assignor.assign(counts, asking)
        for member in crowd:
            for other in crowd:
                if other is not member:
                    assert not set(current[member.id]) & held[other.id]
    assert len(owners(current)) == sum(counts.values())
    shares = [len(share) for share in current.values()]
    assert max(shares) - min(shares) <= 1


def test_range_gives_neighbours_and_the_first_members_one_more() -> None:
    members = [Member("y", ("a", "b")), Member("x", ("a", "b"))]
    assert ASSIGNORS["range"].assign({"a": 3, "b": 3}, members) == {
        "x": [TP("a", 0), TP("a", 1), TP("b", 0), TP("b", 1)],
        "y": [TP("a", 2), TP("b", 2)],
    }


def test_round_robin_deals_partitions_like_cards() -> None:
    members = [Member("x", ("a", "b")), Member("y", ("a",))]
    assert ASSIGNORS["roundrobin"].assign({"a": 3, "b": 2}, members) == {
        "x": [TP("a", 0), TP("a", 2), TP("b", 0), TP("b", 1)],
        "y": [TP("a", 1)],
    }


def test_static_members_keep_their_order_over_restarts() -> None:
    members = [Member("z", ("a",), "s1"), Member("a", ("a",), "s2"), Member("b", ("a",))]
    restarted = [Member("q", ("a",), "s1"), Member("r", ("a",), "s2"), Member("b", ("a",))]
    one = ASSIGNORS["range"].assign({"a": 3}, members)
    two = ASSIGNORS["range"].assign({"a": 3}, restarted)
    assert (one["z"], one["a"], one["b"]) == (two["q"], two["r"], two["b"])


def test_two_that_claim_a_partition_in_one_generation_lose_it_both() -> None:
    claim = (TP("a", 0),)
    members = [
        Member("x", ("a",), owned=claim, generation=3),
        Member("y", ("a",), owned=claim, generation=4),
    ]
    assert owners(ASSIGNORS["sticky"].assign({"a": 1}, members)) == {TP("a", 0): "y"}


def test_java_class_names_stand_for_the_same_strategies() -> None:
    names = ["org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "range"]
    assert [assignor.name for assignor in assignors(names)] == ["cooperative-sticky", "range"]


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(KafkaError, match="'best': it must be one of range"):
        assignors(["best"])
