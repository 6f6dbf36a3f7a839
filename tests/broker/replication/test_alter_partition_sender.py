"""ISR changes sent to the controller: batched, repeated while unanswered, then settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from raftka.broker.replication import alter_partition
from raftka.broker.replication.alter_partition import AlterPartitionSender
from raftka.broker.replication.producer_ids import ProducerIds
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.allocate_producer_ids import AllocateProducerIdsResponse
from raftka.net.protocol.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionResponse,
    ResponsePartitionData,
    ResponseTopicData,
)
from raftka.net.protocol.messages.fetch import ReplicaState
from raftka.simulations.machines.clock import SimClock
from tests.support.data_plane import Broker, World, fetch_request

VIEW = PartitionImage((1, 2, 3), (1,), 1)


class Controller:
    """A controller that answers as the test wants."""

    def __init__(self, *answers: Callable[[Any], Any]) -> None:
        self.asked: list[Any] = []
        self._answers = list(answers)

    async def to_controller(self, request: Any, *, lane: str = "") -> Any:
        await trio.lowlevel.checkpoint()
        self.asked.append(request)
        return self._answers.pop(0)(request)


def accept(request: AlterPartitionRequest) -> AlterPartitionResponse:
    return answer(request, ErrorCode.NONE)


def answer(request: AlterPartitionRequest, code: ErrorCode) -> AlterPartitionResponse:
    return AlterPartitionResponse(
        topics=[
            ResponseTopicData(
                topic_id=topic.topic_id,
                partitions=[
                    ResponsePartitionData(
                        partition_index=part.partition_index,
                        error_code=int(code),
                        leader_id=1,
                        leader_epoch=part.leader_epoch,
                        isr=[each.broker_id for each in part.new_isr_with_epochs],
                        partition_epoch=part.partition_epoch + 1,
                    )
                    for part in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def refuse(code: ErrorCode) -> Callable[[AlterPartitionRequest], AlterPartitionResponse]:
    return lambda request: answer(request, code)


def unreachable(request: AlterPartitionRequest) -> AlterPartitionResponse:
    raise BrokenConnection("no controller")


def stale(request: AlterPartitionRequest) -> AlterPartitionResponse:
    return AlterPartitionResponse(error_code=int(ErrorCode.STALE_BROKER_EPOCH))


def make_leader(partitions: int = 1) -> Broker:
    world = World()
    world.add_topic("logs", *[VIEW] * partitions)
    leader = Broker(world)
    for broker_id in (2, 3):
        world.add_broker(broker_id)
    leader.publish()
    return leader


async def exchange(leader: Broker, controller: Controller) -> None:
    """Let follower 2 catch up in all partitions, and let the sender react."""
    sender = AlterPartitionSender(1, controller, SimClock(), lambda: 101)
    leader.replicas.isr.proposals = sender
    state = ReplicaState(replica_id=2, replica_epoch=102)
    for replica in leader.replicas:
        leader.ask(fetch_request("logs", 0, index=replica.index, replica_state=state), 17)
    with trio.move_on_after(5):
        await sender.run()


def run(leader: Broker, controller: Controller) -> None:
    trio.run(exchange, leader, controller, clock=trio.testing.MockClock(autojump_threshold=0))


def test_changes_of_many_partitions_are_one_request() -> None:
    leader, controller = make_leader(3), Controller(accept)
    run(leader, controller)
    (request,) = controller.asked
    assert (request.broker_id, request.broker_epoch) == (1, 101)
    (topic,) = request.topics
    assert [part.partition_index for part in topic.partitions] == [0, 1, 2]
    members = [
        (each.broker_id, each.broker_epoch) for each in topic.partitions[0].new_isr_with_epochs
    ]
    assert members == [(1, 101), (2, 102)]
    for replica in leader.replicas:
        assert replica.state.view.isr == (1, 2)
        assert replica.state.view.partition_epoch == 1
        assert replica.state.pending is None


def test_very_many_partitions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alter_partition, "_MOST_AT_ONCE", 2)
    leader, controller = make_leader(5), Controller(unreachable, accept, accept, accept)
    run(leader, controller)
    asked = [[each.partition_index for each in r.topics[0].partitions] for r in controller.asked]
    assert list(map(len, asked)) == [2, 2, 2, 1]
    assert sorted(index for each in asked[1:] for index in each) == [0, 1, 2, 3, 4]
    assert all(replica.state.view.isr == (1, 2) for replica in leader.replicas)


def test_a_change_is_repeated_until_it_is_answered() -> None:
    leader = make_leader()
    controller = Controller(unreachable, stale, refuse(ErrorCode.UNKNOWN_SERVER_ERROR), accept)
    run(leader, controller)
    assert len(controller.asked) == 4
    assert leader.replica("logs").state.view.isr == (1, 2)


def test_a_refusal_for_good_ends_it() -> None:
    leader, controller = make_leader(), Controller(refuse(ErrorCode.INELIGIBLE_REPLICA))
    run(leader, controller)
    state = leader.replica("logs").state
    assert (state.pending, state.maximal_isr) == (None, (1,))


def test_a_refusal_of_a_stale_view_waits_for_the_metadata() -> None:
    leader, controller = make_leader(), Controller(refuse(ErrorCode.INVALID_UPDATE_VERSION))
    run(leader, controller)
    state = leader.replica("logs").state
    assert state.pending is not None
    assert state.maximal_isr == (1, 2)
    leader.replicas.isr.proposals = leader
    leader.world.change("logs", isr=(1, 3))
    leader.publish()
    ((_, proposal),) = leader.proposals
    assert state.pending is proposal, "it is proposed anew, for the view that holds now"
    assert (proposal.members, proposal.partition_epoch) == ((1, 3, 2), 1)


async def test_producer_ids_come_in_blocks() -> None:
    def block(start: int) -> Callable[[Any], Any]:
        return lambda _: AllocateProducerIdsResponse(producer_id_start=start, producer_id_len=3)

    controller = Controller(block(0), block(3000))
    ids = ProducerIds(1, controller, lambda: 101)
    assert [await ids.allocate() for _ in range(5)] == [0, 1, 2, 3000, 3001]
    assert len(controller.asked) == 2


async def test_producer_ids_that_cannot_be_had_are_asked_for_again() -> None:
    def refusing(_: Any) -> Any:
        return AllocateProducerIdsResponse(error_code=int(ErrorCode.STALE_BROKER_EPOCH))

    ids = ProducerIds(1, Controller(refusing, unreachable), lambda: 101)
    for _ in range(2):
        try:
            await ids.allocate()
        except KafkaError as error:
            assert error.code is ErrorCode.COORDINATOR_NOT_AVAILABLE
        else:
            raise AssertionError("there was no id to have")
