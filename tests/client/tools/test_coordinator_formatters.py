"""Records of internal topics, as Apache Kafka 4.4.0's console consumer prints the same bytes."""

from __future__ import annotations

import pytest

from raftka.client.consumer import ConsumerRecord
from raftka.client.tools.formatters import formatter
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.offset_commit_key import OffsetCommitKey
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.net.protocol.messages.transaction_log_key import TransactionLogKey
from raftka.net.protocol.messages.transaction_log_value import (
    PartitionsSchema,
    TransactionLogValue,
)

PACKAGE = "org.apache.kafka.tools.consumer."


def shown(name: str, key: bytes, value: bytes | None) -> str:
    record = ConsumerRecord("internal", 0, 0, 0, key, value, ())
    (short, full) = (formatter(each, {}).format(record) for each in (name, PACKAGE + name))
    assert short == full
    return short.decode()


def written(message: Message, version: int) -> bytes:
    return bytes(codec.encode_versioned(message, version))


def test_a_transaction() -> None:
    value = TransactionLogValue(
        producer_id=0,
        previous_producer_id=0,
        producer_epoch=1,
        transaction_timeout=60000,
        transaction_status=2,
        transaction_partitions=[PartitionsSchema(topic="fmt", partition_ids=[0])],
        transaction_last_update_timestamp=1796082781119,
        transaction_start_timestamp=1796082781106,
        client_transaction_version=2,
    )
    key = written(TransactionLogKey(transactional_id="tx \u00e9"), 0)
    assert shown("TransactionLogMessageFormatter", key, written(value, 1)) == (
        '{"key":{"type":0,"data":{"transactionalId":"tx \u00e9"}},"value":{"version":1,"data":{'
        '"producerId":0,"previousProducerId":0,"producerEpoch":1,"transactionTimeoutMs":60000,'
        '"transactionStatus":"PrepareCommit","transactionPartitions":[{"topic":"fmt",'
        '"partitionIds":[0]}],"transactionLastUpdateTimestampMs":1796082781119,'
        '"transactionStartTimestampMs":1796082781106,"clientTransactionVersion":2}}}\n'
    )


@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_offset(is_deleted: bool) -> None:
    topic_id = bytes.fromhex("ec6ca613d9d04325b01a2c3f9ed3b4e5")
    key = written(OffsetCommitKey(group="fc", topic="fmt", partition=1), 1)
    value = OffsetCommitValue(
        offset=20, metadata="", commit_timestamp=1796082749368, topic_id=topic_id
    )
    expected = (
        '{"version":4,"data":{"offset":20,"leaderEpoch":-1,"metadata":"",'
        '"commitTimestamp":1796082749368,"topicId":"7GymE9nQQyWwGiw_ntO05Q"}}'
    )
    assert shown("OffsetsMessageFormatter", key, None if is_deleted else written(value, 4)) == (
        '{"key":{"type":1,"data":{"group":"fc","topic":"fmt","partition":1}},"value":'
        f"{'null' if is_deleted else expected}}}\n"
    )
