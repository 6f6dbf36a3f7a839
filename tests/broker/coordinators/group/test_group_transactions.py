"""Offsets in transactions: who may commit them, when they count, and which requests wait."""

from __future__ import annotations

from typing import Any

import pytest

from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.outbox import Producer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.support.groups import GROUP, ShardWorld, find_partition, subscription

OK = ErrorCode.NONE
P, Q = Producer(7, 3), Producer(8, 0)
DAY_MS = 24 * 60 * 60 * 1000


class World(ShardWorld):
    """Producers that commit offsets in transactions, in addition to a group's clients."""

    def pend(self, producer: Producer, offset: int, partition: int = 0, **fields: Any) -> ErrorCode:
        wanted = TxnOffsetCommitRequestPartition(
            partition_index=partition, committed_offset=offset, committed_metadata="t"
        )
        request = TxnOffsetCommitRequest(
            transactional_id="id",
            group_id=GROUP,
            producer_id=producer.id,
            producer_epoch=producer.epoch,
            topics=[TxnOffsetCommitRequestTopic(name="access", partitions=[wanted])],
            **fields,
        )
        try:
            records, topics = self.shard.decide_transactional(request, find_partition, self.now)
        except KafkaError as error:
            return error.code
        self.settle()
        for shard in (self.shard, self.mirror):
            for key, value in records:
                shard.replay(key, value, producer)
        return ErrorCode(topics[0].partitions[0].error_code)

    def end(self, producer: Producer, *, commit: bool) -> None:
        self.settle()
        for shard in (self.shard, self.mirror):
            shard.replay_end_transaction_marker(producer.id, producer.epoch + 1, commit)
        assert self.shard.contents() == self.mirror.contents()

    def fetch(self, *, stable: bool = False, partition: int = 0) -> tuple[int, int]:
        topics = [("access", [partition])]
        (found,) = self.shard.fetch_offsets(GROUP, topics, find_partition, stable=stable)
        return found.partitions[0].committed_offset, found.partitions[0].error_code


@pytest.mark.parametrize(("commit", "offset"), [(True, 5), (False, 1)])
def test_an_offset_counts_when_its_transaction_commits(commit: bool, offset: int) -> None:
    world = World()
    world.commit(1)
    assert world.pend(P, 5) is OK
    assert world.fetch() == (1, OK)
    assert world.fetch(stable=True) == (-1, ErrorCode.UNSTABLE_OFFSET_COMMIT)
    assert world.fetch(stable=True, partition=1) == (-1, OK)
    world.end(P, commit=commit)
    assert world.fetch(stable=True) == (offset, OK)


def test_a_transaction_founds_a_group_that_only_has_offsets() -> None:
    world = World()
    world.pend(P, 5)
    assert world.shard.list_groups((), ()) != []
    world.end(P, commit=True)
    assert world.fetch() == (5, OK)


def test_the_last_commit_of_the_log_counts_in_whatever_order_transactions_end() -> None:
    world = World()
    world.pend(P, 5)
    world.pend(Q, 6)
    world.end(Q, commit=True)
    world.end(P, commit=True)
    assert world.fetch() == (6, OK)
    world.pend(P, 7)
    world.pend(Q, 8)
    world.end(P, commit=True)
    assert world.fetch() == (7, OK)
    world.end(Q, commit=True)
    assert world.fetch() == (8, OK)


def test_a_later_commit_outside_of_transactions_is_not_undone() -> None:
    world = World()
    world.pend(P, 5)
    world.commit(9)
    world.end(P, commit=True)
    assert world.fetch(stable=True) == (9, OK)


def test_the_second_offset_of_a_transaction_replaces_its_first() -> None:
    world = World()
    world.pend(P, 5)
    world.commit(9)
    world.pend(P, 6)
    world.end(P, commit=True)
    assert world.fetch() == (6, OK)


def test_an_end_without_offsets_changes_nothing() -> None:
    world = World()
    world.commit(1)
    world.end(P, commit=True)
    assert world.fetch() == (1, OK)


def test_members_commit_in_their_generation() -> None:
    world = World()
    (member,), generation = world.stable_group()
    assert world.pend(P, 5, member_id=member, generation_id=generation) is OK
    late = world.pend(P, 6, member_id=member, generation_id=generation - 1)
    assert late is ErrorCode.ILLEGAL_GENERATION
    unknown = world.pend(P, 6, member_id="x", generation_id=generation)
    assert unknown is ErrorCode.UNKNOWN_MEMBER_ID
    instance = world.pend(P, 6, member_id=member, group_instance_id="i", generation_id=generation)
    assert instance is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.pend(P, 6) is OK, "old versions cannot name a member"
    world.end(P, commit=True)
    assert world.fetch() == (6, OK)


def test_what_no_commit_may_have_is_refused() -> None:
    world = World()
    assert world.pend(P, 1, generation_id=4, member_id="m") is ErrorCode.ILLEGAL_GENERATION
    assert world.pend(P, 1, partition=17) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    empty = TxnOffsetCommitRequest(group_id="")
    with pytest.raises(KafkaError) as refused:
        world.shard.decide_transactional(empty, find_partition, world.now)
    assert refused.value.code is ErrorCode.INVALID_GROUP_ID


def test_deleting_takes_what_is_pending_along() -> None:
    world = World()
    world.pend(P, 5)
    world.pend(P, 6, partition=1)
    world.delete_offset()
    world.end(P, commit=True)
    assert world.fetch() == (-1, OK)
    assert world.fetch(partition=1) == (6, OK)
    world.pend(P, 7)
    world.shard.delete_group(GROUP)
    world.end(P, commit=True)
    assert world.shard.list_groups((), ()) == []
    world.pend(Q, 8)
    world.shard.topic_deleted("access")
    world.end(Q, commit=True)
    assert world.fetch() == (-1, OK)


def test_an_open_transaction_keeps_offsets_and_group_from_expiring() -> None:
    world = World(offsets_retention_ms=DAY_MS)
    world.commit(1)
    world.pend(P, 5)
    world.advance(3 * DAY_MS)
    assert world.fetch() == (1, OK)
    world.end(P, commit=False)
    world.advance(DAY_MS)
    assert world.shard.list_groups((), ()) == []


def test_a_successor_knows_what_is_pending() -> None:
    world = World()
    world.pend(P, 5)
    world.shard = world.mirror
    world.mirror = world._new_shard()
    assert world.fetch(stable=True) == (-1, ErrorCode.UNSTABLE_OFFSET_COMMIT)
    assert world.shard.sizes()["pending_offsets"] == 1


@pytest.mark.parametrize(
    ("rule", "seen", "stable"),
    [
        (Rule.OFFSETS_WAIT_FOR_COMMIT, (5, OK), (5, OK)),
        (Rule.PENDING_OFFSETS_ARE_UNSTABLE, (-1, OK), (-1, OK)),
    ],
)
def test_without_a_rule(rule: Rule, seen: tuple[int, int], stable: tuple[int, int]) -> None:
    world = World()
    world.shard = GroupShard(world.config, lambda: "id", frozenset({rule}))
    world.pend(P, 5)
    assert world.fetch() == seen
    assert world.fetch(stable=True) == stable


def test_a_consumer_that_reads_the_topic_keeps_it() -> None:
    world = World()
    world.stable_group(protocols=(("range", subscription("access")),))
    world.pend(P, 5)
    assert world.delete_offset() is ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    world.end(P, commit=True)
    assert world.fetch() == (5, OK)
