"""AlterPartition: the ISRs that a leader may set, and replicas that it must not add."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from raftka.kraft.controller import brokers
from raftka.kraft.controller.in_sync_replicas import IsrWish, alter_partitions
from raftka.kraft.controller.result import Rules
from raftka.kraft.image import PartitionImage
from raftka.kraft.records import RECOVERED, RECOVERING, PartitionChangeRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule
from tests.support.controller import ControllerOnPaper


@pytest.fixture
def cluster() -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1))
    made.start(1, 2, 3, 4)
    made.create_with("t", 1, 2, 3, min_isr=2)
    return made


def wish(cluster: ControllerOnPaper, *isr: int) -> IsrWish:
    """The present leader's request for this ISR."""
    partition = cluster.partition("t")
    return IsrWish(
        cluster.image.topics["t"].topic_id,
        0,
        partition.leader_epoch,
        partition.partition_epoch,
        tuple((each, cluster.image.brokers[each].epoch) for each in isr),
    )


def ask(
    cluster: ControllerOnPaper, asked: IsrWish, broker_id: int = 1
) -> PartitionImage | KafkaError:
    epoch = cluster.image.brokers[broker_id].epoch
    ((_, outcome),) = cluster.commit(
        alter_partitions(cluster.image, cluster.rules, broker_id, epoch, [asked])
    )
    return outcome


def refusal(cluster: ControllerOnPaper, asked: IsrWish, broker_id: int = 1) -> ErrorCode:
    before = cluster.image
    outcome = ask(cluster, asked, broker_id)
    assert isinstance(outcome, KafkaError)
    assert cluster.image is before
    return outcome.code


def test_the_isr_shrinks_and_grows(cluster: ControllerOnPaper) -> None:
    outcome = ask(cluster, wish(cluster, 1, 2))
    assert outcome == cluster.partition("t")
    assert isinstance(outcome, PartitionImage)
    assert (outcome.isr, outcome.leader_epoch, outcome.partition_epoch) == ((1, 2), 0, 1)
    ask(cluster, wish(cluster, 1, 2, 3))
    assert cluster.partition("t").isr == (1, 2, 3)
    assert cluster.reasons == [], "the leader stays, and so does its epoch"


def test_who_leaves_below_the_minimum_is_eligible_until_the_isr_is_large_enough(
    cluster: ControllerOnPaper,
) -> None:
    ask(cluster, wish(cluster, 1))
    assert set(cluster.partition("t").elr) == {2, 3}
    ask(cluster, wish(cluster, 1, 3))
    assert cluster.partition("t").elr == ()


def test_an_isr_that_is_so_already_changes_nothing(cluster: ControllerOnPaper) -> None:
    before = cluster.image
    assert ask(cluster, wish(cluster, 1, 2, 3)) == cluster.partition("t")
    assert cluster.image is before


def test_only_the_leader_of_this_epoch_is_heard(cluster: ControllerOnPaper) -> None:
    assert refusal(cluster, wish(cluster, 1, 2), broker_id=2) is ErrorCode.INVALID_REQUEST
    stale = wish(cluster, 1, 2)
    cluster.fence(1)
    assert refusal(cluster, stale) is ErrorCode.FENCED_LEADER_EPOCH
    new = wish(cluster, 2, 3)
    ahead = replace(new, leader_epoch=new.leader_epoch + 1)
    assert refusal(cluster, ahead, broker_id=2) is ErrorCode.NOT_CONTROLLER
    ahead = replace(new, partition_epoch=new.partition_epoch + 1)
    assert refusal(cluster, ahead, broker_id=2) is ErrorCode.NOT_CONTROLLER


def test_a_wish_must_know_the_present_isr(cluster: ControllerOnPaper) -> None:
    old = wish(cluster, 1, 2)
    ask(cluster, wish(cluster, 1, 3))
    assert refusal(cluster, old) is ErrorCode.INVALID_UPDATE_VERSION


def test_the_request_must_come_from_the_registered_process(cluster: ControllerOnPaper) -> None:
    with pytest.raises(KafkaError) as e:
        alter_partitions(cluster.image, cluster.rules, 1, 0, [wish(cluster, 1)])
    assert e.value.code is ErrorCode.STALE_BROKER_EPOCH


def test_what_does_not_exist(cluster: ControllerOnPaper) -> None:
    good = wish(cluster, 1)
    assert refusal(cluster, replace(good, topic_id=b"x" * 16)) is ErrorCode.UNKNOWN_TOPIC_ID
    there = replace(good, partition=7)
    assert refusal(cluster, there) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("isr", [(2, 3), (1, 4), (1, 2, 2), ()])
def test_an_isr_that_makes_no_sense(cluster: ControllerOnPaper, isr: tuple[int, ...]) -> None:
    assert refusal(cluster, wish(cluster, *isr)) is ErrorCode.INVALID_REQUEST


def test_fenced_and_leaving_replicas_stay_out(cluster: ControllerOnPaper) -> None:
    cluster.fence(3)
    assert refusal(cluster, wish(cluster, 1, 2, 3)) is ErrorCode.INELIGIBLE_REPLICA
    two = cluster.image.brokers[2]
    cluster.commit(brokers.start_controlled_shutdown(cluster.image, cluster.rules, two))
    assert refusal(cluster, wish(cluster, 1, 2)) is ErrorCode.INELIGIBLE_REPLICA
    cluster.rules = Rules(off={Rule.FENCED_STAY_OUT_OF_ISR})
    ask(cluster, wish(cluster, 1, 2, 3))
    assert cluster.partition("t").isr == (1, 2, 3)


def test_a_restarted_replica_counts_only_under_its_new_epoch(cluster: ControllerOnPaper) -> None:
    old = wish(cluster, 1, 2, 3)
    cluster.start(3)
    old = replace(old, partition_epoch=cluster.partition("t").partition_epoch)
    assert refusal(cluster, old) is ErrorCode.INELIGIBLE_REPLICA
    unregistered = replace(old, isr=((1, -1), (2, -1)))
    ask(cluster, unregistered)
    assert cluster.partition("t").isr == (1, 2)
    cluster.rules = Rules(off={Rule.JOIN_BY_PRESENT_BROKER_EPOCH})
    ask(cluster, replace(old, partition_epoch=cluster.partition("t").partition_epoch))
    assert cluster.partition("t").isr == (1, 2, 3)


def test_a_recovering_leader_is_alone_until_it_has_recovered(cluster: ControllerOnPaper) -> None:
    back = replace(wish(cluster, 1), leader_recovery_state=RECOVERING)
    assert refusal(cluster, back) is ErrorCode.INVALID_REQUEST
    topic_id = cluster.image.topics["t"].topic_id
    cluster.replay([PartitionChangeRecord(topic_id, 0, isr=(1,), leader_recovery_state=RECOVERING)])
    both = replace(wish(cluster, 1, 2), leader_recovery_state=RECOVERING)
    assert refusal(cluster, both) is ErrorCode.INVALID_REQUEST
    ask(cluster, wish(cluster, 1, 2))
    partition = cluster.partition("t")
    assert (partition.leader_recovery_state, partition.isr) == (RECOVERED, (1, 2))
