"""Rules of the engine that only show in certain sequences of events."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from raftka.kraft.raft.codec import Message
from raftka.kraft.raft.description import describe
from raftka.kraft.raft.engine import Committed, Engine, LeaderChanged
from raftka.kraft.raft.follower import QuorumCorrupt
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import NotLeader, ProposalVoid, QuorumSettings, ReplicaKey, Voter
from raftka.kraft.raft.reconfiguration import NotYet
from raftka.kraft.raft.snapshots import Snapshot
from raftka.kraft.raft.store import Store
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium
from tests.kraft.raft.fuzz_cluster import Cluster, Replica

SETTINGS = QuorumSettings(election_timeout_s=1.0)


def key(number: int) -> ReplicaKey:
    return ReplicaKey(number, bytes([number]) * 16)


def cluster_of(voters: int, *rules_off: Rule, observers: int = 0, seed: int = 1) -> Cluster:
    keys = [(key(n), n <= voters) for n in range(1, voters + observers + 1)]
    named = VoterSet(Voter(n, key(n).directory_id) for n in range(1, voters + 1))
    return Cluster(Random(seed), keys, None, named, SETTINGS, frozenset(rules_off))


def run(cluster: Cluster, seconds: float) -> None:
    end = cluster.now + seconds
    while cluster.now < end:
        cluster.connect_all()
        cluster.run_until(cluster.now + 0.02)


def leader_of(cluster: Cluster) -> Replica:
    (leader,) = [r for r in cluster.replicas if r.engine is not None and r.engine.is_leader]
    return leader


def engine_of(replica: Replica) -> Engine:
    assert replica.engine is not None
    return replica.engine


def alone(number: int, voters: int, disk: SimDisk | None = None) -> Engine:
    """An engine whose peers are played by the test."""
    return Engine(
        key(number),
        Store(disk or SimDisk(Medium(Random(1))), "/log"),
        can_vote=True,
        static_voters=VoterSet(Voter(n) for n in range(1, voters + 1)),
        settings=SETTINGS,
        dice=Random(1),
        now=0.0,
    )


def step(engine: Engine, now: float, *messages: tuple[int, Message]) -> list[tuple[int, Message]]:
    engine.at(now)
    for sender, message in messages:
        engine.deliver(key(sender), message)
    engine.tick()
    while engine.store.dirty:
        engine.store.sync()
        if engine.wants_tick:
            engine.tick()
    return [(receiver.id, message) for receiver, message in engine.take_outbox()]


def ack(term: int, index: int, sent: float = 9.0) -> Message:
    flags = {"success": True, "reset": False, "sent": sent}
    return {"type": "acknowledgement", "term": term, "next_index": index + 1, **flags}


def elected(voters: int = 3) -> Engine:
    """An engine that leads with the votes of all others."""
    engine = alone(1, voters)
    for number in range(2, voters + 1):
        engine.link_up(key(number))
    sent = step(engine, 0.1)
    while not engine.is_leader:
        receiver, message = sent.pop(0)
        if message["type"] == "pre_vote":
            yes = {"term": engine.term, "round": message["term"], "granted": True}
            sent += step(engine, 0.1, (receiver, {"type": "pre_vote_response", **yes}))
        elif message["type"] == "request_vote":
            yes = {"term": message["term"]}
            sent += step(engine, 0.1, (receiver, {"type": "response_vote", **yes}))
    return engine


def promised() -> tuple[list[Any], Callable[[int, Exception | None], None]]:
    outcomes: list[Any] = []
    return outcomes, lambda offset, error: outcomes.append((offset, error))


# Elections.


def test_a_lone_voter_leads_in_its_first_step() -> None:
    engine = alone(1, 1)
    step(engine, 0.0)
    assert list(engine.events) == [LeaderChanged(None, 1), LeaderChanged(1, 1)]


def test_three_fresh_voters_elect_within_200_ms() -> None:
    for seed in range(10):
        cluster = cluster_of(3, seed=seed)
        run(cluster, 0.2)
        assert leader_of(cluster)


@pytest.mark.parametrize("broken", [False, True])
def test_an_isolated_voter_disturbs_nobody_when_it_returns(broken: bool) -> None:
    cluster = cluster_of(3, *([Rule.PRE_VOTE] if broken else []))
    run(cluster, 5.0 if broken else 1.0)
    leader = leader_of(cluster)
    term = engine_of(leader).term
    outsider = next(r for r in cluster.replicas if r is not leader)
    ids = {r.key.id for r in cluster.replicas} - {outsider.key.id}
    cuts = {(outsider.key.id, n) for n in ids} | {(n, outsider.key.id) for n in ids}
    cluster.blocked.update(cuts)
    run(cluster, 10.0)
    cluster.blocked.clear()
    run(cluster, 5.0)
    assert (engine_of(leader_of(cluster)).term == term) is not broken


@pytest.mark.parametrize("broken", [False, True])
def test_who_only_lost_its_own_link_to_the_leader_deposes_nobody(broken: bool) -> None:
    cluster = cluster_of(3, *([Rule.STICKY_LEADER] if broken else []))
    run(cluster, 1.0)
    leader = leader_of(cluster)
    term = engine_of(leader).term
    follower = next(r for r in cluster.replicas if r is not leader)
    pair = (leader.key.id, follower.key.id)
    cluster.blocked.update({pair, pair[::-1]})
    cluster.reset(frozenset(pair))
    run(cluster, 6.0)
    assert (engine_of(leader_of(cluster)).term == term) is not broken


def test_a_dead_leader_is_replaced_within_100_ms() -> None:
    took = []
    for seed in range(20):
        cluster = cluster_of(3, seed=seed)
        cluster.delay_s = cluster.sync_s = 0.0005
        run(cluster, 1.0)
        cluster.crash(leader_of(cluster), power_loss=False)
        died = cluster.now
        while not any(r.engine is not None and r.engine.is_leader for r in cluster.replicas):
            run(cluster, 0.005)
        took.append(cluster.now - died)
    assert sorted(took)[10] < 0.05
    assert max(took) < 0.5


def test_an_isolated_leader_resigns_within_its_lease() -> None:
    cluster = cluster_of(3)
    run(cluster, 1.0)
    leader = leader_of(cluster)
    others = [r.key.id for r in cluster.replicas if r is not leader]
    cluster.blocked.update({(n, leader.key.id) for n in others})
    cluster.propose(leader)
    run(cluster, 1.2)
    assert not engine_of(leader).is_leader
    assert not cluster.unanswered


# Acknowledgements and commits.


@pytest.mark.parametrize("broken", [False, True])
def test_an_acknowledgement_of_an_earlier_term_commits_nothing(broken: bool) -> None:
    engine = elected()
    engine._off = frozenset({Rule.TERM_IN_ACKNOWLEDGEMENTS} if broken else ())
    outcomes, done = promised()
    engine.at(1.0)
    offset = engine.propose(b"new", engine.term, None, done)
    step(engine, 1.0, (2, ack(engine.term - 1, offset)))
    assert bool(outcomes) is broken
    step(engine, 1.0, (2, ack(engine.term, offset)))
    assert outcomes == [(offset, None)]


@pytest.mark.parametrize("broken", [False, True])
def test_a_snapshot_that_cannot_be_used_is_not_acknowledged(broken: bool) -> None:
    engine = alone(1, 3)
    engine._off = frozenset({Rule.FAILED_SNAPSHOT_IS_REFUSED} if broken else ())
    engine.link_up(key(2))
    head = {"type": "append_entries", "term": 1, "commit_index": 50, "sent": 0.0}
    data = bytearray(Snapshot(50, 1, VoterSet(), b"state").encode())
    data[-1] ^= 1
    sent = step(engine, 0.1, (2, {**head, "serialized": (bytes(data), True, True)}))
    (answer,) = [message for _, message in sent if message["type"] == "acknowledgement"]
    assert (answer["success"], answer["reset"]) == (broken, not broken)
    assert engine.commit_index == 0
    assert "refuses a snapshot from its leader: its checksum does not match" in engine.take_news()


def test_an_own_entry_counts_only_once_it_is_durable() -> None:
    engine = alone(1, 1)
    step(engine, 0.0)
    outcomes, done = promised()
    engine.at(0.1)
    engine.propose(b"x", 1, 2, done)
    engine.tick()
    assert outcomes == []
    engine.store.sync()
    assert engine.wants_tick
    engine.tick()
    assert outcomes == [(2, None)]


def test_leadership_is_told_once_everything_before_it_is() -> None:
    engine = elected()
    assert LeaderChanged(1, engine.term) not in engine.events
    engine.events.clear()
    step(engine, 1.0, (2, ack(engine.term, 1)))
    assert list(engine.events) == [LeaderChanged(1, engine.term)]


def test_a_leader_that_contradicts_what_is_committed_is_not_followed() -> None:
    engine = alone(1, 3)
    engine.link_up(key(2))
    append = {"type": "append_entries", "term": 1, "commit_index": 2, "sent": 0.0}
    entries = ((b"\x01", 1, 1), (b"\x01", 2, 1))
    step(engine, 0.1, (2, {**append, "previous_index": 0, "previous_term": 0, "entries": entries}))
    assert engine.commit_index == 2
    other = {
        **append,
        "term": 2,
        "previous_index": 1,
        "previous_term": 1,
        "entries": ((b"\x01", 2, 2),),
    }
    with pytest.raises(QuorumCorrupt, match="contradicts entry 2, but entries up to 2"):
        step(engine, 0.2, (2, other))


def test_an_entry_of_an_unknown_kind_stops_the_replica() -> None:
    engine = alone(1, 1)
    step(engine, 0.0)
    engine.log.add(b"\x03whatever", 2, 1)
    with pytest.raises(QuorumCorrupt, match="entry 2 is of a kind unknown"):
        step(engine, 0.1)


# Proposals.


def test_a_proposal_lands_where_it_was_decided_for_or_not_at_all() -> None:
    engine = alone(1, 1)
    step(engine, 0.0)
    engine.events.clear()
    outcomes, done = promised()
    with pytest.raises(ProposalVoid, match="decided for offset 7, the next is 2"):
        engine.propose(b"late", 1, 7, done)
    with pytest.raises(NotLeader):
        engine.propose(b"of another epoch", 0, None, done)
    assert engine.propose(b"good", 1, 2, done) == 2
    step(engine, 0.1)
    assert list(engine.events) == [Committed(2, 1, b"good")]
    assert outcomes == [(2, None)]


def test_an_entry_with_a_strangers_stamp_is_void_everywhere() -> None:
    engine = alone(1, 1)
    step(engine, 0.0)
    engine.events.clear()
    engine.log.add(b"\x00" + (9).to_bytes(8, "big") + (2).to_bytes(8, "big") + b"forwarded", 2, 1)
    step(engine, 0.1)
    assert engine.last_applied == 2
    assert not engine.events


def test_proposals_in_flight_end_with_their_leader() -> None:
    engine = elected()
    outcomes, done = promised()
    engine.propose(b"x", engine.term, None, done)
    engine.read_barrier(done)
    newer = {"type": "acknowledgement", "term": engine.term + 1, "next_index": 1}
    step(engine, 1.0, (2, {**newer, "success": False, "reset": False, "sent": 0.0}))
    assert not engine.is_leader
    assert [type(error) for _, error in outcomes] == [NotLeader, NotLeader]


def test_a_read_waits_for_a_majority_to_answer_what_was_sent_after_it() -> None:
    engine = elected()
    step(engine, 1.0, (2, ack(engine.term, 1, sent=1.0)))
    outcomes, done = promised()
    engine.at(1.1)
    engine.read_barrier(done)
    step(engine, 1.2, (2, ack(engine.term, 1, sent=1.0)))
    assert outcomes == []
    step(engine, 1.2, (3, ack(engine.term, 1, sent=1.1)))
    assert outcomes == [(1, None)]


# Voters.


def test_voters_change_one_at_a_time() -> None:
    cluster = cluster_of(4)
    run(cluster, 1.0)
    engine = engine_of(leader_of(cluster))
    _, done = promised()
    others = [n for n in range(1, 5) if n != engine.replica.id]
    engine.remove_voter(key(others[0]), done)
    with pytest.raises(NotYet, match="not committed yet"):
        engine.remove_voter(key(others[1]), done)


def test_what_cannot_be_changed_is_refused_in_words() -> None:
    engine = elected()
    _, done = promised()
    with pytest.raises(KafkaError, match=r"controller\.quorum\.voters") as static:
        engine.remove_voter(key(2), done)
    assert static.value.code == ErrorCode.UNSUPPORTED_VERSION
    cluster = cluster_of(1)
    run(cluster, 0.5)
    lone = engine_of(leader_of(cluster))
    with pytest.raises(KafkaError, match="last voter"):
        lone.remove_voter(key(1), done)
    with pytest.raises(KafkaError, match="already a voter"):
        lone.add_voter(Voter(1, key(1).directory_id), done)
    with pytest.raises(KafkaError, match="node 8"):
        lone.remove_voter(key(8), done)
    with pytest.raises(NotYet, match="not connected"):
        lone.add_voter(Voter(8, key(8).directory_id), done)


def test_a_wiped_disk_under_an_old_id_has_no_vote() -> None:
    engine = alone(1, 1)
    named = VoterSet([Voter(1, key(1).directory_id), Voter(2, key(2).directory_id)])
    engine.voters.append(0, named)
    engine.voters_changed()
    wiped = ReplicaKey(2, b"new directory!!!")
    assert engine.link_up(wiped)
    assert engine.links[wiped].is_observer
    assert wiped not in engine.voters.current


def test_a_leader_that_removes_itself_leads_until_that_is_committed() -> None:
    cluster = cluster_of(3)
    run(cluster, 1.0)
    leader = leader_of(cluster)
    outcomes, done = promised()
    cluster.call(leader, "remove", lambda engine, _: engine.remove_voter(leader.key, done))
    run(cluster, 1.0)
    assert [error for _, error in outcomes] == [None]
    successor = leader_of(cluster)
    assert successor is not leader
    assert len(engine_of(successor).voters.current) == 2


def test_a_leader_that_was_removed_gives_its_successor_time_before_it_calls_again() -> None:
    """As the leader, it has heard from no leader for long; its resignation needs its links."""
    cluster = cluster_of(3)
    run(cluster, 2 * SETTINGS.fetch_timeout_s)
    leader = leader_of(cluster)
    _, done = promised()
    cluster.call(leader, "remove", lambda engine, _: engine.remove_voter(leader.key, done))
    run(cluster, SETTINGS.fetch_timeout_s / 2)
    assert engine_of(leader).leader_id == leader_of(cluster).key.id
    assert not engine_of(leader).take_stale_links()


def test_a_description_names_everybody_and_how_far_they_are() -> None:
    cluster = cluster_of(3, observers=1)
    run(cluster, 2.0)
    leader = leader_of(cluster)
    described = describe(engine_of(leader), leader.clock(cluster.now), 1_000_000)
    assert described.leader_id == leader.key.id
    assert [state.id for state in described.voters] == [1, 2, 3]
    assert [state.id for state in described.observers] == [4]
    for state in (*described.voters, *described.observers):
        assert state.log_end_offset == described.high_watermark
        assert 999_000 < state.last_caught_up_ms <= 1_000_000
        assert state.directory_id == key(state.id).directory_id
