"""Which records of a batch were the reason that all of it was refused (KIP-467).

A broker takes a batch or refuses it; producers that are told the culprits can send the others
again. The batch is read once more for that: this is not the way that good batches take.
"""

from __future__ import annotations

from collections.abc import Callable

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Buffer
from raftka.model.records import Record, iter_records
from raftka.net.protocol.messages.produce import BatchIndexAndErrorMessage
from raftka.storage.config import LogConfig


def culprits(
    error: KafkaError, records: Buffer, config: LogConfig, now_ms: int
) -> list[BatchIndexAndErrorMessage]:
    """The records that a refusal is about, with words for each; empty when it is about all."""
    if error.code is ErrorCode.INVALID_TIMESTAMP:
        earliest = now_ms - config.message_timestamp_before_max_ms
        latest = now_ms + config.message_timestamp_after_max_ms

        def is_culprit(record: Record) -> bool:
            return record.timestamp >= 0 and not earliest <= record.timestamp <= latest

    elif error.code is ErrorCode.INVALID_RECORD and config.compacts:

        def is_culprit(record: Record) -> bool:
            return record.key is None

    else:
        return []
    try:
        return _find(records, is_culprit, error.message)
    except KafkaError:
        return []  # Then it is about the batch.


def _find(
    records: Buffer, is_culprit: Callable[[Record], bool], message: str
) -> list[BatchIndexAndErrorMessage]:
    return [
        BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=message)
        for index, record in enumerate(iter_records(records))
        if is_culprit(record)
    ]
