"""The internal topics, compared with those of a default broker of Apache Kafka 4.4.0."""

from __future__ import annotations

from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.model.settings import read_config

CREATED = {
    "__consumer_offsets": {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "segment.bytes": "104857600",
    },
    "__transaction_state": {
        "cleanup.policy": "compact",
        "compression.type": "uncompressed",
        "min.insync.replicas": "2",
        "segment.bytes": "104857600",
        "unclean.leader.election.enable": "false",
    },
    "__share_group_state": {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "min.insync.replicas": "2",
        "retention.ms": "-1",
        "segment.bytes": "104857600",
    },
}
BROKER = {
    "node.id": "1",
    "process.roles": "broker",
    "controller.quorum.voters": "9@localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "listeners": "PLAINTEXT://:9092",
}


def test_they_are_created_as_kafka_creates_them() -> None:
    config = read_config(BROKER)
    assert {n: topic.topic_settings(config) for n, topic in INTERNAL_TOPICS.items()} == CREATED
    shape = [(config.int(t.partitions), config.int(t.replicas)) for t in INTERNAL_TOPICS.values()]
    assert shape == [(50, 3)] * 3


def test_the_brokers_settings_shape_them() -> None:
    config = read_config(
        BROKER
        | {
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "7",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.segment.bytes": "1000000",
        }
    )
    topic = INTERNAL_TOPICS["__transaction_state"]
    assert (config.int(topic.partitions), config.int(topic.replicas)) == (7, 1)
    settings = topic.topic_settings(config)
    assert (settings["min.insync.replicas"], settings["segment.bytes"]) == ("1", "1000000")
