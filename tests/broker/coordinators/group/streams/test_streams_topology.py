"""A topology's tasks and internal topics, and the problems of its topics."""

from __future__ import annotations

from raftka.broker.coordinators.group.streams.topology import (
    Configured,
    StatusCode,
    configure,
    required_topics,
    source_topics,
)
from raftka.net.protocol.messages.streams_group_topology_value import (
    CopartitionGroup,
    StreamsGroupTopologyValue,
    Subtopology,
    TopicConfig,
    TopicInfo,
)


def word_count(copartition: bool = False, fixed: int = 0) -> StreamsGroupTopologyValue:
    """Words pass through a repartition topic to counts with state."""
    first = Subtopology(
        subtopology_id="0", source_topics=["text"], repartition_sink_topics=["words"]
    )
    second = Subtopology(
        subtopology_id="1",
        source_topics=["names"] if copartition else [],
        repartition_source_topics=[TopicInfo(name="words", partitions=fixed)],
        state_changelog_topics=[
            TopicInfo(
                name="counts",
                replication_factor=2,
                topic_configs=[TopicConfig(key="cleanup.policy", value="compact")],
            )
        ],
        copartition_groups=[CopartitionGroup(source_topics=[0], repartition_source_topics=[0])]
        if copartition
        else [],
    )
    return StreamsGroupTopologyValue(epoch=3, subtopologies=[first, second])


def of(topology: StreamsGroupTopologyValue, **topics: int) -> Configured:
    return configure(topology, topics.get)


def status(found: Configured) -> tuple[StatusCode, str] | None:
    return found.problem


def test_topics() -> None:
    assert source_topics(word_count()) == {"text": "0", "words": "1"}
    assert required_topics(word_count()) == {"text", "words", "counts"}
    assert source_topics(None) == {}


def test_a_repartition_topic_has_the_partitions_of_what_writes_it() -> None:
    found = of(word_count(), text=3)
    assert found.tasks == {"0": 3, "1": 3}
    assert found.stateful == {"1"}
    assert status(found) == (
        StatusCode.MISSING_INTERNAL_TOPICS,
        "Internal topics are missing: counts, words",
    )
    assert [(t.name, t.partitions, t.replication_factor, t.configs) for t in found.missing] == [
        ("words", 3, -1, ()),
        ("counts", 3, 2, (("cleanup.policy", "compact"),)),
    ]


def test_a_number_of_partitions_that_is_given() -> None:
    assert of(word_count(fixed=5), text=3).tasks == {"0": 3, "1": 5}


def test_everything_is_there() -> None:
    found = of(word_count(), text=3, words=3, counts=3)
    assert found.is_ready and not found.missing
    assert found.partitions == {"text": 3, "words": 3, "counts": 3}


def test_a_source_is_missing() -> None:
    found = of(word_count(), words=3, counts=3)
    assert status(found) == (
        StatusCode.MISSING_SOURCE_TOPICS,
        "Source topics text are missing.",
    )
    assert not found.tasks and not found.missing


def test_an_internal_topic_with_other_partitions() -> None:
    found = of(word_count(), text=3, words=3, counts=2)
    assert status(found) == (
        StatusCode.INCORRECTLY_PARTITIONED_TOPICS,
        "Existing topic counts has different number of partitions: expected 3, found 2",
    )


def test_a_repartition_topic_adapts_to_what_it_is_joined_with() -> None:
    found = of(word_count(copartition=True), text=3, names=6)
    assert {t.name: t.partitions for t in found.missing} == {"words": 6, "counts": 6}


def test_a_fixed_one_cannot_adapt() -> None:
    found = of(word_count(copartition=True, fixed=4), text=3, names=6)
    assert status(found) == (
        StatusCode.INCORRECTLY_PARTITIONED_TOPICS,
        "Number of partitions [4] of repartition topic [words] doesn't match number of partitions"
        " [6] of the source topic.",
    )


def test_sources_that_are_joined_have_the_same_partitions() -> None:
    joined = Subtopology(
        subtopology_id="0",
        source_topics=["a", "b"],
        copartition_groups=[CopartitionGroup(source_topics=[0, 1])],
    )
    topology = StreamsGroupTopologyValue(epoch=0, subtopologies=[joined])
    assert status(of(topology, a=2, b=3)) == (
        StatusCode.INCORRECTLY_PARTITIONED_TOPICS,
        "Following topics do not have the same number of partitions: [{a=2, b=3}]",
    )
    assert of(topology, a=2, b=2).is_ready


def test_a_loop_of_repartition_topics_cannot_be_resolved() -> None:
    loop = Subtopology(
        subtopology_id="0",
        repartition_source_topics=[TopicInfo(name="again")],
        repartition_sink_topics=["again"],
    )
    found = of(StreamsGroupTopologyValue(epoch=0, subtopologies=[loop]))
    assert found.problem is not None and "loops" in found.problem.words


def test_a_repartition_topic_that_nobody_writes() -> None:
    lost = Subtopology(subtopology_id="0", repartition_source_topics=[TopicInfo(name="w")])
    found = of(StreamsGroupTopologyValue(epoch=0, subtopologies=[lost]))
    assert found.problem is not None and "never used as a sink" in found.problem.words


def test_many_topics_are_not_all_named() -> None:
    many = Subtopology(subtopology_id="0", source_topics=[f"t{n}" for n in range(5)])
    found = of(StreamsGroupTopologyValue(epoch=0, subtopologies=[many]))
    assert found.problem is not None
    assert found.problem.words == "Source topics t0, t1, t2 and 2 additional topics are missing."


def test_a_long_chain_is_decided_with_one_look_at_each_of_its_subtopologies() -> None:
    length = 2000
    chain = [
        Subtopology(
            subtopology_id=f"{n:04}",
            source_topics=[] if n else ["text"],
            repartition_source_topics=[TopicInfo(name=f"r{n}")] if n else [],
            repartition_sink_topics=[f"r{n + 1}"] if n < length - 1 else [],
        )
        for n in range(length)
    ]
    asked = 0

    def count(topic: str) -> int | None:
        nonlocal asked
        asked += 1
        return {"text": 3}.get(topic)

    found = configure(StreamsGroupTopologyValue(epoch=0, subtopologies=chain[::-1]), count)
    assert set(found.tasks.values()) == {3} and len(found.missing) == length - 1
    assert asked < 10 * length


def test_the_largest_input_of_all_writers_counts() -> None:
    def writes(name: str, source: str) -> Subtopology:
        return Subtopology(
            subtopology_id=name, source_topics=[source], repartition_sink_topics=["r"]
        )

    reader = Subtopology(subtopology_id="2", repartition_source_topics=[TopicInfo(name="r")])
    subtopologies = [writes("0", "large"), writes("1", "small"), reader]
    for some in (subtopologies, subtopologies[::-1]):
        found = of(StreamsGroupTopologyValue(epoch=0, subtopologies=some), large=5, small=2)
        assert found.tasks == {"0": 5, "1": 2, "2": 5}
