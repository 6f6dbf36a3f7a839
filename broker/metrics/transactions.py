"""Metrics of transactions: the coordinator's pending writes, and open transactions in partitions.

Kafka's names: kafka.coordinator.transaction:type=TransactionMarkerChannelManager,
kafka.server:type=transaction-coordinator-metrics and type=group-coordinator-metrics,
kafka.server:type=AddPartitionsToTxnManager, and the gauges of ReplicaManager (KIP-890).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from raftka.broker.metrics.families import Family, counter, gauge
from raftka.storage.open_transactions import EVERYTHING_STABLE

if TYPE_CHECKING:
    from raftka.broker.replication.replica_manager import ReplicaManager

LATE_MS: Final = 300_000
"""How long after transaction.max.timeout.ms a transaction counts as late: its coordinator should
have aborted it by then."""
_LOADS_S: Final = 30.0
"""How long a load is included in load metrics, as in Kafka."""
_MARKERS: Final = "kafka_coordinator_transaction_transactionmarkerchannelmanager_"
_VERIFIER: Final = "kafka_server_addpartitionstotxnmanager_"
_MANAGER: Final = "kafka_server_replicamanager_"


class TransactionFigures(NamedTuple):
    """Figures of a broker's transaction coordinator, and of its requests to others."""

    without_leader: int = 0
    """The number of markers whose partition has no leader."""
    without_record: int = 0
    """The number of transactions with all markers, but no Complete record in the log yet."""
    refused: int = 0
    """The number of partitions that were refused or not found in a transaction, since the start."""
    asked: int = 0
    """The number of answered requests to coordinators, since the start."""
    asked_s: float = 0.0
    """The total seconds that those took."""


def markers(figures: TransactionFigures) -> Iterator[Family]:
    """Pending end markers."""
    yield gauge(
        (_MARKERS + "unknowndestinationqueuesize",),
        "Markers of transactions that wait for a partition's leader.",
        figures.without_leader,
    )
    yield gauge(
        (_MARKERS + "logappendretryqueuesize",),
        "Transactions with all their markers, whose end is not in __transaction_state yet.",
        figures.without_record,
    )


def coordinator_loads(
    kind: str, loads: Sequence[tuple[float, float]], now_s: float
) -> Iterator[Family]:
    """`loads` are (time, duration in seconds) of the loads of a type of coordinator."""
    found = [seconds for at_s, seconds in loads if now_s - at_s <= _LOADS_S]
    of = f"kafka_server_{kind}_coordinator_metrics_partition_load_time_"
    words = "In ms, to read a partition of the coordinator's topic, in the last 30 s"
    yield gauge((of + "max",), f"{words}: the longest.", 1000 * max(found, default=0.0))
    yield gauge((of + "avg",), f"{words}: the mean.", 1000 * sum(found) / max(1, len(found)))


def verification(figures: TransactionFigures) -> Iterator[Family]:
    """The partitions' verification requests to coordinators."""
    name = _VERIFIER + "verificationfailurerate"
    yield counter(
        (name + "_count", name + "_total"),
        "Partitions that a coordinator did not confirm to be in a transaction.",
        figures.refused,
    )
    name = _VERIFIER + "verificationtimems"
    yield counter((name + "_count",), "Questions that coordinators answered.", figures.asked)
    yield counter((name + "_sum",), "Their waits in ms, in all.", 1000 * figures.asked_s)


def producers(replicas: ReplicaManager, late_before_ms: int) -> Iterator[Family]:
    """`late_before_ms`: an open transaction whose last write is older is late."""
    count = late = 0
    for replica in replicas:
        log = replica.log
        known = log.producer_state.producers
        count += len(known)
        if log.transactions.first_unstable != EVERYTHING_STABLE:
            late += any(
                each.txn_first_offset >= 0 and each.last_timestamp < late_before_ms
                for each in known.values()
            )
    yield gauge((_MANAGER + "produceridcount",), "Producer ids that partitions remember.", count)
    yield gauge(
        (_MANAGER + "partitionswithlatetransactionscount",),
        "Partitions with a transaction that ought to have been aborted: kafka-transactions"
        " find-hanging names it.",
        late,
    )
