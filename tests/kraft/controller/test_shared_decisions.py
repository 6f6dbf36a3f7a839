"""A broker's change over many partitions: those in the same state share one decision."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from raftka.kraft.controller import election
from raftka.kraft.controller.leaders import changes_after_broker
from raftka.kraft.controller.result import Rules
from raftka.kraft.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import NO_LEADER, PartitionChangeRecord
from raftka.model.reasons import Why

TOPIC_ID = b"t" * 16
CAUSE = Why("broker-restarted-uncleanly", broker=1)


def image_of(partitions: Sequence[PartitionImage], fenced: int) -> MetadataImage:
    brokers = {
        id_: BrokerImage(id_, bytes(16), 7, (), fenced=id_ == fenced, log_dirs=(b"d" * 16,))
        for id_ in range(1, 6)
    }
    return MetadataImage(brokers=brokers, topics={"t": TopicImage("t", TOPIC_ID, partitions)})


def some_partition(chance: random.Random) -> PartitionImage:
    replicas = tuple(chance.sample(range(1, 6), chance.randint(1, 4)))
    isr = tuple(each for each in replicas if chance.random() < 0.6)
    rest = [each for each in replicas if each not in isr]
    return PartitionImage(
        replicas,
        isr,
        chance.choice((*isr, NO_LEADER)),
        chance.randrange(9),
        chance.randrange(9),
        elr=tuple(rest[:1]) if chance.random() < 0.5 else (),
        last_known_elr=tuple(rest[1:2]),
        adding_replicas=replicas[-1:] if chance.random() < 0.3 else (),
        directories=tuple(chance.choice((b"d" * 16, b"e" * 16)) for _ in replicas),
    )


@pytest.mark.parametrize(
    "change", [{"leaving": 1}, {"returning": 1}, {"leaving": 1, "unclean": 1}], ids=str
)
def test_each_gets_what_it_would_get_alone(change: dict[str, int]) -> None:
    chance = random.Random(5)
    rules = Rules(min_insync_replicas=2, unclean_leader_election=bool(change.get("returning")))
    for fenced in (2, 3):
        partitions = [some_partition(chance) for _ in range(2000)]

        def wiped(partition: PartitionImage) -> bool:
            return partition.directory_of(1) == b"e" * 16

        found = changes_after_broker(
            image_of(partitions, fenced), rules, CAUSE, wiped=wiped, **change
        )
        alone: list[PartitionChangeRecord] = []
        for index, partition in enumerate(partitions):
            image = image_of([partition], fenced)
            alone += (
                each.of(TOPIC_ID, index)
                for each in changes_after_broker(image, rules, CAUSE, wiped=wiped, **change)
            )
        assert list(found) == alone
        assert len(alone) > 100


def test_ten_thousand_of_one_kind_are_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[int] = []
    record = election.PartitionPlan.record

    def counted(plan: election.PartitionPlan) -> PartitionChangeRecord | None:
        decided.append(plan.index)
        return record(plan)

    monkeypatch.setattr(election.PartitionPlan, "record", counted)
    partitions = [PartitionImage((1, 2), (1, 2), 1 + index % 2, index) for index in range(10_000)]
    found = list(changes_after_broker(image_of(partitions, 5), Rules(), CAUSE, leaving=1))
    assert [each.partition_id for each in found] == list(range(10_000))
    assert decided == [0, 1]
