"""A closed segment in pieces of about a megabyte, of whole batches that are what was written."""

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
    """Batches that lie behind each other in a log."""

    data: bytes
    """They, and behind them perhaps the beginning of another one."""
    batches: list[tuple[BatchHeader, memoryview]]
    """Each with its place in `data`."""
    size: int
    """How many bytes they are."""


def chunks(disk: Disk, directory: str, base_offset: int, size: int) -> Iterator[Chunk]:
    """The first `size` bytes of a segment.

    Raises KafkaError CORRUPT_MESSAGE at the first batch that is not what was written.
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
