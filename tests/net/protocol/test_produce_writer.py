"""The hand-written response to Produce equals the codec's."""

from __future__ import annotations

import pytest

from raftka.net.protocol import codec
from raftka.net.protocol.messages.produce import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from raftka.net.protocol.produce_writer import write_produced


@pytest.mark.parametrize("version", range(3, 14))
@pytest.mark.parametrize("name", ["t", "ação", "x" * 249])
def test_the_bytes_are_those_of_the_codec(version: int, name: str) -> None:
    topic_id = bytes(range(16))
    written = write_produced(
        version, 77, topic_id if version >= 13 else name, 5, 1 << 40, 1_800_000_000_000, 12
    )
    part = PartitionProduceResponse(
        index=5, base_offset=1 << 40, log_append_time=1_800_000_000_000, log_start_offset=12
    )
    topic = TopicProduceResponse(name=name, topic_id=topic_id, partition_responses=[part])
    pieces = codec.encode_response(ProduceResponse(responses=[topic]), version, 77)
    assert written == b"".join(bytes(piece) for piece in pieces)  # type: ignore[arg-type]
