"""Brokers that only check a client's rules: logs in memory, faults on command.

They check what real brokers check of an idempotent producer (order of sequence numbers, five
batches remembered) so that a client that breaks the rules is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.ports import Connection
from raftka.model.records import Record, iter_batches, iter_records, patch
from raftka.net.connection import FrameReader
from raftka.net.protocol import codec
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages import (
    api_versions,
    fetch,
    init_producer_id,
    list_offsets,
    metadata,
    offset_for_leader_epoch,
    produce,
)
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest
from raftka.net.protocol.messages.fetch import FetchRequest, FetchResponse
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.protocol.messages.list_offsets import ListOffsetsRequest
from raftka.net.protocol.messages.metadata import MetadataRequest
from raftka.net.protocol.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from raftka.net.protocol.messages.produce import ProduceRequest
from tests.support.memory_network import MemoryNetwork
from tests.support.scripted_group import GROUP_REQUESTS, ScriptedGroup
from tests.support.scripted_transactions import TRANSACTION_REQUESTS, ScriptedTransactions
from tests.support.wire import joined

SERVED = (
    ProduceRequest,
    FetchRequest,
    ListOffsetsRequest,
    MetadataRequest,
    ApiVersionsRequest,
    InitProducerIdRequest,
    OffsetForLeaderEpochRequest,
    *GROUP_REQUESTS,
    *TRANSACTION_REQUESTS,
)
Fault = Callable[[int, Request[Any]], str | None]
"""For a broker and a request: None, or "before", "after" (the connection breaks), "error", "mute"
(the broker carries it out, but no longer answers).
"""


@dataclass
class ScriptedPartition:
    """A log of batches, one after the other, and what its leader remembers of producers."""

    leader: int
    epoch: int = 0
    log: bytearray = field(default_factory=bytearray)
    end: int = 0
    recent: dict[int, list[tuple[int, int, int, int]]] = field(default_factory=dict)
    """By producer id, the last five (epoch, first sequence, last sequence, base offset)."""

    def append(self, data: bytes) -> tuple[ErrorCode, int]:
        batch = bytearray(data)
        ((header, _),) = iter_batches(batch)
        known = self.recent.setdefault(header.producer_id, [])
        if header.producer_id >= 0:
            for epoch, first, last, offset in known:
                place = (header.producer_epoch, header.base_sequence, header.last_sequence)
                if (epoch, first, last) == place:
                    return ErrorCode.NONE, offset
            code = self._check(known, header.producer_epoch, header.base_sequence)
            if code != ErrorCode.NONE:
                return code, -1
        base = self.end
        patch(batch, base, self.epoch)
        self.log += batch
        self.end += header.record_count
        known.append((header.producer_epoch, header.base_sequence, header.last_sequence, base))
        del known[:-5]
        return ErrorCode.NONE, base

    def _check(
        self, known: list[tuple[int, int, int, int]], epoch: int, sequence: int
    ) -> ErrorCode:
        if known and epoch < known[-1][0]:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        fresh = not known or epoch > known[-1][0]
        expected = 0 if fresh else (known[-1][2] + 1) & 0x7FFFFFFF
        return ErrorCode.NONE if sequence == expected else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER

    def records(self) -> list[Record]:
        return [record for _, batch in iter_batches(self.log) for record in iter_records(batch)]


class ScriptedCluster:
    """Brokers 1 to n at host b<id>, port 9092."""

    def __init__(self, network: MemoryNetwork, brokers: int = 3) -> None:
        self.network = network
        self.alive = set(range(1, brokers + 1))
        self.topics: dict[str, list[ScriptedPartition]] = {}
        self.requests: list[tuple[int, Request[Any]]] = []
        self.fault: Fault = lambda broker, request: None
        self.near: int | None = None
        """The replica to which leaders direct readers that name their rack (KIP-392)."""
        self.next_producer_id = 1000
        self.group = ScriptedGroup()
        self.transactions = ScriptedTransactions()
        for broker in sorted(self.alive):
            self.start(broker)

    def start(self, broker: int) -> None:
        self.alive.add(broker)

        async def serve(connection: Connection) -> None:
            await self._serve(broker, connection)

        self.network.serve(f"b{broker}", 9092, serve)

    def kill(self, broker: int) -> None:
        self.alive.discard(broker)
        self.network.kill(f"b{broker}", 9092)

    def create(self, topic: str, partitions: int = 1) -> list[ScriptedPartition]:
        self.topics[topic] = [
            ScriptedPartition(leader=1 + index % len(self.alive)) for index in range(partitions)
        ]
        return self.topics[topic]

    def elect(self, topic: str, partition: int, leader: int) -> None:
        part = self.topics[topic][partition]
        part.leader, part.epoch = leader, part.epoch + 1

    def truncate(self, topic: str, partition: int) -> None:
        """All records are gone, as after the election of an empty replica."""
        part = self.topics[topic][partition]
        part.log.clear()
        part.end = 0
        part.recent.clear()

    def topic_id(self, topic: str) -> bytes:
        return topic.encode().ljust(16, b"-")[:16]

    async def _serve(self, broker: int, connection: Connection) -> None:
        reader = FrameReader(1 << 26)
        muted = False
        while True:
            size = await connection.receive_into(reader.space())
            if size == 0:
                return
            for frame in reader.frames(size):
                data = bytes(frame)
                header = codec.decode_request_header(data)
                cls = codec.REQUESTS[header.api_key]
                request = codec.decode_request(cls, header.api_version, data, header.body_offset)
                self.requests.append((broker, request))
                fault = self.fault(broker, request)
                if fault == "before":
                    return
                if isinstance(request, GROUP_REQUESTS):
                    answer = await self.group.answer(request)
                else:
                    answer = self._answer(broker, request, failing=fault == "error")
                if isinstance(request, FetchRequest) and isinstance(answer, FetchResponse):
                    await _wait_for_news(request, answer)
                if fault == "after":
                    return
                muted = muted or fault == "mute"
                if muted:
                    continue
                pieces = codec.encode_response(answer, header.api_version, header.correlation_id)
                await connection.send([joined(pieces)])

    def _answer(self, broker: int, request: Request[Any], *, failing: bool) -> Response:
        if isinstance(request, ApiVersionsRequest):
            return api_versions.ApiVersionsResponse(
                api_keys=[
                    api_versions.ApiVersion(
                        api_key=cls.API_KEY,
                        min_version=cls.VALID_VERSIONS[0],
                        max_version=cls.VALID_VERSIONS[1],
                    )
                    for cls in SERVED
                ],
                finalized_features_epoch=1,
                finalized_features=[
                    api_versions.FinalizedFeatureKey(
                        name="transaction.version",
                        max_version_level=self.transactions.level,
                        min_version_level=self.transactions.level,
                    )
                ],
            )
        if isinstance(request, MetadataRequest):
            return self._metadata(request)
        if isinstance(request, TRANSACTION_REQUESTS) or (
            isinstance(request, InitProducerIdRequest) and request.transactional_id is not None
        ):
            return self.transactions.answer(request)
        if isinstance(request, InitProducerIdRequest):
            self.next_producer_id += 1
            return init_producer_id.InitProducerIdResponse(
                producer_id=self.next_producer_id, producer_epoch=0
            )
        if isinstance(request, ProduceRequest):
            return self._produce(broker, request, failing)
        if isinstance(request, FetchRequest):
            return self._fetch(broker, request)
        if isinstance(request, OffsetForLeaderEpochRequest):
            return self._epoch_ends(request)
        assert isinstance(request, ListOffsetsRequest)
        return self._list_offsets(request)

    def _metadata(self, request: MetadataRequest) -> Response:
        names = (
            list(self.topics) if request.topics is None else [t.name or "" for t in request.topics]
        )
        return metadata.MetadataResponse(
            brokers=[
                metadata.MetadataResponseBroker(node_id=b, host=f"b{b}", port=9092)
                for b in sorted(self.alive)
            ],
            cluster_id="scripted",
            controller_id=min(self.alive),
            topics=[self._topic(name) for name in names],
        )

    def _topic(self, name: str) -> metadata.MetadataResponseTopic:
        if name not in self.topics:
            return metadata.MetadataResponseTopic(
                name=name, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            )
        return metadata.MetadataResponseTopic(
            name=name,
            topic_id=self.topic_id(name),
            partitions=[
                metadata.MetadataResponsePartition(
                    partition_index=index,
                    leader_id=part.leader if part.leader in self.alive else -1,
                    leader_epoch=part.epoch,
                )
                for index, part in enumerate(self.topics[name])
            ],
        )

    def _find(self, name: str, topic_id: bytes) -> tuple[str, list[ScriptedPartition]]:
        if not name:
            name = next(n for n in self.topics if self.topic_id(n) == topic_id)
        return name, self.topics[name]

    def _produce(self, broker: int, request: ProduceRequest, failing: bool) -> Response:
        responses = []
        for topic in request.topic_data:
            name, partitions = self._find(topic.name, topic.topic_id)
            parts = []
            for item in topic.partition_data:
                part = partitions[item.index]
                assert isinstance(item.records, bytes | memoryview)
                if part.leader != broker:
                    code, offset = ErrorCode.NOT_LEADER_OR_FOLLOWER, -1
                elif failing:
                    code, offset = ErrorCode.NOT_ENOUGH_REPLICAS, -1
                else:
                    code, offset = self._append(request, name, item.index, bytes(item.records))
                parts.append(
                    produce.PartitionProduceResponse(
                        index=item.index, error_code=code, base_offset=offset
                    )
                )
            responses.append(
                produce.TopicProduceResponse(
                    name=topic.name, topic_id=topic.topic_id, partition_responses=parts
                )
            )
        return produce.ProduceResponse(responses=responses)

    def _append(
        self, request: ProduceRequest, topic: str, partition: int, batch: bytes
    ) -> tuple[ErrorCode, int]:
        if request.transactional_id is not None:
            target = TopicPartition(topic, partition)
            ((header, _),) = iter_batches(batch)
            assert header.is_transactional
            code = self.transactions.produced(target, header.producer_epoch)
            if code != ErrorCode.NONE:
                return code, -1
        return self.topics[topic][partition].append(batch)

    def _fetch(self, broker: int, request: FetchRequest) -> Response:
        responses = []
        left = request.max_bytes
        for topic in request.topics:
            _, partitions = self._find(topic.topic, topic.topic_id)
            parts = []
            for item in topic.partitions:
                part = partitions[item.partition]
                code = ErrorCode.NONE
                near = self.near if request.rack_id else None
                if broker not in (part.leader, near):
                    code = ErrorCode.NOT_LEADER_OR_FOLLOWER
                elif item.current_leader_epoch < part.epoch:
                    code = ErrorCode.FENCED_LEADER_EPOCH
                elif item.fetch_offset > part.end:
                    code = ErrorCode.OFFSET_OUT_OF_RANGE
                elsewhere = -1 if near in (None, broker) or code else near
                data = b""
                if not code and elsewhere == -1:
                    data = _from(part, item.fetch_offset, left, min_one=left == request.max_bytes)
                left -= len(data)
                parts.append(
                    fetch.PartitionData(
                        partition_index=item.partition,
                        error_code=code,
                        high_watermark=part.end,
                        preferred_read_replica=elsewhere,
                        records=data,
                    )
                )
            responses.append(
                fetch.FetchableTopicResponse(
                    topic=topic.topic, topic_id=topic.topic_id, partitions=parts
                )
            )
        return fetch.FetchResponse(responses=responses)

    def _list_offsets(self, request: ListOffsetsRequest) -> Response:
        return list_offsets.ListOffsetsResponse(
            topics=[
                list_offsets.ListOffsetsTopicResponse(
                    name=topic.name,
                    partitions=[
                        list_offsets.ListOffsetsPartitionResponse(
                            partition_index=item.partition_index,
                            offset=0
                            if item.timestamp == -2
                            else self.topics[topic.name][item.partition_index].end,
                            leader_epoch=0,
                        )
                        for item in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def _epoch_ends(self, request: OffsetForLeaderEpochRequest) -> Response:
        """The end of an epoch: that of the last batch with this or an earlier epoch."""
        topics = []
        for topic in request.topics:
            ends = []
            for item in topic.partitions:
                epoch, end = -1, 0
                for header, _ in iter_batches(self.topics[topic.topic][item.partition].log):
                    if header.leader_epoch <= item.leader_epoch:
                        epoch, end = header.leader_epoch, header.next_offset
                ends.append(
                    offset_for_leader_epoch.EpochEndOffset(
                        partition=item.partition, leader_epoch=epoch, end_offset=end
                    )
                )
            topics.append(
                offset_for_leader_epoch.OffsetForLeaderTopicResult(
                    topic=topic.topic, partitions=ends
                )
            )
        return offset_for_leader_epoch.OffsetForLeaderEpochResponse(topics=topics)


async def _wait_for_news(request: FetchRequest, answer: FetchResponse) -> None:
    """A broker without records lets the client wait as long as requested."""
    told = [part for topic in answer.responses for part in topic.partitions]
    if not any(p.records or p.error_code or p.preferred_read_replica >= 0 for p in told):
        await trio.sleep(request.max_wait / 1000)


def _from(part: ScriptedPartition, offset: int, max_bytes: int, *, min_one: bool) -> bytes:
    """Whole batches that fit, from the one that holds `offset` on; with `min_one` one of any
    size."""
    found = b""
    for header, batch in iter_batches(part.log):
        if header.last_offset < offset:
            continue
        if len(found) + len(batch) > max_bytes and (found or not min_one):
            break
        found += bytes(batch)
    return found
