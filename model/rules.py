"""The safety rules, each with a name by which it can be switched off.

Each is enforced in one place. To prove that tests, fuzzers and the simulator would notice a
violation, each rule can be switched off in a composition, and they must then find the damage.
Production has no way to do so: no setting, environment variable or program argument reaches
`rules_off`.
"""

from __future__ import annotations

import enum
from collections.abc import Set as AbstractSet
from typing import Final


class Rule(enum.Enum):
    """A rule that always holds."""

    # The metadata quorum. pysyncobj by itself violates most of these: see kraft/raft/__init__.py.
    TERM_IN_ACKNOWLEDGEMENTS = "an acknowledgement counts only in the term that it was given in"
    KEEP_MATCHING_ENTRIES = "entries that match the leader's are never truncated"
    ONE_CHANGE_OF_VOTERS = "a change of the voter set waits until the one before is committed"
    COMMIT_ONLY_VERIFIED = "a follower commits no further than its log is known to match"
    FAILED_SNAPSHOT_IS_REFUSED = "a snapshot that cannot be used is not acknowledged"
    VOTES_ARE_ATTRIBUTED = "each voter's vote counts once, and only voters' votes count"
    FAST_BACK_OFF = "a divergent follower is brought back in one exchange per term"
    PRE_VOTE = "a node asks whether it could win before it disturbs a leader"
    STICKY_LEADER = "a node that hears from a live leader votes for no other"
    PROPOSALS_END = "every proposal is answered when its leader steps down"
    FENCED_PROPOSALS = "an entry away from the epoch and offset it was decided for is void"
    VOTE_IS_PERSISTED = "a vote is durable before it is given"
    SYNC_BEFORE_SEND = "nothing is acknowledged before it is durable"
    COMMIT_OWN_TERM = "entries of earlier terms are committed only by one of the own term"
    LEADER_LEASE = "a leader that hears no majority resigns"
    KEEP_COMMITTED = "nothing below the high watermark is ever truncated"

    # The controller.
    JOIN_BY_PRESENT_BROKER_EPOCH = "a replica joins the ISR by its present broker epoch (KIP-903)"
    ISR_CHANGES_ARE_UP_TO_DATE = "AlterPartition changes no partition that has changed since"
    FENCED_STAY_OUT_OF_ISR = "AlterPartition brings no fenced replica into the ISR (KIP-841)"
    LOST_DIRECTORY_IS_NOT_ELIGIBLE = "a replica in a new directory has nothing (KIP-858, KIP-966)"
    REGISTERED_AFTER_CHANGES = "a broker is registered when its unclean end has had its effects"
    LOST_LOG_IS_NOT_ELIGIBLE = "an unclean shutdown takes a replica out of ISR and ELR (KIP-966)"

    # Partitions.
    TRUNCATE_BY_LEADER_EPOCH = "a follower truncates by leader epoch (KIP-101)"
    EPOCH_IN_FETCH = "a fetch carries the leader epoch (KIP-320)"
    TRUNCATE_BEFORE_HIGH_WATERMARK = "a follower truncates before it raises its high watermark"
    BROKER_EPOCHS_IN_ALTER_PARTITION = "AlterPartition names broker epochs (KIP-903)"
    PROPOSE_NO_FENCED_REPLICA = "a leader proposes no fenced replica for the ISR"
    COUNT_THE_MAXIMAL_ISR = "a leader counts every replica that may be in the ISR by now (KIP-497)"
    EPOCH_START_BEFORE_ISR = "a replica joins the ISR when it has the start of the leader's epoch"
    PROGRESS_IS_OF_THIS_EPOCH = "a leader counts only what followers fetch in its own leader epoch"
    WAITERS_END_WITH_THEIR_LEADER = "a producer that waits is refused when its leader is replaced"
    IN_SYNC_IS_NEVER_THROTTLED = "a replication throttle never holds back what is in sync (KIP-73)"
    LOOK_AGAIN_WITHOUT_ROOM = "a fetch session looks again at partitions without room (KIP-74)"
    TURNS_IN_SESSIONS = "what a fetch session has served goes to its end (KIP-227)"
    FIVE_BATCHES_REMEMBERED = "a leader remembers five batches of a producer (KIP-98)"
    BATCHES_ARE_CHECKED = "a leader stores only batches whose records are what their header says"

    # Compacted logs.
    KEYS_WHERE_COMPACTED = "a leader takes no record without a key for a compacted topic"
    LAST_VALUE_STAYS = "a cleaning keeps the last value of each key"
    TOMBSTONES_WAIT = "a tombstone stays for delete.retention.ms from its first cleaning (KIP-534)"
    COMPACTION_LAG = "no record younger than min.compaction.lag.ms is cleaned (KIP-58)"
    CLEAN_WHAT_IS_STABLE = "nothing is cleaned from the last stable offset on"
    LAST_BATCH_OF_PRODUCER_STAYS = "a cleaning keeps the header of a producer's last batch"
    CLEANED_IS_DURABLE = "a cleaned segment is durable before it replaces others"
    INTERRUPTED_SWAPS_ARE_FINISHED = "a start goes on with a replacement that a crash interrupted"

    # Groups of the consumer protocol (KIP-848).
    ONE_OWNER_PER_PARTITION = "a partition is handed out when its last owner has given it back"
    MEMBER_EPOCH_FENCES = "a member of an earlier epoch is fenced, and its commits are refused"
    REVOKED_IS_CONFIRMED = "a member gives back what it says that it no longer has"
    REVOCATION_HAS_AN_END = "a member that gives nothing back in its rebalance timeout is out"

    # Groups of the streams protocol (KIP-1071).
    ONE_OWNER_PER_TASK = "a task is handed out when the member that ran it has given it back"
    TASK_ONCE_PER_PROCESS = "a process has one copy of a task's state, in whatever role"

    # Transactions, their coordinators.
    MARKERS_UNTIL_WRITTEN = "a transaction's end is asked for until each partition has it (KIP-98)"
    SUCCESSOR_FINISHES = "a new coordinator finishes the ends that the one before began (KIP-98)"
    OFFSETS_WAIT_FOR_COMMIT = "offsets of a transaction count when it commits (KIP-98)"
    PENDING_OFFSETS_ARE_UNSTABLE = "a request for stable offsets waits for pending ones (KIP-447)"

    # Transactions in partitions.
    LAST_STABLE_OFFSET = "a reader of committed records gets none from an open transaction on"
    MARKERS_ARE_COMMITTED_FIRST = "a transaction is open to readers until its marker is committed"
    ABORTED_ARE_NAMED = "an answer with records names the aborted transactions among them"
    PRODUCER_EPOCH_FENCES = "a batch or a marker of an earlier producer epoch is refused (KIP-98)"
    COORDINATOR_EPOCH_FENCES = "a marker of a coordinator that was replaced is refused (KIP-98)"
    MARKER_RAISES_EPOCH = "a marker of version 2 ends no transaction of its own epoch (KIP-1228)"
    FIRST_WRITE_IS_VERIFIED = "what opens a transaction was agreed with its coordinator (KIP-890)"
    MARKER_VOIDS_GUARDS = "a marker voids what was agreed before it (KIP-890)"
    OPEN_PRODUCERS_ARE_KEPT = "a producer with an open transaction does not expire"

    # Share groups.
    SHARE_LEADER_EPOCH_FENCES = "a share-partition's earlier leader writes no state (KIP-932)"
    SHARE_STATE_EPOCH_FENCES = "state that has begun again takes nothing from before (KIP-932)"
    SHARE_ACKNOWLEDGED_IS_PERSISTED = "an acknowledgement is answered when its state is committed"
    SHARE_LOCK_EXCLUDES = (
        "an acquired record is delivered to no other member until its lock is over"
    )
    SHARE_OWNER_ACKNOWLEDGES = "an acknowledgement counts only from the member that has the record"
    SHARE_DELIVERIES_END = "a record is archived when it was delivered as often as the limit says"
    SHARE_DEAD_LETTERS_FIRST = "a record is archived when the dead letter queue has it (KIP-1191)"
    SHARE_STATE_IS_SUMMED_UP = "a share state log is cut in front of a snapshot of each state"
    SHARE_STATE_IS_READ = "a share-partition's new leader goes on from what the one before wrote"

    # Authorization.
    LOGIN_COMES_FIRST = "nothing but a login is answered before one, where it is asked for"
    PASSWORDS_ARE_PROVED = "a login by SCRAM proves that the client knows the password"
    # Behind the TLS port: OpenSSL verifies in production, the stand-in under simulation.
    CERTIFICATES_ARE_VERIFIED = "a certificate counts that is in its time, of a trusted authority"
    ACLS_ARE_ENFORCED = "a client does what an ACL allows it, and nothing else (KIP-11)"
    DENY_OUTWEIGHS_ALLOW = "what an ACL denies, no other ACL allows (KIP-11)"
    PRINCIPAL_IS_FORWARDED = "a forwarded request is its client's, and not the broker's (KIP-590)"


def word(rule: Rule) -> str:
    """Its name in files and on command lines: "vote-is-persisted"."""
    return rule.name.lower().replace("_", "-")


RulesOff = AbstractSet[Rule]
"""The rules that are switched off in a composition."""

ALL_HOLD: Final[RulesOff] = frozenset()


def rule_named(name: str) -> Rule:
    """The rule with that name. Raises ValueError, with the known ones."""
    found = next((rule for rule in Rule if word(rule) == name), None)
    if found is None:
        raise ValueError(f"there is no rule {name!r}; there are: {', '.join(map(word, Rule))}")
    return found
