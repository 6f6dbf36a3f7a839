"""What cannot be a topology is refused before a group is made of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.streams_group_heartbeat import (
    KeyValue,
    StreamsGroupHeartbeatRequest,
    Topology,
)
from tests.support.streams_groups import StreamsWorld


def _before_all(request: StreamsGroupHeartbeatRequest, topology: Topology) -> None:
    topology.epoch = -1


def _twice(request: StreamsGroupHeartbeatRequest, topology: Topology) -> None:
    topology.subtopologies.append(topology.subtopologies[0])


def _two_tags(request: StreamsGroupHeartbeatRequest, topology: Topology) -> None:
    request.client_tags = [KeyValue(key="zone", value="a"), KeyValue(key="zone", value="b")]


def _no_sources(request: StreamsGroupHeartbeatRequest, topology: Topology) -> None:
    topology.subtopologies[0].source_topics.clear()


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        # Apache Kafka 4.4.0 answers the first three with UNKNOWN_SERVER_ERROR.
        (_before_all, ErrorCode.INVALID_REQUEST, "The epoch of the topology is -1"),
        (_twice, ErrorCode.INVALID_REQUEST, "Subtopology 0 is there more than once"),
        (_two_tags, ErrorCode.INVALID_REQUEST, "The client tag zone is there more than once"),
        (_no_sources, ErrorCode.STREAMS_INVALID_TOPOLOGY, "No source topics found"),
    ],
)
def test_a_topology_that_contradicts_itself_is_refused(
    change: Callable[[StreamsGroupHeartbeatRequest, Topology], None], code: ErrorCode, words: str
) -> None:
    world = StreamsWorld()
    request = world.member("m1").request()
    assert request.topology is not None
    change(request, request.topology)
    with pytest.raises(KafkaError, match=words) as caught:
        world.send(request)
    assert caught.value.code is code
    assert not world.shard.core.groups
