"""Nodes that stop, come, go, lose their disk, are suspended: acknowledged records stay."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from raftka.local_cluster import LocalCluster
from raftka.model.errors import ErrorCode
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.messages import describe_quorum
from raftka.net.protocol.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from raftka.net.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from raftka.net.protocol.messages.find_coordinator import FindCoordinatorRequest
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from raftka.testing.wire import Wire, ask
from tests.support.processes import Load, in_sync, partitions, read_all, until

SETTINGS = {
    "offsets.topic.num.partitions": "3",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
    "replica.lag.time.max.ms": "2000",
    "leader.imbalance.check.interval.seconds": "1",
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "metadata.log.max.record.bytes.between.snapshots": "20000",
}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes in racks of their own, with short timeouts; every test leaves all running."""
    with LocalCluster(tmp_path_factory.mktemp("life"), settings=SETTINGS) as cluster:
        for node_id in cluster.node_ids:
            cluster.configure(node_id, {"broker.rack": f"rack-{node_id}"})
        cluster.start(60)
        yield cluster


def create_request(topic: str, *assignment: list[int], **configs: str) -> CreateTopicsRequest:
    """A topic, one partition for each list of replicas."""
    wanted = CreatableTopic(
        name=topic,
        num_partitions=-1,
        replication_factor=-1,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=replicas)
            for index, replicas in enumerate(assignment)
        ],
        configs=[
            CreatableTopicConfig(name=name.replace("_", "."), value=value)
            for name, value in configs.items()
        ],
    )
    return CreateTopicsRequest(topics=[wanted], timeout=20_000)


def create(port: int, topic: str, *assignment: list[int], **configs: str) -> None:
    answer = ask(port, create_request(topic, *assignment, **configs), 7)
    assert answer.topics[0].error_code == 0, answer.topics[0].error_message


def produce_request(topic: str, *, acks: int = -1, timeout_ms: int = 5000) -> ProduceRequest:
    batch = encode_batch([Record(0, 1_700_000_000_000, None, b"late", ())])
    data = PartitionProduceData(index=0, records=batch)
    topics = [TopicProduceData(name=topic, partition_data=[data])]
    return ProduceRequest(acks=acks, timeout=timeout_ms, topic_data=topics)


def produce(port: int, topic: str, **options: int) -> ErrorCode:
    answer = ask(port, produce_request(topic, **options), 9)
    return ErrorCode(answer.responses[0].partition_responses[0].error_code)


def raftka(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "raftka", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def leader(port: int, topic: str) -> int:
    found = partitions(port, topic)
    return int(found[0].leader_id) if found else -1


def servers(cluster: LocalCluster) -> tuple[str, str]:
    """The option of every tool."""
    return "--bootstrap-server", f"127.0.0.1:{cluster.ports[1]}"


def reassign(cluster: LocalCluster, topic: str, replicas: list[int], plan: Path) -> None:
    """Move both partitions of a topic with the tool, and wait until it says that this is done."""
    moves = [{"topic": topic, "partition": index, "replicas": replicas} for index in (0, 1)]
    plan.write_text(json.dumps({"version": 1, "partitions": moves}))
    arguments = (*servers(cluster), "--reassignment-json-file", str(plan))
    raftka("reassign-partitions", *arguments, "--execute")

    def complete() -> bool:
        told = raftka("reassign-partitions", *arguments, "--verify")
        return told.count("is complete") == len(moves)

    until(complete, "the reassignment is complete")


def test_sigterm_moves_leadership_first(life: LocalCluster, topic: str) -> None:
    create(life.ports[1], topic, [1, 2, 3], [2, 3, 1], [3, 1, 2], min_insync_replicas="2")
    with Load(life.bootstrap, topic) as load:
        for node_id, other in ((1, 2), (2, 3), (3, 1)):
            assert life.stop_node(node_id) == 0
            assert (life.data(node_id) / ".kafka_cleanshutdown").exists()
            load.progress()
            assert node_id not in {
                p.leader_id for p in partitions(life.ports[other], topic).values()
            }
            before = len(life.log(node_id))
            life.start_node(node_id, 60)
            assert "recover" not in life.log(node_id)[before:]
            in_sync(life, topic, (1, 2, 3), port=life.ports[other])
            load.progress()
    assert load.errors == []
    assert load.lost() == []


def test_preferred_leaders_come_back_by_themselves(life: LocalCluster, topic: str) -> None:
    create(life.ports[1], topic, [2, 1, 3])
    life.kill(2)
    until(lambda: leader(life.ports[1], topic) != 2, "another leader")
    life.start_node(2, 60)
    until(lambda: leader(life.ports[1], topic) == 2, "the preferred leader leads again")
    assert "is the preferred replica" in "".join(life.log(i) for i in (1, 2, 3))


def test_a_wiped_disk_is_a_new_replica(life: LocalCluster, topic: str) -> None:
    create(life.ports[1], topic, [3, 1, 2], min_insync_replicas="2")
    with Load(life.bootstrap, topic) as load:
        life.kill(3)
        load.progress()
        shutil.rmtree(life.data(3))
        life.format(3)
        life.start_node(3, 60)
        load.progress()
        in_sync(life, topic, (1, 2, 3), port=life.ports[1])
        until(lambda: leader(life.ports[1], topic) == 3, "it leads again, having caught up")
        load.progress()
    assert load.errors == []
    assert load.lost() == []


def test_a_broker_joins_takes_over_and_leaves(
    life: LocalCluster, topic: str, tmp_path: Path
) -> None:
    create(life.ports[1], topic, [1, 2, 3], [2, 3, 1], min_insync_replicas="2")
    life.configure(4, {"process.roles": "broker", "broker.rack": "rack-4"})
    life.format(4)
    life.start_node(4, 60)
    with Load(life.bootstrap, topic) as load:
        for replicas in ([4, 2, 3], [1, 2, 3]):
            reassign(life, topic, replicas, tmp_path / "plan.json")
            in_sync(life, topic, replicas, port=life.ports[1])
            load.progress()
        assert life.stop_node(4) == 0
        raftka("cluster", "unregister", *servers(life), "--id", "4")
        load.progress()
    assert load.errors == []
    assert load.lost() == []


def test_directories_of_others_are_refused_in_words(life: LocalCluster, tmp_path: Path) -> None:
    config = str(life.config_path(1))
    life.kill(1)
    try:
        assert "9" in (words := raftka("server", config, "--override", "node.id=9", code=1))
        assert "node.id" in words
        again = raftka("storage", "format", "-t", "A" * 22, "-c", config, code=1)
        assert "holds another cluster's data" in again
        other = ("--override", f"log.dirs={tmp_path / 'other'}")
        assert "is not formatted" in raftka("server", config, *other, code=1)
    finally:
        life.start_node(1, 60)


def test_a_leader_that_slept_does_not_answer_as_one(life: LocalCluster, topic: str) -> None:
    create(life.ports[1], topic, [2, 1, 3], min_insync_replicas="1")
    until(lambda: produce(life.ports[2], topic) is ErrorCode.NONE, "the first leader serves")
    wire = Wire(life.ports[2])
    sleeper = life.processes[2]
    sleeper.send_signal(signal.SIGSTOP)
    try:
        # It is the first thing that the suspended node finds when it resumes.
        wire.send(produce_request(topic, acks=1), 9)
        until(lambda: leader(life.ports[1], topic) not in (2, -1), "another leader")
        new = leader(life.ports[1], topic)
        until(lambda: produce(life.ports[new], topic, acks=1) is ErrorCode.NONE, "it serves")
    finally:
        sleeper.send_signal(signal.SIGCONT)
    answer = wire.receive(ProduceResponse, 9)
    wire.close()
    outcome = answer.responses[0].partition_responses[0]
    assert ErrorCode(outcome.error_code) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    in_sync(life, topic, (1, 2, 3), port=life.ports[1])
    assert set(read_all(life.bootstrap, topic)) >= {(0, 0), (0, 1)}


def active_controller(port: int) -> int:
    wanted = describe_quorum.RequestTopicData(
        topic_name="__cluster_metadata",
        partitions=[describe_quorum.RequestPartitionData(partition_index=0)],
    )
    answer = ask(port, describe_quorum.DescribeQuorumRequest(topics=[wanted]), 1)
    return int(answer.topics[0].partitions[0].leader_id) if answer.topics else -1


def test_a_controller_that_slept_decides_nothing(life: LocalCluster, topic: str) -> None:
    asleep = active_controller(life.ports[1])
    other = life.ports[1 + asleep % 3]
    wire = Wire(life.ports[asleep])
    sleeper = life.processes[asleep]
    sleeper.send_signal(signal.SIGSTOP)
    try:
        # It still believes that it is active, and must not act on the request.
        wire.send(create_request(topic, [1, 2, 3]), 7)
        until(lambda: active_controller(other) not in (asleep, -1), "another controller")
        create(other, f"{topic}-meanwhile", [1, 2, 3])
    finally:
        sleeper.send_signal(signal.SIGCONT)
    answer = wire.receive(CreateTopicsResponse, 7).topics[0]
    wire.close()
    # It was either forwarded to the new one, or refused: never decided here.
    created = until(lambda: partitions(other, f"{topic}-meanwhile"), "the topic made meanwhile")
    assert created[0].leader_id > 0
    if answer.error_code == ErrorCode.NONE:
        until(lambda: leader(other, topic) > 0, "what was promised is there")
    else:
        assert partitions(other, topic) == {}, answer
    in_sync(life, f"{topic}-meanwhile", (1, 2, 3), port=other)


def test_too_few_in_sync(life: LocalCluster, topic: str) -> None:
    create(life.ports[1], topic, [2, 3], min_insync_replicas="2")
    until(lambda: produce(life.ports[2], topic) is ErrorCode.NONE, "the first leader serves")
    life.kill(3)
    try:
        in_sync(life, topic, [2], port=life.ports[1])
        assert produce(life.ports[2], topic) is ErrorCode.NOT_ENOUGH_REPLICAS
        assert produce(life.ports[2], topic, acks=1) is ErrorCode.NONE
    finally:
        life.start_node(3, 60)
    in_sync(life, topic, (2, 3), port=life.ports[1])
    until(lambda: produce(life.ports[2], topic) is ErrorCode.NONE, "enough replicas again")


def test_unclean_elections_by_setting_and_by_tool(life: LocalCluster, topic: str) -> None:
    allowed = f"{topic}-allowed"
    create(life.ports[1], topic, [2, 3], min_insync_replicas="1")
    create(life.ports[1], allowed, [2, 3], unclean_leader_election_enable="true")
    for name in (topic, allowed):
        until(partial(_takes_records, life, name), "2 leads")
    life.kill(3)
    for name in (topic, allowed):
        in_sync(life, name, [2], port=life.ports[1])
        assert produce(life.ports[2], name) is ErrorCode.NONE
    life.kill(2)
    life.start_node(3, 60)  # Without it the controllers have no majority.
    until(lambda: leader(life.ports[1], allowed) == 3, "elected uncleanly, being allowed to")
    until(lambda: leader(life.ports[1], topic) == -1, "nobody may lead")
    wanted = ("--topic", topic, "--partition", "0")
    raftka("leader-election", *servers(life), *wanted, "--election-type", "unclean")
    until(lambda: leader(life.ports[1], topic) == 3, "elected uncleanly, being told to")
    life.start_node(2, 60)
    for name in (topic, allowed):
        in_sync(life, name, (2, 3), port=life.ports[1])


def _takes_records(cluster: LocalCluster, topic: str) -> bool:
    return produce(cluster.ports[2], topic) is ErrorCode.NONE


def test_a_consumer_reads_in_its_own_rack(life: LocalCluster, topic: str) -> None:
    create(life.ports[1], topic, [1, 2, 3])
    with Load(life.bootstrap, topic) as load:
        load.progress(50)
    port = life.ports[leader(life.ports[1], topic)]
    fetch = FetchRequest(
        rack_id="rack-3",
        max_wait=0,
        topics=[FetchTopic(topic=topic, partitions=[FetchPartition(partition=0)])],
    )
    until(
        lambda: ask(port, fetch, 12).responses[0].partitions[0].preferred_read_replica == 3,
        "the follower in the consumer's rack is named",
    )
    found = read_all(life.bootstrap, topic, **{"client.rack": "rack-3"})
    assert found.keys() >= {each[:2] for each in load.acked}


def test_clients_do_not_write_to_internal_topics(life: LocalCluster) -> None:
    internal = "__consumer_offsets"
    ask(life.ports[1], FindCoordinatorRequest(key="g", key_type=0), 3)  # Which creates it.
    until(lambda: leader(life.ports[1], internal) > 0, "the offsets topic is there")
    port = life.ports[leader(life.ports[1], internal)]
    wanted = (ErrorCode.INVALID_TOPIC_EXCEPTION,)
    until(lambda: produce(port, internal) in wanted, "the refusal")


def test_all_at_once_end_within_seconds(life: LocalCluster) -> None:
    """The last test of this cluster."""
    running = dict(life.processes)
    for process in running.values():
        process.send_signal(signal.SIGTERM)
    codes = {node_id: process.wait(20) for node_id, process in running.items()}
    assert codes == dict.fromkeys(running, 0)
