"""The bytes of one record in a batch, without an object for it. Pure.

Most records are small, without headers, and young: for them each varint is looked up in a table.
All other records are encoded by model/records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from raftka.model.records import Header, Record, encode_record, varint

_MANY: Final = 2_048
_VARINTS: Final = [varint(number) for number in range(_MANY)]
_SIZES: Final = [len(each) for each in _VARINTS]
_OVERHEAD: Final = 16
"""An upper bound of a record's bytes besides key and value."""
_NULL: Final = varint(-1)


def record_bytes(
    offset_delta: int,
    time_delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[Header],
) -> bytes:
    """The record as model.records.encode_record writes it."""
    if headers or not (0 <= time_delta < _MANY and offset_delta < _MANY):
        return encode_record(offset_delta, time_delta, Record(0, 0, key, value, headers))
    key_length = 0 if key is None else len(key)
    value_length = 0 if value is None else len(value)
    if key_length + value_length > _MANY - _OVERHEAD:
        return encode_record(offset_delta, time_delta, Record(0, 0, key, value, headers))
    size = (
        2  # attributes, and the count of headers
        + _SIZES[time_delta]
        + _SIZES[offset_delta]
        + _SIZES[key_length]
        + key_length
        + _SIZES[value_length]
        + value_length
    )
    return b"".join(
        (
            _VARINTS[size],
            b"\0",
            _VARINTS[time_delta],
            _VARINTS[offset_delta],
            _NULL if key is None else _VARINTS[key_length],
            key or b"",
            _NULL if value is None else _VARINTS[value_length],
            value or b"",
            b"\0",
        )
    )
