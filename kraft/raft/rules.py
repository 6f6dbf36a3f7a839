"""The rules that keep the quorum safe, each with a name by which a test can break it.

pysyncobj breaks most of them by itself (the numbers are those of the audit in `__init__`'s table);
engine.py restores them. To know that the fuzzer and the simulator can see, each rule can be
switched off, and they must then find a violation. Production has no way to do so: no setting, no
variable of the environment and no argument leads here, only the context manager below.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager


class Rule(enum.Enum):
    """What the engine does in every case, said as what holds."""

    TERM_IN_ACKNOWLEDGEMENTS = "an acknowledgement counts only in the term that it was given in"
    KEEP_MATCHING_ENTRIES = "entries that match the leader's are never truncated"
    ONE_CHANGE_OF_VOTERS = "a change of the voter set waits until the one before is committed"
    COMMIT_ONLY_VERIFIED = "a follower commits no further than its log is known to match"
    FAILED_SNAPSHOT_IS_REFUSED = "a snapshot that cannot be used is not acknowledged"
    VOTES_ARE_ATTRIBUTED = "each voter's vote counts once, and only voters' votes count"
    FAST_BACK_OFF = "a divergent follower is brought back in one exchange per term"
    PRE_VOTE = "a node asks whether it could win before it disturbs a leader"
    STICKY_LEADER = "who hears from a live leader gives its vote to nobody else"
    PROPOSALS_END = "every proposal is answered when its leader steps down"
    FENCED_PROPOSALS = "an entry away from the epoch and offset it was decided for is void"

    VOTE_IS_PERSISTED = "a vote is durable before it is given"
    SYNC_BEFORE_SEND = "nothing is acknowledged before it is durable"
    COMMIT_OWN_TERM = "entries of earlier terms are committed only by one of the own term"
    LEADER_LEASE = "a leader that hears no majority resigns"
    KEEP_COMMITTED = "nothing below the high watermark is ever truncated"


_off: frozenset[Rule] = frozenset()


@contextmanager
def switched_off(*rules: Rule) -> Iterator[None]:
    """Quorums that are built inside this block break `rules`. For tests and the simulator."""
    global _off
    before = _off
    _off = before | frozenset(rules)
    try:
        yield
    finally:
        _off = before


def off() -> frozenset[Rule]:
    """The rules that a quorum built now does without: none, outside `switched_off`."""
    return _off
