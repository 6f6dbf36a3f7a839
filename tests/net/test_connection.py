"""Framing: whole frames come out however the bytes arrive, and sizes are not trusted."""

from __future__ import annotations

import random
import struct

import pytest

from raftka.net.connection import FrameReader, FrameTooLarge


def feed(reader: FrameReader, data: bytes, chunks: list[int]) -> list[bytes]:
    """Pass `data` in pieces of the given sizes; returns copies of the frames."""
    found: list[bytes] = []
    position = 0
    sizes = iter(chunks)
    while position < len(data):
        space = reader.space()
        size = min(next(sizes, len(data)), len(space), len(data) - position)
        space[:size] = data[position : position + size]
        position += size
        found += [bytes(frame) for frame in reader.frames(size)]
    return found


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


@pytest.mark.parametrize("seed", range(30))
def test_frames_survive_any_split(seed: int) -> None:
    dice = random.Random(seed)
    bodies = [dice.randbytes(dice.choice([0, 1, 7, 300, 5000, 70_000])) for _ in range(20)]
    data = framed(*bodies)
    chunks = [dice.randint(1, 9000) for _ in range(len(data))]
    assert feed(FrameReader(100_000), data, chunks) == bodies


def test_several_frames_in_one_receive_come_out_together() -> None:
    reader = FrameReader(1000)
    data = framed(b"one", b"two", b"three") + b"\0\0"
    reader.space()[: len(data)] = data
    assert [bytes(frame) for frame in reader.frames(len(data))] == [b"one", b"two", b"three"]
    assert reader.partial


@pytest.mark.parametrize("size", [-1, -(2**31), 1001, 2**31 - 1])
def test_a_size_out_of_bounds_ends_the_connection(size: int) -> None:
    reader = FrameReader(1000)
    reader.space()[:4] = struct.pack(">i", size)
    with pytest.raises(FrameTooLarge, match=r"socket\.request\.max\.bytes"):
        reader.frames(4)


def test_memory_grows_with_the_bytes_that_came_and_not_with_those_announced() -> None:
    reader = FrameReader(100 * 1024 * 1024)
    data = struct.pack(">i", 100 * 1024 * 1024) + bytes(10_000)
    assert feed(reader, data, []) == []
    assert len(reader.space()) < 64 * 1024


def test_a_busy_peer_is_given_room_for_many_frames() -> None:
    reader = FrameReader(100_000)
    body = bytes(9_996)
    room = 0
    for _ in range(20):
        room = len(reader.space())
        feed(reader, framed(body) * (room // 10_000 + 1), [])
    assert room > 10 * len(body)


def test_a_large_frame_is_received_to_its_end_and_stays_where_it_is() -> None:
    reader = FrameReader(10_000_000)
    large = framed(bytes(700_000))
    feed(reader, large, [])
    for _ in range(3):
        first = len(reader.space()) // 2
        assert feed(reader, large[:first], []) == []
        assert len(reader.space()) == len(large) - first
        (body,) = feed(reader, large[first:], [])
        assert len(body) == 700_000
        assert not reader.partial


def test_a_frame_that_does_not_fit_behind_others_is_moved_once() -> None:
    reader = FrameReader(10_000_000)
    feed(reader, framed(bytes(130_000)), [])
    room = len(reader.space())
    both = framed(bytes(room - 4_000), b"x" * 100_000)
    assert [len(body) for body in feed(reader, both, [room])] == [room - 4_000, 100_000]
    assert not reader.partial


def test_what_a_long_frame_misses_is_known_and_bounded() -> None:
    reader = FrameReader(10_000_000)
    assert reader.missing == 1
    data = framed(bytes(100_000)) + framed(bytes(5_000_000))
    feed(reader, data[:60_000], [])
    assert reader.missing == 100_004 - 60_000
    feed(reader, data[60_000:200_000], [])
    assert reader.missing == 256 * 1024
    feed(reader, data[200_000:], [])
    assert reader.missing == 1
