"""Gauges of the groups that this broker coordinates, with the lag of each.

A group's lag is what lies between its committed offset and the end that a consumer may read, which
the partition's leader knows: this broker where it leads, otherwise it is asked (end_offsets.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from raftka.broker.metrics.families import Family, Sample, gauge, labels
from raftka.model.ids import TopicPartition

if TYPE_CHECKING:
    from raftka.broker.coordinators.group.shard import GroupFigures

_STATES = ("PreparingRebalance", "CompletingRebalance", "Stable", "Empty", "Dead")
"""Of classic groups; the newer kinds have others."""


def groups(found: list[GroupFigures], ends: Mapping[TopicPartition, int]) -> Iterator[Family]:
    """`ends` has the high watermarks that are known; a partition without one has no lag."""
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
    members: list[Sample] = []
    offsets: list[Sample] = []
    lags: list[Sample] = []
    offset_sums: list[Sample] = []
    lag_sums: list[Sample] = []
    for group in found:
        members.append((labels(consumergroup=group.group_id), group.member_count))
        by_topic: Counter[str] = Counter()
        lag_by_topic: Counter[str] = Counter()
        for at, offset in group.offsets.items():
            where = labels(consumergroup=group.group_id, topic=at.topic, partition=at.partition)
            offsets.append((where, offset))
            by_topic[at.topic] += offset
            if at in ends:
                lag = max(0, ends[at] - offset)
                lags.append((where, lag))
                lag_by_topic[at.topic] += lag
        for topic, total in by_topic.items():
            offset_sums.append((labels(consumergroup=group.group_id, topic=topic), total))
        for topic, total in lag_by_topic.items():
            lag_sums.append((labels(consumergroup=group.group_id, topic=topic), total))
    of = "kafka_consumergroup_"
    yield Family((of + "members",), "gauge", "Members of a group.", members)
    yield Family((of + "current_offset",), "gauge", "Offset that a group committed.", offsets)
    yield Family((of + "current_offset_sum",), "gauge", "Their sum over a topic.", offset_sums)
    yield Family((of + "lag",), "gauge", "Records that a group has still to read.", lags)
    yield Family((of + "lag_sum",), "gauge", "Their sum over a topic.", lag_sums)
