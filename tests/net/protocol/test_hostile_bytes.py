"""For any bytes from the wire the codec raises only MalformedMessage, with bounded memory."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from raftka.net.protocol.codec import (
    REQUESTS,
    MalformedMessage,
    decode,
    decode_request_header,
    decode_response,
)
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.metadata import MetadataRequest
from raftka.net.protocol.primitives import write_varint
from tests.support import messages
from tests.support.fuzz import HostileFrame, hostile_frames
from tests.support.messages import data_classes, every_version, random_message
from tests.support.wire import encoded

FRAMES_EACH = 150
RESPONSES_EACH = 4
MEMORY_FACTOR = 120
"""Bytes of objects per byte of a frame, at worst: a struct of one empty string takes 2 bytes."""


def read(frame: HostileFrame) -> bool:
    """Read a request as a server would; returns whether it was decoded."""
    body = memoryview(bytearray(frame.body))
    try:
        header = decode_request_header(body)
        request = REQUESTS.get(header.api_key)
        if request is None:
            return False
        decode(request, header.api_version, body, header.body_offset)
    except MalformedMessage:
        return False
    return True


def test_requests_raise_nothing_else() -> None:
    understood = {True: 0, False: 0}
    for frame in hostile_frames(random.Random(1), FRAMES_EACH):
        understood[read(frame)] += 1
    assert understood[False] > understood[True] > 0


def test_responses_and_data_raise_nothing_else() -> None:
    dice = random.Random(2)
    for cls, version in every_version():
        data = bytearray(encoded(random_message(cls, version, dice), version))
        for _ in range(RESPONSES_EACH if data else 0):
            spoiled = bytearray(data)
            spoiled[dice.randrange(len(data))] = dice.getrandbits(8)
            del spoiled[dice.randrange(len(data) + 1) :]
            try:
                decode(cls, version, spoiled)
            except MalformedMessage as error:
                assert cls.__name__ in str(error)


def test_every_cut_is_noticed() -> None:
    dice = random.Random(3)
    for cls, version in every_version():
        data = encoded(random_message(cls, version, dice), version)
        for size in sorted(dice.sample(range(len(data)), min(len(data), 6))):
            with pytest.raises(MalformedMessage):
                decode(cls, version, data[:size])
        with pytest.raises(MalformedMessage, match="too many"):
            decode(cls, version, data + b"\0")


def test_memory_is_bounded_by_the_frame() -> None:
    frames = list(hostile_frames(random.Random(4), 30))
    for frame in frames:
        read(frame)  # what compiles is compiled now
    tracemalloc.start()
    try:
        for frame in frames:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            read(frame)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 20_000 + MEMORY_FACTOR * len(frame.data), frame
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [1, 100, 2**31 - 2])
def test_a_count_is_checked_before_anything_is_made(count: int) -> None:
    flexible = REQUESTS[3].VALID_VERSIONS[1]
    with pytest.raises(MalformedMessage, match=f"topics announces {count} elements with 3 bytes"):
        decode(REQUESTS[3], flexible, write_varint(count + 1) + bytes(3))
    with pytest.raises(MalformedMessage, match=f"topics announces {count} elements with 1 bytes"):
        decode(REQUESTS[3], 1, count.to_bytes(4, "big") + bytes(1))


def test_elements_that_fill_the_frame_are_read() -> None:
    """The smallest possible elements: the bound must not refuse a valid message."""
    names = 5000
    request = decode(MetadataRequest, 1, names.to_bytes(4, "big") + bytes(2 * names))
    assert len(request.topics or ()) == names


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x80\x80\x80\x80\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ],
)
def test_endless_varints(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="longer than 5 bytes"):
        decode(REQUESTS[3], 12, data)


def test_null_where_there_is_none() -> None:
    with pytest.raises(MalformedMessage, match="group_id is null"):
        decode(REQUESTS[12], 0, b"\xff\xff" + bytes(20))
    with pytest.raises(MalformedMessage, match="group_id is null"):
        decode(REQUESTS[12], 4, bytes(20))


def test_text_that_is_no_utf_8_is_read_as_java_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every string of every message, in all versions."""
    monkeypatch.setattr(messages, "_LETTERS", "漢")
    texts = 0
    for cls, version in every_version():
        message = random_message(cls, version, random.Random(version))
        data = encoded(message, version).replace("漢".encode(), b"\xff\xfe\xfd")
        expected = repr(message).replace("漢", "\ufffd" * 3)
        texts += "\ufffd" in expected
        assert repr(decode(cls, version, data)) == expected
        assert repr(decode(cls, version, memoryview(data))) == expected
    assert texts > 100


def test_a_client_id_that_is_no_utf_8_is_read_as_java_reads_it() -> None:
    frame = b"\x00\x12\x00\x00" + bytes(4) + b"\x00\x04B\xfcro"
    for given in (frame, memoryview(frame)):
        assert decode_request_header(given).client_id == "B\ufffdro"


def test_text_that_is_cut_inside_a_letter_ends_early() -> None:
    with pytest.raises(MalformedMessage, match=r"ends early|unpack_from"):
        decode(REQUESTS[12], 0, b"\x00\x09" + "漢".encode()[:2])


@pytest.mark.parametrize("version", [-1, 5, 99, 32767])
def test_versions_that_are_not_known(version: int) -> None:
    with pytest.raises(MalformedMessage, match="has versions 0 to 4"):
        decode(REQUESTS[12], version, bytes(20))


@pytest.mark.parametrize("frame", [b"", b"\0", bytes(4), bytes(5)])
def test_short_responses(frame: bytes) -> None:
    for key in REQUESTS:
        response: type[Message] = REQUESTS[key].RESPONSE
        with pytest.raises(MalformedMessage):
            decode_response(response, response.VALID_VERSIONS[1], frame)  # type: ignore[type-var]


def test_data_classes_are_all_here() -> None:
    assert len(data_classes()) == 49
