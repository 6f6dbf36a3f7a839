"""The metrics that clients have pushed (KIP-714), for Prometheus: the last values of each client,
bounded.

OpenTelemetry's MetricsData is decoded by field numbers: each metric yields a number or, for a
histogram, its sum and count. Sums arrive as deltas and are accumulated.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_CLIENTS: Final = 1_000
MOST_SERIES: Final = 500
"""The limit for one client; further series are ignored."""
SHOWN_MS: Final = 15 * 60 * 1000
"""How long values are exported after the last push; a terminating client pushes once more, and that
value is scraped too."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class BadTelemetry(ValueError):
    """The bytes are not OpenTelemetry metrics."""


class Point(NamedTuple):
    """One value of a metric."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    is_sum: bool


Series = dict[tuple[str, tuple[tuple[str, str], ...]], Point]
"""(name, labels) -> value"""


class ClientMetrics:
    """The last values of each client instance, for a while after its last push."""

    def __init__(self) -> None:
        self._by_client: dict[tuple[str, str], tuple[int, Series]] = {}
        """By (client id, instance id): when it pushed last, and its values; least recent first."""

    def take(self, client: tuple[str, str], points: list[Point], now_ms: int) -> None:
        """Store what a client has pushed."""
        _, known = self._by_client.pop(client, (0, {}))
        for point in points:
            key = point.name, point.labels
            before = known.get(key)
            if before is None and len(known) >= MOST_SERIES:
                continue
            value = point.value + before.value if before and point.is_sum else point.value
            known[key] = point._replace(value=value)
        while len(self._by_client) >= MOST_CLIENTS:
            del self._by_client[next(iter(self._by_client))]
        self._by_client[client] = now_ms, known

    def shown(self, now_ms: int) -> dict[tuple[str, str], Series]:
        """The values of all clients that pushed recently; drops the others."""
        for client, (pushed_ms, _) in list(self._by_client.items()):
            if now_ms - pushed_ms > SHOWN_MS:
                del self._by_client[client]
        return {client: known for client, (_, known) in self._by_client.items()}


def parse(data: bytes | memoryview) -> list[Point]:
    """Decode the points of a MetricsData. Raises BadTelemetry."""
    points: list[Point] = []
    for number, resource in _fields(memoryview(data)):
        if number != 1:
            continue
        for number, scope in _fields(_message(resource)):
            if number != 2:
                continue
            for number, metric in _fields(_message(scope)):
                if number == 2:
                    points += _points(_message(metric))
    return points


def _points(metric: memoryview) -> Iterator[Point]:
    name = ""
    found: list[tuple[int, memoryview]] = []
    for number, value in _fields(metric):
        if number == 1:
            name = _text(value)
        elif number in (5, 7, 9):
            found.append((number, _message(value)))
    for kind, message in found:
        for number, point in _fields(message):
            if number == 1 and kind == 9:
                yield from _histogram(name, _message(point))
            elif number == 1:
                yield _number(name, _message(point), is_sum=kind == 7)


def _number(name: str, point: memoryview, *, is_sum: bool) -> Point:
    value, labels = 0.0, []
    for number, field in _fields(point):
        if number == 4:
            value = struct.unpack("<d", _eight(field))[0]
        elif number == 6:
            value = float(struct.unpack("<q", _eight(field))[0])
        elif number == 7:
            labels.append(_label(_message(field)))
    return Point(name, tuple(sorted(labels)), value, is_sum)


def _histogram(name: str, point: memoryview) -> Iterator[Point]:
    count = total = 0.0
    labels = []
    for number, field in _fields(point):
        if number == 4:
            count = float(struct.unpack("<Q", _eight(field))[0])
        elif number == 5:
            total = struct.unpack("<d", _eight(field))[0]
        elif number == 9:
            labels.append(_label(_message(field)))
    yield Point(f"{name}.count", tuple(sorted(labels)), count, True)
    yield Point(f"{name}.sum", tuple(sorted(labels)), total, True)


def _label(pair: memoryview) -> tuple[str, str]:
    name = value = ""
    for number, field in _fields(pair):
        if number == 1:
            name = _text(field)
        elif number == 2:
            for kind, content in _fields(_message(field)):
                if kind == 1:
                    value = _text(content)
                elif isinstance(content, int):
                    value = str(content)
    return re.sub(r"\W", "_", name), value


Field = int | memoryview


def _message(field: Field) -> memoryview:
    if isinstance(field, int):
        raise BadTelemetry("a number where a message is expected")
    return field


def _text(field: Field) -> str:
    return bytes(_message(field)).decode("utf-8", "replace")


def _eight(field: Field) -> bytes:
    data = bytes(_message(field))
    if len(data) != 8:
        raise BadTelemetry(f"{len(data)} bytes where eight are expected")
    return data


def _fields(data: memoryview) -> Iterator[tuple[int, Field]]:
    """The (number, value) pairs of a message's fields. Raises BadTelemetry."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise BadTelemetry(f"a field of the unknown kind {kind}")
        if size > len(data) - at:
            raise BadTelemetry("a field that is longer than its message")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BadTelemetry("a number that does not end")
