"""Gauges of the partitions that this broker hosts, and the traffic of their topics.

Every broker reports Kafka's own metrics for its replicas; only the partition's leader reports the
common exporter's (kafka_topic_partition_*), so that a sum over all nodes counts a partition once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Final

from raftka.broker.metrics.families import Column, Family, Kept, Sample, gauge, labels
from raftka.broker.metrics.names import meter
from raftka.model.ids import NO_BROKER

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
    """BrokerTopicMetrics: of each topic, and of all topics without a topic label."""
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
    """How often ISRs of partitions that this broker led shrank, and expanded."""
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


_LOOK: Final = 200
"""Replicas per step, between which requests are served."""


class _Rows:
    """The replicas in order, with their labels and the values written before."""

    def __init__(self) -> None:
        self.replicas: list[Replica] = []
        self.where: list[str] = []
        self.kept: Kept = {}

    def follow(self, replicas: list[Replica]) -> None:
        """Adopt the current replicas."""
        if replicas != self.replicas:
            self.replicas = replicas
            self.where = [labels(topic=each.topic, partition=each.index) for each in replicas]
            self.kept = {}

    def family(self, name: str, words: str, values: Sequence[float]) -> Family:
        """A gauge of each of the replicas."""
        return Family((name,), "gauge", words, Column(self.where, values, self.kept))


_VALUES: Final = (
    *("size", "start_offset", "end_offset", "segments", "replicas", "in_sync"),
    *("under_replicated", "under_min_isr", "at_min_isr", "stable_lag", "high_watermark"),
    *("leader", "is_preferred", "is_reassigning"),
)
"""The values that a step reads of each replica, in this order."""
Row = tuple[int, ...]
Columns = Mapping[str, Sequence[int]]
"""The values of all replicas, by name."""


def _row(replica: Replica) -> Row:
    """The values of one replica; if this broker does not lead, a leader's values are 0, as in
    Kafka.

    All in one pass, while the replica's objects are in the processor's cache. A plain tuple:
    creating a named one takes as long as reading all its values.
    """
    log, state = replica.log, replica.state
    bounds = log.bounds
    segments = log.segments.listed
    size = segments[0].size if len(segments) == 1 else log.size
    if not state.is_leader:
        end = bounds.end
        return (size, bounds.start, end, len(segments), 0, 0, 0, 0, 0, 0, 0, NO_BROKER, 0, 0)
    view, high_watermark = state.view, state.high_watermark
    replicas, in_sync = len(view.replicas), len(view.isr)
    missing = min(state.min_isr, replicas) - in_sync
    stable_lag = 0
    if log.transactions.first_unstable < high_watermark:
        stable_lag = high_watermark - log.stable_offset(high_watermark)
    return (
        size,
        bounds.start,
        bounds.end,
        len(segments),
        replicas,
        in_sync,
        1 if in_sync < replicas else 0,
        1 if missing > 0 else 0,
        1 if missing == 0 else 0,
        stable_lag,
        high_watermark,
        view.leader,
        1 if view.leader == view.replicas[0] else 0,
        1 if view.is_reassigning else 0,
    )


def _columns(rows: list[Row]) -> Columns:
    """Transpose rows to columns."""
    return (
        dict(zip(_VALUES, zip(*rows, strict=True), strict=True))
        if rows
        else dict.fromkeys(_VALUES, ())
    )


class PartitionFamilies:
    """Metrics of each replica, and of all together, across scrapes."""

    def __init__(self) -> None:
        self._found: list[Replica] = []
        self._hosted: list[Replica] = []
        self._offline = 0
        self._rows: list[Row] = []
        self._all = _Rows()
        self._led = _Rows()

    def look(self, replicas: ReplicaManager) -> Iterator[None]:
        """Read the current values, some replicas at a time."""
        found = list(replicas)
        if found != self._found:
            self._found = found
            self._hosted = sorted(found, key=lambda replica: replica.topic_partition)
        self._offline = replicas.index.offline_count
        rows: list[Row] = []
        for start in range(0, len(self._hosted), _LOOK):
            rows += map(_row, self._hosted[start : start + _LOOK])
            yield
        self._rows = rows

    def gather(self, most: int) -> Iterator[Family]:
        """The families of the values read: for each replica, of the first `most` by name."""
        hosted, columns = self._hosted, _columns(self._rows)
        yield from _of_all(columns, self._offline, most)
        if len(hosted) > most:
            hosted, columns = hosted[:most], {name: of[:most] for name, of in columns.items()}
        self._all.follow(hosted)
        yield from _families(self._all, columns, _OF_REPLICAS)
        led = [leader != NO_BROKER for leader in columns["leader"]]
        if not all(led):
            hosted = list(compress(hosted, led))
            columns = {name: tuple(compress(of, led)) for name, of in columns.items()}
        self._led.follow(hosted)
        yield from _families(self._led, columns, _OF_LEADERS)


def _of_all(columns: Columns, offline_count: int, most: int) -> Iterator[Family]:
    hosted = len(columns["leader"])
    sums = (
        ("leadercount", "Partitions led.", hosted - columns["leader"].count(NO_BROKER)),
        ("partitioncount", "Partitions hosted.", hosted),
        (
            "underreplicatedpartitions",
            "Partitions led whose ISR lacks replicas.",
            sum(columns["under_replicated"]),
        ),
        (
            "underminisrpartitioncount",
            "Partitions led with an ISR smaller than min.insync.replicas.",
            sum(columns["under_min_isr"]),
        ),
        (
            "atminisrpartitioncount",
            "Partitions led with an ISR of just min.insync.replicas.",
            sum(columns["at_min_isr"]),
        ),
        (
            "offlinereplicacount",
            "Replicas on log directories that have failed.",
            offline_count,
        ),
        (
            "reassigningpartitions",
            "Partitions led that are being reassigned.",
            sum(columns["is_reassigning"]),
        ),
    )
    for name, words, value in sums:
        yield gauge((f"kafka_server_replicamanager_{name}",), words, value)
    yield gauge(
        ("raftka_metrics_partitions_left_out",),
        "Replicas without series of their own: raftka.metrics.partitions.max.",
        max(0, hosted - most),
    )


_OF_REPLICAS: Final = (
    ("kafka_log_log_size", "Bytes of a log.", "size"),
    ("kafka_log_log_logstartoffset", "First offset of a log.", "start_offset"),
    ("kafka_log_log_logendoffset", "Offset of a log's next record.", "end_offset"),
    ("kafka_log_log_numlogsegments", "Segments of a log.", "segments"),
    (
        "kafka_cluster_partition_replicascount",
        "Replicas, where this broker leads; else 0.",
        "replicas",
    ),
    (
        "kafka_cluster_partition_insyncreplicascount",
        "ISR size, where this broker leads; else 0.",
        "in_sync",
    ),
    (
        "kafka_cluster_partition_underreplicated",
        "1 where the ISR of a led partition lacks some.",
        "under_replicated",
    ),
    (
        "kafka_cluster_partition_underminisr",
        "1 where it is below min.insync.replicas.",
        "under_min_isr",
    ),
    (
        "kafka_cluster_partition_atminisr",
        "1 where it is just min.insync.replicas.",
        "at_min_isr",
    ),
    (
        "kafka_cluster_partition_laststableoffsetlag",
        "Records that read_committed waits for.",
        "stable_lag",
    ),
)
_OF_LEADERS: Final = (
    (
        "kafka_topic_partition_current_offset",
        "High watermark of a partition.",
        "high_watermark",
    ),
    (
        "kafka_topic_partition_oldest_offset",
        "First offset of a partition.",
        "start_offset",
    ),
    ("kafka_topic_partition_in_sync_replica", "Replicas in the ISR.", "in_sync"),
    ("kafka_topic_partition_replicas", "Replicas of a partition.", "replicas"),
    ("kafka_topic_partition_leader", "The leader's broker id.", "leader"),
    (
        "kafka_topic_partition_leader_is_preferred",
        "1 where the first replica leads.",
        "is_preferred",
    ),
    (
        "kafka_topic_partition_under_replicated_partition",
        "1 where the ISR lacks replicas.",
        "under_replicated",
    ),
)


def _families(
    kept: _Rows, columns: Columns, what: Sequence[tuple[str, str, str]]
) -> Iterator[Family]:
    for name, words, value in what:
        yield kept.family(name, words, columns[value])
