"""Finds hanging transactions, which no coordinator will end. Pure.

A transaction hangs in a partition when its coordinator does not know that the partition is in it:
no marker will come, and the last stable offset stays where it is (KIP-664).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from raftka.client.admin import ProducerState, TransactionDescription
from raftka.model.ids import TopicPartition


class OpenTransaction(NamedTuple):
    """A transaction that is open in a partition, and its producer as the partition knows it."""

    partition: TopicPartition
    producer: ProducerState


def open_longer_than(
    producers: Mapping[TopicPartition, Iterable[ProducerState]], now_ms: int, limit_ms: int
) -> list[OpenTransaction]:
    """The open transactions whose last write was longer than `limit_ms` ago."""
    return [
        OpenTransaction(partition, producer)
        for partition, told in producers.items()
        for producer in told
        if producer.transaction_start is not None and now_ms - producer.last_timestamp_ms > limit_ms
    ]


def hanging(
    candidates: Sequence[OpenTransaction],
    transactional_ids: Mapping[int, str],
    descriptions: Mapping[str, object],
) -> list[OpenTransaction]:
    """The transactions that no coordinator knows. `transactional_ids`: by producer id.

    While a transaction ends, its description holds the partitions that have no marker yet.
    """
    found: list[OpenTransaction] = []
    for each in candidates:
        known = descriptions.get(transactional_ids.get(each.producer.producer_id, ""))
        if not isinstance(known, TransactionDescription) or each.partition not in known.partitions:
            found.append(each)
    return found
