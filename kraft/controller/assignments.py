"""Manual replica assignments, and the initial state of partitions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from raftka.kraft.image import MetadataImage
from raftka.kraft.records import MetadataRecord, PartitionRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.reasons import Why

MAX_PARTITIONS_AT_ONCE = 10_000
"""The limit of new partitions in one request (POLICY_VIOLATION), as in Apache Kafka."""

MAX_RECORDS_AT_ONCE = 10_000
"""The limit of records in one request's decision, hence in its batch; as in Apache Kafka."""


def check_assignment(
    image: MetadataImage,
    replicas: Sequence[int],
    replication_factor: int | None = None,
    present: Collection[int] = (),
) -> None:
    """Raise KafkaError INVALID_REPLICA_ASSIGNMENT unless these are valid replicas of a partition.

    Replicas in `present` may stay on brokers whose log directories are all cordoned (KIP-1066).
    """
    if not replicas:
        raise _invalid("The manual partition assignment includes an empty replica list.")
    for replica in replicas:
        if replica < 0:
            words = f"The manual partition assignment includes an invalid replica id, {replica}."
            raise _invalid(words)
        if replica not in image.brokers:
            raise _invalid(
                f"The manual partition assignment includes broker {replica}, but no such broker "
                "is registered."
            )
        if replica not in present and image.brokers[replica].is_cordoned:
            raise _invalid(
                f"The manual partition assignment includes broker {replica}, but all its log "
                "directories are cordoned."
            )
    if len(set(replicas)) != len(replicas):
        raise _invalid(
            f"The manual partition assignment {list(replicas)} includes a broker more than once."
        )
    if replication_factor is not None and len(replicas) != replication_factor:
        raise _invalid(
            f"The manual partition assignment includes a partition with {len(replicas)} "
            f"replica(s), but this is not consistent with previous partitions, which have "
            f"{replication_factor} replica(s)."
        )


def new_partition(
    image: MetadataImage, topic_id: bytes, index: int, replicas: Sequence[int]
) -> PartitionRecord:
    """A partition's initial state: the live replicas are its ISR, and the first of them leads.

    Raises KafkaError INVALID_REPLICA_ASSIGNMENT if none is alive.
    """
    isr = tuple(each for each in replicas if image.is_active(each))
    if not isr:
        raise _invalid(
            f"All brokers specified in the manual partition assignment for partition {index} are "
            "fenced or in controlled shutdown."
        )
    rank = "preferred-new" if isr[0] == replicas[0] else "live-new"
    why = Why("new-partition").therefore(Why(rank, leader=isr[0]))
    return PartitionRecord(
        topic_id=topic_id,
        partition_id=index,
        replicas=tuple(replicas),
        isr=isr,
        leader=isr[0],
        reason=str(why),
        why=why.packed(),
    )


def check_amount(partitions: int) -> None:
    """Raise KafkaError POLICY_VIOLATION for too many new partitions in one request."""
    if partitions > MAX_PARTITIONS_AT_ONCE:
        raise KafkaError(
            ErrorCode.POLICY_VIOLATION,
            f"{partitions} new partitions in one request are too many; "
            f"{MAX_PARTITIONS_AT_ONCE} are allowed.",
        )


def check_batch(records: Sequence[MetadataRecord]) -> None:
    """Raise KafkaError POLICY_VIOLATION for more records than one batch may hold."""
    if len(records) > MAX_RECORDS_AT_ONCE:
        raise KafkaError(
            ErrorCode.POLICY_VIOLATION,
            f"The request takes {len(records)} records of metadata, and {MAX_RECORDS_AT_ONCE} are "
            "allowed at once: ask for fewer topics or partitions in one request.",
        )


def _invalid(words: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, words)
