"""The assignors: balanced, sticky, near, and every partition once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest

from raftka.broker.coordinators.group.consumer.assignors import ASSIGNORS
from raftka.broker.coordinators.group.consumer.assignors.spec import (
    GroupSpec,
    MemberSpec,
    Shares,
)
from tests.support.consumer_groups import topic_id


def spec(
    members: Mapping[str, Sequence[str]],
    topics: Mapping[str, int],
    before: Shares | None = None,
    racks: Mapping[str, str] | None = None,
    partition_racks: Mapping[str, Sequence[str]] | None = None,
) -> GroupSpec:
    found = [
        MemberSpec(
            member_id,
            None,
            (racks or {}).get(member_id),
            frozenset(map(topic_id, names)),
            {t: frozenset(p) for t, p in (before or {}).get(member_id, {}).items()},
        )
        for member_id, names in members.items()
    ]
    found.sort(key=lambda each: each.rank)
    return GroupSpec(
        found,
        {topic_id(name): count for name, count in sorted(topics.items())},
        {topic_id(t): [frozenset({r}) for r in rs] for t, rs in (partition_racks or {}).items()},
    )


def sizes(shares: Shares) -> list[int]:
    return sorted(sum(map(len, share.values())) for share in shares.values())


def moved(before: Shares, after: Shares) -> int:
    """How many partitions members lost that they had."""
    return sum(
        len(indexes - after.get(member_id, {}).get(topic, set()))
        for member_id, share in before.items()
        if member_id in after
        for topic, indexes in share.items()
    )


def check_complete(group: GroupSpec, shares: Shares) -> None:
    """Every subscribed partition is assigned once, to one of its subscribers."""
    given = [(t, i) for share in shares.values() for t, found in share.items() for i in found]
    assert len(given) == len(set(given))
    read = {topic for member in group.members for topic in member.topics}
    assert set(given) == {(t, i) for t, n in group.partition_counts.items() if t in read
                          for i in range(n)}  # fmt: skip
    for member in group.members:
        assert set(shares[member.member_id]) <= member.topics


@pytest.mark.parametrize("name", ["uniform", "range"])
@pytest.mark.parametrize("seed", range(30))
def test_every_partition_once(name: str, seed: int) -> None:
    dice = random.Random(seed)
    topics = {f"t{i}": dice.randrange(0, 12) for i in range(dice.randrange(1, 5))}
    before: Shares = {}
    for _ in range(4):
        names = sorted(topics)
        members = {
            f"m{i}": dice.sample(names, dice.randrange(1, len(names) + 1))
            for i in dice.sample(range(12), dice.randrange(1, 9))
        }
        group = spec(members, topics, before)
        before = ASSIGNORS[name](group)
        check_complete(group, before)


@pytest.mark.parametrize("members", [1, 2, 3, 7, 100])
def test_uniform_is_balanced_and_moves_no_more_than_it_must(members: int) -> None:
    topics = {"a": 200, "b": 100}
    names = {f"m{i:03}": ["a", "b"] for i in range(members)}
    first = ASSIGNORS["uniform"](spec(names, topics))
    assert sizes(first)[-1] - sizes(first)[0] <= 1
    assert ASSIGNORS["uniform"](spec(names, topics, first)) == first
    grown = ASSIGNORS["uniform"](spec(names | {"new": ["a", "b"]}, topics, first))
    assert sizes(grown)[-1] - sizes(grown)[0] <= 1
    assert moved(first, grown) == sum(map(len, grown["new"].values()))
    gone = dict(names)
    if members > 1:
        gone.pop("m000")
        shrunk = ASSIGNORS["uniform"](spec(gone, topics, first))
        assert moved(first, shrunk) == 0
        assert sizes(shrunk)[-1] - sizes(shrunk)[0] <= 1


def test_uniform_balances_different_subscriptions() -> None:
    members = {"m1": ["a"], "m2": ["a", "b"], "m3": ["a", "b", "c"]}
    shares = ASSIGNORS["uniform"](spec(members, {"a": 6, "b": 3, "c": 3}))
    assert sizes(shares) == [4, 4, 4]
    again = ASSIGNORS["uniform"](spec(members, {"a": 6, "b": 3, "c": 3}, shares))
    assert again == shares


def test_uniform_prefers_the_members_rack() -> None:
    racks = {"m1": "r1", "m2": "r2", "m3": "r3"}
    placed = {"a": ["r3", "r2", "r1", "r3", "r2", "r1"]}
    group = spec(dict.fromkeys(racks, ("a",)), {"a": 6}, racks=racks, partition_racks=placed)
    shares = ASSIGNORS["uniform"](group)
    assert shares["m1"] == {topic_id("a"): {2, 5}}
    assert shares["m2"] == {topic_id("a"): {1, 4}}
    assert shares["m3"] == {topic_id("a"): {0, 3}}
    uneven = spec(dict.fromkeys(racks, ("a",)), {"a": 6}, racks=racks,
                  partition_racks={"a": ["r1"] * 6})  # fmt: skip
    assert sizes(ASSIGNORS["uniform"](uneven)) == [2, 2, 2], "balance comes first"


def test_range_gives_the_same_numbers_of_topics_alike() -> None:
    shares = ASSIGNORS["range"](spec({"m1": ["a", "b"], "m2": ["a", "b"]}, {"a": 5, "b": 5}))
    assert shares["m1"] == {topic_id("a"): {0, 1, 2}, topic_id("b"): {0, 1, 2}}
    assert shares["m2"] == {topic_id("a"): {3, 4}, topic_id("b"): {3, 4}}


def test_range_keeps_the_order_of_those_that_were_there() -> None:
    before = ASSIGNORS["range"](spec({"m5": ["a"], "m6": ["a"]}, {"a": 6}))
    after = ASSIGNORS["range"](spec({"m5": ["a"], "m6": ["a"], "m1": ["a"]}, {"a": 6}, before))
    assert after == {
        "m5": {topic_id("a"): {0, 1}},
        "m6": {topic_id("a"): {2, 3}},
        "m1": {topic_id("a"): {4, 5}},
    }
