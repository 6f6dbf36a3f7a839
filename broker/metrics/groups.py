"""Gauges of the groups that this broker coordinates, with the lag of each.

A group's lag is the distance from its committed offset to the end offset for consumers, which only
the partition's leader knows: other leaders are asked (end_offsets.py). The end offsets are
requested after the offsets were read, so that no lag is negative. The broker that holds the state
of a share group reports its lag.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from raftka.broker.metrics.arrivals import Position
from raftka.broker.metrics.families import Family, Sample, gauge, labels
from raftka.model.ids import TopicPartition

if TYPE_CHECKING:
    from raftka.broker.coordinators.group.shard import GroupFigures

_STATES = ("PreparingRebalance", "CompletingRebalance", "Stable", "Empty", "Dead")
"""Of classic groups; the newer types have others."""


def group_positions(found: list[GroupFigures]) -> Iterator[Position]:
    """The positions of the groups that commit offsets."""
    for group in found:
        for at, offset in group.offsets.items():
            yield Position(group.group_id, at, offset)


def groups(
    found: list[GroupFigures],
    shares: Sequence[Position],
    ends: Mapping[TopicPartition, int],
    seconds: Mapping[Position, float],
) -> Iterator[Family]:
    """`ends` has the known high watermarks; partitions without one have no lag."""
    manager = "kafka_coordinator_group_groupmetadatamanager_"
    yield gauge((manager + "numgroups",), "Groups that this broker coordinates.", len(found))
    by_state = Counter(each.state for each in found)
    for state in _STATES:
        name = f"{manager}numgroups{state.lower()}"
        yield gauge((name,), f"Groups in state {state}.", by_state[state])
    yield gauge(
        (manager + "numoffsets",),
        "Offsets that are committed.",
        sum(len(each.offsets) for each in found),
    )
    yield from _positions([*group_positions(found), *shares], ends, seconds)
    members: list[Sample] = [
        (labels(consumergroup=each.group_id), each.member_count) for each in found
    ]
    yield Family(("kafka_consumergroup_members",), "gauge", "Members of a group.", members)


def _positions(
    positions: Iterable[Position],
    ends: Mapping[TopicPartition, int],
    seconds: Mapping[Position, float],
) -> Iterator[Family]:
    offsets: list[Sample] = []
    lags: list[Sample] = []
    waits: list[Sample] = []
    offset_sums: Counter[tuple[str, str]] = Counter()
    lag_sums: Counter[tuple[str, str]] = Counter()
    for each in positions:
        at, key = each.at, (each.group_id, each.at.topic)
        where = labels(consumergroup=each.group_id, topic=at.topic, partition=at.partition)
        offsets.append((where, each.offset))
        offset_sums[key] += each.offset
        if at in ends:
            lag = each.lag(ends[at])
            lags.append((where, lag))
            lag_sums[key] += lag
        if each in seconds:
            waits.append((where, seconds[each]))
    of = "kafka_consumergroup_"
    yield Family((of + "current_offset",), "gauge", "Offset that a group committed.", offsets)
    yield _sums(of + "current_offset_sum", offset_sums)
    yield Family((of + "lag",), "gauge", "Records that a group has still to read.", lags)
    yield _sums(of + "lag_sum", lag_sums)
    yield Family(
        (of + "lag_seconds",), "gauge", "How long the first record that waits has waited.", waits
    )


def _sums(name: str, sums: Counter[tuple[str, str]]) -> Family:
    samples: list[Sample] = [
        (labels(consumergroup=group_id, topic=topic), total)
        for (group_id, topic), total in sums.items()
    ]
    return Family((name,), "gauge", "Their sum over a topic.", samples)
