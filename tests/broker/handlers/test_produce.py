"""Produce, as a producer sees it: offsets, errors, and the waiting of acks=all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode
from raftka.model.records import iter_batches
from raftka.net.router import CloseConnection
from tests.support.data_plane import Broker, World, make_batch, only, produced, values

REPLICATED = PartitionImage((1, 2, 3), (1, 2, 3), 1)


def lone_broker(**config: str) -> Broker:
    world = World()
    world.add_topic("logs", **config)
    broker = Broker(world)
    broker.publish()
    return broker


def cluster(view: PartitionImage = REPLICATED, **config: str) -> tuple[Broker, Broker, Broker]:
    world = World()
    world.add_topic("logs", view, **config)
    brokers = [Broker(world, broker_id) for broker_id in (1, 2, 3)]
    for broker in brokers:
        broker.publish()
    return brokers[0], brokers[1], brokers[2]


@pytest.mark.parametrize("version", range(3, 14))
def test_every_version_appends_and_tells_the_offset(version: int) -> None:
    broker = lone_broker()
    for expected in (0, 2, 4):
        answer = produced(broker.produce("logs", b"a", b"b", version=version).message)
        assert (answer.error_code, answer.base_offset) == (0, expected)
    assert values(only(broker.fetch("logs", 0).message)) == [b"a", b"b"] * 3


def test_the_batch_is_stored_with_its_offset_and_the_leader_epoch() -> None:
    broker = lone_broker()
    broker.world.change("logs", leader=1)
    broker.publish()
    broker.produce("logs", b"a")
    broker.produce("logs", b"b", b"c")
    records = only(broker.fetch("logs", 0).message).records
    assert not isinstance(records, list)
    assert records is not None
    headers = [header for header, _ in iter_batches(records)]
    assert [(each.base_offset, each.leader_epoch) for each in headers] == [(0, 1), (1, 1)]


def test_acks_0_is_not_answered() -> None:
    broker = lone_broker()
    assert broker.produce("logs", b"a", acks=0).is_nothing
    assert broker.replica("logs").log.log_end_offset == 1


def test_a_failure_with_acks_0_closes_the_connection() -> None:
    broker = lone_broker()
    with pytest.raises(CloseConnection):
        broker.produce("nothing", b"a", acks=0)


def test_log_append_time_is_told() -> None:
    broker = lone_broker(message_timestamp_type="LogAppendTime")
    answer = produced(broker.produce("logs", b"a").message)
    assert answer.log_append_time == broker.clock.now_ms


@pytest.mark.parametrize("acks", [2, -2, 7])
def test_other_acks_are_refused(acks: int) -> None:
    broker = lone_broker()
    answer = produced(broker.produce("logs", b"a", acks=acks).message)
    assert answer.error_code == ErrorCode.INVALID_REQUIRED_ACKS
    assert broker.replica("logs").log.log_end_offset == 0


def test_unknown_partitions() -> None:
    broker = lone_broker()
    answer = produced(broker.produce("nothing", b"a").message)
    assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert answer.base_offset == -1
    answer = produced(broker.produce_batch("logs", make_batch(b"a"), index=5).message)
    assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    answer = produced(broker.produce("nothing", b"a", version=13).message)
    assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_ID


def test_the_wrong_broker_names_the_right_one() -> None:
    _, second, _ = cluster()
    response = second.produce("logs", b"a", version=10).message
    answer = produced(response)
    assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert (answer.current_leader.leader_id, answer.current_leader.leader_epoch) == (1, 0)
    (endpoint,) = response.node_endpoints
    assert (endpoint.node_id, endpoint.host, endpoint.port) == (1, "host1", 9091)


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (None, ErrorCode.INVALID_RECORD),
        (b"", ErrorCode.INVALID_RECORD),
        (make_batch(b"a")[:-1] + b"!", ErrorCode.CORRUPT_MESSAGE),
        (make_batch(b"a") * 2, ErrorCode.INVALID_RECORD),
        (make_batch(b"a" * 2_000_000), ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_records_that_cannot_be_taken(records: bytes | None, code: ErrorCode) -> None:
    broker = lone_broker()
    answer = produced(broker.produce_batch("logs", records).message)
    assert answer.error_code == code
    assert answer.error_message
    assert broker.replica("logs").log.log_end_offset == 0


def test_a_repeated_batch_is_stored_once() -> None:
    broker = lone_broker()
    batch = make_batch(b"a", producer_id=7, producer_epoch=0, base_sequence=0)
    for _ in range(3):
        answer = produced(broker.produce_batch("logs", batch).message)
        assert (answer.error_code, answer.base_offset) == (0, 0)
    late = make_batch(b"a", producer_id=7, producer_epoch=0, base_sequence=5)
    answer = produced(broker.produce_batch("logs", late).message)
    assert answer.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_acks_all_waits_until_every_in_sync_replica_has_the_records() -> None:
    leader, second, third = cluster()
    answer = leader.produce("logs", b"a", acks=-1)
    assert answer.is_waiting
    second.copy(leader, rounds=2)
    assert answer.is_waiting
    third.copy(leader)
    assert answer.is_waiting, "the records are on their way, not yet acknowledged"
    third.copy(leader)
    assert produced(answer.message).error_code == 0
    assert leader.replica("logs").state.high_watermark == 1


def test_acks_all_gives_up_after_the_timeout() -> None:
    leader, second, _ = cluster()
    answer = leader.produce("logs", b"a", acks=-1)
    second.copy(leader, rounds=2)
    assert leader.clock.now_s == 1000.6, "the second fetch was held back"
    leader.expire(0.8)
    assert answer.is_waiting
    leader.expire(0.2)
    outcome = produced(answer.message)
    assert outcome.error_code == ErrorCode.REQUEST_TIMED_OUT
    assert outcome.base_offset == 0


def test_acks_all_needs_min_insync_replicas() -> None:
    leader, *_ = cluster(replace(REPLICATED, isr=(1,)), min_insync_replicas="2")
    answer = produced(leader.produce("logs", b"a", acks=-1).message)
    assert answer.error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert leader.replica("logs").log.log_end_offset == 0
    assert produced(leader.produce("logs", b"a", acks=1).message).error_code == 0


def test_acks_all_says_when_the_isr_shrank_meanwhile() -> None:
    leader, *_ = cluster(min_insync_replicas="2")
    answer = leader.produce("logs", b"a", acks=-1)
    leader.world.change("logs", isr=(1,))
    leader.publish()
    assert answer.is_waiting, "below min.insync.replicas nothing is committed"
    leader.expire(2.0)
    assert produced(answer.message).error_code == ErrorCode.REQUEST_TIMED_OUT


def test_acks_all_is_told_when_the_leader_loses_its_role() -> None:
    leader, *_ = cluster()
    answer = leader.produce("logs", b"a", acks=-1, version=10)
    leader.world.change("logs", leader=2, isr=(2, 3))
    leader.publish()
    outcome = produced(answer.message)
    assert outcome.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert outcome.current_leader.leader_id == 2


def test_a_shrunk_isr_completes_what_waited_for_the_lost_replica() -> None:
    leader, second, _ = cluster()
    answer = leader.produce("logs", b"a", acks=-1)
    second.copy(leader, rounds=2)
    leader.clock.advance(31)
    leader.world.change("logs", isr=(1, 2))
    leader.publish()
    assert produced(answer.message).error_code == 0


def test_a_leader_that_lost_touch_with_the_controller_takes_nothing() -> None:
    broker = lone_broker()
    broker.replicas.index.lease_until_s = broker.clock.now_s + 9
    assert produced(broker.produce("logs", b"a").message).error_code == 0
    broker.clock.advance(9.1)
    answer = produced(broker.produce("logs", b"a").message)
    assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_failed_disk_takes_its_partitions_offline() -> None:
    broker = lone_broker()
    told: list[str] = []
    broker.replicas.on_failed_dir(lambda: told.append("heartbeat"))
    broker.produce("logs", b"a")
    broker.medium.faults.write_error_rate = 1.0
    answer = produced(broker.produce("logs", b"b").message)
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    broker.medium.faults.write_error_rate = 0.0
    answer = produced(broker.produce("logs", b"c").message)
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert told == ["heartbeat"]
    assert broker.fetch("logs", 0).message.responses[0].partitions[0].error_code == (
        ErrorCode.KAFKA_STORAGE_ERROR
    )


def test_records_that_a_batch_is_refused_for_are_named() -> None:
    broker = lone_broker()
    future_ms = broker.clock.now_ms + 2 * 3_600_000
    answer = produced(broker.produce("logs", b"a", b"b", timestamp=future_ms).message)
    assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
    assert [each.batch_index for each in answer.record_errors] == [0, 1]
    compacted = lone_broker(cleanup_policy="compact")
    answer = produced(compacted.produce("logs", b"a").message)
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert [each.batch_index for each in answer.record_errors] == [0]
    assert answer.error_message is not None
    assert answer.error_message.startswith("The batch was refused for record 0: Compacted topic")
