"""Checks that the records of a batch match its header, in one pass over lengths.

A broker stores batches unchanged, so every consumer of the partition would meet a malformed record:
such a batch is refused before it is stored. Kafka does the same (LogValidator, DefaultRecordBatch,
DefaultRecord) and answers INVALID_RECORD.

It is stricter than Kafka in two respects, since consumers would fail on such a partition: offset
deltas must be 0, 1, 2, ..., and lengths of compressed records are checked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.named_tuple import NamedTuple
from raftka.model.record_batch import HEADER_BYTES

if TYPE_CHECKING:
    from raftka.model.record_walk import Walk

_INT_BYTES: Final = 5
_LONG_BYTES: Final = 10


class Survey(NamedTuple):
    """The results of a pass over well-formed records."""

    oldest: int
    """The smallest difference of a record's timestamp to the batch's base timestamp, in ms."""
    newest: int
    """The largest one."""
    all_keyed: bool
    """Whether every record has a key."""


class RecordHead(NamedTuple):
    """The fields of one record that a broker needs."""

    timestamp_delta: int
    has_key: bool


@cache
def compiled_walk() -> Walk | None:
    """The compiled pass, loaded on first use."""
    from raftka.model.record_walk import load

    return load()


def survey(batch: memoryview, start: int, count: int) -> Survey:
    """Check the `count` records that should fill `batch` from `start` on.

    Raises KafkaError INVALID_RECORD for the first malformed record.
    """
    walk = compiled_walk()
    if walk is not None:
        found = walk.survey(id(batch), start, count)
        if found is not None:
            return Survey._make(found)
    oldest = newest = None
    all_keyed = True
    for delta, has_key in record_heads(bytes(batch[start:]), count):
        if oldest is None or newest is None:
            oldest = newest = delta
        elif delta < oldest:
            oldest = delta
        elif delta > newest:
            newest = delta
        all_keyed = all_keyed and has_key
    if oldest is None or newest is None:
        raise _invalid("A batch has no records.")
    return Survey(oldest, newest, all_keyed)


def newest_delta(batch: memoryview) -> int:
    """The largest time delta of the records of an uncompressed batch, in ms.

    -1 if the compiled pass cannot decide, or the largest delta is below 0: `survey` then checks it.
    It does not return what `survey` does, since nearly all batches of several records take this
    path, and creating an object costs as much as ten records.
    """
    walk = compiled_walk()
    return -1 if walk is None else walk.newest(id(batch))


Shape = tuple[int, int, int, int, int, int]
"""Derived from the first bytes of a batch's only record, if it is well-formed: (size of the batch,
time delta, two positions and the bytes there)"""

HEAD_BYTES: Final = 6
_MOST_SHAPES: Final = 2048
_NO_SHAPE: Final[Shape] = (-1, 0, 0, 0, 0, 0)
SHAPES: Final[dict[bytes, Shape]] = {}
"""Shapes of single-record batches, by the record's first `HEAD_BYTES` bytes.

They contain its size, its time delta, and the length of its key. These determine everything except
the length of its value, which is at the two positions (equal if it has one byte), and the count of
headers, the last byte, which must be 0. So most single-record batches are checked by four
comparisons: see storage/leader_checks.py.
"""


def learn_shape(batch: memoryview, size: int) -> int:
    """`newest_delta` for a single-record batch, which also learns its shape for the next one."""
    if len(SHAPES) >= _MOST_SHAPES:
        SHAPES.clear()
    head = bytes(batch[HEADER_BYTES : HEADER_BYTES + HEAD_BYTES])
    delta = only_delta(batch, size)
    if delta < 0:
        SHAPES[head] = _NO_SHAPE
        return newest_delta(batch)
    at = HEADER_BYTES + (6 if head[0] > 0x7F else 5)
    key_length = batch[at - 1]
    if key_length != 1:
        at += key_length >> 1
    after = at + 1 if batch[at] > 0x7F else at
    SHAPES[head] = size, delta, at, batch[at], after, batch[after]
    return delta


def only_delta(batch: memoryview, size: int) -> int:
    """The time delta of a batch of `size` bytes with one record and no compression.

    -1 for anything unusual (a delta above 63 ms, headers, lengths beyond 8 KB, or an error):
    `survey` then checks it. Most single-record batches are usual, and calling a more general
    function would cost measurable time.
    """
    head = batch[HEADER_BYTES]
    at = HEADER_BYTES + 1
    if head > 0x7F:
        head = head & 0x7F | batch[at] << 7
        at += 1
    if at + (head >> 1) != size or head & 0x4001:
        return -1
    delta = batch[at + 1]
    if delta > 0x7F or delta & 1 or batch[at + 2]:
        return -1
    length = batch[at + 3]
    at += 4
    if length != 1:  # null
        if length & 0x81:
            return -1
        at += length >> 1
        if at >= size:
            return -1
    length = batch[at]
    at += 1
    if length > 0x7F:
        if at >= size:
            return -1
        length = length & 0x7F | batch[at] << 7
        at += 1
    if length != 1:
        if length & 0x4001:
            return -1
        at += length >> 1
    if at + 1 != size or batch[at]:
        return -1
    return delta >> 1


def record_heads(data: bytes, count: int) -> Iterator[RecordHead]:
    """The records in `data`, as Kafka's DefaultRecord reads them.

    Raises KafkaError INVALID_RECORD at the first malformed one, and at the end if bytes are left.
    Slow; the tests compare the compiled pass with it.
    """
    position = 0
    for index in range(count):
        try:
            head, position = _record_head(data, position, index)
        except IndexError as error:
            why = error.args[0] if isinstance(error, _Flaw) else "the batch ends inside it"
            raise _invalid(f"Record {index} of {count} is malformed: {why}.") from error
        yield head
    if position != len(data):
        raise _invalid(
            f"A batch declares {count} records, and {len(data) - position} bytes follow the last."
        )


class _Flaw(IndexError):
    """A flaw of a record."""


def _record_head(data: bytes, position: int, index: int) -> tuple[RecordHead, int]:
    """(the record at `position`, its end). IndexError if the data end before it does."""
    size, start = _varint(data, position, _INT_BYTES)
    if not 0 <= size <= len(data) - start:
        raise _Flaw(f"it declares {size} bytes where {len(data) - start} are left")
    time_delta, at = _varint(data, start + 1, _LONG_BYTES)  # attributes are not in use
    offset_delta, at = _varint(data, at, _INT_BYTES)
    if offset_delta != index:
        raise _Flaw(f"its offset delta is {offset_delta}")
    key_size, at = _varint(data, at, _INT_BYTES)
    value_size, at = _varint(data, at + max(0, key_size), _INT_BYTES)
    header_count, at = _varint(data, at + max(0, value_size), _INT_BYTES)
    if not 0 <= header_count <= len(data) - at:
        raise _Flaw(f"it declares {header_count} headers")
    for _ in range(header_count):
        name_size, at = _varint(data, at, _INT_BYTES)
        if name_size < 0:
            raise _Flaw("a header has no key")
        value_size, at = _varint(data, at + name_size, _INT_BYTES)
        at += max(0, value_size)
    if at != start + size:
        raise _Flaw(f"it declares {size} bytes and its fields have {at - start}")
    return RecordHead(time_delta, key_size >= 0), at


def _varint(data: bytes, position: int, most_bytes: int) -> tuple[int, int]:
    """(value, position after it) of a zigzag varint of at most `most_bytes`.

    Bits beyond those of the type are dropped, as in Java.
    """
    value = shift = 0
    for _ in range(most_bytes):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 0xFFFFFFFF if most_bytes == _INT_BYTES else 0xFFFFFFFFFFFFFFFF
            return (value >> 1) ^ -(value & 1), position
        shift += 7
    raise _Flaw(f"a number has more than {most_bytes} bytes")


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, message)
