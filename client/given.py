"""Checks callers' arguments before a client stores them.

A wrong type that goes unnoticed would surface later, in a background task, as an error about bytes
that ends the client. So each is refused at once, in the caller's terms: TypeError for a wrong type,
ValueError for an impossible value.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Final, SupportsIndex

from raftka.model.ids import TopicPartition

_BUFFERS: Final = (bytes, bytearray, memoryview)
_INT32_MAX: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1


def check_record(
    value: object, key: object, partition: object, headers: object, timestamp_ms: object
) -> tuple[int | None, int | None]:
    """The partition and the timestamp of a record that a producer can send.

    Raises TypeError, ValueError for a record that it cannot send.
    """
    if not (_is_bytes(value) and _is_bytes(key)):
        wrong = key if _is_bytes(value) else value
        raise TypeError(
            "keys and values are bytes, or None: encode text first, as in"
            f' send("topic", text.encode()); this is {_kind(wrong)}'
        )
    if not isinstance(headers, list | tuple) or not all(map(_is_header, headers)):
        raise TypeError(
            "headers are a list of pairs of a str and of bytes or None, as in"
            f' headers=[("trace", b"1")]; this is {headers!r}'
        )
    return (
        None if partition is None else _number("a partition", partition, _INT32_MAX),
        None if timestamp_ms is None else _number("a timestamp", timestamp_ms, _INT64_MAX),
    )


def check_topic(topic: object) -> None:
    """Raises TypeError unless this may be the name of a topic."""
    if not isinstance(topic, str):
        raise TypeError(f"a topic is named by a str, not by {_kind(topic)}")


def names_in(given: Iterable[str], what: str) -> list[str]:
    """The names of topics, groups and the like. Raises TypeError, also for a single str, whose
    characters would each be a name.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{what} are a list of str, as in ['a', 'b'], not {given!r}")
    found = list(given)
    for name in found:
        if type(name) is not str and not isinstance(name, str):
            raise TypeError(f"{what} are a list of str, and {name!r} is {_kind(name)}")
    return found


def partition_in(given: object) -> TopicPartition:
    """One partition. Raises TypeError, ValueError."""
    if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[0], str):
        raise TypeError(f'a partition is a TopicPartition("topic", 0), not {given!r}')
    return TopicPartition(given[0], _number("a partition", given[1], _INT32_MAX))


def partitions_in(given: Iterable[TopicPartition]) -> list[TopicPartition]:
    """Several partitions. Raises TypeError, ValueError."""
    return [partition_in(each) for each in given]


def offset_in(given: object) -> int:
    """An offset in a partition. Raises TypeError, ValueError."""
    return _number("an offset", given, _INT64_MAX)


def _number(what: str, given: object, most: int) -> int:
    """An int from any type with `__index__`, as numpy's. Raises TypeError, ValueError."""
    if not isinstance(given, SupportsIndex) or isinstance(given, bool):
        raise TypeError(f"{what} is an int, not {_kind(given)}: {given!r}")
    number = operator.index(given)
    if not 0 <= number <= most:
        raise ValueError(f"{what} is a number from 0 to {most}, not {number}")
    return number


def _is_bytes(given: object) -> bool:
    if isinstance(given, memoryview):
        return given.nbytes == len(given)  # Otherwise its items are not bytes.
    return given is None or isinstance(given, _BUFFERS)


def _is_header(given: object) -> bool:
    return (
        isinstance(given, tuple | list)
        and len(given) == 2
        and isinstance(given[0], str)
        and _is_bytes(given[1])
    )


def _kind(given: object) -> str:
    return type(given).__name__
