"""Topics and partitions: names, creation, deletion, growth."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from raftka.kraft.controller.partitions import Growth, create_partitions
from raftka.kraft.controller.result import Rules
from raftka.kraft.controller.topics import (
    CreatedTopic,
    NewTopic,
    check_name,
    colliding_name,
    create_topics,
    delete_topics,
)
from raftka.kraft.image import TopicImage
from raftka.kraft.records import ConfigRecord
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import ControllerOnPaper


@pytest.fixture
def cluster() -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1), Rules(num_partitions=3, replication_factor=2))
    made.start(1, 2, 3)
    return made


def code(outcome: object) -> ErrorCode:
    assert isinstance(outcome, KafkaError), outcome
    return outcome.code


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "x" * 249, "...", "__consumer_offsets"])
def test_legal_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 250, "a b", "ä", "a/b", "a\n", "a,b"])
def test_illegal_names(cluster: ControllerOnPaper, name: str) -> None:
    with pytest.raises(KafkaError) as e:
        check_name(name)
    assert e.value.code is ErrorCode.INVALID_TOPIC_EXCEPTION
    assert code(cluster.create(NewTopic(name))) is ErrorCode.INVALID_TOPIC_EXCEPTION


def test_names_that_metrics_could_not_tell_apart() -> None:
    topics: Mapping[str, object] = dict.fromkeys(["a.b", "c", "a_b_c_d_e_f_g_h_i_j"])
    assert colliding_name("a_b", topics) == "a.b"
    assert colliding_name("a.b", topics) is None, "that is itself"
    assert colliding_name("c", topics) is None and colliding_name("ab", topics) is None
    assert colliding_name("a.b_c_d_e_f_g_h_i_j", topics) == "a_b_c_d_e_f_g_h_i_j"
    assert colliding_name("x.b_c_d_e_f_g_h_i_j", topics) is None


def test_defaults_are_the_controllers(cluster: ControllerOnPaper) -> None:
    made = cluster.create(NewTopic("t"))
    assert isinstance(made, CreatedTopic)
    assert (made.num_partitions, made.replication_factor) == (3, 2)
    topic = cluster.image.topics["t"]
    assert topic.topic_id == made.topic_id and len(topic.partitions) == 3
    for partition in topic.partitions:
        assert partition.isr == partition.replicas
        assert (partition.leader, partition.leader_epoch) == (partition.replicas[0], 0)
        assert partition.reason == f"new partition: {partition.leader} is the preferred replica"


def test_topic_ids_are_random_uuids_that_do_not_look_like_options(
    cluster: ControllerOnPaper,
) -> None:
    ids = set()
    for number in range(200):
        made = cluster.create(NewTopic(f"t{number}", num_partitions=1))
        assert isinstance(made, CreatedTopic)
        assert made.topic_id[0] & 0xFC != 0xF8 and made.topic_id[6] >> 4 == 4
        ids.add(made.topic_id)
    assert len(ids) == 200


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (NewTopic("__cluster_metadata"), ErrorCode.INVALID_REQUEST),
        (NewTopic("t", num_partitions=0), ErrorCode.INVALID_PARTITIONS),
        (NewTopic("t", num_partitions=-2), ErrorCode.INVALID_PARTITIONS),
        (NewTopic("t", replication_factor=0), ErrorCode.INVALID_REPLICATION_FACTOR),
        (NewTopic("t", replication_factor=-2), ErrorCode.INVALID_REPLICATION_FACTOR),
        (NewTopic("t", replication_factor=4), ErrorCode.INVALID_REPLICATION_FACTOR),
        (NewTopic("t", configs={"wrong": "1"}), ErrorCode.INVALID_CONFIG),
        (NewTopic("t", configs={"x": None}), ErrorCode.INVALID_CONFIG),
        (NewTopic("t", assignments={1: (1,)}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (NewTopic("t", assignments={0: (1,), 1: (1, 2)}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (NewTopic("t", assignments={0: (1, 1)}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (NewTopic("t", assignments={0: (9,)}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (NewTopic("t", assignments={0: ()}), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (NewTopic("t", 1, assignments={0: (1,)}), ErrorCode.INVALID_REQUEST),
        (NewTopic("t", -1, 1, assignments={0: (1,)}), ErrorCode.INVALID_REQUEST),
    ],
)
def test_wishes_that_are_refused(
    cluster: ControllerOnPaper, wish: NewTopic, expected: ErrorCode
) -> None:
    assert code(cluster.create(wish)) is expected
    assert cluster.image.topics == {}


def test_a_topic_exists_once(cluster: ControllerOnPaper) -> None:
    cluster.create(NewTopic("a.b"))
    assert code(cluster.create(NewTopic("a.b"))) is ErrorCode.TOPIC_ALREADY_EXISTS
    assert code(cluster.create(NewTopic("a_b"))) is ErrorCode.INVALID_TOPIC_EXCEPTION


def test_topics_of_one_request_fail_one_by_one(cluster: ControllerOnPaper) -> None:
    wishes = [NewTopic("twice"), NewTopic("x.y"), NewTopic("twice"), NewTopic("x_y")]
    outcomes = cluster.commit(
        create_topics(cluster.image, cluster.rules, cluster.schema, cluster.dice, wishes)
    )
    assert code(outcomes["twice"]) is ErrorCode.INVALID_REQUEST
    assert isinstance(outcomes["x.y"], CreatedTopic)
    assert code(outcomes["x_y"]) is ErrorCode.INVALID_TOPIC_EXCEPTION
    assert list(cluster.image.topics) == ["x.y"]


def test_too_many_partitions_at_once(cluster: ControllerOnPaper) -> None:
    wishes = [NewTopic("a", num_partitions=9999), NewTopic("b", num_partitions=2)]
    with pytest.raises(KafkaError) as e:
        create_topics(cluster.image, cluster.rules, cluster.schema, cluster.dice, wishes)
    assert e.value.code is ErrorCode.POLICY_VIOLATION


def test_an_assignment_by_hand(cluster: ControllerOnPaper) -> None:
    cluster.fence(2)
    cluster.create(NewTopic("t", assignments={1: (3, 2), 0: (2, 1)}))
    first, second = cluster.image.topics["t"].partitions
    assert (first.replicas, first.isr, first.leader) == ((2, 1), (1,), 1)
    assert first.reason == "new partition: 1 is the first live replica"
    assert (second.replicas, second.isr, second.leader) == ((3, 2), (3,), 3)
    dead = cluster.create(NewTopic("u", assignments={0: (2,)}))
    assert code(dead) is ErrorCode.INVALID_REPLICA_ASSIGNMENT


def test_settings_come_with_the_topic(cluster: ControllerOnPaper) -> None:
    made = cluster.create(NewTopic("t", configs={"retention.ms": "5"}))
    assert isinstance(made, CreatedTopic) and made.configs == {"retention.ms": "5"}
    assert cluster.image.topic_config("t") == {"retention.ms": "5"}


def test_deleting(cluster: ControllerOnPaper) -> None:
    cluster.create(NewTopic("a", configs={"retention.ms": "5"}))
    cluster.create(NewTopic("b"))
    b_id = cluster.image.topics["b"].topic_id
    outcomes = cluster.commit(
        delete_topics(
            cluster.image,
            [("a", bytes(16)), (None, b_id), ("c", bytes(16)), (None, b"x" * 16), ("b", b_id)],
        )
    )
    names = [each.name if isinstance(each, TopicImage) else each.code for each in outcomes]
    assert names == [
        "a",
        "b",
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INVALID_REQUEST,
    ]
    assert cluster.image.topics == {} and cluster.image.configs == {}


def grow(cluster: ControllerOnPaper, *wishes: Growth) -> dict[str, KafkaError | None]:
    return cluster.commit(create_partitions(cluster.image, cluster.dice, wishes))


def test_growing(cluster: ControllerOnPaper) -> None:
    cluster.create(NewTopic("t"))
    before = list(cluster.image.topics["t"].partitions)
    assert grow(cluster, Growth("t", 5)) == {"t": None}
    after = cluster.image.topics["t"].partitions
    assert list(after[:3]) == before and len(after) == 5
    assert all(len(partition.replicas) == 2 for partition in after)
    assert grow(cluster, Growth("t", 6, ((3, 1),))) == {"t": None}
    assert cluster.image.topics["t"].partitions[5].replicas == (3, 1)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Growth("t", 3), ErrorCode.INVALID_PARTITIONS),
        (Growth("t", 2), ErrorCode.INVALID_PARTITIONS),
        (Growth("u", 5), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (Growth("t", 5, ((1, 2),)), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (Growth("t", 4, ((1,),)), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (Growth("t", 4, ((1, 9),)), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
    ],
)
def test_growth_that_is_refused(
    cluster: ControllerOnPaper, wish: Growth, expected: ErrorCode
) -> None:
    cluster.create(NewTopic("t"))
    (outcome,) = grow(cluster, wish).values()
    assert code(outcome) is expected


def test_growth_that_is_asked_for_twice_or_too_large(cluster: ControllerOnPaper) -> None:
    cluster.create(NewTopic("t"))
    outcomes = grow(cluster, Growth("t", 5), Growth("t", 6))
    assert code(outcomes["t"]) is ErrorCode.INVALID_REQUEST
    with pytest.raises(KafkaError) as e:
        create_partitions(cluster.image, cluster.dice, [Growth("t", 20_000)])
    assert e.value.code is ErrorCode.POLICY_VIOLATION


def test_creating_leaves_no_record_of_what_failed(cluster: ControllerOnPaper) -> None:
    wish = NewTopic("t", replication_factor=9, configs={"retention.ms": "5"})
    result = create_topics(cluster.image, cluster.rules, cluster.schema, cluster.dice, [wish])
    assert not any(isinstance(record, ConfigRecord) for record in result.records)
