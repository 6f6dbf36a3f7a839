"""The batches that a leader sent to its follower, checked before any of them is written.

A follower receives up to a megabyte of a partition at once, and each batch may be a single record:
a follower spends most of its time on the work per batch, so the loop only calls the header's parser
and the checksum.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from raftka.model.crc import crc32c
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    HEADER,
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    MAGIC,
    BatchHeader,
    complete_size,
)
from raftka.storage.appending import corrupt

Replicated = tuple[BatchHeader, int, memoryview]
"""A batch's header, its size in bytes, and its bytes."""

_unpack = HEADER.unpack_from
_header: Final = partial(
    tuple.__new__, BatchHeader
)  # a NamedTuple's own constructor costs another call


def read_replicated(records: Buffer, topic_partition: TopicPartition) -> list[Replicated]:
    """The batches in `records`; an incomplete last one is left out.

    Raises KafkaError CORRUPT_MESSAGE for an impossible length or magic, and a wrong CRC.
    """
    view = memoryview(records)
    left, position = len(view), 0
    found: list[Replicated] = []
    while left >= HEADER_BYTES:
        header: BatchHeader = _header(_unpack(view, position))
        size = header[1] + LENGTH_OVERHEAD
        if size > left:
            break
        if size < HEADER_BYTES or header[3] != MAGIC:
            complete_size(view, position)  # Raises for the size.
            raise KafkaError(
                ErrorCode.CORRUPT_MESSAGE,
                f"A batch of message format {header[3]}; only {MAGIC} is known.",
            )
        batch = view[position : position + size]
        computed = crc32c(batch[ATTRIBUTES_AT:])
        if computed != header[4]:
            raise corrupt(header[4], computed, topic_partition)
        found.append((header, size, batch))
        position += size
        left -= size
    else:
        complete_size(view, position)  # Raises for a length that no batch has.
    return found


def check_order(batches: list[Replicated], end: int, topic_partition: TopicPartition) -> None:
    """Check that batches continue a log that ends at `end`; a compacted leader has gaps.

    Raises KafkaError INVALID_RECORD for a decreasing offset.
    """
    for header, _, _ in batches:
        base, delta = header[0], header[6]
        if base < end or delta < 0:
            raise KafkaError(
                ErrorCode.INVALID_RECORD,
                f"A batch of offsets {base} to {base + delta} cannot follow the end of"
                f" {topic_partition} at {end}.",
            )
        end = base + delta + 1
