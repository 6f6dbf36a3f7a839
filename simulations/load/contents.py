"""The content of records: a value determines its record, so that a reader can check the record by
itself.

Key, headers and timestamp follow from the value. Whatever compresses, stores, sends or decodes the
record must return the same. A compacted topic's records all have keys: some recur all the time, and
some get a value, then a tombstone, and nothing for long. A tombstone has in a header what other
records have in their value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from raftka.client.consumer.state import ConsumerRecord
from raftka.model.records import Header
from raftka.simulations.checkers.history import parse

_LOG_APPEND_TIME = "LogAppendTime"
_IS: Final = "is"
"""The header of a tombstone that holds its identity."""
_HOT: Final = 4
_COLD: Final = 40
"""The number of keys of each kind."""


class Contents(NamedTuple):
    """The record as a client sends it."""

    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


def contents(what: bytes, number: int, *, compacted: bool) -> Contents:
    """The contents of a producer's record of that number, which `what` determines."""
    if not compacted:
        return Contents(key_of(number), what, headers_of(number))
    turn, place = divmod(number, 5)
    if place not in (1, 3):
        return Contents(b"k%d" % (number % _HOT), what, headers_of(number))
    key = b"c%d" % (turn % _COLD)
    if place == 1:
        return Contents(key, what, headers_of(number))
    return Contents(key, None, ((_IS, what), *headers_of(number)))


def identity(value: bytes | None, headers: Iterable[Header]) -> bytes:
    """A record's identity according to its content; None without one."""
    if value is not None:
        return value
    return next((said for name, said in headers if name == _IS and said is not None), b"")


def value_at(what: bytes) -> int:
    """The timestamp of a record, ms since 1970."""
    return int(what.split(b":", 4)[3])


def key_of(number: int) -> bytes | None:
    """The key of a producer's record of that number."""
    return b"k%d" % (number % 20) if number % 2 else None


def headers_of(number: int) -> tuple[Header, ...]:
    """Its headers."""
    if number % 3:
        return ()
    return (("number", b"%d" % number), ("nothing", None))


def differs(record: ConsumerRecord, *, log_append_time: bool, compacted: bool) -> str | None:
    """How a record differs from the one that was sent; None when it does not."""
    what = identity(record.value, record.headers)
    try:
        _, number = parse(what)
        at_ms = value_at(what)
    except (ValueError, IndexError):
        return f"its value is {record.value!r}"
    sent = contents(what, number, compacted=compacted)
    if record.value != sent.value:
        return f"its value is {record.value!r}, not {sent.value!r}"
    if record.key != sent.key:
        return f"its key is {record.key!r}, not {sent.key!r}"
    headers = tuple(record.headers)
    if headers != sent.headers:
        return f"its headers are {headers}, not {sent.headers}"
    if log_append_time != (record.timestamp_type == _LOG_APPEND_TIME):
        return f"its time is a {record.timestamp_type}"
    if not log_append_time and record.timestamp_ms != at_ms:
        return f"its time is {record.timestamp_ms}, not {at_ms}"
    return None
