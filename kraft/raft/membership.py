"""Voter sets, and the offsets from which they are in force.

A change is one log entry with the whole new set (like KIP-853's VotersRecord), in force from the
moment it is in a node's log, committed or not. A truncation reverts it; a snapshot contains the set
in force at its offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgpack

from raftka.kraft.raft.port import ReplicaKey, Voter, VoterEndpoint
from raftka.model.ids import ZERO_UUID


class VoterSet:
    """Immutable; iterates in the order of ids."""

    __slots__ = ("_voters", "majority")

    def __init__(self, voters: Iterable[Voter] = ()) -> None:
        self._voters = {voter.id: voter for voter in sorted(voters, key=lambda voter: voter.id)}
        self.majority = len(self._voters) // 2 + 1
        """The number of voters in a majority."""

    def __iter__(self) -> Iterator[Voter]:
        return iter(self._voters.values())

    def __len__(self) -> int:
        return len(self._voters)

    def __contains__(self, key: ReplicaKey) -> bool:
        """Whether this very replica is a voter: a wiped disk with a former id is not."""
        voter = self._voters.get(key.id)
        return voter is not None and voter.directory_id in (ZERO_UUID, key.directory_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoterSet) and self._voters == other._voters

    def __hash__(self) -> int:
        return hash(tuple(self._voters.values()))

    def __repr__(self) -> str:
        return f"VoterSet({sorted(self._voters)})"

    def get(self, voter_id: int) -> Voter | None:
        return self._voters.get(voter_id)

    def adding(self, voter: Voter) -> VoterSet:
        return VoterSet([*self, voter])

    def removing(self, voter_id: int) -> VoterSet:
        return VoterSet(voter for voter in self if voter.id != voter_id)

    def encode(self) -> bytes:
        return bytes(msgpack.packb([[v.id, v.directory_id, v.endpoints] for v in self]))

    @classmethod
    def decode(cls, data: bytes | memoryview) -> VoterSet:
        """Raises ValueError unless `data` is the output of `encode`."""
        try:
            return cls(_decode_voter(item) for item in msgpack.unpackb(data))
        except (TypeError, ValueError, msgpack.UnpackException) as error:
            raise ValueError(f"not a voter set: {error}") from error


def _decode_voter(item: Any) -> Voter:
    voter_id, directory_id, endpoints = item
    if type(voter_id) is not int or type(directory_id) is not bytes or len(directory_id) != 16:
        raise ValueError(f"voter {voter_id!r} in directory {directory_id!r}")
    named = [(str(name), str(host), int(port)) for name, host, port in endpoints]
    return Voter(voter_id, directory_id, tuple(VoterEndpoint(*endpoint) for endpoint in named))


class VoterHistory:
    """The voter sets of a log by offset, oldest first; never empty."""

    def __init__(self, base: VoterSet, offset: int) -> None:
        self._sets: list[tuple[int, VoterSet]] = [(offset, base)]

    @property
    def current(self) -> VoterSet:
        """The set in force at the end of the log."""
        return self._sets[-1][1]

    @property
    def previous(self) -> VoterSet:
        """The set before the current one, if it is still known."""
        return self._sets[max(len(self._sets) - 2, 0)][1]

    @property
    def changed_at(self) -> int:
        """The offset of the entry with the current set."""
        return self._sets[-1][0]

    def at(self, offset: int) -> VoterSet:
        """The set in force at `offset`."""
        for since, voters in reversed(self._sets):
            if since <= offset:
                return voters
        return self._sets[0][1]

    def append(self, offset: int, voters: VoterSet) -> None:
        self._sets.append((offset, voters))

    def truncate_from(self, offset: int) -> bool:
        """Revert the sets from `offset` on; return whether there were any."""
        before = len(self._sets)
        while len(self._sets) > 1 and self._sets[-1][0] >= offset:
            self._sets.pop()
        return len(self._sets) != before

    def forget_before(self, offset: int) -> None:
        """Drop the sets that are not in force at any offset from `offset` on."""
        while len(self._sets) > 1 and self._sets[1][0] <= offset:
            self._sets.pop(0)
