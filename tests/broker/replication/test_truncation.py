"""Where logs diverge: the scenarios of KIP-101 and KIP-279, on epoch histories alone."""

from __future__ import annotations

import random

import pytest

from raftka.broker.replication.truncation import NO_EPOCH_END, Cut, EpochEnd, cut, divergence


class Epochs:
    """A log as the list of its records' epochs."""

    def __init__(self, *epochs: int) -> None:
        self.records = list(epochs)

    @property
    def end(self) -> int:
        return len(self.records)

    @property
    def latest(self) -> int:
        return self.records[-1] if self.records else -1

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        if epoch > self.latest:
            # The log cannot say where an epoch ends that it does not have.
            return -1, -1
        if epoch < self.records[0]:
            return epoch, 0
        at_most = max(each for each in self.records if each <= epoch)
        return at_most, max(i for i, each in enumerate(self.records) if each == at_most) + 1


def converge(leader: Epochs, follower: Epochs, high_watermark: int = 0) -> int:
    """Fetch and truncate until the leader finds no divergence; how many truncations it took."""
    cuts = 0
    while follower.records:
        end = divergence(leader, follower.end, follower.latest)
        if end is None:
            return cuts
        assert end is not NO_EPOCH_END
        where = cut(follower, end, follower.end, high_watermark)
        assert where.offset < follower.end, "every cut makes progress"
        del follower.records[where.offset :]
        cuts += 1
    return cuts


def test_equal_logs_are_left_alone() -> None:
    assert divergence(Epochs(1, 1, 2), 3, 2) is None
    assert divergence(Epochs(1, 1, 2), 2, 1) is None


def test_kip_101_a_restarted_follower_keeps_what_its_leader_has() -> None:
    """Scenario 1: B has m2 but not yet the high watermark for it, restarts, then A dies."""
    leader, follower = Epochs(0, 0), Epochs(0, 0)
    assert converge(leader, follower, high_watermark=1) == 0
    assert follower.records == [0, 0], "cutting at the high watermark would have lost m2"


def test_kip_101_logs_that_diverged_after_a_hard_failure_become_equal() -> None:
    """Scenario 2: both lost their caches; B led first and wrote another m2."""
    leader, follower = Epochs(0, 1), Epochs(0, 0)
    assert converge(leader, follower, high_watermark=2) == 1
    assert follower.records == [0]


def test_kip_279_fast_leader_changes_with_epochs_that_the_other_never_had() -> None:
    leader = Epochs(0, 0, 1, 1, 4)
    follower = Epochs(0, 0, 1, 2, 2, 3)
    converge(leader, follower)
    assert follower.records == [0, 0, 1]


def test_a_follower_that_is_ahead_in_the_same_epoch_is_cut_to_the_leaders_end() -> None:
    leader, follower = Epochs(1, 1, 2), Epochs(1, 1, 1, 1)
    assert divergence(leader, follower.end, follower.latest) == EpochEnd(1, 2)
    assert converge(leader, follower) == 1
    assert follower.records == [1, 1]


def test_an_epoch_that_the_leader_has_yet_to_see_is_out_of_its_range() -> None:
    assert divergence(Epochs(5, 5), 1, 6) is NO_EPOCH_END
    assert divergence(Epochs(), 1, 0) is NO_EPOCH_END


def test_a_log_from_before_the_leaders_first_record_goes_altogether() -> None:
    leader, follower = Epochs(5, 5), Epochs(3, 3, 3)
    assert converge(leader, follower) == 1
    assert follower.records == []


@pytest.mark.parametrize(
    ("leader", "expected"),
    [
        (EpochEnd(-1, -1), Cut(1, True)),
        (EpochEnd(-1, 2), Cut(2, True)),
        (EpochEnd(2, 2), Cut(2, True)),
        (EpochEnd(1, 9), Cut(3, True)),
        (EpochEnd(3, 9), Cut(4, True)),
    ],
)
def test_answers_that_say_little_cut_little(leader: EpochEnd, expected: Cut) -> None:
    follower = Epochs(1, 1, 1, 3)
    if leader == EpochEnd(2, 2):
        assert cut(follower, leader, 4, 1) == Cut(3, False), "epoch 2 is unknown here"
    else:
        assert cut(follower, leader, 4, 1) == expected


@pytest.mark.parametrize("seed", range(200))
def test_any_two_histories_of_one_partition_converge_to_a_common_prefix(seed: int) -> None:
    """Epochs have one writer each, so equal (offset, epoch) means an equal past."""
    dice = random.Random(seed)
    logs = [Epochs(), Epochs()]
    for epoch in range(12):
        writer, reader = dice.sample(logs, 2)
        writer.records += [epoch] * dice.randrange(4)
        if dice.random() < 0.4:
            reader.records = writer.records[: dice.randrange(len(writer.records) + 1)]
    leader, follower = logs
    if not follower.records or not leader.records:
        return
    before = list(follower.records)
    shared = 0
    while shared < min(len(before), leader.end) and before[shared] == leader.records[shared]:
        shared += 1
    if leader.latest < follower.latest:
        leader, follower = follower, leader
        before = list(follower.records)
    converge(leader, follower)
    assert follower.records == before[:shared]
