"""The rules of one partition: what is in sync, what is committed, which requests are allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.broker.replication.partition import IsrProposal, PartitionState
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.rules import Rule, RulesOff

LAG_S = 30.0
VIEW = PartitionImage(
    replicas=(1, 2, 3), isr=(1, 2, 3), leader=1, leader_epoch=5, partition_epoch=9
)


class Cluster:
    """The metadata that a leader reads, for tests to set."""

    def __init__(self) -> None:
        self.fenced: set[int] = set()
        self.epochs = {1: 11, 2: 12, 3: 13}

    def eligible(self, broker_id: int, broker_epoch: int) -> bool:
        return broker_id not in self.fenced and broker_epoch in (-1, self.epochs[broker_id])


def make_state(
    cluster: Cluster | None = None,
    *,
    high_watermark: int = 0,
    end: int = 0,
    min_isr: int = 1,
    rules_off: RulesOff = frozenset(),
) -> PartitionState:
    cluster = cluster or Cluster()
    return PartitionState(
        TopicPartition("payroll", 0),
        1,
        high_watermark=high_watermark,
        log_end_offset=end,
        min_isr=min_isr,
        lag_max_s=LAG_S,
        eligible=cluster.eligible,
        local_broker_epoch=lambda: 11,
        rules_off=rules_off,
    )


def make_leader(
    view: PartitionImage = VIEW,
    *,
    end: int = 0,
    high_watermark: int = 0,
    min_isr: int = 1,
    cluster: Cluster | None = None,
    rules_off: RulesOff = frozenset(),
) -> PartitionState:
    state = make_state(
        cluster, high_watermark=high_watermark, end=end, min_isr=min_isr, rules_off=rules_off
    )
    state.become_leader(view, end, 0.0)
    return state


def fetch(state: PartitionState, replica: int, offset: int, now_s: float = 0.0) -> bool:
    epochs = {2: 12, 3: 13}
    return state.follower_fetched(state.follower(replica), offset, 0, epochs[replica], now_s)


def expand(state: PartitionState, replica: int) -> IsrProposal | None:
    return state.expansion(state.follower(replica))


def accept(state: PartitionState, proposal: IsrProposal, now_s: float = 0.0) -> bool:
    view = replace(state.view, isr=proposal.members, partition_epoch=state.view.partition_epoch + 1)
    return state.proposal_accepted(proposal, view, now_s)


class TestHighWatermark:
    def test_a_sole_replica_commits_what_it_appends(self) -> None:
        state = make_leader(replace(VIEW, replicas=(1,), isr=(1,)))
        assert state.leader_appended(3, 1.0)
        assert state.high_watermark == 3

    def test_waits_for_every_in_sync_replica(self) -> None:
        state = make_leader()
        state.leader_appended(10, 0.0)
        assert not fetch(state, 2, 10)
        assert state.high_watermark == 0
        assert fetch(state, 3, 7)
        assert state.high_watermark == 7
        assert fetch(state, 3, 10)
        assert state.high_watermark == 10

    def test_does_not_wait_for_a_replica_that_is_far_out_of_sync(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        state.leader_appended(10, 0.0)
        assert fetch(state, 2, 10)
        assert state.high_watermark == 10

    def test_waits_for_a_caught_up_replica_that_is_about_to_join(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        fetch(state, 3, 0, 1.0)
        state.leader_appended(10, 2.0)
        fetch(state, 2, 10, 2.0)
        assert state.high_watermark == 0
        assert fetch(state, 3, 10, 3.0)

    def test_does_not_wait_for_a_caught_up_replica_that_is_fenced(self) -> None:
        cluster = Cluster()
        cluster.fenced.add(3)
        state = make_leader(replace(VIEW, isr=(1, 2)), cluster=cluster)
        fetch(state, 3, 0, 1.0)
        state.leader_appended(10, 2.0)
        assert fetch(state, 2, 10, 2.0)

    def test_stands_still_below_min_isr(self) -> None:
        state = make_leader(replace(VIEW, isr=(1,)), min_isr=2)
        assert not state.leader_appended(10, 0.0)
        assert state.high_watermark == 0
        assert state.min_isr_changed(1, 0.0)
        assert state.high_watermark == 10

    def test_never_falls_when_a_follower_asks_for_less(self) -> None:
        state = make_leader()
        state.leader_appended(10, 0.0)
        fetch(state, 2, 10)
        fetch(state, 3, 10)
        assert not fetch(state, 3, 4)
        assert state.high_watermark == 10

    def test_a_new_leader_keeps_what_it_knew_and_waits_for_fetches(self) -> None:
        state = make_state(high_watermark=6, end=10)
        state.become_follower(replace(VIEW, leader=2))
        assert not state.become_leader(replace(VIEW, leader_epoch=6, partition_epoch=10), 10, 0.0)
        assert state.high_watermark == 6
        assert state.leader_epoch_start_offset == 10
        fetch(state, 2, 10)
        assert fetch(state, 3, 10)
        assert state.high_watermark == 10

    def test_a_follower_takes_the_lesser_of_the_leaders_and_its_own_end(self) -> None:
        state = make_state(end=5)
        state.become_follower(replace(VIEW, leader=2))
        assert state.follower_appended(8, 6)
        assert state.high_watermark == 6
        assert state.follower_appended(8, 12)
        assert state.high_watermark == 8
        assert not state.follower_appended(8, 3)
        assert state.high_watermark == 8

    def test_falls_with_a_truncated_log_only(self) -> None:
        state = make_state(end=8, high_watermark=8)
        state.truncated(6)
        assert (state.log_end_offset, state.high_watermark) == (6, 6)
        state.restarted_at(100)
        assert (state.log_end_offset, state.high_watermark) == (100, 100)

    def test_a_diverged_follower_does_not_believe_the_leaders_yet(self) -> None:
        state = make_state(end=8)
        assert state.diverged(8)
        assert state.high_watermark == 0
        mutant = make_state(end=8, rules_off={Rule.TRUNCATE_BEFORE_HIGH_WATERMARK})
        assert not mutant.diverged(8)
        assert mutant.high_watermark == 8


class TestAcks:
    def test_acks_all_wait_for_the_high_watermark(self) -> None:
        state = make_leader()
        state.leader_appended(1, 0.0)
        assert state.acknowledgement(1) is None
        fetch(state, 2, 1)
        fetch(state, 3, 1)
        assert state.acknowledgement(1) is ErrorCode.NONE

    def test_are_refused_up_front_when_the_isr_is_too_small(self) -> None:
        state = make_leader(replace(VIEW, isr=(1,)), min_isr=2)
        with pytest.raises(KafkaError) as caught:
            state.check_enough_replicas()
        assert caught.value.code is ErrorCode.NOT_ENOUGH_REPLICAS
        assert "min.insync.replicas=2" in str(caught.value)

    def test_say_when_the_isr_became_too_small_afterwards(self) -> None:
        state = make_leader(min_isr=2)
        state.leader_appended(1, 0.0)
        fetch(state, 2, 1)
        fetch(state, 3, 1)
        state.become_leader(replace(VIEW, isr=(1,), partition_epoch=10), 1, 0.0)
        assert state.acknowledgement(1) is ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND

    def test_min_isr_is_no_more_than_there_are_replicas(self) -> None:
        state = make_leader(replace(VIEW, replicas=(1,), isr=(1,)), min_isr=2)
        state.check_enough_replicas()
        state.leader_appended(1, 0.0)
        assert state.acknowledgement(1) is ErrorCode.NONE


class TestIsr:
    def test_a_follower_joins_at_the_high_watermark(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        state.leader_appended(10, 0.0)
        fetch(state, 2, 10)
        fetch(state, 3, 9)
        assert expand(state, 3) is None
        fetch(state, 3, 10)
        proposal = expand(state, 3)
        assert proposal is not None
        assert proposal.isr == ((1, 11), (2, 12), (3, 13))
        assert (proposal.leader_epoch, proposal.partition_epoch) == (5, 9)
        assert state.maximal_isr == (1, 2, 3)

    def test_a_follower_must_also_reach_the_start_of_the_epoch(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)), end=10, high_watermark=4)
        fetch(state, 3, 6)
        assert expand(state, 3) is None
        fetch(state, 3, 10)
        assert expand(state, 3) is not None

    def test_the_maximal_isr_counts_before_the_controller_has_answered(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        fetch(state, 2, 0)
        fetch(state, 3, 0)
        proposal = expand(state, 3)
        assert proposal is not None
        state.leader_appended(5, 100.0)
        assert not fetch(state, 2, 5, 100.0)
        assert fetch(state, 3, 5, 100.0)
        accept(state, proposal)
        assert state.view.isr == (1, 2, 3)

    def test_nothing_more_is_proposed_before_the_answer(self) -> None:
        state = make_leader(replace(VIEW, isr=(1,)))
        fetch(state, 2, 0)
        fetch(state, 3, 0)
        assert expand(state, 2) is not None
        assert expand(state, 3) is None
        assert state.shrinking(1000.0) is None

    def test_a_fenced_or_leaving_broker_is_not_proposed(self) -> None:
        cluster = Cluster()
        cluster.fenced.add(3)
        state = make_leader(replace(VIEW, isr=(1, 2)), cluster=cluster)
        fetch(state, 3, 0)
        assert expand(state, 3) is None
        mutant = make_leader(
            replace(VIEW, isr=(1, 2)),
            cluster=cluster,
            rules_off={Rule.PROPOSE_NO_FENCED_REPLICA},
        )
        fetch(mutant, 3, 0)
        assert expand(mutant, 3) is not None

    def test_a_restarted_broker_is_not_proposed_on_the_word_of_its_past(self) -> None:
        cluster = Cluster()
        state = make_leader(replace(VIEW, isr=(1, 2)), cluster=cluster)
        fetch(state, 3, 0)
        cluster.epochs[3] = 99
        assert expand(state, 3) is None

    def test_a_fetch_from_an_earlier_incarnation_is_refused(self) -> None:
        state = make_leader()
        state.follower_fetched(state.follower(2), 0, 0, 20, 0.0)
        with pytest.raises(KafkaError) as caught:
            state.follower_fetched(state.follower(2), 8, 0, 12, 0.0)
        assert caught.value.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert state.follower(2).log_end_offset == 0

    def test_proposals_name_broker_epochs_unless_mutated(self) -> None:
        mutant = make_leader(
            replace(VIEW, isr=(1, 2)),
            rules_off={Rule.BROKER_EPOCHS_IN_ALTER_PARTITION},
        )
        fetch(mutant, 3, 0)
        proposal = expand(mutant, 3)
        assert proposal is not None
        assert proposal.isr == ((1, -1), (2, -1), (3, -1))

    def test_a_lagging_follower_is_dropped_after_the_lag_time(self) -> None:
        state = make_leader()
        fetch(state, 2, 0, 1.0)
        fetch(state, 3, 0, 1.0)
        state.leader_appended(5, 2.0)
        fetch(state, 2, 5, 2.0)
        assert state.shrinking(1.0 + LAG_S) is None
        proposal = state.shrinking(1.1 + LAG_S)
        assert proposal is not None
        assert proposal.members == (1, 2)
        assert state.maximal_isr == (1, 2, 3), "it counts until the controller has agreed"
        assert state.high_watermark == 0
        assert accept(state, proposal, 1.1 + LAG_S)
        assert state.high_watermark == 5

    def test_a_follower_that_always_lags_a_little_stays(self) -> None:
        state = make_leader()
        fetch(state, 3, 0)
        end = 0
        for second in range(100):
            fetch(state, 2, end, second)
            fetch(state, 3, end, second)
            end += 10
            state.leader_appended(end, second + 0.5)
            assert state.shrinking(second + 0.9) is None

    def test_an_idle_follower_is_trusted_up_to_the_last_fetch_of_its_link(self) -> None:
        class Link:
            last_fetch_s = 0.0

        state, link = make_leader(), Link()
        fetch(state, 2, 0, 0.0)
        fetch(state, 3, 0, 0.0)
        state.follower(2).link = link
        link.last_fetch_s = 500.0
        assert state.shrinking(500.0) is None, "equal logs are in sync however long ago"
        state.leader_appended(1, 501.0)
        assert state.lagging(502.0) == (3,)
        assert state.lagging(500.0 + LAG_S + 1) == (2, 3)

    def test_a_refused_expansion_is_given_up(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        fetch(state, 3, 0)
        proposal = expand(state, 3)
        assert proposal is not None
        assert not state.proposal_refused(proposal, ErrorCode.INELIGIBLE_REPLICA)
        assert state.pending is None
        assert state.maximal_isr == (1, 2)

    def test_a_proposal_that_may_have_been_committed_counts_until_metadata_tells(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        fetch(state, 3, 0)
        proposal = expand(state, 3)
        assert proposal is not None
        assert not state.proposal_refused(proposal, ErrorCode.INVALID_UPDATE_VERSION)
        assert state.maximal_isr == (1, 2, 3)
        state.become_leader(replace(VIEW, isr=(1, 2), partition_epoch=10), 0, 0.0)
        assert list(state.maximal_isr) == [1, 2]
        assert state.pending is None

    def test_other_refusals_are_tried_again(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        fetch(state, 3, 0)
        proposal = expand(state, 3)
        assert proposal is not None
        assert state.proposal_refused(proposal, ErrorCode.UNKNOWN_SERVER_ERROR)
        assert state.pending is proposal

    def test_an_answer_that_overtook_the_metadata_log_does_not_undo_the_next_proposal(self) -> None:
        state = make_leader(replace(VIEW, isr=(1,)))
        fetch(state, 2, 0)
        fetch(state, 3, 0)
        first = expand(state, 2)
        assert first is not None
        accept(state, first)
        second = expand(state, 3)
        assert second is not None
        state.become_leader(replace(VIEW, isr=(1, 2), partition_epoch=10), 0, 0.0)
        assert state.pending is second
        assert state.maximal_isr == (1, 2, 3)

    def test_answers_to_proposals_of_another_epoch_are_void(self) -> None:
        state = make_leader(replace(VIEW, isr=(1, 2)))
        fetch(state, 3, 0)
        proposal = expand(state, 3)
        assert proposal is not None
        state.become_leader(replace(VIEW, isr=(1, 2), leader_epoch=6, partition_epoch=10), 0, 0.0)
        assert not accept(state, proposal)
        assert state.view.isr == (1, 2)


class TestRoles:
    def test_older_views_change_nothing(self) -> None:
        state = make_leader()
        assert not state.become_follower(replace(VIEW, leader=2, leader_epoch=4))
        assert state.is_leader

    def test_a_new_view_of_the_same_epoch_keeps_what_is_known_of_followers(self) -> None:
        state = make_leader()
        fetch(state, 2, 0, 7.0)
        view = replace(VIEW, replicas=(1, 2, 4), isr=(1, 2), partition_epoch=10)
        state.become_leader(view, 0, 8.0)
        assert state.follower(2).log_end_offset == 0
        assert [each.replica_id for each in state.followers] == [2, 4]
        assert state.follower(4).log_end_offset == -1

    def test_a_new_epoch_forgets_followers(self) -> None:
        state = make_leader()
        fetch(state, 2, 0)
        state.become_leader(replace(VIEW, leader_epoch=6, partition_epoch=10), 0, 8.0)
        assert state.follower(2).log_end_offset == -1

    def test_a_leader_that_becomes_follower_waits_for_nobody(self) -> None:
        state = make_leader()
        assert state.become_follower(replace(VIEW, leader=2, leader_epoch=6, partition_epoch=10))
        assert state.maximal_isr == ()
        with pytest.raises(KafkaError, match="broker 2 leads payroll-0"):
            state.check_leader()

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            (4, ErrorCode.FENCED_LEADER_EPOCH),
            (6, ErrorCode.UNKNOWN_LEADER_EPOCH),
            (5, None),
            (-1, None),
        ],
    )
    def test_other_epochs_are_fenced(self, asked: int, code: ErrorCode | None) -> None:
        state = make_leader()
        if code is None:
            state.check_leader(asked)
        else:
            with pytest.raises(KafkaError) as caught:
                state.check_leader(asked)
            assert caught.value.code is code

    def test_a_stranger_is_no_follower(self) -> None:
        with pytest.raises(KafkaError) as caught:
            make_leader().follower(7)
        assert caught.value.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
