"""Consumer groups of third-party clients on three real nodes, one of which dies."""

from __future__ import annotations

import asyncio
import collections
import subprocess
import threading
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire

PARTITIONS = 4


@pytest.fixture
def cluster(three: LocalCluster) -> LocalCluster:
    return three


@pytest.fixture
def topic(cluster: LocalCluster, request: pytest.FixtureRequest) -> str:
    """A topic of its own for each test, with a thousand records."""
    name = str(request.node.name).replace("[", "-").replace("]", "")
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    created = admin.create_topics(
        [NewTopic(name, PARTITIONS, 3, config={"min.insync.replicas": "2"})]
    )
    created[name].result(20)
    produce(cluster, name, range(1000))
    return name


def produce(cluster: LocalCluster, topic: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for number in numbers:
        producer.produce(topic, str(number).encode(), partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


class Member(threading.Thread):
    """A confluent-kafka consumer that reads, and commits what it has read, until it is stopped."""

    def __init__(self, cluster: LocalCluster, topic: str, group: str, **settings: object) -> None:
        super().__init__(daemon=True)
        self.seen: collections.Counter[int] = collections.Counter()
        self.owned: list[int] = []
        self.committed: dict[int, int] = {}
        self.stopping = threading.Event()
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 10_000,
                **settings,
            }
        )
        self.start()

    def run(self) -> None:
        self._consumer.subscribe([self._topic])
        while not self.stopping.is_set():
            message = self._consumer.poll(0.1)
            self.owned = sorted(each.partition for each in self._consumer.assignment())
            if message is None or message.error():
                continue
            value, partition, offset = message.value(), message.partition(), message.offset()
            assert value is not None
            assert partition is not None
            assert offset is not None
            self.seen[int(value)] += 1
            position = TopicPartition(self._topic, partition, offset + 1)
            try:
                self._consumer.commit(offsets=[position], asynchronous=False)
                self.committed[partition] = offset + 1
            except KafkaException:
                continue  # A rebalance or a failover: the partition's next owner reads it again.
        self._consumer.close()

    def stop(self) -> None:
        self.stopping.set()
        self.join(30)
        assert not self.is_alive()


def committed(cluster: LocalCluster, topic: str, group: str) -> dict[int, int]:
    asking = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group})
    found = asking.committed([TopicPartition(topic, p) for p in range(PARTITIONS)], 20)
    asking.close()
    return {each.partition: each.offset for each in found if each.offset >= 0}


def coordinator_of(cluster: LocalCluster, group: str) -> int:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    described = admin.describe_consumer_groups([group])[group].result(20)
    node_id: int = described.coordinator.id
    return node_id


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_members_share_the_partitions(cluster: LocalCluster, topic: str, strategy: str) -> None:
    options = {"partition.assignment.strategy": strategy}
    members = [Member(cluster, topic, f"{topic}-group", **options) for _ in range(3)]
    everything = list(range(PARTITIONS))
    eventually(
        lambda: (
            sorted(p for member in members for p in member.owned) == everything
            and all(member.owned for member in members)
        ),
        "each of three members owns a part",
    )
    members.pop().stop()
    eventually(
        lambda: sorted(p for member in members for p in member.owned) == everything,
        "two members own everything",
    )
    eventually(
        lambda: sum(committed(cluster, topic, f"{topic}-group").values()) == 1000,
        "everything is read and committed",
    )
    for member in members:
        member.stop()


def test_no_commit_is_lost_when_the_coordinator_dies(cluster: LocalCluster, topic: str) -> None:
    group = "survivors"
    members = [Member(cluster, topic, group) for _ in range(2)]
    eventually(lambda: sum(sum(m.committed.values()) for m in members) > 100, "it has begun")
    dying = coordinator_of(cluster, group)
    cluster.kill(dying)
    try:
        produce(cluster, topic, range(1000, 1400))
        eventually(
            lambda: sum(committed(cluster, topic, group).values()) == 1400,
            "the group goes on to the end",
            60,
        )
    finally:
        cluster.start_node(dying)
    for member in members:
        member.stop()
    seen = members[0].seen + members[1].seen
    assert sorted(seen) == list(range(1400))
    found = committed(cluster, topic, group)
    for member in members:
        assert all(found[p] >= offset for p, offset in member.committed.items())


def test_a_static_member_restarts_without_a_rebalance(cluster: LocalCluster, topic: str) -> None:
    group = "tills"
    members = [Member(cluster, topic, group, **{"group.instance.id": f"till-{i}"}) for i in (1, 2)]
    eventually(lambda: all(len(m.owned) == 2 for m in members), "two share four partitions")
    before = members[1].owned
    members[0].stop()
    again = Member(cluster, topic, group, **{"group.instance.id": "till-1"})
    eventually(lambda: len(again.owned) == 2, "it is back")
    assert members[1].owned == before
    for member in (again, members[1]):
        member.stop()


def test_kcat_reads_as_a_group(kcat: str, cluster: LocalCluster, topic: str) -> None:
    command = [kcat, "-b", cluster.bootstrap, "-G", "cats", "-X", "auto.offset.reset=earliest"]
    cats = [
        subprocess.Popen([*command, "-c", "400", topic], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    lines = [line for cat in cats for line in cat.communicate(timeout=60)[0].split()]
    assert len(lines) == 800
    # Records that the first had read but not committed when the second joined may be read twice.
    assert len(set(lines)) >= 700


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of kafka-python's own
def test_kafka_python_keeps_notes_and_survives_a_crash(cluster: LocalCluster, topic: str) -> None:
    import kafka

    def member(name: str) -> kafka.KafkaConsumer:
        return kafka.KafkaConsumer(
            topic,
            bootstrap_servers=cluster.bootstrap.split(","),
            group_id="notes",
            client_id=name,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=500,
        )

    def poll(consumer: kafka.KafkaConsumer, stopping: threading.Event) -> None:
        while not stopping.is_set():
            # Not much shorter: this client forgets to send heartbeats when a poll ends in a join.
            consumer.poll(1000)

    members = [member("crashing"), member("surviving")]
    crashing, surviving = members
    stops = [threading.Event(), threading.Event()]
    tasks = [
        threading.Thread(target=poll, args=pair, daemon=True)
        for pair in zip(members, stops, strict=True)
    ]
    for task in tasks:
        task.start()
    eventually(
        lambda: len(crashing.assignment()) == len(surviving.assignment()) == PARTITIONS // 2,
        "two share the topic",
    )
    assert not crashing.assignment() & surviving.assignment()
    # One stops reading and sending heartbeats, and does not leave: its session must end.
    stops[0].set()
    tasks[0].join()
    crashing._client.close()
    eventually(lambda: len(surviving.assignment()) == PARTITIONS, "the other takes over")
    stops[1].set()
    tasks[1].join()
    partition = kafka.TopicPartition(topic, 1)
    surviving.commit({partition: kafka.OffsetAndMetadata(7, "until noon", -1)})
    assert surviving.committed(partition, metadata=True).metadata == "until noon"
    surviving.close()


def test_aiokafka_members_share_the_partitions(cluster: LocalCluster, topic: str) -> None:
    import aiokafka

    async def read() -> list[int]:
        def member() -> aiokafka.AIOKafkaConsumer:
            return aiokafka.AIOKafkaConsumer(
                topic,
                bootstrap_servers=cluster.bootstrap,
                group_id="async",
                auto_offset_reset="earliest",
                heartbeat_interval_ms=200,
            )

        members = [member(), member()]
        for each in members:
            await each.start()
        shares = [0, 0]
        async with asyncio.timeout(30):
            while shares != [PARTITIONS // 2] * 2:
                await asyncio.sleep(0.05)
                shares = [len(each.assignment()) for each in members]
        await members[0].stop()
        seen: set[int] = set()
        async with asyncio.timeout(30):
            while len(seen) < 1000:
                for messages in (await members[1].getmany(timeout_ms=500)).values():
                    seen.update(int(message.value) for message in messages)
        await members[1].stop()
        return sorted(seen)

    assert asyncio.run(read()) == list(range(1000))
