"""Altering settings: one by one, all at once, and the effect on partitions."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.controller.configs import Alteration, Op, alter_incrementally, replace_all
from raftka.kraft.image import BROKER_RESOURCE, TOPIC_RESOURCE, ConfigResource
from raftka.kraft.records import NO_LEADER
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import ControllerOnPaper

T = ConfigResource(TOPIC_RESOURCE, "t")
ALL_BROKERS = ConfigResource(BROKER_RESOURCE, "")


@pytest.fixture
def cluster() -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1))
    made.start(1, 2, 3)
    made.create_with("t", 1, 2, 3, min_isr=2)
    return made


def alter(
    cluster: ControllerOnPaper, resource: ConfigResource, *alterations: Alteration
) -> KafkaError | None:
    ((answered, failure),) = cluster.commit(
        alter_incrementally(cluster.image, cluster.rules, cluster.schema, [(resource, alterations)])
    )
    assert answered == resource
    return failure


def put(name: str, value: str | None) -> Alteration:
    return Alteration(name, Op.SET, value)


def code(failure: KafkaError | None) -> ErrorCode:
    assert failure is not None
    return failure.code


def test_settings_are_set_and_deleted_one_by_one(cluster: ControllerOnPaper) -> None:
    assert alter(cluster, T, put("retention.ms", "5"), put("segment.bytes", "9")) is None
    assert alter(cluster, T, Alteration("segment.bytes", Op.DELETE)) is None
    assert cluster.image.topic_config("t") == {"min.insync.replicas": "2", "retention.ms": "5"}


def test_nothing_is_written_when_nothing_changes(cluster: ControllerOnPaper) -> None:
    before = cluster.image
    alter(cluster, T, put("min.insync.replicas", "2"), Alteration("unheard", Op.DELETE))
    assert cluster.image is before


def test_items_of_lists_come_and_go(cluster: ControllerOnPaper) -> None:
    alter(cluster, T, Alteration("cleanup.policy", Op.APPEND, "compact"))
    assert cluster.image.topic_config("t")["cleanup.policy"] == "delete,compact"
    alter(cluster, T, Alteration("cleanup.policy", Op.APPEND, "compact, delete"))
    assert cluster.image.topic_config("t")["cleanup.policy"] == "delete,compact"
    alter(cluster, T, Alteration("cleanup.policy", Op.SUBTRACT, "delete"))
    assert cluster.image.topic_config("t")["cleanup.policy"] == "compact"
    alter(cluster, T, Alteration("items", Op.SUBTRACT, "a"))
    assert cluster.image.topic_config("t")["items"] == ""


@pytest.mark.parametrize(
    ("resource", "alteration", "expected"),
    [
        (T, put("wrong", "1"), ErrorCode.INVALID_CONFIG),
        (T, put("retention.ms", None), ErrorCode.INVALID_REQUEST),
        (T, Alteration("retention.ms", 7, "1"), ErrorCode.UNKNOWN_SERVER_ERROR),
        (ConfigResource(TOPIC_RESOURCE, ""), put("x", "1"), ErrorCode.INVALID_REQUEST),
        (ConfigResource(TOPIC_RESOURCE, "a b"), put("x", "1"), ErrorCode.INVALID_TOPIC_EXCEPTION),
        (T, Alteration("retention.ms", Op.APPEND, "1"), ErrorCode.INVALID_CONFIG),
        (
            ConfigResource(TOPIC_RESOURCE, "u"),
            put("x", "1"),
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ),
        (ConfigResource(BROKER_RESOURCE, "one"), put("x", "1"), ErrorCode.INVALID_REQUEST),
        (ConfigResource(8, "1"), put("x", "1"), ErrorCode.INVALID_REQUEST),
    ],
)
def test_what_is_refused(
    cluster: ControllerOnPaper, resource: ConfigResource, alteration: Alteration, expected: int
) -> None:
    before = cluster.image
    assert code(alter(cluster, resource, alteration)) is expected
    assert cluster.image is before


def test_a_resource_is_altered_as_a_whole_or_not(cluster: ControllerOnPaper) -> None:
    assert alter(cluster, T, put("retention.ms", "5"), put("wrong", "1")) is not None
    assert "retention.ms" not in cluster.image.topic_config("t")
    twice = alter(cluster, T, put("retention.ms", "5"), put("retention.ms", "6"))
    assert code(twice) is ErrorCode.INVALID_REQUEST


def test_a_resource_is_named_once_in_a_request(cluster: ControllerOnPaper) -> None:
    cluster.create_with("u", 1, 2, 3)
    other = ConfigResource(TOPIC_RESOURCE, "u")
    wishes = [(each, [put("retention.ms", "5")]) for each in (T, T, other)]
    answers = cluster.commit(
        alter_incrementally(cluster.image, cluster.rules, cluster.schema, wishes)
    )
    assert [failure is None for _, failure in answers] == [False, False, True]
    assert "retention.ms" not in cluster.image.topic_config("t")


def test_replacing_loses_what_is_not_named(cluster: ControllerOnPaper) -> None:
    alter(cluster, T, put("retention.ms", "5"))
    wishes: list[tuple[ConfigResource, list[tuple[str, str | None]]]] = [
        (T, [("segment.bytes", "9")]),
        (ALL_BROKERS, [("x", None)]),
        (ConfigResource(BROKER_RESOURCE, "1"), [("x", "1"), ("x", "2")]),
    ]
    answers = cluster.commit(replace_all(cluster.image, cluster.rules, cluster.schema, wishes))
    codes = [ErrorCode.NONE if each is None else each.code for _, each in answers]
    assert codes == [ErrorCode.NONE, ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST]
    assert cluster.image.topic_config("t") == {"segment.bytes": "9"}


def test_the_clusters_minimum_can_change_and_not_go(cluster: ControllerOnPaper) -> None:
    alter(cluster, ALL_BROKERS, put("min.insync.replicas", "2"))
    refused = alter(cluster, ALL_BROKERS, Alteration("min.insync.replicas", Op.DELETE))
    assert code(refused) is ErrorCode.INVALID_CONFIG
    assert alter(cluster, ALL_BROKERS, put("min.insync.replicas", "1")) is None
    assert alter(cluster, T, Alteration("min.insync.replicas", Op.DELETE)) is None


def test_brokers_have_settings_each_and_all(cluster: ControllerOnPaper) -> None:
    alter(cluster, ALL_BROKERS, put("num.io.threads", "5"))
    alter(cluster, ConfigResource(BROKER_RESOURCE, "7"), put("num.io.threads", "6"))
    assert cluster.image.broker_config(None) == {"num.io.threads": "5"}
    assert cluster.image.broker_config(7) == {"num.io.threads": "6"}


def test_a_smaller_minimum_ends_the_elr_in_the_same_batch(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2)
    assert cluster.partition("t").elr == (2,)
    offset = cluster.image.offset
    alter(cluster, T, put("min.insync.replicas", "1"))
    assert cluster.partition("t").elr == () and cluster.image.offset == offset + 1


def test_a_smaller_minimum_for_the_cluster_does_so_everywhere(cluster: ControllerOnPaper) -> None:
    alter(cluster, ALL_BROKERS, put("min.insync.replicas", "2"))
    cluster.create_with("u", 1, 2, 3)
    cluster.fence(3, 2)
    assert cluster.partition("u").elr == (2,)
    alter(cluster, ALL_BROKERS, put("min.insync.replicas", "1"))
    assert cluster.partition("u").elr == ()
    assert cluster.partition("t").elr == (2,), "t has a minimum of its own"


def test_a_larger_minimum_changes_no_elr(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2)
    alter(cluster, T, put("min.insync.replicas", "3"))
    assert cluster.partition("t").elr == (2,)


def test_allowing_unclean_elections_elects_at_once(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    cluster.unfence(3)
    assert cluster.partition("t").leader == NO_LEADER
    alter(
        cluster,
        T,
        put("unclean.leader.election.enable", "true"),
        put("min.insync.replicas", "1"),
    )
    assert cluster.partition("t").leader == 3
