"""A replica enters the ISR when it has the start of the leader's epoch on its disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.net.protocol import codec
from raftka.net.protocol.messages.alter_partition import (
    AlterPartitionRequest,
    BrokerState,
    RequestPartitionData,
    RequestTopicData,
)
from raftka.simulations.checkers.in_sync import EpochStarts
from raftka.simulations.observers.kafka_wire import Conversation
from tests.support.scene import LED, TOPIC_ID, Scene, batch
from tests.support.wire import joined

KEY = ("t", 0)
BROKEN = ["proposed-before-epoch-start"]


class Joining:
    """Broker 1 leads in epoch 3 and asks for broker 2."""

    def __init__(self, excused: frozenset[int] = frozenset()) -> None:
        self.scene = Scene()
        self.scene.set_partition(replace(LED, isr=(1,)))
        self.checker = EpochStarts(
            self.scene.watched,
            self.scene.metadata,
            self.scene.logs,
            self.scene.told,
            self.scene.checker.looks,
            is_excused=lambda key, broker_id: broker_id in excused,
        )

    def ask(self, leader: str = "n1", *, leader_epoch: int = 3) -> list[str]:
        data = RequestPartitionData(
            partition_index=0,
            leader_epoch=leader_epoch,
            new_isr=[],
            new_isr_with_epochs=[BrokerState(broker_id=each, broker_epoch=1) for each in (1, 2)],
            leader_recovery_state=0,
            partition_epoch=1,
        )
        request = AlterPartitionRequest(
            broker_id=int(leader[1:]),
            broker_epoch=1,
            topics=[RequestTopicData(topic_id=TOPIC_ID, partitions=[data])],
        )
        pieces = codec.encode_request(request, 3, 1, leader)
        Conversation(leader, "n3", self.scene.watched).asks(joined(pieces))
        return self.scene.told.names


OLD = (batch(0, epoch=2), batch(1, epoch=2))
NEW = (batch(2), batch(3))


@pytest.mark.parametrize(
    ("has", "names"), [(0, BROKEN), (1, BROKEN), (2, []), (3, [])], ids=lambda value: str(value)
)
def test_what_joins_has_all_from_before_the_leaders_first_batch(has: int, names: list[str]) -> None:
    found = Joining()
    found.scene.append("n1", *OLD, *NEW)
    found.scene.append("n2", *(OLD + NEW)[:has])
    assert found.ask() == names
    assert found.scene.checker.looks["proposed-before-epoch-start"] == 1


@pytest.mark.parametrize(("has", "names"), [(1, BROKEN), (2, [])])
def test_an_epoch_without_a_batch_begins_at_the_end_of_the_leaders_log(
    has: int, names: list[str]
) -> None:
    found = Joining()
    found.scene.append("n1", *OLD)
    found.scene.append("n2", *OLD[:has])
    assert found.ask() == names


@pytest.mark.parametrize("excused", [1, 2])
def test_what_a_disk_lost_is_excused(excused: int) -> None:
    found = Joining(frozenset({excused}))
    found.scene.append("n1", *OLD)
    assert found.ask() == []


def test_a_former_leader_and_members_are_not_looked_at() -> None:
    found = Joining()
    found.scene.append("n1", *OLD)
    assert found.ask(leader_epoch=2) == []
    assert found.ask("n2") == []
    found.scene.set_partition(LED)
    assert found.ask() == []
    assert "proposed-before-epoch-start" not in found.scene.checker.looks


def test_a_topic_of_the_same_name_begins_again() -> None:
    found = Joining()
    found.scene.append("n1", *OLD, *NEW)
    found.scene.append("n2", *OLD)
    found.checker.forget("t")
    assert found.ask() == BROKEN
