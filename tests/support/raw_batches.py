"""Batches built byte by byte, which `encode_batch` would never write.

`CASES` has one batch for each way in which a batch can be wrong, or odd and yet right, with the
answer of Apache Kafka 4.3.1 (2026-11-30, a topic with default settings). To ask another broker:

    python -m tests.wire.ask_batches HOST:PORT

prints where it differs; `mutate` gives more of the kind to fuzzers.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import cramjam
from crc32c import crc32c

from raftka.model.compression import NAMES, compress

NOW_MS: Final = 1_700_000_000_000
"""The time of the cases' records, within a second."""


def varint(value: int, *, size: int = 0) -> bytes:
    """A zigzag varint, stretched to `size` bytes if that is more than it needs."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80 or len(out) + 1 < size:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def octets(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


def header(name: bytes | None = b"h", value: bytes | None = b"x") -> bytes:
    return octets(name) + octets(value)


def record(
    index: int = 0,
    *,
    attributes: int = 0,
    delta: bytes | int = 0,
    offset: bytes | int | None = None,
    key: bytes | None = octets(b"k"),
    value: bytes | None = octets(b"v"),
    headers: bytes = b"\0",
    size: bytes | int | None = None,
) -> bytes:
    """A record of fields that are ready for the wire; numbers are made so."""
    body = bytes([attributes])
    for number in (delta, index if offset is None else offset):
        body += varint(number) if isinstance(number, int) else number
    body += (key or b"") + (value or b"") + headers
    if size is None:
        size = len(body)
    return (varint(size) if isinstance(size, int) else size) + body


def three() -> bytes:
    """Three good records."""
    return b"".join(record(index, delta=index * 10) for index in range(3))


def batch(
    records: bytes,
    count: int = 1,
    *,
    codec: str = "none",
    attributes: int = 0,
    last_delta: int | None = None,
    base_time: int = NOW_MS,
    max_time: int = NOW_MS,
    producer: tuple[int, int, int] = (-1, -1, -1),
    base_offset: int = 0,
    leader_epoch: int = -1,
    magic: int = 2,
    length: int | None = None,
    crc: int | None = None,
) -> bytes:
    """A batch whose CRC is right. `records` are as they stand in it, compressed if they are."""
    tail = struct.pack(
        ">hiqqqhii",
        attributes | NAMES.index(codec),
        count - 1 if last_delta is None else last_delta,
        base_time,
        max_time,
        *producer,
        count,
    )
    tail += records
    checked = struct.pack(">ibI", leader_epoch, magic, crc32c(tail) if crc is None else crc)
    size = len(checked) + len(tail) if length is None else length
    return struct.pack(">qi", base_offset, size) + checked + tail


def packed(codec: str, records: bytes, count: int = 1, **fields: Any) -> bytes:
    """A batch of compressed records."""
    if codec == "gzip":
        body = gzip.compress(records, mtime=0)
    elif codec == "snappy":
        body = bytes(cramjam.snappy.compress_raw(records))
    else:
        body = compress(codec, records)
    return batch(body, count, codec=codec, **fields)


def cut(codec: str, end: int, extra: bytes = b"") -> bytes:
    """Three compressed records without the last bytes of their stream, or with more."""
    whole = packed(codec, three(), 3)[61:]
    return batch((whole[:end] if end else whole) + extra, 3, codec=codec)


OK, UNKNOWN, CORRUPT, INVALID, BAD_TIME = 0, -1, 2, 87, 32
_FAR: Final = 10**12
"""Thirty years, so that it is the future of a real broker too."""
_GOOD: Final = batch(three(), 3, max_time=NOW_MS + 20)


def _headers() -> Iterator[tuple[str, bytes, int]]:
    """Batches whose header alone is wrong."""
    yield "good", _GOOD, OK
    yield "declares more records", batch(three(), 4), INVALID
    yield "declares fewer records", batch(three(), 2), INVALID
    yield "count below last offset delta", batch(three(), 2, last_delta=2), INVALID
    yield "count above last offset delta", batch(three(), 4, last_delta=2), INVALID
    yield "count zero", batch(b"", 0), INVALID
    yield "count zero, last offset delta 2", batch(three(), 0, last_delta=2), INVALID
    yield "count negative", batch(three(), -1, last_delta=2), INVALID
    yield "last offset delta negative", batch(three(), 3, last_delta=-1), INVALID
    yield "count huge", batch(three(), 2**31 - 1, last_delta=2**31 - 2), INVALID
    yield "more records than bytes", batch(three(), 100), INVALID
    yield "no batch", b"", INVALID
    yield "cut inside the header", _GOOD[:40], INVALID
    yield "cut behind the header", _GOOD[:61], INVALID
    yield "cut inside the records", _GOOD[:-3], INVALID
    yield "two batches", _GOOD + _GOOD, INVALID
    yield "some bytes behind it", _GOOD + b"junk", OK
    yield "half a batch behind it", _GOOD + _GOOD[:50], OK
    yield "zeros behind it", _GOOD + bytes(70), CORRUPT
    for length in (0, -1, 13, 14, 48, 49, len(_GOOD) - 13, -(2**31)):
        yield f"length {length}", _GOOD[:8] + struct.pack(">i", length) + _GOOD[12:], CORRUPT
    yield "length one more", batch(three(), 3, length=len(_GOOD) - 11), INVALID
    yield "control", batch(three(), 3, attributes=0x20), INVALID
    yield "transactional", batch(three(), 3, attributes=0x10, producer=(7, 0, 0)), 53
    for bits in (0x40, 0x80, 0x100, 0x4000):
        yield f"attributes {bits:#x}", batch(three(), 3, attributes=bits), OK
    yield "marked LogAppendTime", batch(three(), 3, attributes=8), OK
    yield "marked LogAppendTime, no time", batch(three(), 3, attributes=8, max_time=-1), BAD_TIME
    for number in (5, 6, 7):
        yield f"compression {number}", batch(three(), 3, attributes=number), UNKNOWN
    yield "base offset 5", batch(three(), 3, base_offset=5), INVALID
    yield "base offset -5", batch(three(), 3, base_offset=-5), INVALID
    yield "leader epoch 99", batch(three(), 3, leader_epoch=99), OK
    yield "crc", batch(three(), 3, crc=1), CORRUPT
    for magic, code in ((0, INVALID), (1, INVALID), (3, CORRUPT), (-1, CORRUPT)):
        yield f"magic {magic}", batch(three(), 3, magic=magic), code
    yield "producer without sequence", batch(three(), 3, producer=(5, 0, -1)), INVALID
    yield "sequence -2", batch(three(), 3, producer=(6, 0, -2)), INVALID
    yield "producer without epoch", batch(three(), 3, producer=(7, -1, 0)), OK
    yield "epoch -5", batch(three(), 3, producer=(8, -5, 0)), 47
    yield "producer -2", batch(three(), 3, producer=(-2, 0, 0)), OK
    yield "sequence without producer", batch(three(), 3, producer=(-1, 0, 0)), OK


def _times() -> Iterator[tuple[str, bytes, int]]:
    """Timestamps, in headers and records."""
    for claimed in (-1, -100, 5, NOW_MS + 10**12):
        yield f"max timestamp {claimed}", batch(three(), 3, max_time=claimed), OK
    for base, code in ((-1, OK), (-5, OK), (0, OK), (-(2**63), BAD_TIME), (2**63 - 1, BAD_TIME)):
        yield f"base timestamp {base}", batch(record(), base_time=base, max_time=base), code
    yield "no timestamps, one late", batch(record(delta=1000), base_time=-1, max_time=-1), OK
    yield "before the base timestamp", batch(record(delta=-1000)), OK
    yield "long before", batch(record(delta=-(2**33))), OK
    yield "far ahead, header not", batch(record(delta=_FAR)), BAD_TIME
    yield "header far ahead", batch(record(), base_time=NOW_MS + _FAR), BAD_TIME
    for delta in (2**62, 2**63 - 1):
        yield f"timestamp delta {delta}", batch(record(delta=delta)), BAD_TIME
    yield "timestamp delta in ten bytes", batch(record(delta=varint(5, size=10))), OK
    yield "timestamp delta in eleven", batch(record(delta=varint(5, size=11))), INVALID


def _records() -> Iterator[tuple[str, bytes, int]]:
    """Batches with wrong records."""
    whole = len(record()) - 1
    more = record(1, value=octets(b"x" * 100))
    yield "trailing byte", batch(three() + b"\0", 3), INVALID
    yield "trailing record", batch(three() + record(3), 3), INVALID
    yield "last record cut", batch(three()[:-1], 3), INVALID
    for size in (whole + 1, whole - 1, 0, -1, -100, 2**31 - 1, -(2**31)):
        yield f"record size {size - whole:+}", batch(record(size=size)), INVALID
    yield "record size in three bytes", batch(record(size=varint(whole, size=3))), OK
    yield "record attributes", batch(record(attributes=0xFF)), OK
    yield "offset delta in five bytes", batch(record(offset=varint(0, size=5))), OK
    yield "offset delta in six", batch(record(offset=varint(0, size=6))), INVALID
    yield "offset delta beyond 32 bits", batch(record(offset=b"\xff" * 5)), INVALID
    yield "offset delta 1 of one", batch(record(1)), OK
    yield "offset delta -1", batch(record(-1)), OK
    yield "offset deltas alike", batch(record() * 3, 3), OK
    yield "offset deltas backwards", batch(record(2) + record(1) + record(0), 3), OK
    yield "offset deltas with a gap", batch(record(0) + record(1) + record(3), 3), OK
    for name, extra in (("key", b"k"), ("value", b"v")):
        for size, code in ((-1, OK), (-2, OK), (-(2**31), OK), (2**31 - 1, INVALID)):
            field = varint(size) + (b"" if size < 0 else extra)
            made = record(key=field) if name == "key" else record(value=field)
            yield f"{name} of {size}", batch(made), code
    yield "key into the next record", batch(record(key=varint(50) + b"k") + more, 2), INVALID
    yield "value into the next record", batch(record(value=varint(20) + b"v") + more, 2), INVALID
    yield "no header count", batch(record(headers=b"")), INVALID
    yield "a byte too many", batch(record(headers=b"\0\0")), INVALID
    for name, made, code in (
        ("count -1", varint(-1), INVALID),
        ("count 1, none", varint(1), INVALID),
        ("count 1000", varint(1000), INVALID),
        ("count 2, one", varint(2) + header(), INVALID),
        ("count 1, two", varint(1) + 2 * header(), INVALID),
        ("key null", varint(1) + header(None), INVALID),
        ("key -2", varint(1) + varint(-2) + octets(b"x"), INVALID),
        ("key too long", varint(1) + varint(50) + octets(b"x"), INVALID),
        ("key empty", varint(1) + header(b""), OK),
        ("key no UTF-8", varint(1) + header(b"gr\xf6\xdfe"), OK),
        ("value null", varint(1) + header(value=None), OK),
        ("value -2", varint(1) + octets(b"h") + varint(-2), OK),
        ("value too long", varint(1) + octets(b"h") + varint(50) + b"x", INVALID),
    ):
        yield f"headers: {name}", batch(record(headers=made)), code


def _compressed() -> Iterator[tuple[str, bytes, int]]:
    """Batches with a wrong compressed stream, or wrong records in it."""
    for codec in NAMES[1:]:
        yield f"{codec}: good", packed(codec, three(), 3), OK
        yield f"{codec}: garbage", batch(b"not compressed at all", 1, codec=codec), UNKNOWN
        empty = INVALID if codec == "zstd" else UNKNOWN
        yield f"{codec}: nothing", batch(b"", 1, codec=codec), empty
        yield f"{codec}: one byte", batch(b"x", 1, codec=codec), UNKNOWN
        yield f"{codec}: cut by 1", cut(codec, -1), UNKNOWN
        yield f"{codec}: cut by 4", cut(codec, -4), UNKNOWN
        lenient = OK if codec in ("gzip", "lz4") else UNKNOWN
        yield f"{codec}: a byte behind the stream", cut(codec, 0, b"\0"), lenient
        yield f"{codec}: bytes behind the stream", cut(codec, 0, b"junkjunkjunk"), lenient
        yield f"{codec}: trailing byte", packed(codec, three() + b"\0", 3), INVALID
        yield f"{codec}: trailing record", packed(codec, three() + record(3), 3), INVALID
        yield f"{codec}: declares more", packed(codec, three(), 4), INVALID
        yield f"{codec}: declares fewer", packed(codec, three(), 2), INVALID
        gap = record(0) + record(1) + record(3)
        yield f"{codec}: offset deltas with a gap", packed(codec, gap, 3), UNKNOWN
        for name, made, code in (
            ("record size -1", record(size=7), OK),
            ("record size negative", record(size=-1), OK),
            ("value too long", record(value=varint(20) + b"v"), INVALID),
            ("value huge", record(value=varint(2**31 - 1) + b"v"), INVALID),
            ("key -2", record(key=varint(-2)), OK),
            ("header key null", record(headers=varint(1) + header(None)), INVALID),
            ("header count -1", record(headers=varint(-1)), INVALID),
            ("header count 1000", record(headers=varint(1000)), INVALID),
            ("far ahead", record(delta=_FAR), BAD_TIME),
        ):
            yield f"{codec}: {name}", packed(codec, made), code
        yield f"{codec}: max timestamp -1", packed(codec, three(), 3, max_time=-1), OK
        yield f"{codec}: control", packed(codec, three(), 3, attributes=0x20), INVALID
    framed = compress("snappy", three())
    yield "snappy: in a frame", batch(framed, 3, codec="snappy"), OK
    lie = b"\xff\xff\xff\xff\x0f" + bytes(cramjam.snappy.compress_raw(three()))[1:]
    yield "snappy: lies about its size", batch(lie, 3, codec="snappy"), UNKNOWN
    linked = bytes(cramjam.lz4.compress(three()))
    yield "lz4: blocks that depend on each other", batch(linked, 3, codec="lz4"), UNKNOWN


CASES: Final = {
    name: (data, code)
    for cases in (_headers(), _times(), _records(), _compressed())
    for name, data, code in cases
}
"""By name: the batch, and Kafka's error code."""

_OFFSETS: Final = (
    *("offset delta 1 of one", "offset delta -1", "offset deltas alike"),
    *("offset deltas backwards", "offset deltas with a gap"),
    *(f"{codec}: offset deltas with a gap" for codec in NAMES[1:]),
)
STRICTER: Final = {
    **dict.fromkeys(_OFFSETS, INVALID),
    **{
        f"{codec}: record size {what}": INVALID
        for codec in NAMES[1:]
        for what in ("-1", "negative")
    },
    **{
        f"{codec}: {what} behind the stream": UNKNOWN
        for codec in ("gzip", "lz4")
        for what in ("a byte", "bytes")
    },
    "zstd: nothing": UNKNOWN,
}
"""raftka's answers that differ from Kafka's, see docs/differences-from-kafka.md: Kafka stores
batches that consumers cannot read, or answers UNKNOWN_SERVER_ERROR to a client's fault.
"""


def mutate(dice: Random) -> bytes:
    """A batch with a few bytes of its records changed, cut or added, and a CRC that is right."""
    codec = dice.choice((*["none"] * 8, *NAMES[1:]))
    count = dice.choice((1, 1, 2, 3, 5, 70))
    made = [
        record(
            index,
            delta=dice.choice((0, 1, 100, 10_000, -5, 2**30, 2**40)),
            key=octets(dice.choice((None, b"", b"key", bytes(70)))),
            value=octets(dice.choice((None, b"", b"value", bytes(70), bytes(9000)))),
            headers=dice.choice((b"\0", b"\0", varint(1) + header(), varint(2) + 2 * header())),
        )
        for index in range(count)
    ]
    data = bytearray(b"".join(made))
    for _ in range(dice.choice((0, 1, 1, 2, 5))):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(4)
        if kind == 0:
            data[at : at + 1] = bytes([dice.randrange(256)])
        elif kind == 1:
            data[at:at] = dice.randbytes(dice.randrange(1, 4))
        elif kind == 2:
            del data[at : at + dice.randrange(1, 4)]
        else:
            data[at : at + 1] = bytes([dice.choice((0, 1, 2, 0x7F, 0x80, 0xFF))])
    body = bytes(data)
    if codec != "none":
        body = packed(codec, body)[61:]
    return batch(body, count, codec=codec)
