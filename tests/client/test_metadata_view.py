"""The layout of a cluster, merged from answers of different ages."""

from __future__ import annotations

from raftka.client.metadata import Broker, ClusterView
from raftka.net.protocol.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

ONE, TWO = b"1" * 16, b"2" * 16


def told(leader: int, epoch: int, topic_id: bytes = ONE, *, error: int = 0) -> MetadataResponse:
    part = MetadataResponsePartition(partition_index=0, leader_id=leader, leader_epoch=epoch)
    topic = MetadataResponseTopic(name="t", topic_id=topic_id, partitions=[part], error_code=error)
    return MetadataResponse(
        cluster_id="c",
        brokers=[MetadataResponseBroker(node_id=n, host=f"b{n}", port=9092) for n in (1, 2, 3)],
        topics=[topic],
    )


def leader_of(view: ClusterView) -> tuple[int, int] | None:
    part = view.partition("t", 0)
    return None if part is None else (part.leader, part.leader_epoch)


def test_an_older_answer_brings_no_older_leader() -> None:
    view = ClusterView().merged(told(1, 5), complete=False)
    assert leader_of(view.merged(told(2, 4), complete=False)) == (1, 5)
    assert leader_of(view.merged(told(2, 6), complete=False)) == (2, 6)


def test_a_topic_made_anew_begins_with_its_own_epochs() -> None:
    view = ClusterView().merged(told(1, 5), complete=False)
    assert leader_of(view.merged(told(2, 0, TWO), complete=False)) == (2, 0)


def test_other_topics_stay_unless_the_answer_tells_of_all() -> None:
    view = ClusterView().merged(told(1, 5), complete=False)
    nothing = MetadataResponse(cluster_id="c", brokers=told(1, 5).brokers)
    assert "t" in view.merged(nothing, complete=False).topics
    assert "t" not in view.merged(nothing, complete=True).topics


def test_a_topic_that_went_is_an_error_from_then_on() -> None:
    view = ClusterView().merged(told(1, 5), complete=False)
    gone = view.merged(told(1, 5, error=3), complete=False)
    assert "t" not in gone.topics
    assert gone.errors == {"t": 3}
    assert gone.merged(told(1, 6), complete=False).errors == {}


def test_leaders_that_an_error_names_are_taken_when_they_are_newer() -> None:
    view = ClusterView().merged(told(1, 5), complete=False)
    newcomer = Broker(9, "b9", 9092)
    assert view.with_leaders([("t", 0, 9, 5)], [newcomer]) is view
    moved = view.with_leaders([("t", 0, 9, 6)], [newcomer])
    assert leader_of(moved) == (9, 6)
    assert moved.leader("t", 0) == newcomer
    assert moved.version == view.version + 1
    assert view.with_leaders([("other", 0, 9, 6)], [newcomer]) is view
