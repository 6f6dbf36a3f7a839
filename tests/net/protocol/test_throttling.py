"""The throttle time of an encoded answer, in every version of every API."""

from __future__ import annotations

import random

import pytest

from raftka.model.ports import Piece, bytes_of
from raftka.net.protocol import codec
from raftka.net.protocol.fetch_writer import FetchedPartition, write_fetch_response
from raftka.net.protocol.layout import shape_of
from raftka.net.protocol.message import Message, Response
from raftka.net.protocol.messages.fetch import FetchResponse
from raftka.net.protocol.messages.produce import ProduceResponse
from raftka.net.protocol.produce_writer import write_produced
from raftka.net.protocol.throttling import put_throttle_ms, throttle_ms_in
from tests.support.messages import api_classes, random_message, versions

RESPONSES = [cls for cls in api_classes() if issubclass(cls, Response)]


def decoded(cls: type[Response], version: int, frame: list[Piece]) -> Response:
    data = b"".join(map(bytes_of, frame))
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    return codec.decode_response(cls, version, data[4:])[1]


@pytest.mark.parametrize("cls", RESPONSES, ids=lambda cls: cls.__name__)
def test_put_and_read_where_it_can_be_found(cls: type[Message]) -> None:
    assert issubclass(cls, Response)
    for version in versions(cls):
        message = random_message(cls, version, random.Random(version))
        if cls is ProduceResponse:
            message.node_endpoints = []  # The hand-written answer, the only frame, has none.
        first = shape_of(cls, version).plain[0].name == "throttle_time"
        has_field = first or cls is ProduceResponse
        frame = codec.encode_response(message, version, 7)
        said = message.throttle_time if has_field else 0
        assert throttle_ms_in(cls, version, frame) == said
        put_throttle_ms(cls, version, frame, 12_345)
        answer = decoded(cls, version, frame)
        if has_field:
            message.throttle_time = 12_345
        assert codec.encode(answer, version) == codec.encode(message, version)


def test_hand_written_answers() -> None:
    for version in range(4, 19):
        topic: str | bytes = bytes(16) if version >= 13 else "t"
        partition = FetchedPartition(0, 0, 5, 5, 0, [b"x" * 900], 900)
        frame = write_fetch_response(version, 7, [(topic, [partition])])
        put_throttle_ms(FetchResponse, version, frame, 12_345)
        answer = decoded(FetchResponse, version, frame)
        assert isinstance(answer, FetchResponse)
        assert answer.throttle_time == 12_345
    for version in range(3, 14):
        topic = bytes(16) if version >= 13 else "t"
        produced: list[Piece] = [write_produced(version, 7, topic, 0, 1, 2, 3)]
        put_throttle_ms(ProduceResponse, version, produced, 12_345)
        written = decoded(ProduceResponse, version, produced)
        assert isinstance(written, ProduceResponse)
        assert written.throttle_time == 12_345


def test_what_the_controller_answered_comes_with_its_size_apart() -> None:
    cls = codec.REQUESTS[19].RESPONSE
    (whole,) = codec.encode_response(cls(), 7, 7)
    frame: list[Piece] = [bytes_of(whole)[:4], bytes_of(whole)[4:]]
    assert throttle_ms_in(cls, 7, frame) == 0
    put_throttle_ms(cls, 7, frame, 50)
    assert throttle_ms_in(cls, 7, frame) == 50
    assert len(frame) == 1
