"""Who leads a partition, and why: fencing, ELR, unclean shutdowns, elections on request."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.controller import brokers, leaders
from raftka.kraft.controller.election import Election
from raftka.kraft.controller.in_sync_replicas import IsrWish, alter_partitions
from raftka.kraft.controller.result import Rules
from raftka.kraft.records import NO_LEADER, RECOVERED, RECOVERING, ConfigRecord
from raftka.model.errors import ErrorCode
from raftka.model.rules import Rule
from tests.support.controller import ControllerOnPaper


@pytest.fixture
def cluster() -> ControllerOnPaper:
    """Three live brokers; topic t on all of them, and two in-sync replicas are needed."""
    made = ControllerOnPaper(random.Random(1))
    made.start(1, 2, 3)
    made.create_with("t", 1, 2, 3, min_isr=2)
    return made


def test_the_first_live_replica_of_the_isr_takes_over(cluster: ControllerOnPaper) -> None:
    cluster.fence(1)
    partition = cluster.partition("t")
    assert (partition.leader, partition.leader_epoch, partition.isr) == (2, 1, (2, 3))
    assert partition.elr == ()
    assert cluster.reasons == [
        "broker 1 was fenced: not heard for 9000 ms: 2 is the first live replica of the ISR [2, 3]"
    ]


def test_a_follower_leaves_the_isr_without_an_election(cluster: ControllerOnPaper) -> None:
    cluster.fence(3)
    partition = cluster.partition("t")
    assert (partition.leader, partition.leader_epoch, partition.isr) == (1, 0, (1, 2))
    assert partition.partition_epoch == 1
    assert cluster.reasons == []


def test_below_the_minimum_who_leaves_stays_eligible(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2)
    partition = cluster.partition("t")
    assert (partition.isr, partition.elr) == ((1,), (2,)), "3 left when two others had everything"


def test_the_last_replica_standing_is_remembered_as_eligible(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.elr) == (NO_LEADER, (), (2, 1))
    assert partition.last_known_elr == (1,)
    assert "waiting for one of [2, 1]" in partition.reason


def test_any_eligible_replica_may_lead_when_it_is_back(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    cluster.unfence(3)
    assert cluster.partition("t").leader == NO_LEADER, "3 may lack what 1 and 2 committed"
    cluster.unfence(2)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.elr) == (2, (2,), (1,))
    assert partition.leader_recovery_state == RECOVERED
    assert "of the ELR [2, 1], has every committed record" in partition.reason


def test_an_unclean_shutdown_ends_eligibility(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    cluster.start(2)
    partition = cluster.partition("t")
    assert (partition.leader, partition.elr) == (NO_LEADER, (1,))
    cluster.unfence(1)
    assert cluster.partition("t").leader == 1


def test_a_clean_restart_keeps_eligibility(cluster: ControllerOnPaper) -> None:
    epoch = cluster.image.brokers[2].epoch
    cluster.fence(3)
    cluster.shut_down(2)
    cluster.fence(1)
    cluster.register(2, clean_epoch=epoch)
    cluster.unfence(2)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.elr) == (2, (2,), (1,))


def test_after_a_crash_of_all_the_last_leader_comes_first(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    cluster.start(2, 3)
    partition = cluster.partition("t")
    assert (partition.leader, partition.elr, partition.last_known_elr) == (NO_LEADER, (1,), (1, 2))
    cluster.register(1)
    assert cluster.partition("t").elr == ()
    assert cluster.partition("t").leader == NO_LEADER
    cluster.unfence(1)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.last_known_elr) == (1, (1,), ())
    assert partition.leader_recovery_state == RECOVERING
    assert "1 is the last that is known to have had everything" in partition.reason


def test_a_wiped_last_leader_is_not_trusted(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    cluster.start(2, 3)
    cluster.register(1, disk=b"another disk....")
    cluster.unfence(1)
    partition = cluster.partition("t")
    assert partition.leader == 2, "the next best: it has at least what it had synced"
    assert partition.leader_recovery_state == RECOVERING


def test_a_single_replica_survives_a_crash_of_its_broker(cluster: ControllerOnPaper) -> None:
    cluster.create_with("single", 1)
    cluster.register(1)
    partition = cluster.partition("single")
    assert (partition.leader, partition.isr, partition.last_known_elr) == (NO_LEADER, (), (1,))
    cluster.unfence(1)
    partition = cluster.partition("single")
    assert (partition.leader, partition.isr, partition.last_known_elr) == (1, (1,), ())


def test_a_single_replica_on_a_wiped_disk_needs_the_operator(cluster: ControllerOnPaper) -> None:
    cluster.create_with("single", 1)
    cluster.register(1, disk=b"another disk....")
    cluster.unfence(1)
    partition = cluster.partition("single")
    assert partition.leader == NO_LEADER
    assert "only an unclean election" in partition.reason
    assert cluster.elect(Election.UNCLEAN, "single") == [None]
    assert cluster.partition("single").leader == 1


def test_a_replica_that_was_unregistered_comes_back_as_a_new_one(
    cluster: ControllerOnPaper,
) -> None:
    cluster.fence(3, 2, 1)
    cluster.commit(brokers.unregister(cluster.image, cluster.rules, 1))
    partition = cluster.partition("t")
    assert (partition.elr, partition.last_known_elr) == ((2,), ())
    cluster.start(1)
    assert cluster.partition("t").leader == NO_LEADER


def test_the_mutation_lets_a_lost_log_lead(cluster: ControllerOnPaper) -> None:
    cluster.rules = Rules(off={Rule.LOST_LOG_IS_NOT_ELIGIBLE})
    cluster.fence(3, 2, 1)
    cluster.start(2)
    assert cluster.partition("t").leader == 2


def test_controlled_shutdown_moves_leadership_and_isr(cluster: ControllerOnPaper) -> None:
    cluster.shut_down(1)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr) == (2, (2, 3))
    assert cluster.reasons[0].startswith("broker 1 is shutting down: 2 is the first live replica")


def test_the_minimum_may_come_from_the_cluster_or_the_controller() -> None:
    cluster = ControllerOnPaper(random.Random(1), Rules(min_insync_replicas=3))
    cluster.start(1, 2, 3)
    cluster.create_with("t", 1, 2, 3)
    cluster.fence(3)
    assert cluster.partition("t").elr == (3,)
    cluster.replay([ConfigRecord(4, "", "min.insync.replicas", "1")])
    cluster.fence(2)
    assert cluster.partition("t").elr == ()


def test_a_minimum_above_the_replicas_means_all_of_them(cluster: ControllerOnPaper) -> None:
    cluster.create_with("pair", 1, 2, min_isr=3)
    assert cluster.partition("pair").elr == ()
    cluster.fence(2)
    assert cluster.partition("pair").elr == (2,)


# ---- preferred elections


def test_preferred_leaders_get_their_partitions_back(cluster: ControllerOnPaper) -> None:
    cluster.fence(1)
    cluster.unfence(1)
    assert cluster.elect(Election.PREFERRED, "t")[0].code is (  # type: ignore[union-attr]
        ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    )
    assert cluster.commit(leaders.rebalance_preferred(cluster.image, cluster.rules)) is False
    assert cluster.partition("t").leader == 2, "1 is not in sync yet"
    _join(cluster, 2, 3, 1)
    cluster.commit(leaders.rebalance_preferred(cluster.image, cluster.rules))
    partition = cluster.partition("t")
    assert (partition.leader, partition.leader_epoch) == (1, 2)
    assert partition.reason == (
        "preferred leader rebalance: 1 is the preferred replica, and in sync"
    )


def test_a_rebalance_goes_in_rounds(
    cluster: ControllerOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "MAX_REBALANCED_AT_ONCE", 2)
    for name in "abc":
        cluster.create_with(name, 1, 2, 3)
    cluster.fence(1)
    cluster.unfence(1)
    for name in "tabc":
        _join(cluster, 2, 3, 1, topic=name)
    assert cluster.commit(leaders.rebalance_preferred(cluster.image, cluster.rules)) is True
    assert cluster.commit(leaders.rebalance_preferred(cluster.image, cluster.rules)) is True
    assert cluster.commit(leaders.rebalance_preferred(cluster.image, cluster.rules)) is False
    assert {cluster.partition(name).leader for name in "tabc"} == {1}


def test_electing_the_preferred_leader_on_request(cluster: ControllerOnPaper) -> None:
    (needless,) = cluster.elect(Election.PREFERRED, "t")
    assert needless is not None and needless.code is ErrorCode.ELECTION_NOT_NEEDED
    (unknown,) = cluster.elect(Election.PREFERRED, "nothing")
    assert unknown is not None and unknown.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    cluster.fence(1)
    (dead,) = cluster.elect(Election.PREFERRED, "t")
    assert dead is not None and "its broker is not alive" in dead.message
    cluster.unfence(1)
    _join(cluster, 2, 3, 1)
    assert cluster.elect(Election.PREFERRED, "t") == [None]
    assert cluster.partition("t").leader == 1


def test_electing_all_answers_only_where_it_was_needed(cluster: ControllerOnPaper) -> None:
    cluster.create_with("u", 2, 3)
    cluster.fence(1)
    result = leaders.elect_leaders(cluster.image, cluster.rules, Election.PREFERRED, None)
    assert [which.topic for which, _ in result.response] == ["t"]


# ---- unclean elections


def test_an_unclean_election_needs_a_live_replica_and_a_leaderless_partition(
    cluster: ControllerOnPaper,
) -> None:
    (needless,) = cluster.elect(Election.UNCLEAN, "t")
    assert needless is not None and needless.code is ErrorCode.ELECTION_NOT_NEEDED
    cluster.fence(3, 2, 1)
    (nobody,) = cluster.elect(Election.UNCLEAN, "t")
    assert nobody is not None and nobody.code is ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
    cluster.unfence(3)
    assert cluster.elect(Election.UNCLEAN, "t") == [None]
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr, partition.elr) == (3, (3,), ())
    assert partition.leader_recovery_state == RECOVERING
    assert "3 is alive but may lack committed records" in partition.reason


def test_a_topic_may_allow_unclean_elections(cluster: ControllerOnPaper) -> None:
    cluster.fence(3, 2, 1)
    cluster.unfence(3)
    cluster.commit(leaders.elect_uncleanly_where_allowed(cluster.image, cluster.rules))
    assert cluster.partition("t").leader == NO_LEADER
    cluster.replay([ConfigRecord(2, "t", "unclean.leader.election.enable", "true")])
    cluster.commit(leaders.elect_uncleanly_where_allowed(cluster.image, cluster.rules, {"other"}))
    assert cluster.partition("t").leader == NO_LEADER
    cluster.commit(leaders.elect_uncleanly_where_allowed(cluster.image, cluster.rules))
    assert cluster.partition("t").leader == 3


def test_where_allowed_fencing_elects_uncleanly_at_once(cluster: ControllerOnPaper) -> None:
    cluster.replay([ConfigRecord(2, "t", "unclean.leader.election.enable", "true")])
    cluster.fence(3, 2)
    cluster.unfence(3)
    cluster.fence(1)
    assert cluster.partition("t").leader == 3


def _join(cluster: ControllerOnPaper, *isr: int, topic: str = "t") -> None:
    """The leader changes the ISR to these brokers."""
    partition = cluster.partition(topic)
    wish = IsrWish(
        cluster.image.topics[topic].topic_id,
        0,
        partition.leader_epoch,
        partition.partition_epoch,
        tuple((each, cluster.image.brokers[each].epoch) for each in isr),
    )
    epoch = cluster.image.brokers[partition.leader].epoch
    ((_, outcome),) = cluster.commit(
        alter_partitions(cluster.image, cluster.rules, partition.leader, epoch, [wish])
    )
    assert not isinstance(outcome, Exception), outcome
