"""Real processes under load: which records were acknowledged, and which are there afterwards."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from raftka.local_cluster import LocalCluster
from raftka.net.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from raftka.testing.wire import ask

T = TypeVar("T")
_QUIET = {"log_level": 0}


def until(condition: Callable[[], T], what: str, timeout_s: float = 20.0) -> T:
    """Wait until the condition returns a true value; returns it."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not in {timeout_s} s: {what}"
        time.sleep(0.02)
    return found


def partitions(port: int, topic: str) -> dict[int, Any]:
    """Partitions of a topic as one node reports them."""
    wanted = [MetadataRequestTopic(name=topic)]
    request = MetadataRequest(topics=wanted, allow_auto_topic_creation=False)
    answer = ask(port, request, 9)
    return {each.partition_index: each for each in answer.topics[0].partitions}


class Load:
    """An acks=all producer in a thread; every acknowledged record is remembered.

    with Load(cluster.bootstrap, topic) as load:
        ...
    assert load.lost() == []
    """

    def __init__(self, bootstrap: str, topic: str, **settings: object) -> None:
        self.acked: list[tuple[int, int, bytes]] = []
        """Partition, offset, value."""
        self.errors: list[KafkaError] = []
        self.last_ack_s = 0.0
        self._bootstrap = bootstrap
        self._topic = topic
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0, **_QUIET, **settings}
        )
        self._stop = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        self.progress()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop = True
        self._thread.join()

    def progress(self, records: int = 20) -> float:
        """Wait for more acknowledgements; returns the seconds that took."""
        begin_s, target = time.monotonic(), len(self.acked) + records
        until(lambda: len(self.acked) >= target, f"{records} more acknowledgements")
        return time.monotonic() - begin_s

    def lost(self) -> list[tuple[int, int, bytes]]:
        """Acknowledged records that are not at their offsets."""
        there = read_all(self._bootstrap, self._topic)
        return [each for each in self.acked if there.get(each[:2]) != each[2]]

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop:
                break
            self._producer.produce(self._topic, b"%d" % number, on_delivery=self._delivered)
            self._producer.poll(0.002)
        self._producer.flush(20)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.errors.append(error)
            return
        self.last_ack_s = time.monotonic()
        self.acked.append(_placed(message))


def read_all(bootstrap: str, topic: str, **settings: object) -> dict[tuple[int, int], bytes]:
    """Every record of a topic by partition and offset."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            **_QUIET,
            **settings,
        }
    )
    try:
        indexes: Iterable[int] = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        ends = {}
        for index in indexes:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=20)
            ends[index] = end
        consumer.assign([TopicPartition(topic, index, 0) for index in ends])
        found: dict[tuple[int, int], bytes] = {}
        while any((index, end - 1) not in found for index, end in ends.items() if end):
            for message in consumer.consume(10_000, timeout=0.2):
                assert message.error() is None, message.error()
                partition, offset, value = _placed(message)
                found[partition, offset] = value
        return found
    finally:
        consumer.close()


def _placed(message: Message) -> tuple[int, int, bytes]:
    partition, offset, value = message.partition(), message.offset(), message.value()
    assert partition is not None and offset is not None
    return partition, offset, value or b""


def in_sync(cluster: LocalCluster, topic: str, replicas: Iterable[int], *, port: int) -> None:
    """Wait until every partition of a topic has exactly these in its ISR."""
    wanted = sorted(replicas)
    until(
        lambda: all(sorted(p.isr_nodes) == wanted for p in partitions(port, topic).values()),
        f"{topic} in sync on {wanted}",
    )
