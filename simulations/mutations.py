"""What `raftka simulate --mutation NAME` switches off, to show that the simulator notices.

A mutation names one or more rules of model/rules.py, without which a run's nodes are composed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from raftka.model.rules import Rule, RulesOff


@dataclass(frozen=True)
class Mutant:
    """One named mutation."""

    name: str
    meaning: str
    rules_off: RulesOff
    is_of_liveness: bool = False
    """Whether it breaks liveness: a run that does not recover shows it."""
    asks_for_logins: str = ""
    """The protocol of the brokers' listener, if only a cluster that requires a login can show the
    defect: every run then has such a cluster.
    """
    needs: str | None = None
    """The kind of group (plan.GROUP_KINDS) that shows the defect, which every run then has."""


_ALL: Final = (
    Mutant(
        "vote-not-persisted",
        "a controller forgets its vote when it restarts",
        frozenset({Rule.VOTE_IS_PERSISTED}),
    ),
    Mutant(
        "ack-before-fsync",
        "a controller acknowledges entries before they are durable",
        frozenset({Rule.SYNC_BEFORE_SEND}),
    ),
    Mutant(
        "old-term-committed-by-count",
        "a controller commits entries of an earlier term by counting replicas (Raft, figure 8)",
        frozenset({Rule.COMMIT_OWN_TERM}),
    ),
    Mutant(
        "isolated-leader-never-resigns",
        "a controller that no majority answers goes on leading",
        frozenset({Rule.LEADER_LEASE}),
    ),
    Mutant(
        "quorum-truncates-committed",
        "a controller's log is cut below its high watermark",
        frozenset({Rule.KEEP_COMMITTED, Rule.KEEP_MATCHING_ENTRIES}),
    ),
    Mutant(
        "truncate-to-high-watermark",
        "a follower truncates to its high watermark instead of by leader epoch (KIP-101)",
        frozenset({Rule.TRUNCATE_BY_LEADER_EPOCH}),
    ),
    Mutant(
        "no-epoch-in-fetch",
        "fetch requests carry no leader epoch (KIP-320)",
        frozenset({Rule.EPOCH_IN_FETCH}),
    ),
    Mutant(
        "high-watermark-before-truncation",
        "a follower raises its high watermark before it truncates",
        frozenset({Rule.TRUNCATE_BEFORE_HIGH_WATERMARK}),
    ),
    Mutant(
        "no-broker-epoch-in-alter-partition",
        "a restarted replica joins the ISR on the word of its former life (KIP-903)",
        frozenset({Rule.BROKER_EPOCHS_IN_ALTER_PARTITION, Rule.JOIN_BY_PRESENT_BROKER_EPOCH}),
    ),
    Mutant(
        "fenced-replica-joins-isr",
        "a fenced broker may be in the ISR (KIP-841)",
        frozenset({Rule.PROPOSE_NO_FENCED_REPLICA, Rule.FENCED_STAY_OUT_OF_ISR}),
    ),
    Mutant(
        "proposed-isr-counts",
        "a leader commits without a replica that it has only asked to drop from the ISR (KIP-497)",
        frozenset({Rule.COUNT_THE_MAXIMAL_ISR}),
    ),
    Mutant(
        "epoch-start-not-awaited",
        "a replica joins the ISR without the start of its leader's epoch",
        frozenset({Rule.EPOCH_START_BEFORE_ISR}),
    ),
    Mutant(
        "former-progress-counts",
        "a leader that leads again counts what followers had in its former epoch",
        frozenset({Rule.PROGRESS_IS_OF_THIS_EPOCH}),
    ),
    Mutant(
        "waiters-answered-by-a-former-leader",
        "a leader that is replaced answers as if its successor had what producers wait for",
        frozenset({Rule.WAITERS_END_WITH_THEIR_LEADER}),
    ),
    Mutant(
        "late-isr-change-counts",
        "AlterPartition changes the ISR of a partition that has changed since (KIP-497)",
        frozenset({Rule.ISR_CHANGES_ARE_UP_TO_DATE}),
    ),
    Mutant(
        "lost-log-stays-eligible",
        "the last replica standing is elected after it has lost its log (KIP-966)",
        frozenset({Rule.LOST_LOG_IS_NOT_ELIGIBLE}),
    ),
    Mutant(
        "registered-before-changes",
        "a broker is registered before its unclean end has taken it out of ISRs (KIP-966)",
        frozenset({Rule.REGISTERED_AFTER_CHANGES}),
    ),
    Mutant(
        "in-sync-throttled",
        "a replication throttle holds back replicas that are in sync, too (KIP-73)",
        frozenset({Rule.IN_SYNC_IS_NEVER_THROTTLED}),
    ),
    Mutant(
        "forget-without-room",
        "a fetch session forgets a partition that had no room in an answer until it grows (KIP-74)",
        frozenset({Rule.LOOK_AGAIN_WITHOUT_ROOM}),
    ),
    Mutant(
        "no-turns-in-sessions",
        "a fetch session serves its partitions in one order for ever (KIP-227)",
        frozenset({Rule.TURNS_IN_SESSIONS}),
    ),
    Mutant(
        "one-batch-remembered",
        "a leader remembers one batch of a producer, not five (KIP-98)",
        frozenset({Rule.FIVE_BATCHES_REMEMBERED}),
    ),
    Mutant(
        "unchecked-batches",
        "a leader stores batches without looking at their records",
        frozenset({Rule.BATCHES_ARE_CHECKED}),
    ),
    Mutant(
        "key-not-demanded",
        "a leader takes records without keys for a compacted topic",
        frozenset({Rule.KEYS_WHERE_COMPACTED}),
    ),
    Mutant(
        "first-value-stays",
        "a cleaning keeps the first value of a key in what is dirty, not the last",
        frozenset({Rule.LAST_VALUE_STAYS}),
    ),
    Mutant(
        "tombstone-goes-at-once",
        "a cleaning removes tombstones without waiting for delete.retention.ms (KIP-534)",
        frozenset({Rule.TOMBSTONES_WAIT}),
    ),
    Mutant(
        "compaction-lag-ignored",
        "records younger than min.compaction.lag.ms are cleaned (KIP-58)",
        frozenset({Rule.COMPACTION_LAG}),
    ),
    Mutant(
        "uncommitted-cleaned",
        "records beyond the high watermark are cleaned",
        frozenset({Rule.CLEAN_WHAT_IS_STABLE}),
    ),
    Mutant(
        "producer-cleaned-away",
        "a cleaning removes the last batch of a producer with its records",
        frozenset({Rule.LAST_BATCH_OF_PRODUCER_STAYS}),
    ),
    Mutant(
        "cleaned-not-synced",
        "a cleaned segment replaces others before it is durable",
        frozenset({Rule.CLEANED_IS_DURABLE}),
    ),
    Mutant(
        "swap-forgotten",
        "a start removes the cleaned segment that a crash kept from replacing others",
        frozenset({Rule.INTERRUPTED_SWAPS_ARE_FINISHED}),
    ),
    Mutant(
        "open-is-stable",
        "readers of committed records are given open transactions (KIP-98)",
        frozenset({Rule.LAST_STABLE_OFFSET}),
    ),
    Mutant(
        "marker-not-awaited",
        "a transaction is stable before its marker is committed",
        frozenset({Rule.MARKERS_ARE_COMMITTED_FIRST}),
    ),
    Mutant(
        "aborted-not-named",
        "an answer does not name the aborted transactions among its records",
        frozenset({Rule.ABORTED_ARE_NAMED}),
    ),
    Mutant(
        "former-epoch-writes",
        "a leader takes records and markers of an earlier producer epoch",
        frozenset({Rule.PRODUCER_EPOCH_FENCES}),
    ),
    Mutant(
        "former-coordinator-writes",
        "a leader takes markers of a coordinator that was replaced",
        frozenset({Rule.COORDINATOR_EPOCH_FENCES}),
    ),
    Mutant(
        "owner-not-awaited",
        "a coordinator hands out partitions that their last owner still has (KIP-848)",
        frozenset({Rule.ONE_OWNER_PER_PARTITION}),
    ),
    Mutant(
        "revocation-not-confirmed",
        "a coordinator takes it that a member has given back what it must (KIP-848)",
        frozenset({Rule.REVOKED_IS_CONFIRMED}),
    ),
    Mutant(
        "member-epoch-ignored",
        "a coordinator takes commits of members of an earlier epoch (KIP-848)",
        frozenset({Rule.MEMBER_EPOCH_FENCES}),
    ),
    Mutant(
        "revocation-awaited-for-ever",
        "a coordinator waits without end for a member that gives nothing back (KIP-848)",
        frozenset({Rule.REVOCATION_HAS_AN_END}),
        is_of_liveness=True,
        needs="reluctant",
    ),
    Mutant(
        "task-owner-not-awaited",
        "a coordinator hands out tasks that their last owner still runs (KIP-1071)",
        frozenset({Rule.ONE_OWNER_PER_TASK}),
        needs="streams",
    ),
    Mutant(
        "task-twice-in-a-process",
        "a process gets several copies of a task's state (KIP-1071)",
        frozenset({Rule.TASK_ONCE_PER_PROCESS}),
        needs="streams",
    ),
    Mutant(
        "share-lock-ignored",
        "a record that a member of a share group has is given to another (KIP-932)",
        frozenset({Rule.SHARE_LOCK_EXCLUDES}),
        needs="share",
    ),
    Mutant(
        "share-owner-ignored",
        "a member acknowledges what another has (KIP-932)",
        frozenset({Rule.SHARE_OWNER_ACKNOWLEDGES}),
        needs="share",
    ),
    Mutant(
        "share-delivered-for-ever",
        "a share group is given a record however often it was delivered (KIP-932)",
        frozenset({Rule.SHARE_DELIVERIES_END}),
        needs="share",
    ),
    Mutant(
        "share-acknowledged-early",
        "an acknowledgement is answered before its state is committed (KIP-932)",
        frozenset({Rule.SHARE_ACKNOWLEDGED_IS_PERSISTED}),
        needs="share",
    ),
    Mutant(
        "share-state-not-read",
        "a share-partition's new leader begins from nothing (KIP-932)",
        frozenset({Rule.SHARE_STATE_IS_READ}),
        needs="share",
    ),
    Mutant(
        "share-state-pruned-away",
        "a share coordinator cuts its log in front of a snapshot of one state, not of each",
        frozenset({Rule.SHARE_STATE_IS_SUMMED_UP}),
        needs="share",
    ),
    Mutant(
        "share-former-leader-writes",
        "a share coordinator takes state from a leader that was replaced (KIP-932)",
        frozenset({Rule.SHARE_LEADER_EPOCH_FENCES}),
        needs="share",
    ),
    Mutant(
        "share-buried-without-letter",
        "a record is archived before the dead letter queue has it (KIP-1191)",
        frozenset({Rule.SHARE_DEAD_LETTERS_FIRST}),
        needs="share",
    ),
    Mutant(
        "offsets-count-at-once",
        "offsets of a transaction count before it commits",
        frozenset({Rule.OFFSETS_WAIT_FOR_COMMIT}),
    ),
    Mutant(
        "pending-offsets-are-stable",
        "a request for stable offsets is answered past pending ones (KIP-447)",
        frozenset({Rule.PENDING_OFFSETS_ARE_UNSTABLE}),
    ),
    Mutant(
        "markers-given-up",
        "a coordinator asks once for a transaction's end, whatever the answer",
        frozenset({Rule.MARKERS_UNTIL_WRITTEN}),
    ),
    Mutant(
        "end-not-finished",
        "a new coordinator does not finish the ends that the one before began",
        frozenset({Rule.SUCCESSOR_FINISHES}),
        is_of_liveness=True,
    ),
    Mutant(
        "write-not-verified",
        "a transaction begins in a partition without its coordinator's consent (KIP-890)",
        frozenset({Rule.FIRST_WRITE_IS_VERIFIED}),
    ),
    Mutant(
        "login-not-awaited",
        "a listener with SASL answers requests before the login",
        frozenset({Rule.LOGIN_COMES_FIRST}),
        asks_for_logins="SASL_PLAINTEXT",
    ),
    Mutant(
        "password-not-proved",
        "a login by SCRAM succeeds with any password",
        frozenset({Rule.PASSWORDS_ARE_PROVED}),
        asks_for_logins="SASL_PLAINTEXT",
    ),
    Mutant(
        "certificate-not-verified",
        "a handshake succeeds with any certificate, or with none",
        frozenset({Rule.CERTIFICATES_ARE_VERIFIED}),
        asks_for_logins="SSL",
    ),
    Mutant(
        "denied-but-served",
        "a node serves what no ACL allows",
        frozenset({Rule.ACLS_ARE_ENFORCED}),
        asks_for_logins="SSL",
    ),
    Mutant(
        "allow-outweighs-deny",
        "an ACL that denies is overlooked where another allows",
        frozenset({Rule.DENY_OUTWEIGHS_ALLOW}),
        asks_for_logins="SASL_PLAINTEXT",
    ),
    Mutant(
        "principal-lost-in-forwarding",
        "a controller takes a forwarded request for the broker's own",
        frozenset({Rule.PRINCIPAL_IS_FORWARDED}),
        asks_for_logins="SASL_SSL",
    ),
)
MUTANTS: Final = {mutant.name: mutant for mutant in _ALL}
