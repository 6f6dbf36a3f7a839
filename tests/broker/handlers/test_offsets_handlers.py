"""ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers, DescribeLogDirs."""

from __future__ import annotations

import pytest

from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from raftka.net.protocol.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
)
from raftka.net.protocol.messages.describe_producers import DescribeProducersRequest, TopicRequest
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from raftka.net.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.support.asking import Answer
from tests.support.data_plane import Broker, World, only

REPLICATED = PartitionImage((1, 2, 3), (1, 2, 3), 1)
START_MS = 1_800_000_000_000


def lone_broker(topic: str = "logs", **config: str) -> Broker:
    world = World()
    world.add_topic(topic, **config)
    broker = Broker(world)
    broker.publish()
    return broker


def cluster() -> tuple[Broker, Broker, Broker]:
    world = World()
    world.add_topic("logs", REPLICATED)
    brokers = [Broker(world, broker_id) for broker_id in (1, 2, 3)]
    for broker in brokers:
        broker.publish()
    return brokers[0], brokers[1], brokers[2]


class TestListOffsets:
    def ask(
        self,
        broker: Broker,
        timestamp: int,
        *,
        version: int = 11,
        replica_id: int = -1,
        epoch: int = -1,
    ) -> ListOffsetsPartitionResponse:
        wanted = ListOffsetsPartition(
            partition_index=0, timestamp=timestamp, current_leader_epoch=epoch
        )
        request = ListOffsetsRequest(
            replica_id=replica_id, topics=[ListOffsetsTopic(name="logs", partitions=[wanted])]
        )
        (topic,) = broker.ask(request, version).message.topics
        (partition,) = topic.partitions
        return partition

    def found(self, broker: Broker, timestamp: int) -> tuple[int, int, int]:
        answer = self.ask(broker, timestamp)
        assert answer.error_code == 0
        return answer.timestamp, answer.offset, answer.leader_epoch

    def test_an_empty_log(self) -> None:
        broker = lone_broker()
        assert self.found(broker, -1) == (-1, 0, 0)
        assert self.found(broker, -2) == (-1, 0, 0)
        assert self.found(broker, -3) == (-1, -1, -1)
        assert self.found(broker, START_MS) == (-1, -1, -1)

    def test_special_timestamps(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a", b"b", timestamp=START_MS)
        broker.produce("logs", b"c", timestamp=START_MS - 500)
        assert self.found(broker, -1) == (-1, 3, 0)
        assert self.found(broker, -2) == (-1, 0, 0)
        assert self.found(broker, -3) == (START_MS + 1, 1, 0)
        assert self.found(broker, -4) == (-1, 0, 0)
        assert self.found(broker, -5) == (-1, -1, -1)
        assert self.found(broker, -6) == (-1, -1, -1)

    def test_timestamps(self) -> None:
        broker = lone_broker()
        for step in range(5):
            broker.produce("logs", b"x", timestamp=START_MS + 10 * step)
        assert self.found(broker, 0) == (START_MS, 0, 0)
        assert self.found(broker, START_MS + 11) == (START_MS + 20, 2, 0)
        assert self.found(broker, START_MS + 41) == (-1, -1, -1)

    @pytest.mark.parametrize(
        ("timestamp", "version"), [(-3, 6), (-4, 7), (-5, 8), (-6, 10), (-7, 11), (-100, 11)]
    )
    def test_timestamps_that_a_version_does_not_have(self, timestamp: int, version: int) -> None:
        answer = self.ask(lone_broker(), timestamp, version=version)
        assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION

    def test_consumers_are_told_of_committed_records_only(self) -> None:
        leader, second, third = cluster()
        leader.produce("logs", b"a", timestamp=START_MS)
        assert self.found(leader, -1) == (-1, 0, 0)
        assert self.found(leader, START_MS) == (-1, -1, -1)
        assert self.ask(leader, -1, replica_id=2).offset == 1
        for follower in (second, third):
            follower.copy(leader, rounds=2)
        assert self.found(leader, -1) == (-1, 1, 0)
        assert self.found(leader, START_MS) == (START_MS, 0, 0)

    def test_a_new_leader_does_not_let_the_end_go_back(self) -> None:
        leader, second, third = cluster()
        leader.produce("logs", b"a")
        second.copy(leader)
        leader.world.change("logs", leader=2)
        second.publish()
        third.publish()
        assert self.ask(second, -1).error_code == ErrorCode.OFFSET_NOT_AVAILABLE
        assert self.ask(second, -1, version=4).error_code == ErrorCode.LEADER_NOT_AVAILABLE
        assert self.ask(second, -2).error_code == 0
        leader.publish()
        for follower in (leader, third):
            follower.copy(second, rounds=2)
        assert self.found(second, -1) == (-1, 1, 1)

    def test_only_the_leader_of_that_epoch_is_asked(self) -> None:
        leader, second, _ = cluster()
        assert self.ask(second, -1).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert self.ask(second, -1, replica_id=-2).error_code == 0, "debugging tools may"
        assert self.ask(leader, -1, epoch=1).error_code == ErrorCode.UNKNOWN_LEADER_EPOCH


def test_offset_for_leader_epoch() -> None:
    broker = lone_broker()
    broker.produce("logs", b"a", b"b")
    broker.world.change("logs", leader=1, leader_epoch=4)
    broker.publish()
    broker.produce("logs", b"c")

    def ask(epoch: int, current: int = -1, topic: str = "logs") -> tuple[int, int, int]:
        wanted = OffsetForLeaderPartition(
            partition=0, leader_epoch=epoch, current_leader_epoch=current
        )
        request = OffsetForLeaderEpochRequest(
            topics=[OffsetForLeaderTopic(topic=topic, partitions=[wanted])]
        )
        (answer,) = broker.ask(request, 4).message.topics[0].partitions
        return answer.error_code, answer.leader_epoch, answer.end_offset

    assert ask(0) == (0, 0, 2)
    assert ask(3) == (0, 0, 2)
    assert ask(4) == (0, 4, 3)
    assert ask(5) == (0, -1, -1)
    assert ask(0, current=1)[0] == ErrorCode.FENCED_LEADER_EPOCH
    assert ask(0, topic="other")[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


class TestDeleteRecords:
    def ask(
        self, broker: Broker, offset: int, topic: str = "logs"
    ) -> Answer[DeleteRecordsResponse]:
        wanted = DeleteRecordsPartition(partition_index=0, offset=offset)
        request = DeleteRecordsRequest(
            topics=[DeleteRecordsTopic(name=topic, partitions=[wanted])], timeout=1000
        )
        return broker.ask(request, 2)

    def result(self, answer: Answer[DeleteRecordsResponse]) -> DeleteRecordsPartitionResult:
        (topic,) = answer.message.topics
        (partition,) = topic.partitions
        return partition

    def test_moves_the_start(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a", b"b", b"c")
        assert self.result(self.ask(broker, 2)).low_watermark == 2
        assert only(broker.fetch("logs", 1).message).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert only(broker.fetch("logs", 2).message).log_start_offset == 2
        assert self.result(self.ask(broker, -1)).low_watermark == 3
        assert self.result(self.ask(broker, 1)).low_watermark == 3, "it never moves back"

    def test_refusals(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a")
        assert self.result(self.ask(broker, 2)).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert self.result(self.ask(broker, -2)).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        unknown = self.result(self.ask(broker, 0, "other"))
        assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        broker = lone_broker("__consumer_offsets")
        internal = self.result(self.ask(broker, 0, "__consumer_offsets"))
        assert internal.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        compacted = lone_broker(cleanup_policy="compact")
        assert self.result(self.ask(compacted, 0)).error_code == ErrorCode.POLICY_VIOLATION

    def test_waits_for_all_live_replicas(self) -> None:
        leader, second, third = cluster()
        leader.produce("logs", b"a", b"b")
        for _ in range(3):
            second.copy(leader)
            third.copy(leader)
        answer = self.ask(leader, 2)
        second.copy(leader, rounds=2)
        assert answer.is_waiting
        third.copy(leader, rounds=2)
        assert self.result(answer).low_watermark == 2
        assert third.replica("logs").log.log_start_offset == 2

    def test_a_dead_replica_is_not_waited_for(self) -> None:
        leader, second, _ = cluster()
        leader.produce("logs", b"a")
        leader.world.change("logs", isr=(1, 2))
        leader.world.add_broker(3, fenced=True)
        leader.publish()
        second.copy(leader, rounds=3)
        answer = self.ask(leader, 1)
        second.copy(leader, rounds=2)
        assert self.result(answer).low_watermark == 1

    def test_the_wait_ends_with_the_timeout(self) -> None:
        leader, second, third = cluster()
        leader.produce("logs", b"a")
        for _ in range(3):
            second.copy(leader)
            third.copy(leader)
        answer = self.ask(leader, 1)
        leader.expire(1.1)
        assert self.result(answer).error_code == ErrorCode.REQUEST_TIMED_OUT


def test_describe_producers() -> None:
    broker = lone_broker()
    for sequence in (0, 1):
        broker.produce("logs", b"a", producer_id=7, producer_epoch=2, base_sequence=sequence)
    request = DescribeProducersRequest(topics=[TopicRequest(name="logs", partition_indexes=[0, 1])])
    known, unknown = broker.ask(request, 0).message.topics[0].partitions
    (producer,) = known.active_producers
    assert (producer.producer_id, producer.producer_epoch, producer.last_sequence) == (7, 2, 1)
    assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_replicas_of_compacted_topics_say_what_their_cleaner_knows() -> None:
    broker = lone_broker(**{"cleanup.policy": "compact"})
    data = encode_batch([Record(0, START_MS, b"k", b"v")])
    broker.produce_batch("logs", data)
    broker.cleaner.survey({}, START_MS)
    (result,) = broker.ask(DescribeLogDirsRequest(topics=None), 4).message.results
    (cleaner,) = result.topics[0].partitions[0].cleaner
    assert (cleaner.cleaned_to, cleaner.last_run, cleaner.blocked_by) == (-1, -1, "")
    broker.cleaner.states[TopicPartition("logs", 0)].uncleanable = "it smells of smoke"
    (result,) = broker.ask(DescribeLogDirsRequest(topics=None), 4).message.results
    assert result.topics[0].partitions[0].cleaner[0].uncleanable == "it smells of smoke"


def test_describe_log_dirs() -> None:
    broker = lone_broker()
    broker.produce("logs", b"a" * 100)
    (result,) = broker.ask(DescribeLogDirsRequest(topics=None), 4).message.results
    assert (result.error_code, result.log_dir) == (0, "/data")
    assert result.total_bytes > 0
    (topic,) = result.topics
    (partition,) = topic.partitions
    assert partition.partition_size == broker.replica("logs").log.size > 100
    other = DescribableLogDirTopic(topic="logs", partitions=[3])
    (result,) = broker.ask(DescribeLogDirsRequest(topics=[other]), 4).message.results
    assert result.topics == []
    broker.logs.fail("/data", "it smells of smoke")
    (result,) = broker.ask(DescribeLogDirsRequest(topics=None), 4).message.results
    assert result.error_code == ErrorCode.KAFKA_STORAGE_ERROR
