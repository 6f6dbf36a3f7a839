"""Requests that make little sense, and how a broker answers them.

    python -m tests.wire.odd_requests PORT

asks the broker at 127.0.0.1:PORT and prints one line for each: the error codes of its answer and
the operations that it names, sorted. golden/odd_requests.txt is what Apache Kafka 4.4.0 printed
(one broker, on 2026-11-30).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from raftka.model.access import NOT_ASKED
from raftka.net.protocol.message import Request, Struct
from raftka.net.protocol.messages import alter_partition_reassignments as reassign
from raftka.net.protocol.messages import create_partitions as grow
from raftka.net.protocol.messages import create_topics as create
from raftka.net.protocol.messages import delete_topics as delete
from raftka.net.protocol.messages import describe_cluster as cluster
from raftka.net.protocol.messages import describe_configs as configs
from raftka.net.protocol.messages import describe_groups as groups
from raftka.net.protocol.messages import describe_producers as producers
from raftka.net.protocol.messages import describe_topic_partitions as pages
from raftka.net.protocol.messages import elect_leaders as elect
from raftka.net.protocol.messages import find_coordinator as find
from raftka.net.protocol.messages import incremental_alter_configs as alter
from raftka.net.protocol.messages import init_producer_id as initialize
from raftka.net.protocol.messages import list_config_resources as resources
from raftka.net.protocol.messages import list_offsets as offsets
from raftka.net.protocol.messages import metadata, produce, sasl_authenticate, sasl_handshake
from raftka.net.protocol.messages import update_features as features
from raftka.testing.wire import ask
from tests.support.raw_batches import packed, record
from tests.wire.odd_data_requests import (
    config_requests,
    data_requests,
    id_requests,
    marker_requests,
    move_requests,
)

ZERO: Final = bytes(16)
UNKNOWN: Final = b"\x01" * 16
BAD_NAMES: Final = ("", ".", "..", "a b", "a/b", "B\ufffdro", "x" * 250)

Odd = tuple[str, Request[Any], int]
"""(what is odd about it, the request, its version)"""


def odd_requests(topic: str, other: str, topic_id: bytes, other_id: bytes) -> Iterator[Odd]:
    """The requests, about two topics of one partition that are there."""
    yield from _deletions(topic, topic_id, other_id)
    yield from _descriptions(topic, other)
    yield from _metadata(topic, other, topic_id, other_id)
    yield from _creations(topic)
    yield from _moves(topic)
    yield from _rest(topic)
    yield from data_requests(topic)
    yield from config_requests(topic)
    yield from id_requests(topic, topic_id)
    yield from marker_requests(topic)
    yield from move_requests()


def _deletions(topic: str, topic_id: bytes, other_id: bytes) -> Iterator[Odd]:
    def wanted(*which: tuple[str | None, bytes]) -> delete.DeleteTopicsRequest:
        states = [delete.DeleteTopicState(name=name, topic_id=id_) for name, id_ in which]
        return delete.DeleteTopicsRequest(topics=states, timeout=5000)

    yield "delete name and other id", wanted((topic, other_id)), 6
    yield "delete name and own id", wanted((topic, topic_id)), 6
    yield "delete neither", wanted((None, ZERO)), 6
    yield "delete nothing", wanted(), 6
    yield "delete unknown id", wanted((None, UNKNOWN)), 6
    yield "delete unknown twice", wanted(("nope", ZERO), ("nope", ZERO)), 6
    yield "delete name twice", wanted((topic, ZERO), (topic, ZERO)), 6
    yield "delete id twice", wanted((None, topic_id), (None, topic_id)), 6
    yield "delete by name and id", wanted((topic, ZERO), (None, topic_id)), 6
    old = delete.DeleteTopicsRequest(topic_names=["nope", "nope"], timeout=5000)
    yield "delete twice, version 1", old, 1
    for name in BAD_NAMES:
        yield f"delete bad name {name[:9]}", wanted((name, ZERO)), 6


def _descriptions(topic: str, other: str) -> Iterator[Odd]:
    def described(kind: int, name: str, keys: list[str] | None = None) -> Request[Any]:
        one = configs.DescribeConfigsResource(
            resource_type=kind, resource_name=name, configuration_keys=keys
        )
        return configs.DescribeConfigsRequest(resources=[one])

    yield "configs: unknown topic", described(2, "nope"), 4
    yield "configs: unknown key", described(2, topic, ["nope"]), 4
    yield "configs: broker 99", described(4, "99"), 4
    yield "configs: broker x", described(4, "x"), 4
    for kind in (0, 3, 99, -5):
        yield f"configs: type {kind}", described(kind, "x"), 4
    for name in BAD_NAMES:
        yield f"configs: bad topic {name[:9]}", described(2, name), 4

    def page(
        names: list[str], cursor: tuple[str, int] | None = None, limit: int = 10
    ) -> Request[Any]:
        return pages.DescribeTopicPartitionsRequest(
            topics=[pages.TopicRequest(name=name) for name in names],
            response_partition_limit=limit,
            cursor=cursor and pages.Cursor(topic_name=cursor[0], partition_index=cursor[1]),
        )

    yield "pages: negative cursor", page([topic], (topic, -1)), 0
    yield "pages: cursor behind the end", page([topic], (topic, 5)), 0
    yield "pages: cursor of no topic", page([topic, other], ("zzz", 0)), 0
    yield "pages: cursor of another", page([other], (topic, 1)), 0
    yield "pages: unknown topic", page(["nope"]), 0
    yield "pages: limit -1", page([topic], limit=-1), 0
    yield "pages: topic twice", page([topic, topic]), 0
    for name in BAD_NAMES[1:]:
        yield f"pages: bad topic {name[:9]}", page([name]), 0
        one = producers.TopicRequest(name=name, partition_indexes=[0])
        yield f"producers: bad {name[:9]}", producers.DescribeProducersRequest(topics=[one]), 0


def _metadata(topic: str, other: str, topic_id: bytes, other_id: bytes) -> Iterator[Odd]:
    def about(*which: tuple[str | None, bytes], asks: bool = False) -> Request[Any]:
        return metadata.MetadataRequest(
            topics=[metadata.MetadataRequestTopic(name=n, topic_id=i) for n, i in which],
            allow_auto_topic_creation=False,
            include_topic_authorized_operations=asks,
            include_cluster_authorized_operations=asks,
        )

    for version in (8, 10):
        yield f"metadata: operations, {version}", about((topic, ZERO), asks=True), version
    yield "metadata: operations not asked for", about((topic, ZERO)), 10
    yield "metadata: operations of none", about(("nope", ZERO), asks=True), 10
    yield "metadata: twice", about((topic, ZERO), (topic, ZERO)), 10
    yield "metadata: name and other id", about((topic, other_id)), 12
    yield "metadata: unknown id", about((None, UNKNOWN), asks=True), 12
    yield "metadata: an id and a name", about((None, other_id), (topic, ZERO)), 12
    yield "metadata: id twice", about((None, topic_id), (None, topic_id)), 12
    for name in BAD_NAMES:
        yield f"metadata: bad {name[:9]}", about((name, ZERO), asks=True), 10
    for version in (0, 1, 2):
        asking = cluster.DescribeClusterRequest(include_cluster_authorized_operations=True)
        yield f"cluster: operations, {version}", asking, version
    yield "cluster: operations not asked for", cluster.DescribeClusterRequest(), 2
    for kind in (0, 2, 3, -1):
        yield (
            f"cluster: endpoint type {kind}",
            cluster.DescribeClusterRequest(endpoint_type=kind),
            1,
        )
    for version in (3, 5, 6):
        dead = groups.DescribeGroupsRequest(groups=["nope"], include_authorized_operations=True)
        yield f"groups: operations, {version}", dead, version


def _creations(topic: str) -> Iterator[Odd]:
    def made(*topics: create.CreatableTopic) -> Request[Any]:
        return create.CreateTopicsRequest(topics=list(topics), timeout=5000, validate_only=True)

    def one(name: str, partitions: int = 1, replicas: int = 1) -> create.CreatableTopic:
        return create.CreatableTopic(
            name=name, num_partitions=partitions, replication_factor=replicas
        )

    def placed(*where: tuple[int, list[int]], name: str = "n1") -> create.CreatableTopic:
        made_by_hand = one(name, -1, -1)
        made_by_hand.assignments = [
            create.CreatableReplicaAssignment(partition_index=index, broker_ids=brokers)
            for index, brokers in where
        ]
        return made_by_hand

    yield "create twice", made(one("n1"), one("n1")), 7
    yield "create what is there", made(one(topic)), 7
    for partitions in (0, -5, 2**31 - 1):
        yield f"create {partitions} partitions", made(one("n1", partitions)), 7
    for replicas in (0, -5, 9):
        yield f"create {replicas} replicas", made(one("n1", 1, replicas)), 7
    yield "create with a gap", made(placed((1, [1]))), 7
    yield "create a partition twice", made(placed((0, [1]), (0, [1]))), 7
    yield "create a partition twice, and more", made(placed((0, [1]), (0, [1])), one("n2")), 7
    yield "create on a broker twice", made(placed((0, [1, 1]))), 7
    yield "create on broker 9", made(placed((0, [9]))), 7
    yield "create on no broker", made(placed((0, []))), 7
    yield "create partition -1", made(placed((-1, [1]))), 7
    for name in BAD_NAMES:
        yield f"create bad {name[:9]}", made(one(name)), 7

    def grown(name: str, count: int, *where: list[int]) -> Request[Any]:
        wanted = grow.CreatePartitionsTopic(name=name, count=count)
        if where:
            wanted.assignments = [grow.CreatePartitionsAssignment(broker_ids=ids) for ids in where]
        return grow.CreatePartitionsRequest(topics=[wanted], timeout=5000, validate_only=True)

    for count in (1, 0, -1):
        yield f"grow to {count}", grown(topic, count), 3
    yield "grow an unknown topic", grown("nope", 3), 3
    yield "grow on a broker twice", grown(topic, 2, [1, 1]), 3
    yield "grow with too few places", grown(topic, 3, [1]), 3
    yield "grow with too many", grown(topic, 2, [1], [1]), 3
    yield "grow on no broker", grown(topic, 2, []), 3
    yield "grow on broker -1", grown(topic, 2, [-1]), 3


def _moves(topic: str) -> Iterator[Odd]:
    def moved(*topics: tuple[str, list[tuple[int, list[int] | None]]]) -> Request[Any]:
        return reassign.AlterPartitionReassignmentsRequest(
            timeout=5000,
            topics=[
                reassign.ReassignableTopic(
                    name=name,
                    partitions=[
                        reassign.ReassignablePartition(partition_index=index, replicas=replicas)
                        for index, replicas in partitions
                    ],
                )
                for name, partitions in topics
            ],
        )

    here: list[tuple[int, list[int] | None]] = [(0, [1])]
    yield "move to a broker twice", moved((topic, [(0, [1, 1])])), 0
    yield "move a topic twice", moved((topic, here), (topic, here)), 0
    yield "move a partition twice", moved((topic, here + here)), 0
    yield "move to broker 9", moved((topic, [(0, [9])])), 0
    yield "move to broker -1", moved((topic, [(0, [-1])])), 0
    yield "move to nowhere", moved((topic, [(0, [])])), 0
    yield "cancel nothing", moved((topic, [(0, None)])), 0
    yield "move an unknown topic", moved(("nope", here)), 0
    yield "move partition 7", moved((topic, [(7, [1])])), 0
    yield "move partition -1", moved((topic, [(-1, [1])])), 0
    yield "move nothing", moved(), 0
    for kind in (0, 1, 7, -1):
        places = [elect.TopicPartitions(topic=topic, partitions=[0])]
        yield (
            f"elect, type {kind}",
            elect.ElectLeadersRequest(election_type=kind, topic_partitions=places, timeout=3000),
            2,
        )


def _rest(topic: str) -> Iterator[Odd]:
    def located(*timestamps: int, partition: int = 0, name: str = topic) -> Request[Any]:
        wanted = [
            offsets.ListOffsetsPartition(partition_index=partition, timestamp=each)
            for each in timestamps
        ]
        return offsets.ListOffsetsRequest(
            topics=[offsets.ListOffsetsTopic(name=name, partitions=wanted)]
        )

    yield "offsets: a partition twice", located(-1, -2), 7
    yield "offsets: timestamp -100", located(-100), 7
    yield "offsets: timestamp -3, version 1", located(-3), 1
    yield "offsets: partition -1", located(-1, partition=-1), 7
    yield "offsets: no partition", located(), 7
    for kind in (7, -1):
        yield f"coordinator of type {kind}", find.FindCoordinatorRequest(key="g", key_type=kind), 3
    for producer, epoch in ((5, -1), (-1, 5)):
        yield (
            f"producer id {producer}, epoch {epoch}",
            initialize.InitProducerIdRequest(
                transactional_id=None,
                transaction_timeout=0,
                producer_id=producer,
                producer_epoch=epoch,
            ),
            4,
        )
    for kind in (0, 99, -1, 2):
        yield (
            f"list configs of type {kind}",
            resources.ListConfigResourcesRequest(resource_types=[kind]),
            1,
        )
    for name in BAD_NAMES[1:]:
        change = alter.AlterableConfig(name="retention.ms", config_operation=0, value="1")
        one = alter.AlterConfigsResource(resource_type=2, resource_name=name, configs=[change])
        yield (
            f"alter configs of {name[:9]}",
            alter.IncrementalAlterConfigsRequest(resources=[one], validate_only=True),
            1,
        )
    unknown = features.FeatureUpdateKey(feature="nope", max_version_level=1, upgrade_type=1)
    for version in (1, 2):
        yield (
            f"unknown feature, {version}",
            features.UpdateFeaturesRequest(
                timeout=3000, feature_updates=[unknown], validate_only=True
            ),
            version,
        )
    for version in (0, 1):
        wanted_sasl = sasl_handshake.SaslHandshakeRequest(mechanism="PLAIN")
        yield f"sasl handshake, {version}", wanted_sasl, version
    yield "sasl token", sasl_authenticate.SaslAuthenticateRequest(auth_bytes=b"abc"), 2
    squeezed = packed("zstd", record())
    for version in (3, 6, 7):
        data = produce.PartitionProduceData(index=0, records=squeezed)
        yield (
            f"produce zstd, {version}",
            produce.ProduceRequest(
                acks=-1,
                timeout=3000,
                topic_data=[produce.TopicProduceData(name=topic, partition_data=[data])],
            ),
            version,
        )


def outcome(answer: Struct) -> list[int]:
    """The error codes in an answer and the operations that it names, sorted."""
    found: list[int] = []

    def look(value: object) -> None:
        if isinstance(value, list):
            for each in value:
                look(each)
        elif isinstance(value, Struct):
            for name in type(value).__slots__:
                inner = getattr(value, name)
                is_code = name.endswith("error_code")
                is_named = name.endswith("authorized_operations") and inner != NOT_ASKED
                if is_code or is_named:
                    found.append(inner)
                else:
                    look(inner)

    look(answer)
    return sorted(found)


def outcomes(port: int) -> dict[str, str]:
    """The broker's answer to each request, after creating two topics."""
    send: Callable[..., Any] = ask
    topic, other = names = [f"odd-{time.time_ns()}-{letter}" for letter in "ab"]
    wanted = [
        create.CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in names
    ]
    made = send(port, create.CreateTopicsRequest(topics=wanted, timeout=10_000), 7)
    ids = {each.name: bytes(each.topic_id) for each in made.topics}
    group = find.FindCoordinatorRequest(key="g", key_type=0)
    deadline = time.monotonic() + 20
    while send(port, group, 3).error_code and time.monotonic() < deadline:
        time.sleep(0.1)
    await_leaders = metadata.MetadataRequest(
        topics=[metadata.MetadataRequestTopic(name=name) for name in names]
    )
    while sum(outcome(send(port, await_leaders, 9))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return {
        name: " ".join(map(str, outcome(send(port, request, version))))
        for name, request, version in odd_requests(topic, other, ids[topic], ids[other])
    }


def main() -> None:
    for name, found in outcomes(int(sys.argv[1])).items():
        print(f"{name}: {found}")


if __name__ == "__main__":
    main()
