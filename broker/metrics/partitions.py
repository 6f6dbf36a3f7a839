"""Gauges of the partitions that this broker hosts, and the traffic of their topics.

What Kafka reports of each replica comes from each broker; what the common exporter asks a cluster
(kafka_topic_partition_*) comes from the partition's leader alone, so that a sum over all nodes
counts a partition once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from raftka.broker.metrics.families import Column, Family, Kept, Sample, gauge, labels
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


class _Rows:
    """Replicas with the text of their labels, in order, and what was written of them before."""

    def __init__(self) -> None:
        self.replicas: list[Replica] = []
        self.where: list[str] = []
        self.kept: Kept = {}

    def follow(self, replicas: list[Replica]) -> None:
        """Take the replicas of this moment."""
        if replicas != self.replicas:
            self.replicas = replicas
            self.where = [labels(topic=each.topic, partition=each.index) for each in replicas]
            self.kept = {}

    def family(self, name: str, words: str, values: list[float]) -> Family:
        """A gauge of each of the replicas."""
        return Family((name,), "gauge", words, Column(self.where, values, self.kept))


class PartitionFamilies:
    """Of each replica, and of all together, from one scrape to the next."""

    def __init__(self) -> None:
        self._found: list[Replica] = []
        self._hosted: list[Replica] = []
        self._rows = _Rows()
        self._led = _Rows()

    def gather(self, replicas: ReplicaManager, most: int) -> Iterator[Family]:
        """Of each replica for the first `most` by name."""
        found = list(replicas)
        if found != self._found:
            self._found = found
            self._hosted = sorted(found, key=lambda replica: replica.topic_partition)
        hosted = self._hosted
        yield from _of_all(hosted, replicas.index.offline_count, most)
        rows = self._rows
        rows.follow(hosted[:most])
        yield from _of_replicas(rows)
        self._led.follow([each for each in rows.replicas if each.state.is_leader])
        yield from _of_leaders(self._led)


def _of_all(hosted: list[Replica], offline_count: int, most: int) -> Iterator[Family]:
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
        offline_count,
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


def _missing(replica: Replica) -> int:
    """How many replicas the ISR lacks to min.insync.replicas; below 0 with more."""
    state = replica.state
    return min(state.min_isr, len(state.view.replicas)) - len(state.view.isr)


def _of_replicas(rows: _Rows) -> Iterator[Family]:
    seen, family = rows.replicas, rows.family
    logs = [each.log for each in seen]
    yield family("kafka_log_log_size", "Bytes of a log.", [log.size for log in logs])
    yield family(
        "kafka_log_log_logstartoffset",
        "First offset of a log.",
        [log.log_start_offset for log in logs],
    )
    yield family(
        "kafka_log_log_logendoffset",
        "Offset of a log's next record.",
        [log.log_end_offset for log in logs],
    )
    yield family(
        "kafka_log_log_numlogsegments", "Segments of a log.", [len(log.segments) for log in logs]
    )
    partition = "kafka_cluster_partition_"
    states = [each.state if each.state.is_leader else None for each in seen]
    yield family(
        partition + "replicascount",
        "Replicas, where this broker leads; else 0.",
        [0 if state is None else len(state.view.replicas) for state in states],
    )
    yield family(
        partition + "insyncreplicascount",
        "ISR size, where this broker leads; else 0.",
        [0 if state is None else len(state.view.isr) for state in states],
    )
    yield family(
        partition + "underreplicated",
        "1 where the ISR of a led partition lacks some.",
        [int(each.under_replicated) for each in seen],
    )
    # Below 0 where this broker does not lead: neither below min.insync.replicas nor just there.
    missing = [_missing(each) if each.state.is_leader else -1 for each in seen]
    yield family(
        partition + "underminisr",
        "1 where it is below min.insync.replicas.",
        [int(count > 0) for count in missing],
    )
    yield family(
        partition + "atminisr",
        "1 where it is just min.insync.replicas.",
        [int(count == 0) for count in missing],
    )
    yield family(
        partition + "laststableoffsetlag",
        "Records that read_committed waits for.",
        [
            0 if state is None else state.high_watermark - log.stable_offset(state.high_watermark)
            for state, log in zip(states, logs, strict=True)
        ],
    )


def _of_leaders(rows: _Rows) -> Iterator[Family]:
    led, family = rows.replicas, rows.family
    views = [each.state.view for each in led]
    exported = "kafka_topic_partition_"
    yield family(
        exported + "current_offset",
        "High watermark of a partition.",
        [each.state.high_watermark for each in led],
    )
    yield family(
        exported + "oldest_offset",
        "First offset of a partition.",
        [each.log.log_start_offset for each in led],
    )
    yield family(
        exported + "in_sync_replica", "Replicas in the ISR.", [len(view.isr) for view in views]
    )
    yield family(
        exported + "replicas", "Replicas of a partition.", [len(view.replicas) for view in views]
    )
    yield family(exported + "leader", "The leader's broker id.", [view.leader for view in views])
    yield family(
        exported + "leader_is_preferred",
        "1 where the first replica leads.",
        [int(view.leader == view.replicas[0]) for view in views],
    )
    yield family(
        exported + "under_replicated_partition",
        "1 where the ISR lacks replicas.",
        [int(len(view.isr) < len(view.replicas)) for view in views],
    )
