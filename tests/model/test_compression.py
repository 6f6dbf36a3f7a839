"""Compression: every codec there and back, both snappy framings, and bombs that stay small."""

from __future__ import annotations

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftka.model.compression import NAMES, compress, decompress
from raftka.model.errors import ErrorCode, KafkaError

COMPRESSING = NAMES[1:]


@pytest.mark.parametrize("codec", NAMES)
@given(data=st.binary(max_size=2000), repeat=st.integers(1, 100))
@settings(max_examples=30, deadline=None)
def test_there_and_back(codec: str, data: bytes, repeat: int) -> None:
    assert bytes(decompress(codec, compress(codec, data * repeat))) == data * repeat


@pytest.mark.parametrize("codec", COMPRESSING)
def test_a_bomb_is_refused_at_the_limit(codec: str) -> None:
    bomb = compress(codec, bytes(3_000_000))
    with pytest.raises(KafkaError) as caught:
        decompress(codec, bomb, limit=1_000_000)
    assert caught.value.code is ErrorCode.RECORD_LIST_TOO_LARGE
    assert len(decompress(codec, bomb, limit=3_000_000)) == 3_000_000


@pytest.mark.parametrize("codec", COMPRESSING)
def test_garbage_is_corrupt(codec: str) -> None:
    with pytest.raises(KafkaError) as caught:
        decompress(codec, b"\x07garbage that no codec wrote" * 3)
    assert caught.value.code is ErrorCode.CORRUPT_MESSAGE


@pytest.mark.parametrize("codec", COMPRESSING)
def test_a_cut_off_stream_is_corrupt_or_short(codec: str) -> None:
    whole = compress(codec, bytes(range(256)) * 1000)
    for cut in range(0, len(whole), 97):
        try:
            assert len(decompress(codec, whole[:cut])) < 256_000
        except KafkaError as error:
            assert error.code is ErrorCode.CORRUPT_MESSAGE


def test_raw_snappy_is_accepted() -> None:
    """librdkafka sends one raw block, Java clients a stream of framed ones."""
    raw = bytes(cramjam.snappy.compress_raw(b"hello" * 100))
    assert bytes(decompress("snappy", raw)) == b"hello" * 100
    assert compress("snappy", b"hello").startswith(b"\x82SNAPPY\x00")


def test_a_snappy_block_that_promises_too_much_reserves_nothing() -> None:
    promise_of_4_gib = b"\xff\xff\xff\xff\x0f\x00a"
    with pytest.raises(KafkaError) as caught:
        decompress("snappy", promise_of_4_gib)
    assert caught.value.code is ErrorCode.CORRUPT_MESSAGE


def test_lz4_frames_are_what_java_clients_accept() -> None:
    """Version 1 with independent blocks: these clients refuse linked ones."""
    frame = compress("lz4", b"abc" * 50_000)
    assert frame[:4] == b"\x04\x22\x4d\x18"
    assert frame[4] & 0b1110_0000 == 0b0110_0000
    assert bytes(cramjam.lz4.decompress(frame)) == b"abc" * 50_000


def test_levels_are_taken() -> None:
    data = bytes(range(256)) * 400
    assert len(compress("zstd", data, 19)) <= len(compress("zstd", data, 1))
    assert len(compress("gzip", data, 9)) <= len(compress("gzip", data, 1))


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(KafkaError, match="brotli"):
        compress("brotli", b"")
