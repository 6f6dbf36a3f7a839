"""Cordoned log directories (KIP-1066): they get no new replicas, and keep their own."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.controller import brokers
from raftka.kraft.controller.brokers import BrokerState, Heartbeat
from raftka.kraft.controller.features import Change, FeatureUpdate, update
from raftka.kraft.controller.placement import place
from raftka.kraft.controller.reassignments import Move, alter_reassignments
from raftka.kraft.controller.topics import NewTopic
from raftka.kraft.delta import image_records
from raftka.kraft.records import RAFTKA_VERSION, BrokerCordonRecord, FeatureLevelRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from tests.support.controller import ControllerOnPaper

A, B = b"a" * 16, b"b" * 16


@pytest.fixture
def cluster() -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1))
    made.start(1, 2, 3, log_dirs=(A, B))
    return made


def cordon(cluster: ControllerOnPaper, broker_id: int, *directories: bytes) -> int:
    """Send a broker's heartbeat with these directories; returns the number of records."""
    broker = cluster.image.brokers[broker_id]
    beat = Heartbeat(broker_id, broker.epoch, broker.epoch, cordoned_log_dirs=directories)
    result = brokers.heartbeat(cluster.image, cluster.rules, beat, BrokerState.ACTIVE)
    cluster.commit(result)
    return len(result.records)


def placed(cluster: ControllerOnPaper, factor: int) -> set[int]:
    found = place(cluster.image, random.Random(2), partitions=20, replication_factor=factor)
    return {broker for replicas in found for broker in replicas}


def test_a_broker_gets_no_new_replicas_once_all_its_directories_are_cordoned(
    cluster: ControllerOnPaper,
) -> None:
    assert cordon(cluster, 2, A) == 1
    assert placed(cluster, 2) == {1, 2, 3}, "there is another directory"
    assert cordon(cluster, 2, A, B) == 1
    assert cordon(cluster, 2, B, A) == 0, "that is known"
    assert placed(cluster, 2) == {1, 3}
    with pytest.raises(KafkaError, match="apart from those whose log directories are all cordoned"):
        placed(cluster, 3)
    assert cordon(cluster, 2) == 1
    assert placed(cluster, 3) == {1, 2, 3}


def test_nothing_is_cordoned_while_nodes_of_before_may_run(cluster: ControllerOnPaper) -> None:
    cluster.replay([FeatureLevelRecord(RAFTKA_VERSION, 0)])
    assert cordon(cluster, 2, A, B) == 0
    cluster.replay([FeatureLevelRecord(RAFTKA_VERSION, 1)])
    assert cordon(cluster, 2, A, B) == 1
    down = FeatureUpdate(RAFTKA_VERSION, 0, Change.SAFE_DOWNGRADE)
    refused = update(cluster.image, [down]).response[RAFTKA_VERSION]
    assert refused is not None and "cordoned.log.dirs of brokers [2]" in refused.message
    cordon(cluster, 2)
    assert update(cluster.image, [down]).response[RAFTKA_VERSION] is None


def test_a_heartbeat_that_knows_no_settings_yet_changes_nothing(cluster: ControllerOnPaper) -> None:
    cordon(cluster, 2, A, B)
    broker = cluster.image.brokers[2]
    beat = Heartbeat(2, broker.epoch, broker.epoch)
    assert not brokers.is_newly_cordoned(cluster.image, broker, beat)
    assert cluster.image.brokers[2].is_cordoned


def test_no_assignment_names_a_cordoned_broker_for_new_replicas(cluster: ControllerOnPaper) -> None:
    cluster.create_with("t", 1, 2)
    cordon(cluster, 2, A, B)
    cordon(cluster, 3, A, B)

    def move(*replicas: int) -> KafkaError | None:
        wish = Move(TopicPartition("t", 0), replicas)
        ((_, failure),) = alter_reassignments(cluster.image, cluster.rules, [wish]).response
        return failure

    assert move(2, 1) is None, "what is there may stay"
    failure = move(1, 3)
    assert failure is not None and failure.code is ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert "includes broker 3, but all its log directories are cordoned" in failure.message
    refused = cluster.create(NewTopic("u", assignments={0: (1, 3)}))
    assert isinstance(refused, KafkaError) and "includes broker 3" in refused.message


def test_a_snapshot_keeps_what_is_cordoned(cluster: ControllerOnPaper) -> None:
    cordon(cluster, 2, A)
    section = cluster.image.brokers[2]
    assert section.cordoned_log_dirs == (A,)
    cordons = [
        each for each in image_records(cluster.image) if isinstance(each, BrokerCordonRecord)
    ]
    assert cordons == [BrokerCordonRecord(2, section.epoch, (A,))]
