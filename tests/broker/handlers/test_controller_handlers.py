"""The controller's APIs: each request decoded, decided and answered, as a listener would."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeVar, cast

from raftka.broker.node import Node
from raftka.broker.routes import routes
from raftka.kraft.controller.features import supported_features
from raftka.kraft.records import NO_LEADER
from raftka.model.errors import ErrorCode
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages import (
    alter_configs,
    alter_partition,
    alter_partition_reassignments,
    create_partitions,
    create_topics,
    delete_topics,
    describe_quorum,
    elect_leaders,
    incremental_alter_configs,
    list_partition_reassignments,
)
from raftka.net.protocol.messages.add_raft_voter import AddRaftVoterRequest
from raftka.net.protocol.messages.allocate_producer_ids import AllocateProducerIdsRequest
from raftka.net.protocol.messages.broker_heartbeat import BrokerHeartbeatRequest
from raftka.net.protocol.messages.broker_registration import (
    BrokerRegistrationRequest,
    Feature,
    Listener,
)
from raftka.net.protocol.messages.remove_raft_voter import RemoveRaftVoterRequest
from raftka.net.protocol.messages.unregister_broker import UnregisterBrokerRequest
from raftka.net.protocol.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from raftka.net.session import Session
from tests.support.asking import answered
from tests.support.controller_world import CLUSTER, World, in_a_world

R = TypeVar("R", bound=Response)


async def ask(one: World, request: Request[R], version: int | None = None) -> R:
    """Let the controller answer, with messages encoded both ways."""
    node = SimpleNamespace(
        controller=one.controller,
        quorum=one.quorum,
        node_id=one.quorum.node_id,
        cluster_id=CLUSTER,
        image=one.image,
        config=one.controller.config,
        listener_kind=lambda _: "controller",
        forward=lambda _: None,
    )
    table = routes("controller")
    if version is None:
        version = table[request.API_KEY].max_version
    dispatcher = Dispatcher(cast(Node, node), table)
    return await answered(dispatcher, Session("test:1", "CONTROLLER"), request, version)


@in_a_world
async def test_create_topics(one: World) -> None:
    request = create_topics.CreateTopicsRequest(
        topics=[
            create_topics.CreatableTopic(
                name="good",
                num_partitions=3,
                replication_factor=2,
                configs=[create_topics.CreatableTopicConfig(name="retention.ms", value="5")],
            ),
            create_topics.CreatableTopic(name="bad name", num_partitions=1, replication_factor=1),
        ]
    )
    good, bad = (await ask(one, request)).topics
    assert good.error_code == 0 and good.topic_id == one.image.topics["good"].topic_id
    assert (good.num_partitions, good.replication_factor) == (3, 2)
    assert good.configs is not None
    settings = {each.name: each for each in good.configs}
    assert (settings["retention.ms"].value, settings["retention.ms"].config_source) == ("5", 1)
    assert (settings["segment.bytes"].value, settings["segment.bytes"].config_source) == (
        "1073741824",
        5,
    )
    assert bad.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert bad.error_message is not None and "'bad name'" in bad.error_message


@in_a_world
async def test_create_topics_with_assignments_that_contradict_each_other(one: World) -> None:
    twice = [
        create_topics.CreatableReplicaAssignment(partition_index=0, broker_ids=[2]),
        create_topics.CreatableReplicaAssignment(partition_index=0, broker_ids=[3]),
    ]
    topic = create_topics.CreatableTopic(
        name="t", num_partitions=-1, replication_factor=-1, assignments=twice
    )
    (answer,) = (await ask(one, create_topics.CreateTopicsRequest(topics=[topic]))).topics
    assert answer.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT


@in_a_world
async def test_create_topics_only_to_validate(one: World) -> None:
    topic = create_topics.CreatableTopic(name="t", num_partitions=1, replication_factor=1)
    request = create_topics.CreateTopicsRequest(topics=[topic], validate_only=True)
    assert (await ask(one, request)).topics[0].error_code == 0
    assert one.image.topics == {}


@in_a_world
async def test_a_topic_with_a_setting_that_does_not_exist(one: World) -> None:
    config = create_topics.CreatableTopicConfig(name="retention.mss", value="5")
    topic = create_topics.CreatableTopic(
        name="t", num_partitions=1, replication_factor=1, configs=[config]
    )
    (answer,) = (await ask(one, create_topics.CreateTopicsRequest(topics=[topic]))).topics
    assert answer.error_code == ErrorCode.INVALID_CONFIG
    assert answer.error_message is not None and "retention.mss" in answer.error_message


@in_a_world
async def test_elsewhere_is_the_controller(one: World) -> None:
    one.quorum.elect(9)
    topic = create_topics.CreatableTopic(name="t", num_partitions=1, replication_factor=1)
    (answer,) = (await ask(one, create_topics.CreateTopicsRequest(topics=[topic]))).topics
    assert answer.error_code == ErrorCode.NOT_CONTROLLER
    beat = BrokerHeartbeatRequest(broker_id=2, broker_epoch=one.epochs[2])
    assert (await ask(one, beat)).error_code == ErrorCode.NOT_CONTROLLER


@in_a_world
async def test_delete_topics(one: World) -> None:
    await one.create(2, 3, name="a")
    await one.create(2, 3, name="b")
    old = delete_topics.DeleteTopicsRequest(topic_names=["a", "c"])
    first, second = (await ask(one, old, version=5)).responses
    assert (first.name, first.error_code) == ("a", 0)
    assert (second.name, second.error_code) == ("c", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    topic_id = one.image.topics["b"].topic_id
    new = delete_topics.DeleteTopicsRequest(
        topics=[delete_topics.DeleteTopicState(name=None, topic_id=topic_id)]
    )
    (third,) = (await ask(one, new)).responses
    assert (third.name, third.topic_id, third.error_code) == ("b", topic_id, 0)
    assert one.image.topics == {}


@in_a_world
async def test_create_partitions(one: World) -> None:
    await one.create(2, 3)
    wish = create_partitions.CreatePartitionsTopic(name="t", count=3, assignments=None)
    by_hand = create_partitions.CreatePartitionsTopic(
        name="u",
        count=2,
        assignments=[create_partitions.CreatePartitionsAssignment(broker_ids=[2])],
    )
    request = create_partitions.CreatePartitionsRequest(topics=[wish, by_hand])
    first, second = (await ask(one, request)).results
    assert (first.name, first.error_code, first.error_message) == ("t", 0, None)
    assert second.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert len(one.image.topics["t"].partitions) == 3


@in_a_world
async def test_incremental_alter_configs(one: World) -> None:
    def resource(name: str, value: str, op: int = 0) -> Any:
        return incremental_alter_configs.AlterConfigsResource(
            resource_type=4,
            resource_name=name,
            configs=[
                incremental_alter_configs.AlterableConfig(
                    name="log.cleaner.threads", config_operation=op, value=value
                )
            ],
        )

    request = incremental_alter_configs.IncrementalAlterConfigsRequest(
        resources=[resource("", "2"), resource("2", "many")]
    )
    first, second = (await ask(one, request)).responses
    assert (first.error_code, first.resource_type, first.resource_name) == (0, 4, "")
    assert second.error_code == ErrorCode.INVALID_REQUEST and second.error_message
    assert one.image.broker_config(None) == {"log.cleaner.threads": "2"}
    unknown = incremental_alter_configs.IncrementalAlterConfigsRequest(
        resources=[resource("", "2", op=7)]
    )
    (answer,) = (await ask(one, unknown)).responses
    assert answer.error_code == ErrorCode.INVALID_REQUEST  # As Kafka answers for a broker.


@in_a_world
async def test_a_minimum_isr_of_one_broker_is_refused(one: World) -> None:
    config = incremental_alter_configs.AlterableConfig(name="min.insync.replicas", value="2")
    resource = incremental_alter_configs.AlterConfigsResource(
        resource_type=4, resource_name="2", configs=[config]
    )
    request = incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource])
    (answer,) = (await ask(one, request)).responses
    assert answer.error_code == ErrorCode.INVALID_CONFIG


@in_a_world
async def test_alter_configs(one: World) -> None:
    await one.create(2, 3)
    resource = alter_configs.AlterConfigsResource(
        resource_type=2,
        resource_name="t",
        configs=[alter_configs.AlterableConfig(name="retention.ms", value="5")],
    )
    request = alter_configs.AlterConfigsRequest(resources=[resource])
    (answer,) = (await ask(one, request)).responses
    assert (answer.error_code, answer.resource_name) == (0, "t")
    assert one.image.topic_config("t") == {"retention.ms": "5"}


@in_a_world
async def test_elect_leaders(one: World) -> None:
    await one.create(2, 3)
    wanted = elect_leaders.TopicPartitions(topic="t", partitions=[0, 7])
    request = elect_leaders.ElectLeadersRequest(topic_partitions=[wanted])
    (topic,) = (await ask(one, request)).replica_election_results
    codes = [each.error_code for each in topic.partition_result]
    assert codes == [ErrorCode.ELECTION_NOT_NEEDED, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    everything = elect_leaders.ElectLeadersRequest(topic_partitions=None)
    assert (await ask(one, everything)).replica_election_results == []
    odd = elect_leaders.ElectLeadersRequest(election_type=5, topic_partitions=None)
    assert (await ask(one, odd)).error_code == ErrorCode.INVALID_REQUEST


@in_a_world
async def test_reassignments(one: World) -> None:
    await one.create(2, 3)

    async def move(replicas: list[int] | None) -> int:
        partition = alter_partition_reassignments.ReassignablePartition(
            partition_index=0, replicas=replicas
        )
        topic = alter_partition_reassignments.ReassignableTopic(name="t", partitions=[partition])
        request = alter_partition_reassignments.AlterPartitionReassignmentsRequest(topics=[topic])
        (answer,) = (await ask(one, request)).responses
        return answer.partitions[0].error_code

    async def moving() -> list[Any]:
        request = list_partition_reassignments.ListPartitionReassignmentsRequest(topics=None)
        return (await ask(one, request)).topics

    assert await moving() == []
    assert await move([2, 4]) == 0
    ((topic,),) = [await moving()]
    (partition,) = topic.partitions
    assert (topic.name, partition.replicas) == ("t", [2, 4, 3])
    assert (partition.adding_replicas, partition.removing_replicas) == ([4], [3])
    assert await move(None) == 0
    assert await move(None) == ErrorCode.NO_REASSIGNMENT_IN_PROGRESS


@in_a_world
async def test_alter_partition(one: World) -> None:
    await one.create(2, 3)
    topic_id = one.image.topics["t"].topic_id

    async def isr(version: int, *members: int) -> Any:
        partition = one.partition()
        data = alter_partition.RequestPartitionData(
            partition_index=0,
            leader_epoch=partition.leader_epoch,
            partition_epoch=partition.partition_epoch,
            new_isr=list(members),
            new_isr_with_epochs=[
                alter_partition.BrokerState(broker_id=each, broker_epoch=one.epochs[each])
                for each in members
            ],
        )
        topic = alter_partition.RequestTopicData(topic_id=topic_id, partitions=[data])
        request = alter_partition.AlterPartitionRequest(
            broker_id=2, broker_epoch=one.epochs[2], topics=[topic]
        )
        (answer,) = (await ask(one, request, version)).topics
        assert answer.topic_id == topic_id
        return answer.partitions[0]

    shrunk = await isr(3, 2)
    assert (shrunk.error_code, shrunk.leader_id, shrunk.isr) == (0, 2, [2])
    assert shrunk.partition_epoch == one.partition().partition_epoch == 1
    grown = await isr(2, 2, 3)
    assert grown.isr == [2, 3]
    assert (await isr(3, 2, 4)).error_code == ErrorCode.INVALID_REQUEST
    stale = alter_partition.AlterPartitionRequest(broker_id=2, broker_epoch=0)
    assert (await ask(one, stale)).error_code == ErrorCode.STALE_BROKER_EPOCH


@in_a_world
async def test_a_brokers_life(one: World) -> None:
    request = BrokerRegistrationRequest(
        broker_id=5,
        cluster_id=CLUSTER,
        incarnation_id=b"i" * 16,
        listeners=[Listener(name="PLAINTEXT", host="host5", port=9092)],
        features=[
            Feature(name=name, min_supported_version=low, max_supported_version=high)
            for name, low, high in supported_features()
        ],
        rack="r",
    )
    registered = await ask(one, request)
    assert registered.broker_epoch == one.image.brokers[5].epoch
    assert one.image.brokers[5].rack == "r"
    beat = BrokerHeartbeatRequest(
        broker_id=5,
        broker_epoch=registered.broker_epoch,
        current_metadata_offset=one.image.offset,
    )
    answer = await ask(one, beat)
    assert (answer.is_caught_up, answer.is_fenced, answer.should_shut_down) == (True, False, False)
    ids = AllocateProducerIdsRequest(broker_id=5, broker_epoch=registered.broker_epoch)
    given = await ask(one, ids)
    assert (given.producer_id_start, given.producer_id_len) == (0, 1000)
    beat.want_shut_down = True
    answer = await ask(one, beat)
    assert (answer.is_fenced, answer.should_shut_down) == (True, True)
    assert (await ask(one, UnregisterBrokerRequest(broker_id=5))).error_code == 0
    assert 5 not in one.image.brokers
    gone = await ask(one, UnregisterBrokerRequest(broker_id=5))
    assert gone.error_code == ErrorCode.BROKER_ID_NOT_REGISTERED
    request.cluster_id = "other"
    assert (await ask(one, request)).error_code == ErrorCode.INCONSISTENT_CLUSTER_ID


@in_a_world
async def test_describe_quorum(one: World) -> None:
    def wanted(name: str, index: int) -> Any:
        return describe_quorum.RequestTopicData(
            topic_name=name,
            partitions=[describe_quorum.RequestPartitionData(partition_index=index)],
        )

    request = describe_quorum.DescribeQuorumRequest(
        topics=[wanted("__cluster_metadata", 0), wanted("t", 0)]
    )
    answer = await ask(one, request)
    (quorum,), (unknown,) = (topic.partitions for topic in answer.topics)
    assert (quorum.leader_id, quorum.leader_epoch) == (1, one.quorum.epoch)
    assert quorum.high_watermark == one.quorum.offset + 1
    assert [each.replica_id for each in quorum.current_voters] == [1]
    assert [each.replica_id for each in quorum.observers] == [9]
    assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    (node,) = answer.nodes
    assert (node.node_id, node.listeners[0].host) == (1, "localhost")
    one.quorum.elect(NO_LEADER)
    answer = await ask(one, request)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert answer.nodes == []


@in_a_world
async def test_voters_are_changed_by_the_leader_of_the_right_cluster(one: World) -> None:
    add = AddRaftVoterRequest(cluster_id="other", voter_id=2)
    assert (await ask(one, add)).error_code == ErrorCode.INCONSISTENT_CLUSTER_ID
    add.cluster_id = CLUSTER
    assert (await ask(one, add)).error_code == ErrorCode.NOT_CONTROLLER
    remove = RemoveRaftVoterRequest(cluster_id=None, voter_id=2)
    assert (await ask(one, remove)).error_code == ErrorCode.NOT_CONTROLLER


@in_a_world
async def test_update_features(one: World) -> None:
    same = FeatureUpdateKey(feature="metadata.version", max_version_level=30)
    unheard = FeatureUpdateKey(feature="teleport", max_version_level=1)
    request = UpdateFeaturesRequest(feature_updates=[same])
    for timeout_ms in (60_000, 0, -1):  # Kafka ignores it.
        request.timeout = timeout_ms
        assert (await ask(one, request)).error_code == 0
    request.feature_updates.append(unheard)
    answer = await ask(one, request)
    assert answer.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert answer.error_message is not None and "teleport" in answer.error_message
    answer = await ask(one, request, version=1)
    assert (answer.error_code, answer.results) == (ErrorCode.INVALID_UPDATE_VERSION, [])
