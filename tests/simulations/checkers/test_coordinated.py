"""The checker of consumer groups against forbidden heartbeats and commits."""

from __future__ import annotations

from collections.abc import Sequence

import trio
import trio.testing

from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from raftka.simulations.checkers.coordinated import CoordinatedGroups
from raftka.simulations.observers.kafka_wire import Conversation, Watched
from tests.support.scene import Told, converse
from tests.support.wire import joined

TOPIC = bytes(15) + b"t"


def topics(partitions: Sequence[int]) -> list[TopicPartitions]:
    return [TopicPartitions(topic_id=TOPIC, partitions=list(partitions))] if partitions else []


class Group:
    """Members' heartbeats and commits, and the answers."""

    def __init__(self) -> None:
        self.told = Told()
        self.watched = Watched()
        self.checker = CoordinatedGroups(
            self.watched,
            self.told,
            is_excused=lambda group: False,
            topic_id=lambda name: TOPIC,
        )

    def beat(
        self,
        member: str,
        epoch: int,
        given: Sequence[int] | None = None,
        *,
        says: Sequence[int] | None = None,
        next_epoch: int | None = None,
        error: int = 0,
        rebalance_ms: int = -1,
    ) -> None:
        request = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id=member,
            member_epoch=epoch,
            rebalance_timeout=rebalance_ms,
            topic_partitions=None if says is None else topics(says),
        )
        answer = ConsumerGroupHeartbeatResponse(
            error_code=error,
            member_id=member,
            member_epoch=epoch if next_epoch is None else next_epoch,
            assignment=None if given is None else Assignment(topic_partitions=topics(given)),
        )
        converse(self.watched, request, answer, version=1)

    def commit(self, member: str, epoch: int, partition: int, error: int = 0) -> None:
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=1)
        request = OffsetCommitRequest(
            group_id="g",
            generation_id_or_member_epoch=epoch,
            member_id=member,
            topics=[OffsetCommitRequestTopic(name="t", partitions=[wanted])],
        )
        part = OffsetCommitResponsePartition(partition_index=partition, error_code=error)
        answer = OffsetCommitResponse(
            topics=[OffsetCommitResponseTopic(name="t", partitions=[part])]
        )
        converse(self.watched, request, answer, version=9)


async def test_what_is_given_back_may_be_handed_out(autojump_clock: trio.testing.MockClock) -> None:
    group = Group()
    group.beat("a", 0, [0, 1], next_epoch=1)
    group.beat("b", 0, [], next_epoch=2)
    group.beat("a", 1, [0])
    group.beat("a", 1, says=[0], next_epoch=2)
    group.beat("b", 2, [1])
    group.commit("b", 2, 1)
    group.commit("a", 2, 0)
    assert group.told.names == []
    assert group.checker.looks.checks == 6


async def test_what_its_owner_still_has_may_not(autojump_clock: trio.testing.MockClock) -> None:
    group = Group()
    group.beat("a", 0, [0, 1], next_epoch=1)
    group.beat("a", 1, [0])
    group.beat("b", 0, [1], next_epoch=2)
    assert group.told.names == ["handed-out-early"]


async def test_what_its_owner_keeps_too_long_may(autojump_clock: trio.testing.MockClock) -> None:
    group = Group()
    group.beat("a", 0, [0, 1], next_epoch=1, rebalance_ms=4000)
    for _ in range(4):
        await trio.sleep(1)
        group.beat("a", 1, [0], says=[0, 1])
    await trio.sleep(0.1)
    group.beat("b", 0, [0, 1], next_epoch=2)
    assert group.told.names == [], "who is fenced loses all"


async def test_who_must_give_back_has_the_time_for_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    group = Group()
    group.beat("a", 0, [0, 1], next_epoch=1, rebalance_ms=4000)
    for _ in range(4):
        await trio.sleep(1)
        group.beat("a", 1)  # Without an assignment nothing has changed.
    group.beat("a", 1, [0])
    group.beat("b", 0, [1], next_epoch=2)
    assert group.told.names == ["handed-out-early"]


async def test_a_silent_or_fenced_owner_has_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    group = Group()
    group.beat("a", 0, [0, 1], next_epoch=1)
    await trio.sleep(3)
    group.beat("b", 0, [0], next_epoch=2)
    group.beat("c", 0, [2], next_epoch=2)
    group.beat("c", 2, error=110)
    group.beat("b", 2, [0, 2], next_epoch=3)
    assert group.told.names == []


async def test_a_session_begins_with_the_heartbeat_and_not_with_its_late_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A coordinator that was paused answers, and expires the session at the same time."""
    group = Group()
    group.beat("a", 0, [0], next_epoch=1)
    talk = Conversation("c", "n1", group.watched)
    request = ConsumerGroupHeartbeatRequest(group_id="g", member_id="a", member_epoch=1)
    talk.asks(joined(codec.encode_request(request, 1, 7, "client")))
    await trio.sleep(4)
    answer = ConsumerGroupHeartbeatResponse(member_id="a", member_epoch=1)
    talk.answers(joined(codec.encode_response(answer, 1, 7)))
    group.beat("b", 0, [0], next_epoch=2)
    assert group.told.names == []


async def test_a_former_owner_commits_nothing(autojump_clock: trio.testing.MockClock) -> None:
    group = Group()
    group.beat("a", 0, [0], next_epoch=1)
    group.beat("a", 1, says=[], next_epoch=2)
    group.beat("b", 0, [0], next_epoch=2)
    group.commit("a", 1, 0, error=113)
    assert group.told.names == []
    group.commit("a", 1, 0)
    assert group.told.names == ["commit-of-a-former-owner"]
