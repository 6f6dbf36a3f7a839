"""Where replicas are placed: evenly over brokers, spread over racks, dead brokers last."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.kraft.controller.placement import place
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import ControllerOnPaper


def cluster(racks: dict[int, str | None], fenced: set[int] | None = None) -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1))
    for broker_id, rack in racks.items():
        made.start(broker_id, rack=rack)
    made.fence(*sorted(fenced or ()))
    return made


def placed(
    made: ControllerOnPaper, partitions: int, factor: int, seed: int = 1, first: int = 0
) -> list[tuple[int, ...]]:
    return place(
        made.image,
        random.Random(seed),
        partitions=partitions,
        replication_factor=factor,
        first_partition=first,
    )


@given(
    brokers=st.integers(1, 9),
    racks=st.integers(0, 4),
    factor=st.integers(1, 5),
    partitions=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_replicas_differ_racks_differ_and_leaders_are_even(
    brokers: int, racks: int, factor: int, partitions: int, seed: int
) -> None:
    where = {each: f"r{each % racks}" if racks else None for each in range(1, brokers + 1)}
    made = cluster(where)
    if factor > brokers:
        with pytest.raises(KafkaError) as e:
            placed(made, partitions, factor)
        assert e.value.code is ErrorCode.INVALID_REPLICATION_FACTOR
        return
    result = placed(made, partitions, factor, seed)
    assert len(result) == partitions
    for replicas in result:
        assert len(set(replicas)) == factor
        used = {where[each] for each in replicas}
        assert len(used) == min(factor, len(set(where.values())))
    leaders = Counter(replicas[0] for replicas in result)
    assert max(leaders.values()) - min(leaders[each] for each in where) <= 1


def test_every_broker_gets_its_share() -> None:
    made = cluster(dict.fromkeys(range(1, 7)))
    share = Counter(each for replicas in placed(made, 60, 3) for each in replicas)
    assert set(share.values()) == {30}


def test_not_always_the_same_brokers_share_partitions() -> None:
    made = cluster(dict.fromkeys(range(1, 6)))
    pairs = {(replicas[0], replicas[1]) for replicas in placed(made, 40, 2)}
    assert len(pairs) == 20, "each broker is followed by each other one"


def test_many_small_topics_are_spread_too() -> None:
    made = cluster(dict.fromkeys(range(1, 4)))
    leaders = Counter(placed(made, 1, 1, seed)[0][0] for seed in range(300))
    assert min(leaders.values()) > 60


def test_dead_brokers_are_used_only_when_there_are_too_few_others() -> None:
    made = cluster(dict.fromkeys(range(1, 5)), fenced={2, 4})
    assert {each for replicas in placed(made, 8, 2) for each in replicas} == {1, 3}
    for replicas in placed(made, 8, 3):
        assert set(replicas[:2]) == {1, 3} and replicas[2] in (2, 4)


def test_somebody_must_be_alive() -> None:
    made = cluster({1: None}, fenced={1})
    with pytest.raises(KafkaError, match="No broker is alive") as e:
        placed(made, 1, 1)
    assert e.value.code is ErrorCode.INVALID_REPLICATION_FACTOR


def test_the_same_dice_place_the_same_way() -> None:
    made = cluster(dict.fromkeys(range(1, 6)))
    assert placed(made, 20, 3, seed=4) == placed(made, 20, 3, seed=4)
