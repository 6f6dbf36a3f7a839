"""The answer to DescribeQuorum, from an engine between its steps (KIP-595, KIP-836)."""

from __future__ import annotations

import math

from raftka.kraft.raft.engine import Engine
from raftka.kraft.raft.port import QuorumDescription, ReplicaKey, ReplicaState, Voter
from raftka.kraft.raft.seams import Peer


def describe(engine: Engine, now: float, wall_ms: int) -> QuorumDescription:
    """`now` and `wall_ms` are the same moment on the engine's clock and the wall clock."""
    voters = tuple(_voter(engine, voter, now, wall_ms) for voter in engine.voters.current)
    observers = tuple(
        _state(engine, key, peer, now, wall_ms)
        for key, peer in sorted(engine.links.items())
        if peer.is_observer
    )
    high_watermark = engine.commit_index + 1
    return QuorumDescription(engine.leader_id, engine.term, high_watermark, voters, observers)


def _voter(engine: Engine, voter: Voter, now: float, wall_ms: int) -> ReplicaState:
    if engine.is_voter and voter.id == engine.replica.id:
        end = engine.log.last_index + 1
        return ReplicaState(*engine.replica, end, wall_ms, wall_ms, voter.endpoints)
    peer = Peer.of(voter.id)
    key = engine.key_of(peer) or ReplicaKey(voter.id, voter.directory_id)
    return _state(engine, key, peer, now, wall_ms)


def _state(engine: Engine, key: ReplicaKey, peer: Peer, now: float, wall_ms: int) -> ReplicaState:
    voter = engine.voters.current.get(key.id)
    endpoints = voter.endpoints if voter is not None else ()
    progress = engine.progress.get(peer) if engine.is_leader else None
    if progress is None or progress.fetched_at == -math.inf:
        return ReplicaState(*key, -1, -1, -1, endpoints)

    def on_the_wall(moment: float) -> int:
        return wall_ms - int((now - moment) * 1000) if moment > -math.inf else -1

    return ReplicaState(
        *key,
        engine.match_index[peer] + 1,
        on_the_wall(progress.fetched_at),
        on_the_wall(progress.caught_up_at),
        endpoints,
    )
