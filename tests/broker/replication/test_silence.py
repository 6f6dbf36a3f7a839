"""Followers that stop fetching: silent ones, seemingly silent ones, their leader's reaction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.broker.replication.replica import Replica
from raftka.broker.replication.silence import LOOK_EVERY_S, Silence
from tests.broker.replication.test_replica_manager import REPLICATED, cluster


class Line:
    """A follower's fetches."""

    def __init__(self) -> None:
        self.last_fetch_s = 0.0
        self.is_waiting = False

    def replicas(self) -> list[Replica]:
        return []


class Room:
    """A leader's broker that checks broker 2 five times a second."""

    def __init__(self) -> None:
        self.silence = Silence(2.0, 30.0)
        self.line = self.silence.links[2] = Line()
        self.now_s = 100.0

    def pass_time(self, seconds: float, *, fetches: bool = False, drops: bool = True) -> list[int]:
        """The brokers that were found silent meanwhile."""
        found: dict[int, None] = {}
        for _ in range(round(seconds / LOOK_EVERY_S)):
            self.now_s += LOOK_EVERY_S
            if fetches:
                self.line.last_fetch_s = self.now_s
            for broker_id, _silent_s in self.silence.look(self.now_s):
                found[broker_id] = None
                if drops:
                    self.silence.dropped(broker_id)
        return list(found)


def test_a_broker_that_does_not_fetch_for_two_seconds_is_silent() -> None:
    room = Room()
    assert room.pass_time(10, fetches=True) == []
    assert room.pass_time(1.8) == []
    assert room.pass_time(0.6) == [2]


def test_a_broker_whose_fetch_waits_here_is_not_silent() -> None:
    room = Room()
    room.pass_time(1, fetches=True)
    room.line.is_waiting = True
    assert room.pass_time(60) == []
    room.line.is_waiting = False
    assert room.pass_time(1.8) == []


def test_a_leader_that_stood_still_itself_listens_again_first() -> None:
    room = Room()
    room.pass_time(1, fetches=True)
    room.now_s += 20
    assert room.pass_time(1.8) == []
    assert room.pass_time(1.0) == [2]


def test_a_slow_disk_does_not_make_an_isr_flap() -> None:
    """Rounds of 2.4 s: dropped once, and no more than three times however slow it becomes."""
    room = Room()
    drops = 0
    for _ in range(200):
        room.pass_time(0.4, fetches=True)
        drops += len(room.pass_time(2.4))
    assert drops == 1
    for _ in range(100):
        room.pass_time(0.4, fetches=True)
        drops += len(room.pass_time(9))
    assert drops == 3


def test_one_silence_counts_once_for_all_its_partitions() -> None:
    room = Room()
    room.pass_time(1, fetches=True)
    room.pass_time(2.4, drops=False)
    for _ in range(50):
        room.silence.dropped(2)
    room.pass_time(1, fetches=True)
    assert room.pass_time(3.8) == []
    assert room.pass_time(0.6) == [2]


def test_what_was_slow_once_is_trusted_again_after_ten_minutes() -> None:
    room = Room()
    room.pass_time(1, fetches=True)
    assert room.pass_time(2.6) == [2]
    room.pass_time(601, fetches=True)
    assert room.pass_time(2.6) == [2]


@pytest.mark.parametrize(("min_isr", "dropped"), [("1", True), ("2", True), ("3", False)])
def test_the_leader_goes_on_without_it_if_enough_are_left(min_isr: str, dropped: bool) -> None:
    leader, second, third = cluster(REPLICATED, min_insync_replicas=min_isr)
    leader.produce("logs", b"a")
    for _ in range(2):
        second.copy(leader)
        third.copy(leader)
    leader.produce("logs", b"b")
    second.copy(leader, rounds=2)
    proposal = leader.replica("logs").state.without(3)
    assert (proposal is not None) is dropped
    if proposal is not None:
        assert proposal.members == (1, 2)
        leader.world.change("logs", isr=(1, 2))
        leader.publish()
        assert leader.replica("logs").state.high_watermark == 2, "it is not waited for"


def test_a_follower_that_has_everything_keeps_its_place_however_silent() -> None:
    leader, second, third = cluster(REPLICATED)
    leader.produce("logs", b"a")
    for _ in range(2):
        second.copy(leader)
        third.copy(leader)
    state = leader.replica("logs").state
    assert state.without(3) is None
    assert state.without(7) is None


def test_it_is_let_in_again_when_it_has_caught_up() -> None:
    leader, second, third = cluster(replace(REPLICATED, isr=(1, 2)))
    leader.produce("logs", b"a")
    second.copy(leader)
    third.copy(leader, rounds=2)
    assert leader.proposals[-1][1].members == (1, 2, 3)
