"""The entries of a segment for the dump: batches, and messages of older formats."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.message_set import MIN_LENGTH, Message, iter_messages, parse_message
from raftka.model.ports import File
from raftka.model.record_batch import (
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    MAGIC,
    MAGIC_AT,
    BatchHeader,
    parse_header,
)
from raftka.model.records import Record, iter_records

Decoder = Callable[[Record], tuple[str | None, str | None]]
"""(key, payload) of a record as text, None if it is not printed."""


@dataclass(slots=True)
class DumpOptions:
    """The options of the dump tool."""

    deep: bool = False
    """Print each record, not only the batches."""
    data: bool = False
    """Print keys and payloads; implies deep."""
    record_metadata: bool = True
    verify_only: bool = False
    sanity_check: bool = False
    max_bytes: int = 2**31 - 1
    decoder: Decoder | None = None
    folder: str = ""
    """The base of relative paths: findings contain absolute paths, as in Kafka's tool."""

    def full(self, path: str) -> str:
        """The absolute path of a file."""
        return f"{self.folder}/{path}" if self.folder and not path.startswith("/") else path


@dataclass(slots=True)
class Findings:
    """Inconsistencies, as lines for the error stream."""

    lines: list[str] = dataclasses.field(default_factory=list)
    failed: bool = False
    """Whether a file was unreadable, for which Kafka's tool exits with an exception."""

    def fail(self, line: str) -> None:
        self.lines.append(line)
        self.failed = True


class Entry(NamedTuple):
    """A batch, or a message of magic 0 or 1, with its position in the file."""

    position: int
    header: BatchHeader | Message
    data: bytes

    @property
    def size(self) -> int:
        return self.header.size

    @property
    def last_offset(self) -> int:
        if isinstance(self.header, BatchHeader):
            return self.header.last_offset
        return self.header.offset

    def max_timestamp(self) -> int:
        """The largest timestamp of its records in ms, -1 without one. Raises KafkaError."""
        records: Iterator[Record | Message]
        if isinstance(self.header, BatchHeader):
            records = iter(iter_records(self.data))
        else:
            records = iter_messages(self.header)
        return max((record.timestamp for record in records), default=-1)


def read_entries(file: File, path: str, end: int, start: int = 0) -> Iterator[Entry]:
    """The complete entries from position `start` to `end`; the last one may be cut off.

    Raises KafkaError CORRUPT_MESSAGE at bytes that are no entry.
    """
    position = start
    while position + MAGIC_AT < end:
        head = file.read(MAGIC_AT + 1, position)
        if len(head) <= MAGIC_AT:
            return
        length = int.from_bytes(head[8:LENGTH_OVERHEAD], "big", signed=True)
        if length < MIN_LENGTH:
            raise KafkaError(
                ErrorCode.CORRUPT_MESSAGE,
                f"Found record size {length} smaller than minimum record overhead "
                f"({MIN_LENGTH}) in file {path}.",
            )
        size = length + LENGTH_OVERHEAD
        if position + size > end:
            return
        magic = head[MAGIC_AT]
        if magic > MAGIC or (magic == MAGIC and size < HEADER_BYTES):
            raise KafkaError(
                ErrorCode.CORRUPT_MESSAGE,
                f"{path} at position {position}: {size} bytes of magic {magic} are neither a "
                "batch nor a message.",
            )
        data = file.read(size, position)
        if magic == MAGIC:
            yield Entry(position, parse_header(data), data)
        else:
            yield Entry(position, _message(data, path, position), data)
        position += size


def _message(data: bytes, path: str, position: int) -> Message:
    try:
        return parse_message(data)
    except KafkaError as error:
        raise KafkaError(error.code, f"{path} at position {position}: {error.message}") from error
