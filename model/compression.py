"""The four compression codecs of record batches, with bounded decompression.

The sender of a compressed batch chooses its decompressed size, so every decompression has a limit
and allocates memory gradually, never by a declared length.

Source: the record batch section of Kafka's protocol documentation; KIP-110 (zstd); the LZ4 frame
format 1.6; snappy-java's stream format ("xerial"), which Java clients write and expect.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Final

from raftka.model.errors import ErrorCode, KafkaError

Buffer = bytes | bytearray | memoryview

NAMES: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""Compression names in settings; the index is the number in a batch's attributes."""

LIMIT_BYTES: Final = 128 * 1024 * 1024
"""The default limit of a batch's decompressed size."""

_FIRST_GUESS_BYTES: Final = 64 * 1024

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)
_XERIAL_BLOCK_BYTES: Final = 32 * 1024
_INT32: Final = struct.Struct(">i")

# Version 1, independent blocks of at most 64 KiB, no checksums, then the header's own checksum.
# Independent because Java clients refuse linked blocks, and cramjam's frames are linked.
_LZ4_HEADER: Final = b"\x04\x22\x4d\x18\x60\x40\x82"
_LZ4_BLOCK_BYTES: Final = 64 * 1024
_LZ4_STORED: Final = 0x80000000
_LZ4_LENGTH: Final = struct.Struct("<I")


@cache
def library() -> Any:
    """cramjam, loaded with the first compressed batch: a node starts faster without it."""
    import cramjam

    return cramjam


def compress(codec: str, data: Buffer, level: int | None = None) -> bytes:
    """`data` compressed by the codec of that name ("none" copies).

    `level` is a level of the codec; snappy has none. Raises KafkaError UNSUPPORTED_COMPRESSION_TYPE
    for an unknown name.
    """
    if codec == "none":
        return bytes(data)
    if codec == "gzip":
        return bytes(
            library().gzip.compress(data, level=6 if level is None or level < 0 else level)
        )
    if codec == "snappy":
        return _compress_snappy(memoryview(data))
    if codec == "lz4":
        return _compress_lz4(memoryview(data))
    if codec == "zstd":
        return bytes(library().zstd.compress(data, level=3 if level is None else level))
    raise KafkaError(
        ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
        f"Unknown compression {codec!r}; known are {', '.join(NAMES)}.",
    )


def decompress(codec: str, data: Buffer, limit: int = LIMIT_BYTES) -> Buffer:
    """The decompressed data; for "none" the buffer itself.

    Raises KafkaError: CORRUPT_MESSAGE for malformed data, RECORD_LIST_TOO_LARGE if the result would
    exceed `limit` bytes.
    """
    if codec == "none":
        return data
    try:
        if codec == "snappy":
            return _decompress_snappy(memoryview(data), limit)
        return _decompress_growing(codec, data, limit)
    except library().DecompressionError as error:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE, f"A batch cannot be decompressed as {codec}: {error}"
        ) from error


def check_lz4_frame(data: Buffer) -> None:
    """Refuse a frame that this broker can read and Java's clients cannot.

    Java clients, and Apache Kafka's broker, support version 1 with independent blocks of 64 KB to 4
    MB and without a dictionary. Raises KafkaError CORRUPT_MESSAGE.
    """
    head = bytes(memoryview(data)[:6])
    if len(head) < 6 or head[:4] != _LZ4_HEADER[:4]:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, "A batch is no LZ4 frame.")
    flags, block = head[4], head[5]
    if flags & 0xE3 != 0x60 or block & 0x8F or block >> 4 < 4:
        raise KafkaError(
            ErrorCode.CORRUPT_MESSAGE,
            f"An LZ4 frame with the descriptor {flags:#04x} {block:#04x}: Java clients read only "
            "version 1 with independent blocks of 64 KB to 4 MB and without a dictionary.",
        )


def _decompress_growing(codec: str, data: Buffer, limit: int) -> Buffer:
    """Decompress into growing buffers: no codec reliably declares its decompressed size."""
    decompress_into = getattr(library(), codec).decompress_into
    room = min(limit, max(_FIRST_GUESS_BYTES, 4 * len(data)))
    while True:
        output = bytearray(room)
        try:
            size = decompress_into(data, output)
        except library().DecompressionError as error:
            if "failed to write whole buffer" not in str(error):
                raise
            if room >= limit:
                raise _too_large(codec, limit) from None
            room = min(limit, 4 * room)
        else:
            return memoryview(output)[:size]


def _too_large(codec: str, limit: int) -> KafkaError:
    return KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        f"A batch compressed by {codec} holds more than the {limit} bytes that are allowed.",
    )


def _compress_snappy(data: memoryview) -> bytes:
    parts = [_XERIAL_HEADER]
    for start in range(0, len(data), _XERIAL_BLOCK_BYTES):
        block = bytes(library().snappy.compress_raw(data[start : start + _XERIAL_BLOCK_BYTES]))
        parts += (_INT32.pack(len(block)), block)
    return b"".join(parts)


def _decompress_snappy(data: memoryview, limit: int) -> Buffer:
    """Both formats in use: xerial's framed stream and librdkafka's single raw block."""
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return _decompress_snappy_block(data, limit)
    parts = bytearray()
    position = len(_XERIAL_HEADER)
    while position < len(data):
        if position + 4 > len(data):
            raise library().DecompressionError("the stream ends inside a block's length")
        (length,) = _INT32.unpack_from(data, position)
        position += 4
        if not 0 <= length <= len(data) - position:
            raise library().DecompressionError(f"a block claims {length} bytes, more than follow")
        part = _decompress_snappy_block(data[position : position + length], limit)
        limit -= len(part)
        parts += part
        position += length
    return parts


def _decompress_snappy_block(block: memoryview, limit: int) -> bytearray:
    declared = library().snappy.decompress_raw_len(block)
    # A two-byte snappy element yields at most 64 bytes: refuse a larger declared size before
    # allocating memory for it.
    if declared > 64 * len(block):
        raise library().DecompressionError(f"{len(block)} bytes cannot hold {declared}")
    if declared > limit:
        raise _too_large("snappy", limit)
    plain = bytearray(declared)
    library().snappy.decompress_raw_into(block, plain)
    return plain


def _compress_lz4(data: memoryview) -> bytes:
    parts = [_LZ4_HEADER]
    for start in range(0, len(data), _LZ4_BLOCK_BYTES):
        plain = data[start : start + _LZ4_BLOCK_BYTES]
        block = bytes(library().lz4.compress_block(plain, store_size=False))
        if len(block) < len(plain):
            parts += (_LZ4_LENGTH.pack(len(block)), block)
        else:
            parts += (_LZ4_LENGTH.pack(len(plain) | _LZ4_STORED), bytes(plain))
    parts.append(_LZ4_LENGTH.pack(0))
    return b"".join(parts)
