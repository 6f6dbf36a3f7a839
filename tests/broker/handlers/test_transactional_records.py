"""Transactions at partitions, as their clients see them: verified writes, markers, stable reads."""

from __future__ import annotations

from typing import Any

import pytest

from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    PartitionResponse,
    TopicRequest,
)
from raftka.net.protocol.messages.fetch import AbortedTransaction
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from raftka.net.protocol.messages.produce import ProduceResponse
from raftka.net.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from tests.broker.handlers.test_produce import cluster, lone_broker
from tests.support.asking import Answer
from tests.support.data_plane import Broker, make_batch, only, produced

ID = "payments"


def send(
    broker: Broker, sequence: int = 0, *, version: int = 12, epoch: int = 0, pid: int = 7,
    acks: int = -1, name: str | None = ID,
) -> Answer[ProduceResponse]:  # fmt: skip
    data = make_batch(
        b"x", producer_id=pid, producer_epoch=epoch, base_sequence=sequence, is_transactional=True
    )
    return broker.produce_batch("logs", data, version=version, acks=acks, transactional_id=name)


def code(answer: Answer[ProduceResponse]) -> ErrorCode:
    return ErrorCode(produced(answer.message).error_code)


def end(
    broker: Broker, *, commit: bool, pid: int = 7, epoch: int = 1, coordinator: int = 3,
    version: int = 2, topic: str = "logs", index: int = 0,
) -> Answer[WriteTxnMarkersResponse]:  # fmt: skip
    marker = WritableTxnMarker(
        producer_id=pid,
        producer_epoch=epoch,
        transaction_result=commit,
        topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[index])],
        coordinator_epoch=coordinator,
        transaction_version=version,
    )
    return broker.ask(WriteTxnMarkersRequest(markers=[marker]), 2)


def ended(answer: Answer[WriteTxnMarkersResponse]) -> ErrorCode:
    (marker,) = answer.message.markers
    ((partition,),) = [topic.partitions for topic in marker.topics]
    return ErrorCode(partition.error_code)


def committed(broker: Broker, offset: int, **changes: Any) -> Any:
    return broker.fetch("logs", offset, isolation_level=1, **changes)


def latest(broker: Broker, timestamp: int = -1, *, isolation_level: int = 1) -> int:
    wanted = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=[ListOffsetsTopic(name="logs", partitions=[wanted])],
    )
    return broker.ask(request, 7).message.topics[0].partitions[0].offset


# ---- Produce


def test_the_first_write_joins_and_later_ones_ask_nobody() -> None:
    broker = lone_broker()
    assert code(send(broker)) is ErrorCode.NONE
    assert code(send(broker, 1)) is ErrorCode.NONE
    ((question, _),) = broker.joining.asked
    assert (question.transactional_id, question.producer_id, question.producer_epoch) == (ID, 7, 0)
    assert question.partitions == {("logs", 0)}
    assert not question.verify_only


def test_before_version_12_the_first_write_is_verified() -> None:
    broker = lone_broker()
    send(broker, version=11)
    ((question, _),) = broker.joining.asked
    assert question.verify_only


def test_records_wait_for_the_coordinator_in_the_order_of_their_connection() -> None:
    broker = lone_broker()
    broker.joining.code = None
    answers = [send(broker, sequence) for sequence in range(3)]
    assert all(answer.is_waiting for answer in answers)
    assert len(broker.joining.asked) == 1, "the others wait in line"
    broker.joining.answer()
    assert [produced(answer.message).base_offset for answer in answers] == [0, 1, 2]
    assert not broker.joining.asked
    assert code(send(broker, 3)) is ErrorCode.NONE


def test_no_connection_makes_the_broker_keep_more_than_a_few_requests() -> None:
    broker = lone_broker()
    broker.joining.code = None
    answers = [send(broker, sequence) for sequence in range(20)]
    assert [answer.is_waiting for answer in answers] == [True] * 16 + [False] * 4
    assert code(answers[-1]) is ErrorCode.NOT_ENOUGH_REPLICAS
    broker.joining.answer()
    assert all(code(answer) is ErrorCode.NONE for answer in answers[:16])
    assert broker.replica("logs").log.log_end_offset == 16


@pytest.mark.parametrize(
    ("said", "version", "expected"),
    [
        (ErrorCode.TRANSACTION_ABORTABLE, 10, ErrorCode.INVALID_TXN_STATE),
        (ErrorCode.TRANSACTION_ABORTABLE, 11, ErrorCode.TRANSACTION_ABORTABLE),
        (ErrorCode.PRODUCER_FENCED, 12, ErrorCode.INVALID_PRODUCER_EPOCH),
        (ErrorCode.NOT_COORDINATOR, 12, ErrorCode.NOT_ENOUGH_REPLICAS),
        (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, 9, ErrorCode.NOT_ENOUGH_REPLICAS),
        (ErrorCode.COORDINATOR_NOT_AVAILABLE, 12, ErrorCode.NOT_ENOUGH_REPLICAS),
        (ErrorCode.CONCURRENT_TRANSACTIONS, 11, ErrorCode.NOT_ENOUGH_REPLICAS),
        (ErrorCode.CONCURRENT_TRANSACTIONS, 12, ErrorCode.CONCURRENT_TRANSACTIONS),
        (ErrorCode.INVALID_PRODUCER_ID_MAPPING, 12, ErrorCode.INVALID_PRODUCER_ID_MAPPING),
    ],
)
def test_what_the_coordinator_says_becomes_what_the_client_knows(
    said: ErrorCode, version: int, expected: ErrorCode
) -> None:
    broker = lone_broker()
    broker.joining.code = said
    assert code(send(broker, version=version)) is expected
    assert broker.replica("logs").log.log_end_offset == 0
    broker.joining.code = ErrorCode.NONE
    assert code(send(broker, version=version)) is ErrorCode.NONE


@pytest.mark.parametrize(
    ("produce_version", "marker_epoch", "transaction_version"), [(11, 0, 1), (12, 1, 2)]
)
def test_a_marker_that_overtakes_the_answer_keeps_the_batch_out(
    produce_version: int, marker_epoch: int, transaction_version: int
) -> None:
    broker = lone_broker()
    broker.joining.code = None
    late = send(broker, version=produce_version)
    marker = end(broker, commit=False, epoch=marker_epoch, version=transaction_version)
    assert ended(marker) is ErrorCode.NONE
    broker.joining.answer()
    assert code(late) is not ErrorCode.NONE
    assert broker.replica("logs").log.log_end_offset == 1


def test_a_late_batch_of_a_finished_transaction_is_refused() -> None:
    broker = lone_broker()
    send(broker)
    end(broker, commit=True)
    assert code(send(broker, 1)) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert code(send(broker, epoch=1)) is ErrorCode.NONE


def test_transactional_records_need_a_transactional_id_and_one_producer() -> None:
    broker = lone_broker()
    assert code(send(broker, name=None)) is ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert code(broker.produce_batch("logs", make_batch(b"x"), transactional_id=ID)) is (
        ErrorCode.NONE
    ), "a transactional producer may write outside of transactions"
    assert not broker.joining.asked
    assert code(send(broker, acks=1)) is ErrorCode.NONE


def test_transactional_records_of_no_producer_are_refused() -> None:
    broker = lone_broker()
    answer = broker.produce_batch("logs", make_batch(b"x", is_transactional=True))
    assert code(answer) is ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert broker.replica("logs").log.log_end_offset == 0


# ---- WriteTxnMarkers


def test_markers_are_answered_when_they_are_committed() -> None:
    leader, follower, _ = cluster(PartitionImage((1, 2), (1, 2), 1))
    send(leader, acks=1)
    answer = end(leader, commit=True)
    assert answer.is_waiting
    follower.copy(leader, rounds=3)
    assert ended(answer) is ErrorCode.NONE
    assert latest(leader) == 2


def test_markers_that_are_not_committed_in_time() -> None:
    leader, *_ = cluster()
    answer = end(leader, commit=True)
    leader.expire(29)
    assert answer.is_waiting
    leader.expire(2)
    assert ended(answer) is ErrorCode.REQUEST_TIMED_OUT


def test_what_markers_are_refused_for() -> None:
    broker = lone_broker(min_insync_replicas="1")
    send(broker)
    assert ended(end(broker, commit=True, epoch=0)) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert ended(end(broker, commit=True)) is ErrorCode.NONE
    assert ended(end(broker, commit=True)) is ErrorCode.NONE, "a repetition"
    fenced = end(broker, commit=False, coordinator=2)
    assert ended(fenced) is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    unknown = end(broker, commit=True, topic="nothing")
    assert ended(unknown) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    follower = cluster(PartitionImage((1, 2, 3), (1, 2, 3), 2))[0]
    assert ended(end(follower, commit=True)) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    few = cluster(PartitionImage((1, 2), (1,), 1), min_insync_replicas="2")[0]
    assert ended(end(few, commit=True)) is ErrorCode.NOT_ENOUGH_REPLICAS


# ---- reading what is committed


def test_readers_of_committed_records_wait_for_the_end_of_the_transaction() -> None:
    broker = lone_broker()
    broker.produce("logs", b"before")
    send(broker)
    broker.produce("logs", b"behind")
    part = only(committed(broker, 0).message)
    assert (part.high_watermark, part.last_stable_offset) == (3, 1)
    assert part.aborted_transactions == []
    waiting = committed(broker, 1)
    assert waiting.is_waiting
    assert len(only(broker.fetch("logs", 1).message).records or b"") > 0, "uncommitted: at once"
    assert (latest(broker), latest(broker, isolation_level=0)) == (1, 3)
    end(broker, commit=True)
    part = only(waiting.message)
    assert (part.high_watermark, part.last_stable_offset) == (4, 4)
    assert part.aborted_transactions == []
    assert latest(broker) == 4


def test_aborted_transactions_are_named_to_who_asks_for_committed_records() -> None:
    broker = lone_broker()
    send(broker)
    send(broker, pid=8)
    end(broker, commit=False)
    end(broker, commit=True, pid=8)
    part = only(committed(broker, 0).message)
    assert part.aborted_transactions == [AbortedTransaction(producer_id=7, first_offset=0)]
    assert only(broker.fetch("logs", 0).message).aborted_transactions is None
    assert only(committed(broker, 3).message).aborted_transactions == []


def test_the_end_counts_when_all_in_sync_replicas_have_it() -> None:
    leader, follower, _ = cluster(PartitionImage((1, 2), (1, 2), 1))
    send(leader, acks=1)
    follower.copy(leader, rounds=2)
    end(leader, commit=True)
    assert latest(leader) == 0
    waiting = committed(leader, 0)
    assert waiting.is_waiting
    follower.copy(leader, rounds=2)
    assert only(waiting.message).last_stable_offset == 2


def test_a_follower_near_the_reader_holds_back_as_well() -> None:
    leader, follower, _ = cluster(PartitionImage((1, 2), (1, 2), 1))
    send(leader, acks=1)
    end(leader, commit=False)
    send(leader, epoch=1, acks=1)
    follower.copy(leader, rounds=3)
    replica = follower.replica("logs")
    assert replica.state.high_watermark == 3
    assert replica.log.stable_offset(3) == 2
    part = only(committed(follower, 0, rack_id="r2").message)
    assert (part.high_watermark, part.last_stable_offset) == (3, 2)
    assert part.aborted_transactions == [AbortedTransaction(producer_id=7, first_offset=0)]
    assert committed(follower, 2, rack_id="r2").is_waiting
    assert not replica.log.transactions.ended, "what is committed is not remembered"


def test_timestamps_find_nothing_in_an_open_transaction() -> None:
    broker = lone_broker()
    broker.produce("logs", b"before", timestamp=1000)
    send(broker)
    assert latest(broker, 1001) == -1
    assert latest(broker, 1001, isolation_level=0) == 1


def test_describe_producers_says_since_when() -> None:
    broker = lone_broker()
    broker.produce("logs", b"before")
    send(broker)
    request = DescribeProducersRequest(topics=[TopicRequest(name="logs", partition_indexes=[0])])
    (producer,) = broker.ask(request, 0).message.topics[0].partitions[0].active_producers
    assert (producer.producer_id, producer.current_txn_start_offset) == (7, 1)
    assert producer.coordinator_epoch == -1
    end(broker, commit=True)
    (producer,) = broker.ask(request, 0).message.topics[0].partitions[0].active_producers
    assert (producer.producer_epoch, producer.current_txn_start_offset) == (1, -1)
    assert producer.coordinator_epoch == 3


def test_a_follower_describes_the_producers_of_its_own_log() -> None:
    leader, follower, other = cluster(PartitionImage((1, 2), (1, 2), 1))
    request = DescribeProducersRequest(topics=[TopicRequest(name="logs", partition_indexes=[0])])
    send(leader, acks=1)
    assert only_described(follower, request).active_producers == []
    follower.copy(leader, rounds=3)
    assert only_described(follower, request) == only_described(leader, request)
    assert ErrorCode(only_described(other, request).error_code) is ErrorCode.NOT_LEADER_OR_FOLLOWER


def only_described(broker: Broker, request: DescribeProducersRequest) -> PartitionResponse:
    return broker.ask(request, 0).message.topics[0].partitions[0]
