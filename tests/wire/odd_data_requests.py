"""More requests that make little sense: about records, settings and topic ids (see odd_requests).

Each repeats an item that must be unique, or has a meaningless number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from raftka.net.protocol.message import Request
from raftka.net.protocol.messages import alter_configs as replacing
from raftka.net.protocol.messages import create_partitions as grow
from raftka.net.protocol.messages import create_topics as create
from raftka.net.protocol.messages import delete_records as deletion
from raftka.net.protocol.messages import describe_configs as configs
from raftka.net.protocol.messages import fetch, metadata, produce
from raftka.net.protocol.messages import incremental_alter_configs as alter
from raftka.net.protocol.messages import list_offsets as offsets
from raftka.net.protocol.messages import list_partition_reassignments as moves
from raftka.net.protocol.messages import offset_for_leader_epoch as epochs
from raftka.net.protocol.messages import write_txn_markers as markers
from tests.support.raw_batches import packed, record

BROKER: Final = 4
LOGGER: Final = 8
TOPIC: Final = 2
INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1

Odd = tuple[str, Request[Any], int]
"""(what is odd about it, the request, its version)"""


def data_requests(topic: str) -> Iterator[Odd]:
    """Requests about the records of partition 0."""
    yield from _produced(topic)
    yield from _offsets(topic)
    yield from _fetched(topic)
    yield from _deleted(topic)


def _produced(topic: str) -> Iterator[Odd]:
    one = produce.PartitionProduceData(index=0, records=packed("none", record()))

    def produced(*topics: list[produce.PartitionProduceData]) -> Request[Any]:
        return produce.ProduceRequest(
            acks=-1,
            timeout=3000,
            topic_data=[
                produce.TopicProduceData(name=topic, partition_data=data) for data in topics
            ],
        )

    yield "produce a partition twice", produced([one, one]), 7
    yield "produce a topic twice", produced([one], [one]), 7
    yield "produce nothing", produced(), 7
    empty = produce.PartitionProduceData(index=0, records=b"")
    yield "produce no records", produced([empty]), 7


def _offsets(topic: str) -> Iterator[Odd]:
    def listed(epoch: int = -1, isolation: int = 0, replica: int = -1) -> Request[Any]:
        wanted = offsets.ListOffsetsPartition(
            partition_index=0, current_leader_epoch=epoch, timestamp=-1
        )
        return offsets.ListOffsetsRequest(
            replica_id=replica,
            isolation_level=isolation,
            topics=[offsets.ListOffsetsTopic(name=topic, partitions=[wanted])],
        )

    def ended(epoch: int, current: int = -1) -> Request[Any]:
        wanted = epochs.OffsetForLeaderPartition(
            partition=0, current_leader_epoch=current, leader_epoch=epoch
        )
        return epochs.OffsetForLeaderEpochRequest(
            topics=[epochs.OffsetForLeaderTopic(topic=topic, partitions=[wanted])]
        )

    for epoch in (-2, -5, INT_MIN, 99, INT_MAX):
        yield f"offsets in epoch {epoch}", listed(epoch), 7
        yield f"epoch end in epoch {epoch}", ended(0, epoch), 4
        yield f"end of epoch {epoch}", ended(epoch), 4
    for isolation in (2, 7, -1, 127, -128):
        yield f"offsets, isolation {isolation}", listed(isolation=isolation), 7
    for replica in (-3, 0, 5, -99):
        yield f"offsets, replica {replica}", listed(replica=replica), 7


def _fetched(topic: str) -> Iterator[Odd]:
    def fetched(**odd: int) -> Request[Any]:
        asked = {"offset": 0, "epoch": -1, "room": 1000, "most": 10_000, "isolation": 0, **odd}
        wanted = fetch.FetchPartition(
            partition=0,
            current_leader_epoch=asked["epoch"],
            fetch_offset=asked["offset"],
            partition_max_bytes=asked["room"],
        )
        return fetch.FetchRequest(
            max_wait=0,
            min_bytes=0,
            max_bytes=asked["most"],
            isolation_level=asked["isolation"],
            topics=[fetch.FetchTopic(topic=topic, partitions=[wanted])],
        )

    for isolation in (2, 7, -1):
        yield f"fetch, isolation {isolation}", fetched(isolation=isolation), 12
    for epoch in (-2, -5, 99):
        yield f"fetch in epoch {epoch}", fetched(epoch=epoch), 12
    for offset in (-1, -5, 99, 2**63 - 1, -(2**63)):
        yield f"fetch at {offset}", fetched(offset=offset), 12
    for room in (0, -1, INT_MIN):
        yield f"fetch {room} bytes", fetched(most=room), 12
        yield f"fetch {room} bytes of the partition", fetched(room=room), 12


def _deleted(topic: str) -> Iterator[Odd]:
    def deleted(*topics: list[tuple[int, int]]) -> Request[Any]:
        return deletion.DeleteRecordsRequest(
            timeout=3000,
            topics=[
                deletion.DeleteRecordsTopic(
                    name=topic,
                    partitions=[
                        deletion.DeleteRecordsPartition(partition_index=index, offset=offset)
                        for index, offset in partitions
                    ],
                )
                for partitions in topics
            ],
        )

    yield "delete records twice", deleted([(0, 1), (0, 0)]), 2
    yield "delete records of a topic twice", deleted([(0, 1)], [(0, 0)]), 2
    for offset in (-2, 99, -(2**63), 2**63 - 1):
        yield f"delete records up to {offset}", deleted([(0, offset)]), 2
    for index in (-1, 7):
        yield f"delete records of partition {index}", deleted([(index, 0)]), 2


def marker_requests(topic: str) -> Iterator[Odd]:
    """Ends of transactions that no producer can have begun."""
    for producer_id, epoch in ((-1, 0), (4711, -1), (-1, -1), (-5, 0), (4711, -5)):
        marker = markers.WritableTxnMarker(
            producer_id=producer_id,
            producer_epoch=epoch,
            transaction_result=False,
            topics=[markers.WritableTxnMarkerTopic(name=topic, partition_indexes=[0])],
        )
        for version in (1, 2):
            asked = markers.WriteTxnMarkersRequest(markers=[marker])
            yield f"marker of {producer_id}, epoch {epoch}, version {version}", asked, version


def move_requests() -> Iterator[Odd]:
    """Reassignments with a timeout that is already over."""
    for timeout in (0, -1, INT_MIN):
        asked = moves.ListPartitionReassignmentsRequest(timeout=timeout)
        yield f"list moves within {timeout} ms", asked, 0


def config_requests(topic: str) -> Iterator[Odd]:
    """Requests about settings, and about amounts."""

    def altered(kind: int, name: str, key: str, operation: int, value: str) -> Request[Any]:
        change = alter.AlterableConfig(name=key, config_operation=operation, value=value)
        one = alter.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[change])
        return alter.IncrementalAlterConfigsRequest(resources=[one], validate_only=True)

    def replaced(name: str) -> Request[Any]:
        change = replacing.AlterableConfig(name="log.cleaner.threads", value="1")
        one = replacing.AlterConfigsResource(
            resource_type=BROKER, resource_name=name, configs=[change]
        )
        return replacing.AlterConfigsRequest(resources=[one], validate_only=True)

    def described(kind: int, name: str) -> Request[Any]:
        one = configs.DescribeConfigsResource(
            resource_type=kind, resource_name=name, configuration_keys=["log.cleaner.threads"]
        )
        return configs.DescribeConfigsRequest(resources=[one])

    for operation in (4, 7, -1, 127, -128):
        asked = altered(TOPIC, topic, "retention.ms", operation, "1")
        yield f"alter configs, operation {operation}", asked, 1
        for name in ("", "1"):
            asked = altered(BROKER, name, "log.cleaner.threads", operation, "1")
            yield f"alter configs of broker '{name}', operation {operation}", asked, 1
    for name in ("01", "+1", " 1", "1_0", "99", "x", "-1", "9999999999", "\uff11"):
        yield f"alter broker {name}", altered(BROKER, name, "log.cleaner.threads", 0, "1"), 1
        yield f"alter loggers of {name}", altered(LOGGER, name, "root", 0, "INFO"), 1
        yield f"replace broker {name}", replaced(name), 2
        yield f"describe broker {name}", described(BROKER, name), 4
        yield f"describe loggers of {name}", described(LOGGER, name), 4

    def made(count: int) -> Request[Any]:
        wanted = create.CreatableTopic(name="n1", num_partitions=count, replication_factor=1)
        return create.CreateTopicsRequest(topics=[wanted], timeout=5000, validate_only=True)

    def grown(count: int) -> Request[Any]:
        wanted = grow.CreatePartitionsTopic(name=topic, count=count)
        return grow.CreatePartitionsRequest(topics=[wanted], timeout=5000, validate_only=True)

    for count in (9_999, 10_000, 10_001, 1_000_000):
        yield f"create {count} partitions", made(count), 7
    for count in (10_001, 10_002, INT_MAX):
        yield f"grow to {count} partitions", grown(count), 3


def id_requests(topic: str, topic_id: bytes) -> Iterator[Odd]:
    """Topic ids where they cannot be asked for, and topics without a name or an id."""

    def about(name: str | None, wanted_id: bytes) -> Request[Any]:
        one = metadata.MetadataRequestTopic(name=name, topic_id=wanted_id)
        return metadata.MetadataRequest(topics=[one], allow_auto_topic_creation=False)

    for version in (10, 11):
        yield f"metadata by name and id, {version}", about(topic, topic_id), version
        yield f"metadata by id, {version}", about(None, topic_id), version
    for version in (12, 13):
        yield f"metadata by id, {version}", about(None, topic_id), version
        yield f"metadata of nothing, {version}", about(None, bytes(16)), version
