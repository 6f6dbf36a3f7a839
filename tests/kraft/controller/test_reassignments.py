"""Moving replicas: begin, change, cancel, complete."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.controller.in_sync_replicas import IsrWish, alter_partitions
from raftka.kraft.controller.reassignments import Move, alter_reassignments, ongoing
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from tests.support.controller import ControllerOnPaper

T = TopicPartition("t", 0)


@pytest.fixture
def cluster() -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1))
    made.start(1, 2, 3, 4, 5, 6)
    made.create_with("t", 1, 2, 3, min_isr=2)
    return made


def move(
    cluster: ControllerOnPaper, *replicas: int, cancel: bool = False, same_factor: bool = False
) -> KafkaError | None:
    ((which, failure),) = cluster.commit(
        alter_reassignments(
            cluster.image,
            cluster.rules,
            [Move(T, None if cancel else replicas)],
            allow_replication_factor_change=not same_factor,
        )
    )
    assert which == T
    return failure


def isr(cluster: ControllerOnPaper, *members: int) -> PartitionImage | KafkaError:
    """The leader reports this ISR."""
    partition = cluster.partition("t")
    wish = IsrWish(
        cluster.image.topics["t"].topic_id,
        0,
        partition.leader_epoch,
        partition.partition_epoch,
        tuple((each, -1) for each in members),
    )
    epoch = cluster.image.brokers[partition.leader].epoch
    ((_, outcome),) = cluster.commit(
        alter_partitions(cluster.image, cluster.rules, partition.leader, epoch, [wish])
    )
    return outcome


def code(failure: KafkaError | PartitionImage | None) -> ErrorCode:
    assert isinstance(failure, KafkaError)
    return failure.code


def test_new_replicas_join_before_old_ones_go(cluster: ControllerOnPaper) -> None:
    assert move(cluster, 1, 4, 5) is None
    partition = cluster.partition("t")
    assert partition.replicas == (1, 4, 5, 2, 3)
    assert (partition.adding_replicas, partition.removing_replicas) == ((4, 5), (2, 3))
    assert ongoing(cluster.image, None) == [(T, partition)]
    assert ongoing(cluster.image, [T]) == [(T, partition)]
    isr(cluster, 1, 2, 3, 4)
    assert cluster.partition("t").is_reassigning
    outcome = isr(cluster, 1, 2, 3, 4, 5)
    partition = cluster.partition("t")
    assert (partition.replicas, partition.isr) == ((1, 4, 5), (1, 4, 5))
    assert not partition.is_reassigning
    assert partition.leader_epoch == 1, "who was taken out must not follow this epoch"
    assert code(outcome) is ErrorCode.FENCED_LEADER_EPOCH
    assert ongoing(cluster.image, None) == ongoing(cluster.image, [T]) == []


def test_the_leader_may_be_moved_away(cluster: ControllerOnPaper) -> None:
    move(cluster, 4, 5, 6)
    outcome = isr(cluster, 1, 2, 3, 4, 5, 6)
    assert code(outcome) is ErrorCode.NEW_LEADER_ELECTED
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr) == (4, (4, 5, 6))
    assert partition.reason.startswith("its reassignment is complete: 4 is the preferred replica")


def test_a_change_of_order_is_done_at_once(cluster: ControllerOnPaper) -> None:
    move(cluster, 2, 1, 3)
    partition = cluster.partition("t")
    assert (partition.replicas, partition.leader) == ((2, 1, 3), 1)
    assert not partition.is_reassigning


def test_fewer_replicas_are_had_at_once_when_enough_are_in_sync(
    cluster: ControllerOnPaper,
) -> None:
    move(cluster, 1, 2)
    partition = cluster.partition("t")
    assert (partition.replicas, partition.isr, partition.leader_epoch) == ((1, 2), (1, 2), 1)


def test_committed_records_are_never_left_on_too_few_replicas(cluster: ControllerOnPaper) -> None:
    isr(cluster, 1, 3)
    move(cluster, 1, 2)
    partition = cluster.partition("t")
    assert partition.removing_replicas == (3,), "3 stays until 2 has what 3 has"
    isr(cluster, 1, 2, 3)
    assert cluster.partition("t").replicas == (1, 2)


def test_away_from_a_dead_broker(cluster: ControllerOnPaper) -> None:
    cluster.fence(3)
    move(cluster, 1, 2, 4)
    isr(cluster, 1, 2, 4)
    assert cluster.partition("t").replicas == (1, 2, 4)


def test_a_move_may_be_changed(cluster: ControllerOnPaper) -> None:
    move(cluster, 1, 2, 4)
    isr(cluster, 1, 2, 3)
    move(cluster, 1, 2, 5)
    partition = cluster.partition("t")
    assert partition.replicas == (1, 2, 5, 3)
    assert (partition.adding_replicas, partition.removing_replicas) == ((5,), (3,))


def test_an_abandoned_replica_leaves_the_isr(cluster: ControllerOnPaper) -> None:
    move(cluster, 1, 4, 5)
    isr(cluster, 1, 2, 3, 4)
    move(cluster, 1, 5)
    partition = cluster.partition("t")
    assert (partition.replicas, partition.isr) == ((1, 5, 2, 3), (1, 2, 3))


def test_a_move_may_be_cancelled(cluster: ControllerOnPaper) -> None:
    move(cluster, 1, 4, 5)
    isr(cluster, 1, 2, 3, 4)
    assert move(cluster, cancel=True) is None
    partition = cluster.partition("t")
    assert (set(partition.replicas), partition.isr) == ({1, 2, 3}, (1, 2, 3))
    assert not partition.is_reassigning
    assert code(move(cluster, cancel=True)) is ErrorCode.NO_REASSIGNMENT_IN_PROGRESS


def test_cancelling_gives_the_old_order_back(cluster: ControllerOnPaper) -> None:
    move(cluster, 3, 2, 1, 4)
    move(cluster, cancel=True)
    assert cluster.partition("t").replicas == (3, 2, 1)


def test_a_move_cannot_be_cancelled_when_only_its_replicas_are_in_sync(
    cluster: ControllerOnPaper,
) -> None:
    move(cluster, 4, 5, 6)
    isr(cluster, 1, 4, 5)
    assert code(move(cluster, cancel=True)) is ErrorCode.INVALID_REPLICA_ASSIGNMENT
    isr(cluster, 1, 2, 4, 5)
    assert move(cluster, cancel=True) is None


def test_a_move_cannot_be_cancelled_while_only_the_dead_have_everything(
    cluster: ControllerOnPaper,
) -> None:
    move(cluster, 4, 5, 6)
    isr(cluster, 1, 4, 5)
    cluster.fence(1, 4, 5)
    assert cluster.partition("t").elr == (4, 5)
    assert code(move(cluster, cancel=True)) is ErrorCode.INVALID_REPLICA_ASSIGNMENT


@pytest.mark.parametrize("replicas", [(), (1, 1), (1, 99), (1, -2)])
def test_assignments_that_cannot_be(cluster: ControllerOnPaper, replicas: tuple[int, ...]) -> None:
    assert code(move(cluster, *replicas)) is ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert not cluster.partition("t").is_reassigning


def test_the_replication_factor_may_be_pinned(cluster: ControllerOnPaper) -> None:
    failure = move(cluster, 1, 2, same_factor=True)
    assert code(failure) is ErrorCode.INVALID_REPLICATION_FACTOR
    assert move(cluster, 1, 2, 4, same_factor=True) is None


def test_an_unknown_partition(cluster: ControllerOnPaper) -> None:
    wrong = Move(T._replace(partition=5), (1, 2, 3))
    ((_, failure),) = alter_reassignments(cluster.image, cluster.rules, [wrong]).response
    assert code(failure) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_moves_fail_one_by_one(cluster: ControllerOnPaper) -> None:
    moves = [Move(TopicPartition("nothing", 0), (1,)), Move(T, (1, 2, 4))]
    answers = cluster.commit(alter_reassignments(cluster.image, cluster.rules, moves))
    assert [failure is None for _, failure in answers] == [False, True]
