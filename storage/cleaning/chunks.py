"""Splits a closed segment into chunks of about a megabyte, of whole, verified batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from raftka.model.crc import crc32c
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Disk
from raftka.model.record_batch import ATTRIBUTES_AT, HEADER, HEADER_BYTES, MAGIC, BatchHeader
from raftka.storage.cleaning import plan
from raftka.storage.segment import file_name

_CHUNK_BYTES: Final = 1 << 20


class Chunk(NamedTuple):
    """Consecutive batches of a log."""

    data: bytes
    """Their bytes, possibly followed by the start of another batch."""
    batches: list[tuple[BatchHeader, memoryview]]
    """The batches with their positions in `data`."""
    size: int
    """Their size in bytes."""


def chunks(disk: Disk, directory: str, base_offset: int, size: int) -> Iterator[Chunk]:
    """The first `size` bytes of a segment in chunks.

    Raises KafkaError CORRUPT_MESSAGE at the first damaged batch.
    """
    path = f"{directory}/{file_name(base_offset, '.log')}"
    file = disk.open(path)
    try:
        wanted, position, expected = _CHUNK_BYTES, 0, base_offset
        while position < size:
            data = file.read(min(wanted, size - position), position)
            view = memoryview(data)
            batches: list[tuple[BatchHeader, memoryview]] = []
            at, end = 0, len(data)
            while at + HEADER_BYTES <= end:
                header = BatchHeader._make(HEADER.unpack_from(data, at))
                length = header.size
                if length < HEADER_BYTES or position + at + length > size:
                    raise _corrupt(path, position + at)
                if at + length > end:
                    break
                batch = view[at : at + length]
                last_offset = header.last_offset
                if (
                    header.magic != MAGIC
                    or crc32c(batch[ATTRIBUTES_AT:]) != header.crc
                    or not expected <= header.base_offset <= last_offset
                    or last_offset - base_offset > plan.MAX_RELATIVE_OFFSET
                ):
                    raise _corrupt(path, position + at)
                expected = last_offset + 1
                batches.append((header, batch))
                at += length
            if not batches:
                if wanted >= size:
                    raise _corrupt(path, position)
                wanted *= 8  # a batch larger than a chunk
                continue
            wanted = _CHUNK_BYTES
            yield Chunk(data, batches, at)
            position += at
    finally:
        file.close()


def _corrupt(path: str, position: int) -> KafkaError:
    return KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        f"{path} is corrupt at position {position}: it is left as it is. Let this replica be "
        "copied from another one.",
    )
