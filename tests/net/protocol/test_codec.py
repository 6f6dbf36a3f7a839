"""Headers, framing, tagged fields, record pieces, versions and defaults."""

from __future__ import annotations

import random
import subprocess
import sys
import traceback
from typing import Any, cast

import pytest

from raftka.model.ports import File, FileRegion, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.codec import EncodeError, MalformedMessage, RequestHeader
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from raftka.net.protocol.messages.consumer_protocol_subscription import (
    ConsumerProtocolSubscription,
    TopicPartition,
)
from raftka.net.protocol.messages.describe_cluster import DescribeClusterRequest
from raftka.net.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from raftka.net.protocol.messages.metadata import MetadataRequest
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from tests.support.messages import every_version, random_message
from tests.support.wire import encoded, joined


class Pattern:
    """A file that contains only its own offsets."""

    path = "/pattern"

    def read(self, size: int, offset: int) -> bytes:
        return bytes((offset + i) % 256 for i in range(size))


def region(offset: int, size: int) -> FileRegion:
    return FileRegion(cast(File, Pattern()), offset, size)


def test_every_message_comes_back_as_it_was() -> None:
    dice = random.Random(7)
    for cls, version in every_version():
        message = random_message(cls, version, dice)
        assert codec.decode(cls, version, encoded(message, version)) == message


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("client_id", [None, "", "me", "ÿ"])
def test_request_frames(version: int, client_id: str | None) -> None:
    request = HeartbeatRequest(group_id="g", generation_id=3, member_id="m")
    frame = joined(codec.encode_request(request, version, 77, client_id))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    header = codec.decode_request_header(memoryview(frame)[4:])
    assert header == RequestHeader(12, version, 77, client_id, header.body_offset)
    assert codec.decode(HeartbeatRequest, version, frame[4:], header.body_offset) == request


@pytest.mark.parametrize("version", [3, 4])
def test_response_frames(version: int) -> None:
    response = HeartbeatResponse(error_code=27)
    frame = joined(codec.encode_response(response, version, -5))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert codec.decode_response(HeartbeatResponse, version, frame[4:]) == (-5, response)


def test_the_answer_to_api_versions_never_has_header_tags() -> None:
    answer = ApiVersionsResponse(error_code=35)
    frame = joined(codec.encode_response(answer, 3, 1))
    assert frame.hex(" ") == "00 00 00 0c 00 00 00 01 00 23 01 00 00 00 00 00"
    assert codec.decode_response(ApiVersionsResponse, 3, frame[4:]) == (1, answer)


def test_header_tags_are_passed_over() -> None:
    request = joined(codec.encode_request(HeartbeatRequest(group_id="g"), 4, 1, "c"))[4:]
    tagged = request[:11] + b"\x02\x05\x01x\x81\x01\x00" + request[12:]
    header = codec.decode_request_header(tagged)
    assert codec.decode(HeartbeatRequest, 4, tagged, header.body_offset).group_id == "g"


def test_headers_of_unknown_apis_and_versions_are_read_as_far_as_all_agree() -> None:
    unknown = b"\x03\xe7\x00\x00\x00\x00\x00\x07\x00\x02me"
    assert codec.decode_request_header(unknown)[:4] == (999, 0, 7, "me")
    newer = b"\x00\x12\x00\x63\x00\x00\x00\x07\xff\xff"
    assert codec.decode_request_header(newer)[:4] == (18, 99, 7, None)


@pytest.mark.parametrize("size", range(10))
def test_headers_that_end_early(size: int) -> None:
    frame = joined(codec.encode_request(HeartbeatRequest(), 4, 1, "client"))[4:]
    with pytest.raises(MalformedMessage, match="request header"):
        codec.decode_request_header(frame[:size])


def test_unknown_tags_are_passed_over_at_every_level() -> None:
    request = FetchRequest(cluster_id="c", rack_id="r")
    body = encoded(request, 12)
    assert body.endswith(b"\x01\x00\x02\x02c")  # one tag, 0, of 2 bytes
    more = body[:-5] + b"\x03\x00\x02\x02c" + b"\x63\x03abc" + b"\xff\x7f\x00"
    assert codec.decode(FetchRequest, 12, more) == request


def test_known_tags_must_be_as_long_as_they_say() -> None:
    body = encoded(FetchRequest(cluster_id="c"), 12)
    for wrong in (body[:-3] + b"\x03\x02cc", body[:-3] + b"\x01\x02c", body[:-3] + b"\x7f\x02c"):
        with pytest.raises(MalformedMessage):
            codec.decode(FetchRequest, 12, wrong)


def test_tags_in_fixed_size_elements() -> None:
    """They leave the fast path through arrays, and only for arrays that have them."""
    dice = random.Random(5)
    for _ in range(200):
        request = random_message(FetchRequest, 17, dice)
        assert codec.decode(FetchRequest, 17, encoded(request, 17)) == request


def produce(records: Any) -> ProduceRequest:
    partition = PartitionProduceData(index=1, records=records)
    topic = TopicProduceData(name="weblogs", partition_data=[partition, partition])
    return ProduceRequest(acks=-1, timeout=30_000, topic_data=[topic])


@pytest.mark.parametrize("version", [8, 9])
def test_long_records_are_never_copied(version: int) -> None:
    batch = bytes(range(256)) * 16
    pieces = codec.encode_request(produce(batch), version, 1, "me")
    assert [piece is batch for piece in pieces] == [
        False,
        True,
        False,
        True,
        *[False][: version - 8],
    ]
    frame = memoryview(bytearray(joined(pieces)))[4:]
    header = codec.decode_request_header(frame)
    request = codec.decode(ProduceRequest, version, frame, header.body_offset)
    records = request.topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records.obj is frame.obj
    assert records == batch


def test_other_bytes_outlive_the_frame() -> None:
    protocol = JoinGroupRequestProtocol(name="range", metadata=b"topics")
    frame = bytearray(encoded(JoinGroupRequest(protocols=[protocol]), 9))
    request = codec.decode(JoinGroupRequest, 9, memoryview(frame))
    frame[:] = bytes(len(frame))
    assert request.protocols == [protocol]
    assert type(request.protocols[0].metadata) is bytes


@pytest.mark.parametrize("version", [8, 9])
def test_short_records_go_along_with_their_neighbours(version: int) -> None:
    assert len(codec.encode_request(produce(b"tiny"), version, 1, "me")) == 1


@pytest.mark.parametrize("version", [4, 11, 12, 18])
@pytest.mark.parametrize("empty", [None, b"", []])
def test_regions_of_files_count_with_their_size(version: int, empty: list[Piece] | None) -> None:
    parts: list[Piece] = [region(0, 100), b"between", memoryview(b"and"), region(7, 3)]
    response = FetchResponse(
        responses=[
            FetchableTopicResponse(
                topic="t" if version < 13 else "",
                partitions=[
                    PartitionData(partition_index=0, records=parts),
                    PartitionData(partition_index=1, records=empty),
                ],
            )
        ]
    )
    pieces = codec.encode_response(response, version, 1)
    assert [piece for piece in pieces if isinstance(piece, FileRegion)] == [parts[0], parts[3]]
    frame = joined(pieces)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    _, read = codec.decode_response(FetchResponse, version, frame[4:])
    first, second = read.responses[0].partitions
    assert first.records == joined(parts)
    assert second.records == (None if empty is None else b"")


def test_fields_that_a_version_does_not_have() -> None:
    request = MetadataRequest(topics=None, allow_auto_topic_creation=False)
    read = codec.decode(MetadataRequest, 1, encoded(request, 1))
    assert read.topics is None
    assert read.allow_auto_topic_creation is True


def test_defaults_are_never_shared() -> None:
    assert FetchRequest().topics is not FetchRequest().topics
    assert FetchRequest().replica_state is not FetchRequest().replica_state
    one, two = (codec.decode(FetchRequest, 12, encoded(FetchRequest(), 12)) for _ in range(2))
    assert one.replica_state is not two.replica_state


def test_what_cannot_be_written_names_the_message() -> None:
    for wrong in (
        HeartbeatRequest(generation_id=2**31),
        HeartbeatRequest(group_id=cast(str, None)),
        HeartbeatRequest(group_id="x" * 32768),
        HeartbeatRequest(member_id="\ud800"),
    ):
        with pytest.raises(EncodeError, match="HeartbeatRequest v0 cannot be written"):
            codec.encode(wrong, 0)


def test_versions_that_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="DescribeClusterRequest has versions 0 to 2, not 9"):
        codec.encode(DescribeClusterRequest(), 9)


def test_equality_and_words() -> None:
    request = HeartbeatRequest(group_id="g")
    assert request == HeartbeatRequest(group_id="g") != HeartbeatRequest(group_id="h")
    assert request != HeartbeatResponse()
    assert repr(HeartbeatResponse()) == "HeartbeatResponse(throttle_time=0, error_code=0)"
    shown = repr(PartitionProduceData(records=[bytes(5000), region(3, 70)]))
    assert shown.endswith("records=[<5000 bytes>, <70 bytes of /pattern from 3>])")


def test_structures_behind_their_version() -> None:
    subscription = ConsumerProtocolSubscription(
        topics=["a", "b"],
        user_data=b"",
        owned_partitions=[TopicPartition(topic="a", partitions=[0, 2])],
        generation_id=4,
        rack_id="r1",
    )
    data = codec.encode_versioned(subscription, 3)
    assert codec.decode_versioned(ConsumerProtocolSubscription, data) == subscription
    newer = b"\x00\x09" + data[2:] + b"what comes later"
    with pytest.raises(MalformedMessage):
        codec.decode_versioned(ConsumerProtocolSubscription, newer)
    read = codec.decode_versioned(ConsumerProtocolSubscription, newer, newest=True)
    assert read == subscription
    for size in (0, 1, 2, 10):
        with pytest.raises(MalformedMessage):
            codec.decode_versioned(ConsumerProtocolSubscription, newer[:size], newest=True)


def test_tracebacks_show_the_compiled_lines() -> None:
    try:
        codec.decode(ApiVersionsRequest, 3, b"\x02")
    except MalformedMessage as error:
        words = "".join(traceback.format_exception(error))
        assert 'File "<decode ApiVersionsRequest v3>", line' in words
        assert "= b[p]" in words


def test_importing_the_codec_imports_no_messages() -> None:
    code = (
        "import sys, net.protocol.codec as codec\n"
        "assert not [m for m in sys.modules if m.startswith('raftka.net.protocol.messages')]\n"
        "assert 18 in codec.REQUESTS and codec.REQUESTS.get(999) is None\n"
        "assert codec.REQUESTS[18].__name__ == 'ApiVersionsRequest'\n"
        "assert len(codec.REQUESTS) == len(list(codec.REQUESTS)) > 40\n"
        "print(len([m for m in sys.modules if m.startswith('raftka.net.protocol.messages.')]))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "1"
