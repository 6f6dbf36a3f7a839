"""The voters of the metadata quorum, according to the records in the journals.

A voter is a host with the id of its log's directory: the same host with a new disk is another
replica, and does not vote (KIP-853). With static voters the id is empty and matches any directory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import Voter
from raftka.kraft.raft.seams import MEMBERSHIP


class Member(NamedTuple):
    host: str
    directory: bytes

    def __str__(self) -> str:
        return f"{self.host} ({self.directory.hex()[:8]})" if self.directory else self.host


Voters = frozenset[Member]


def voters_of(voters: Iterable[Voter]) -> Voters:
    return frozenset(Member(f"n{voter.id}", voter.directory_id) for voter in voters)


def named_in(command: bytes) -> Voters | None:
    """The voter set that an entry brings into force; None for other entries."""
    return voters_of(VoterSet.decode(command[1:])) if command[:1] == MEMBERSHIP else None


def majority(voters: Voters) -> int:
    return len(voters) // 2 + 1


def words(voters: Voters) -> str:
    return f"[{', '.join(map(str, sorted(voters)))}]"
