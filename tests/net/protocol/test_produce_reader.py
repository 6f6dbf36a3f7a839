"""A Produce request that is read by comparison with the last one equals the decoder's."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from raftka.net.protocol.codec import decode_request, decode_request_header, encode_request
from raftka.net.protocol.headers import RequestHeader
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from raftka.net.protocol.produce_reader import Repeated

VERSIONS = range(ProduceRequest.VALID_VERSIONS[0], ProduceRequest.VALID_VERSIONS[1] + 1)
TOPIC = bytes(range(16))
SIZES = (1, 61, 62, 126, 127, 128, 129, 16_382, 16_383, 16_384, 2_097_150, 2_097_151, 2_097_152)


def asked(version: int, records: bytes | None, **fields: Any) -> ProduceRequest:
    index = fields.pop("index", 3)
    topic = TopicProduceData(
        name="orders" if version < 13 else "",
        topic_id=TOPIC if version >= 13 else bytes(16),
        partition_data=[PartitionProduceData(index=index, records=records)],
    )
    return ProduceRequest(**{"acks": -1, "timeout": 1500, "topic_data": [topic], **fields})


def framed(
    request: ProduceRequest, version: int, correlation_id: int = 7, client_id: str | None = "c"
) -> memoryview:
    pieces = encode_request(request, version, correlation_id, client_id)
    return memoryview(bytearray(b"".join(memoryview(cast(bytes, piece)) for piece in pieces)[4:]))


def decoded(frame: memoryview) -> tuple[RequestHeader, ProduceRequest]:
    header = decode_request_header(frame)
    return header, decode_request(ProduceRequest, header.api_version, frame, header.body_offset)


def kept(frame: memoryview, last: Repeated | None = None) -> Repeated | None:
    return Repeated.keep(last, frame, *decoded(frame))


def words(request: ProduceRequest) -> object:
    """All its fields; records as bytes."""
    return (
        request.transactional_id,
        request.acks,
        request.timeout,
        [
            (topic.name, topic.topic_id, each.index, bytes(cast(bytes, each.records or b"")))
            for topic in request.topic_data
            for each in topic.partition_data
        ],
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_repetition_is_read_as_it_is_decoded(version: int) -> None:
    dice = random.Random(version)
    repeated = kept(framed(asked(version, b"r" * 70), version))
    assert repeated is not None
    for correlation_id, size in enumerate(SIZES, start=-3):
        frame = framed(asked(version, dice.randbytes(size)), version, correlation_id)
        header, expected = decoded(frame)
        request = repeated.read(frame)
        assert request is not None
        assert words(request) == words(expected)
        assert repeated.header[:4] == header[:4]
        repeated.let_go()
        assert request.topic_data[0].partition_data[0].records is None


@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_differs_is_decoded(version: int) -> None:
    usual = framed(asked(version, b"r" * 70), version)
    repeated = kept(usual)
    assert repeated is not None
    others = [
        framed(asked(version, b"r" * 70, acks=1), version),
        framed(asked(version, b"r" * 70, timeout=1501), version),
        framed(asked(version, b"r" * 70, index=4), version),
        framed(asked(version, b"r" * 70, transactional_id="t"), version),
        framed(asked(version, b"r" * 70), version, client_id="d"),
        framed(asked(version, b"r" * 70), version, client_id=None),
        framed(asked(version, b""), version),
        framed(asked(version, None), version),
        memoryview(bytes(usual) + b"\0"),
        framed(asked(version, b"r" * 70), version + 1 if version < 12 else version - 1),
        *(usual[:end] for end in range(len(usual))),
    ]
    assert [repeated.read(other) for other in others] == [None] * len(others)


@pytest.mark.parametrize("version", [9, 12, 13])
def test_a_size_that_lies_is_left_to_the_decoder(version: int) -> None:
    usual = framed(asked(version, b"r" * 70), version)
    repeated = kept(usual)
    assert repeated is not None
    at = len(usual) - 3 - 70 - 1
    assert usual[at] == 71
    for size in (b"\0", b"\1", b"\x80", b"\xff" * 5, b"\xff" * 74, b"\xff\xff\xff\xff\x0f"):
        spoiled = bytearray(usual)
        spoiled[at : at + len(size)] = size
        assert repeated.read(memoryview(spoiled)) is None
    tagged = bytearray(usual)
    tagged[-1] = 1
    assert repeated.read(memoryview(tagged)) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_only_one_batch_of_no_transaction_is_kept(version: int) -> None:
    two = asked(version, b"r" * 70)
    two.topic_data[0].partition_data.append(PartitionProduceData(index=9, records=b"s"))
    usual = framed(asked(version, b"r" * 70), version)
    for frame in (
        framed(two, version),
        framed(ProduceRequest(), version),
        framed(asked(version, None), version),
        framed(asked(version, b"r", transactional_id="t"), version),
        framed(asked(version, b"r" * 70), version, client_id="c" * 600),
    ):
        assert kept(frame) is None
        assert kept(frame, last := kept(usual)) is last
    # Bytes after the end, which the decoder ignores, would shift everything.
    assert kept(memoryview(bytes(usual) + b"junk")) is None


def test_requests_that_never_repeat_are_seldom_kept() -> None:
    repeated: Repeated | None = None
    changes = 0
    for number in range(1000):
        frame = framed(asked(9, b"r" * 70, index=number), 9)
        before = repeated
        assert before is None or before.read(frame) is None
        repeated = kept(frame, before)
        changes += repeated is not before
    assert changes <= 25
    assert repeated is not None
    for _ in range(65):
        frame = framed(asked(9, b"r" * 70, index=5), 9)
        if repeated.read(frame) is not None:
            break
        found = kept(frame, repeated)
        assert found is not None
        repeated = found
    else:
        pytest.fail("it was not kept again")
    assert kept(framed(asked(9, b"r" * 70, index=6), 9), repeated) is not repeated
