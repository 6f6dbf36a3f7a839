"""What records are made of: a value determines its record, so that a reader can judge it alone.

Key, headers and time of a record follow from its value. Whatever compresses, stores, sends or
decodes it must return the same.
"""

from __future__ import annotations

from raftka.client.consumer.state import ConsumerRecord
from raftka.model.records import Header
from raftka.simulations.checkers.history import parse

_LOG_APPEND_TIME = "LogAppendTime"


def value_at(value: bytes) -> int:
    """The time, ms since 1970, that the record of a value was given."""
    return int(value.split(b":", 4)[3])


def key_of(number: int) -> bytes | None:
    """The key of a producer's record of that number."""
    return b"k%d" % (number % 20) if number % 2 else None


def headers_of(number: int) -> tuple[Header, ...]:
    """Its headers."""
    if number % 3:
        return ()
    return (("number", b"%d" % number), ("nothing", None))


def differs(record: ConsumerRecord, *, log_append_time: bool) -> str | None:
    """How a record differs from what was sent, in words; None when it does not."""
    if record.value is None:
        return "it has no value"
    try:
        _, number = parse(record.value)
        at_ms = value_at(record.value)
    except (ValueError, IndexError):
        return f"its value is {record.value!r}"
    if record.key != key_of(number):
        return f"its key is {record.key!r}, not {key_of(number)!r}"
    headers = tuple(record.headers)
    if headers != headers_of(number):
        return f"its headers are {headers}, not {headers_of(number)}"
    if log_append_time != (record.timestamp_type == _LOG_APPEND_TIME):
        return f"its time is a {record.timestamp_type}"
    if not log_append_time and record.timestamp_ms != at_ms:
        return f"its time is {record.timestamp_ms}, not {at_ms}"
    return None
