"""A broker's answer, decoded for a member of a share group. Pure."""

from __future__ import annotations

from typing import Protocol

from raftka.client.consumer.completed_fetch import CompletedFetch
from raftka.client.consumer.state import ConsumerRecord, Position
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import FileRegion
from raftka.net.protocol.messages.share_fetch import PartitionData


class _WithMessage(Protocol):
    error_message: str | None


def outcome(code: int, answered: _WithMessage) -> KafkaError | None:
    """An error of an answer, or None."""
    return KafkaError(ErrorCode(code), answered.error_message) if code else None


def delivered(
    target: TopicPartition, part: PartitionData
) -> tuple[list[tuple[ConsumerRecord, int]], list[int]]:
    """(records that were acquired, with their delivery counts; acquired offsets without a record).

    The batches of an answer may have more records than were acquired. Raises KafkaError for
    corrupt bytes.
    """
    counts = {
        offset: each.delivery_count
        for each in part.acquired_records
        for offset in range(each.first_offset, each.last_offset + 1)
    }
    if not counts:
        return [], []
    raw = part.records or b""
    assert not isinstance(raw, list), FileRegion
    start = Position(min(counts), -1)
    fetch = CompletedFetch(target, bytes(raw), start, check_crcs=True, aborted=None)
    found = [
        (record, counts.pop(record.offset)) for record in fetch.take() if record.offset in counts
    ]
    return found, sorted(counts)
