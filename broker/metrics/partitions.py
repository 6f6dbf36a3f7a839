"""Gauges of the partitions that this broker hosts, and the traffic of their topics.

What Kafka reports of each replica comes from each broker; what the common exporter asks a cluster
(kafka_topic_partition_*) comes from the partition's leader alone, so that a sum over all nodes
counts a partition once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from raftka.broker.metrics.families import Family, Sample, gauge, labels
from raftka.broker.metrics.names import meter

if TYPE_CHECKING:
    from raftka.broker.replication.alter_partition import AlterPartitionSender
    from raftka.broker.replication.replica import Replica
    from raftka.broker.replication.replica_manager import ReplicaManager
    from raftka.broker.replication.traffic import Traffic

_TRAFFIC = (
    ("messages_in", "messagesin", "Records appended by producers."),
    ("bytes_in", "bytesin", "Bytes of records appended by producers."),
    ("bytes_rejected", "bytesrejected", "Bytes of batches that were too large."),
    ("bytes_out", "bytesout", "Bytes of records read by consumers."),
    ("produce_requests", "totalproducerequests", "Partitions in Produce requests."),
    ("fetch_requests", "totalfetchrequests", "Partitions in answers to consumers' fetches."),
    ("failed_produce_requests", "failedproducerequests", "Partitions of failed Produce requests."),
    ("failed_fetch_requests", "failedfetchrequests", "Partitions of failed fetches."),
)
_WITHOUT_TOPIC = (
    ("replication_bytes_in", "replicationbytesin", "Bytes of records fetched from leaders."),
    ("replication_bytes_out", "replicationbytesout", "Bytes of records sent to followers."),
)


def traffic(counts: Traffic) -> Iterator[Family]:
    """BrokerTopicMetrics: of each topic, and without a topic label of all."""
    total = counts.total()
    topics = [(labels(topic=name), each) for name, each in counts]
    for field, name, words in _TRAFFIC:
        samples: list[Sample] = [("", getattr(total, field))]
        samples += [(where, getattr(each, field)) for where, each in topics]
        names = meter(f"kafka_server_brokertopicmetrics_{name}")
        yield Family(names, "counter", words, samples)
    for field, name, words in _WITHOUT_TOPIC:
        names = meter(f"kafka_server_brokertopicmetrics_{name}")
        yield Family(names, "counter", words, (("", getattr(total, field)),))


def isr_changes(sender: AlterPartitionSender) -> Iterator[Family]:
    """How often ISRs of partitions that this broker led became smaller, and larger."""
    yield Family(
        meter("kafka_server_replicamanager_isrshrinks"),
        "counter",
        "ISRs that became smaller.",
        (("", sender.shrink_count),),
    )
    yield Family(
        meter("kafka_server_replicamanager_isrexpands"),
        "counter",
        "ISRs that became larger.",
        (("", sender.expand_count),),
    )


class _Seen(NamedTuple):
    """A replica and the text of its labels, which all of its samples share."""

    where: str
    replica: Replica


def partitions(replicas: ReplicaManager, most: int) -> Iterator[Family]:
    """Of each replica, for the first `most` by name, and of all together."""
    hosted = sorted(replicas, key=lambda replica: replica.topic_partition)
    led = [each for each in hosted if each.state.is_leader]
    manager = "kafka_server_replicamanager_"
    yield gauge((manager + "leadercount",), "Partitions led.", len(led))
    yield gauge((manager + "partitioncount",), "Partitions hosted.", len(hosted))
    yield gauge(
        (manager + "underreplicatedpartitions",),
        "Partitions led whose ISR lacks replicas.",
        sum(each.under_replicated for each in led),
    )
    below = [_missing(each) for each in led]
    yield gauge(
        (manager + "underminisrpartitioncount",),
        "Partitions led with an ISR smaller than min.insync.replicas.",
        sum(missing > 0 for missing in below),
    )
    yield gauge(
        (manager + "atminisrpartitioncount",),
        "Partitions led with an ISR of just min.insync.replicas.",
        sum(missing == 0 for missing in below),
    )
    yield gauge(
        (manager + "offlinereplicacount",),
        "Replicas on log directories that have failed.",
        replicas.index.offline_count,
    )
    yield gauge(
        (manager + "reassigningpartitions",),
        "Partitions led that are being reassigned.",
        sum(each.state.view.is_reassigning for each in led),
    )
    yield gauge(
        ("raftka_metrics_partitions_left_out",),
        "Replicas without series of their own: raftka.metrics.partitions.max.",
        max(0, len(hosted) - most),
    )
    seen = [_Seen(labels(topic=each.topic, partition=each.index), each) for each in hosted[:most]]
    yield from _of_replicas(seen)
    yield from _of_leaders([each for each in seen if each.replica.state.is_leader])


def _missing(replica: Replica) -> int:
    """How many replicas the ISR lacks to min.insync.replicas; below 0 with more."""
    state = replica.state
    return min(state.min_isr, len(state.view.replicas)) - len(state.view.isr)


def _of_replicas(seen: list[_Seen]) -> Iterator[Family]:
    yield _family(
        "kafka_log_log_size", "Bytes of a log.", [(where, each.log.size) for where, each in seen]
    )
    yield _family(
        "kafka_log_log_logstartoffset",
        "First offset of a log.",
        [(where, each.log.log_start_offset) for where, each in seen],
    )
    yield _family(
        "kafka_log_log_logendoffset",
        "Offset of a log's next record.",
        [(where, each.log.log_end_offset) for where, each in seen],
    )
    yield _family(
        "kafka_log_log_numlogsegments",
        "Segments of a log.",
        [(where, len(each.log.segments)) for where, each in seen],
    )
    partition = "kafka_cluster_partition_"
    yield _family(
        partition + "replicascount",
        "Replicas, where this broker leads; else 0.",
        [
            (where, len(each.state.view.replicas) if each.state.is_leader else 0)
            for where, each in seen
        ],
    )
    yield _family(
        partition + "insyncreplicascount",
        "ISR size, where this broker leads; else 0.",
        [(where, len(each.state.view.isr) if each.state.is_leader else 0) for where, each in seen],
    )
    yield _family(
        partition + "underreplicated",
        "1 where the ISR of a led partition lacks some.",
        [(where, int(each.under_replicated)) for where, each in seen],
    )
    yield _family(
        partition + "underminisr",
        "1 where it is below min.insync.replicas.",
        [(where, int(each.state.is_leader and _missing(each) > 0)) for where, each in seen],
    )
    yield _family(
        partition + "atminisr",
        "1 where it is just min.insync.replicas.",
        [(where, int(each.state.is_leader and _missing(each) == 0)) for where, each in seen],
    )
    yield _family(
        partition + "laststableoffsetlag",
        "Records that read_committed waits for.",
        [
            (
                where,
                each.state.high_watermark - each.log.stable_offset(each.state.high_watermark)
                if each.state.is_leader
                else 0,
            )
            for where, each in seen
        ],
    )


def _of_leaders(led: list[_Seen]) -> Iterator[Family]:
    exported = "kafka_topic_partition_"
    yield _family(
        exported + "current_offset",
        "High watermark of a partition.",
        [(where, each.state.high_watermark) for where, each in led],
    )
    yield _family(
        exported + "oldest_offset",
        "First offset of a partition.",
        [(where, each.log.log_start_offset) for where, each in led],
    )
    yield _family(
        exported + "in_sync_replica",
        "Replicas in the ISR.",
        [(where, len(each.state.view.isr)) for where, each in led],
    )
    yield _family(
        exported + "replicas",
        "Replicas of a partition.",
        [(where, len(each.state.view.replicas)) for where, each in led],
    )
    yield _family(
        exported + "leader",
        "The leader's broker id.",
        [(where, each.state.view.leader) for where, each in led],
    )
    yield _family(
        exported + "leader_is_preferred",
        "1 where the first replica leads.",
        [
            (where, int(each.state.view.leader == each.state.view.replicas[0]))
            for where, each in led
        ],
    )
    yield _family(
        exported + "under_replicated_partition",
        "1 where the ISR lacks replicas.",
        [(where, int(each.under_replicated)) for where, each in led],
    )


def _family(name: str, words: str, samples: list[Sample]) -> Family:
    return Family((name,), "gauge", words, samples)
