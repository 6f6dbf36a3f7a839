"""The demands of a topology on the cluster's topics (KIP-1071, "Topology configuration").

Pure functions of a topology and the partition counts of its topics: the tasks of each subtopology,
the partitions of its internal topics, and which of those are missing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from raftka.kraft.image import MetadataImage
from raftka.net.protocol.messages.streams_group_topology_value import (
    StreamsGroupTopologyValue,
    Subtopology,
    TopicInfo,
)

_NAMED_MAX: Final = 3
"""The number of topics that a message lists."""

Count = Callable[[str], int | None]
"""topic -> its number of partitions, or None if it does not exist."""


class StatusCode(enum.IntEnum):
    """A status code in a heartbeat's answer, as on the wire."""

    STALE_TOPOLOGY = 0
    MISSING_SOURCE_TOPICS = 1
    INCORRECTLY_PARTITIONED_TOPICS = 2
    MISSING_INTERNAL_TOPICS = 3
    SHUTDOWN_APPLICATION = 4
    ASSIGNMENT_DELAYED = 5
    MISSING_CLIENT_TAGS = 6


class Problem(NamedTuple):
    """Why a topology cannot run, or cannot run yet."""

    status: StatusCode
    words: str


class WantedTopic(NamedTuple):
    """An internal topic that must be created."""

    name: str
    partitions: int
    replication_factor: int
    """-1 for the cluster's default."""
    configs: tuple[tuple[str, str], ...]


class Configured(NamedTuple):
    """A topology's tasks and topics for the current metadata."""

    tasks: Mapping[str, int]
    """Subtopology -> its number of tasks; empty if unknown."""
    stateful: frozenset[str]
    """The subtopologies with state: only those have standby tasks."""
    partitions: Mapping[str, int]
    """Topic -> the number of partitions that it has or must have."""
    missing: tuple[WantedTopic, ...]
    problem: Problem | None

    @property
    def is_ready(self) -> bool:
        """Whether all topics exist, so that tasks can be assigned."""
        return self.problem is None


class _Unusable(Exception):
    """A topology that does not match the topics."""

    def __init__(self, status: StatusCode, words: str) -> None:
        super().__init__(words)
        self.problem = Problem(status, words)


def configure(topology: StreamsGroupTopologyValue, count: Count) -> Configured:
    """Compute the number of tasks, and the internal topics to create first."""
    stateful = frozenset(
        each.subtopology_id for each in topology.subtopologies if each.state_changelog_topics
    )
    try:
        _check_sources(topology, count)
        decided = _decide_partitions(topology, count)

        def known(topic: str) -> int:
            return _count_of(topic, count, decided)

        tasks = {
            each.subtopology_id: max(map(known, _inputs(each))) for each in topology.subtopologies
        }
        missing = _missing_topics(topology, count, decided)
    except _Unusable as error:
        return Configured({}, stateful, {}, (), error.problem)
    problem = None
    if missing:
        names = _named(each.name for each in missing)
        problem = Problem(
            StatusCode.MISSING_INTERNAL_TOPICS, f"Internal topics are missing: {names}"
        )
    partitions = {topic: known(topic) for topic in required_topics(topology)}
    return Configured(dict(sorted(tasks.items())), stateful, partitions, missing, problem)


# ---- topics


def source_topics(topology: StreamsGroupTopologyValue | None) -> dict[str, str]:
    """Topic -> the subtopology that reads it."""
    subtopologies = () if topology is None else topology.subtopologies
    return {topic: each.subtopology_id for each in subtopologies for topic in _inputs(each)}


def required_topics(topology: StreamsGroupTopologyValue | None) -> set[str]:
    """All topics that a topology reads, and the changelogs of its state."""
    subtopologies = () if topology is None else topology.subtopologies
    changelogs = {topic.name for each in subtopologies for topic in each.state_changelog_topics}
    return changelogs | source_topics(topology).keys()


def topics_hash(image: MetadataImage, topology: StreamsGroupTopologyValue | None) -> int:
    """A hash of everything in the topics that tasks depend on; 0 if there are none.

    It differs from Kafka's (KIP-1101): a group is assigned once more after Kafka and raftka replace
    one another.
    """
    topics = filter(None, (image.topics.get(name) for name in sorted(required_topics(topology))))
    text = "\0".join(f"{t.name}\0{t.topic_id.hex()}\0{len(t.partitions)}" for t in topics)
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _inputs(subtopology: Subtopology) -> list[str]:
    """The topics that it reads, including repartition topics."""
    return [
        *subtopology.source_topics,
        *(each.name for each in subtopology.repartition_source_topics),
    ]


def _named(topics: Iterable[str]) -> str:
    """The first few topics by name, for a message."""
    names = sorted(topics)
    more = len(names) - _NAMED_MAX
    text = ", ".join(names[:_NAMED_MAX])
    return text if more <= 0 else f"{text} and {more} additional topics"


def _check_sources(topology: StreamsGroupTopologyValue, count: Count) -> None:
    missing = {
        topic
        for each in topology.subtopologies
        for topic in each.source_topics
        if count(topic) is None
    }
    if missing:
        raise _Unusable(
            StatusCode.MISSING_SOURCE_TOPICS, f"Source topics {_named(missing)} are missing."
        )
    for each in topology.subtopologies:
        if not _inputs(each):
            raise _Unusable(
                StatusCode.MISSING_SOURCE_TOPICS,
                f"No source topics found for subtopology {each.subtopology_id}",
            )


def _missing_topics(
    topology: StreamsGroupTopologyValue, count: Count, decided: Mapping[str, int]
) -> tuple[WantedTopic, ...]:
    """Raises _Unusable if an existing topic has another number of partitions than required."""
    found = []
    for subtopology in topology.subtopologies:
        internal = (*subtopology.repartition_source_topics, *subtopology.state_changelog_topics)
        for topic in internal:
            wanted = topic.partitions or decided[topic.name]
            there = count(topic.name)
            if there is None:
                found.append(_wanted(topic, wanted))
            elif there != wanted:
                raise _Unusable(
                    StatusCode.INCORRECTLY_PARTITIONED_TOPICS,
                    f"Existing topic {topic.name} has different number of partitions: expected"
                    f" {wanted}, found {there}",
                )
    return tuple(found)


def _wanted(topic: TopicInfo, partitions: int) -> WantedTopic:
    configs = tuple((each.key, each.value) for each in topic.topic_configs)
    return WantedTopic(topic.name, partitions, topic.replication_factor or -1, configs)


# ---- partitions of internal topics


def _decide_partitions(topology: StreamsGroupTopologyValue, count: Count) -> dict[str, int]:
    """Internal topic -> its required number of partitions."""
    decided = _repartition_topics(topology, count)
    fixed = {
        topic.name
        for each in topology.subtopologies
        for topic in each.repartition_source_topics
        if topic.partitions
    }
    for each in topology.subtopologies:
        for group in each.copartition_groups:
            names = [
                *(each.source_topics[index] for index in group.source_topics),
                *(
                    each.repartition_source_topics[index].name
                    for index in group.repartition_source_topics
                ),
            ]
            _copartition(set(names), fixed, count, decided)
    for each in topology.subtopologies:
        if each.state_changelog_topics:
            most = max(_count_of(name, count, decided) for name in _inputs(each))
            decided.update(
                dict.fromkeys((topic.name for topic in each.state_changelog_topics), most)
            )
    return decided


def _count_of(topic: str, count: Count, decided: Mapping[str, int]) -> int:
    there = count(topic)
    found = decided.get(topic) if there is None else there
    if found is None:
        raise _Unusable(
            StatusCode.MISSING_SOURCE_TOPICS, f"No partition count for source topic {topic}"
        )
    return found


def _repartition_topics(topology: StreamsGroupTopologyValue, count: Count) -> dict[str, int]:
    """A repartition topic has as many partitions as the largest input of the subtopologies that
    write it."""
    topics = [t for each in topology.subtopologies for t in each.repartition_source_topics]
    decided = {topic.name: topic.partitions for topic in topics if topic.partitions}
    open_ones = {topic.name for topic in topics} - decided.keys()
    sinks = {name for each in topology.subtopologies for name in each.repartition_sink_topics}
    if not open_ones <= sinks:
        raise _Unusable(
            StatusCode.MISSING_INTERNAL_TOPICS,
            "Failed to compute number of partitions for all repartition topics, because a"
            " repartition source topic is never used as a sink topic.",
        )
    reads: dict[str, list[int]] = {}
    for number, each in enumerate(topology.subtopologies):
        for name in _inputs(each):
            reads.setdefault(name, []).append(number)
    # Each round visits only the readers of the previous round's results: a client may send a long
    # chain.
    turn, served = list(range(len(topology.subtopologies))), set[int]()
    while open_ones:
        known: dict[str, int] = {}
        for number in turn:
            if number in served:
                continue
            each = topology.subtopologies[number]
            written = sorted(open_ones.intersection(each.repartition_sink_topics))
            most = _largest_input(each, count, decided, open_ones) if written else None
            if most is not None:
                known.update({name: max(most, known.get(name, most)) for name in written})
            if most is not None or not written:
                served.add(number)
        if not known:
            raise _Unusable(
                StatusCode.MISSING_INTERNAL_TOPICS,
                "Failed to compute number of partitions for all repartition topics. There may be"
                " loops in the topology that cannot be resolved.",
            )
        decided.update(known)
        open_ones.difference_update(known)
        turn = list(dict.fromkeys(each for name in known for each in reads.get(name, ())))
    return decided


def _largest_input(
    subtopology: Subtopology, count: Count, decided: Mapping[str, int], open_ones: set[str]
) -> int | None:
    """The partitions of its largest input; None while no input's are known."""
    found = [
        decided.get(topic) or count(topic)
        for topic in _inputs(subtopology)
        if topic not in open_ones
    ]
    return max(filter(None, found), default=None)


def _copartition(names: set[str], fixed: set[str], count: Count, decided: dict[str, int]) -> None:
    """Joined topics have the same number of partitions: flexible ones adapt.

    Raises _Unusable if they cannot.
    """
    if not names:
        return
    outside = {name: count(name) or 0 for name in names if name not in decided}
    rigid = outside or {name: decided[name] for name in names if name in fixed}
    if len(set(rigid.values())) > 1:
        shown = ", ".join(f"{name}={rigid[name]}" for name in sorted(rigid))
        raise _Unusable(
            StatusCode.INCORRECTLY_PARTITIONED_TOPICS,
            f"Following topics do not have the same number of partitions: [{{{shown}}}]",
        )
    common = next(iter(rigid.values())) if rigid else max(decided[name] for name in names)
    for name in sorted(names & decided.keys()):
        if name in fixed and decided[name] != common:
            raise _Unusable(
                StatusCode.INCORRECTLY_PARTITIONED_TOPICS,
                f"Number of partitions [{decided[name]}] of repartition topic [{name}] doesn't"
                f" match number of partitions [{common}] of the source topic.",
            )
        decided[name] = common
