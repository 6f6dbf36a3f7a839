"""A quorum of one that commits at once or on command, for tests of the layers above."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from raftka.kraft.raft.port import (
    NotLeader,
    ProposalVoid,
    QuorumDescription,
    QuorumListener,
    ReplicaState,
    VoterEndpoint,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint

DIRECTORY = b"d" * 16


class PaperQuorum:
    """Implements kraft.raft.port.QuorumPort; notifies `listener` as on a node."""

    def __init__(self, node_id: int = 1, *, commit_s: float = 0.001) -> None:
        self.node_id = node_id
        self.commit_s = commit_s
        self.listener: QuorumListener | None = None
        self.epoch = 0
        self.leader_id: int | None = None
        self.batches: list[bytes] = []
        self.proposals = 0
        self.offset = 0
        self.committed = trio.Event()
        """Set by the next commit, which replaces it by a new one."""
        self.max_entry_bytes = 8 << 20
        self.before_commit: Callable[[], None] | None = None
        """Called once, while the next proposal is in flight."""

    def elect(self, leader_id: int | None) -> None:
        self.epoch += 1
        self.leader_id = leader_id
        assert self.listener is not None
        self.listener.handle_leader_change(leader_id, self.epoch)

    def insert_voter_change(self) -> None:
        """An entry of the quorum's own takes the next offset."""
        self.offset += 1

    @property
    def leader(self) -> tuple[int | None, int]:
        return self.leader_id, self.epoch

    @property
    def why_elected(self) -> str:
        return "a test elected it"

    @property
    def last_committed(self) -> int:
        return self.offset

    @property
    def log_end_offset(self) -> int:
        return self.offset + 1

    async def propose(self, payload: bytes, epoch: int, expected_offset: int | None = None) -> int:
        self.proposals += 1
        if len(payload) > self.max_entry_bytes:
            words = f"a metadata batch of {len(payload)} bytes is larger than one may be"
            raise KafkaError(ErrorCode.MESSAGE_TOO_LARGE, words)
        if self.before_commit is not None:
            interfere, self.before_commit = self.before_commit, None
            interfere()
        if expected_offset not in (None, self.log_end_offset):
            raise ProposalVoid(f"the next offset is {self.log_end_offset}")
        await trio.sleep(self.commit_s)
        if self.leader_id != self.node_id or epoch != self.epoch:
            raise NotLeader(self.leader_id, self.epoch)
        self.offset += 1
        self.batches.append(payload)
        assert self.listener is not None
        self.listener.handle_commit(self.offset, epoch, payload)
        self.committed.set()
        self.committed = trio.Event()
        return self.offset

    async def read_barrier(self) -> int:
        return self.offset

    async def add_voter(
        self, voter_id: int, directory_id: bytes, endpoints: Sequence[VoterEndpoint]
    ) -> None:
        raise NotLeader(self.leader_id, self.epoch)

    async def remove_voter(self, voter_id: int, directory_id: bytes) -> None:
        raise NotLeader(self.leader_id, self.epoch)

    def addresses(self) -> dict[int, Endpoint]:
        return {self.node_id: Endpoint("localhost", 9093)}

    def describe(self) -> QuorumDescription:
        endpoints = (VoterEndpoint("CONTROLLER", "localhost", 9093),)
        me = ReplicaState(self.node_id, DIRECTORY, self.offset + 1, 7, 8, endpoints)
        observer = ReplicaState(9, DIRECTORY, self.offset, 5, 6)
        return QuorumDescription(self.leader_id, self.epoch, self.offset + 1, (me,), (observer,))
