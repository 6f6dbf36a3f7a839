"""The rule that each violation breaks, for readers who do not know its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RULES: Final[Mapping[str, str]] = {
    # Records.
    "lost-write": "a record that a client knows to be stored is held by every replica"
    " that is in the ISR or is elected",
    "isr-member-lacks-record": "what is acknowledged with acks=all, or was read, is on"
    " every replica in the ISR",
    "replicas-differ": "replicas in the ISR hold the same records at the same offsets",
    "in-sync-replica-truncated": "a replica in the ISR truncates no record that a client knows",
    "divergent-append": "a replica that copies a batch from the leader has what the leader"
    " has before it",
    "uncommitted-below-high-watermark": "below a high watermark are committed records only",
    "high-watermark-beyond-log-end": "a replica's high watermark is not beyond the end of its log",
    "proposed-before-epoch-start": "a replica enters the ISR when it has the start of the leader's"
    " epoch",
    "inconsistent-offsets": "an offset has one record, for every reader",
    "duplicate": "a record of an idempotent producer is stored once (KIP-98)",
    "reordered": "records of an idempotent producer are stored in the order in which it sent them",
    "nonmonotonic-poll": "a consumer reads ascending offsets",
    "poll-skip": "a consumer reads all records, without gaps",
    "commit-past-consumption": "a group commits only what its members have read",
    "readers-recover": "every reader sees every acknowledged record",
    "record-differs": "a record is read with the key, headers and time that it was sent with",
    "record-of-a-deleted-topic": "a topic that is created again has no record of its predecessor",
    "deleted-beyond-high-watermark": "what is not committed yet cannot be deleted (KIP-107)",
    "deleted-too-early": "records are deleted only by the topic's settings or an administrator",
    "deleted-before-committed": "retention deletes committed records only",
    "deleted-records-came-back": "records that an administrator has deleted stay deleted",
    "records-not-deleted": "once everything is healed, records can be deleted",
    "logs-of-nobody": "a broker keeps no log of a partition that it has no replica of",
    # Answers of brokers.
    "offsets-out-of-order": "log start <= last stable offset <= high watermark <= log end",
    "high-watermark-went-back": "the high watermark of one leader in one epoch does not go back",
    "isr-member-below-high-watermark": "every replica in the ISR has what is below the high"
    " watermark",
    "record-beyond-high-watermark": "consumers read nothing beyond the high watermark",
    "isr-grew-unasked": "the leader asked for each replica that joins an ISR",
    "isr-member-of-a-former-life": "a replica that joins an ISR has fetched from the leader"
    " since its process was registered (KIP-903)",
    "committed-on-too-few": "what is committed is on min.insync.replicas disks (KIP-966)",
    "log-begins-too-late": "a log leaves out only records that were deleted",
    "end-before-what-is-known": "the end of a partition is behind all that clients know of",
    "look-up-by-time": "a look-up by time finds the first record that is late enough",
    "metadata-differs": "every broker reports the committed metadata, and administrators find"
    " the topics that they created",
    "settings-differ": "every broker reports the settings that administrators have made",
    "settings-without-effect": "a changed setting has an effect until it is removed",
    "told-another-offset": "a producer learns the offset at which its batch is, also when it"
    " sent the batch before (KIP-98)",
    "fetch-waits": "a fetch is answered as soon as there are records that it may read (KIP-74)",
    "partition-passed-over": "partitions of a fetch take turns: what was served goes to the end"
    " (KIP-227)",
    # The metadata.
    "fenced-in-isr": "a fenced broker is in no ISR (KIP-841)",
    "isr-and-elr": "no replica is in the ISR and in the ELR (KIP-966)",
    "isr-within-replicas": "ISR and ELR are among the replicas",
    "leader-in-isr": "a leader is in its ISR",
    "leader-epoch-went-back": "leader epochs grow",
    "partition-epoch-went-back": "partition epochs grow",
    "broker-epoch-went-back": "broker epochs grow",
    "two-leaders-in-epoch": "a leader epoch has one leader",
    "snapshot-equals-replay": "a snapshot says what the metadata log up to it says",
    "replica-added-before-in-sync": "a reassignment ends when what it adds is in sync (KIP-455)",
    "reassignment-forgot-to-remove": "a reassignment ends without what it removes (KIP-455)",
    "producer-ids-given-twice": "a producer id is given to one producer (KIP-730)",
    # The quorum.
    "election-safety": "a term has at most one leader (Raft 5.2)",
    "elected-without-majority": "a leader has the votes of a majority (Raft 5.2)",
    "leader-without-majority": "a leader that no majority answers resigns",
    "leader-completeness": "a leader has every entry that was committed before (Raft 5.4)",
    "one-vote-per-term": "a voter gives one vote a term (Raft 5.2)",
    "vote-not-durable": "a vote is on the disk before it is sent (Raft 5.2)",
    "term-went-back": "a node's term never goes back, not even by a restart",
    "acknowledged-before-durable": "an entry is on the disk before it is acknowledged",
    "committed-unwritten": "a node that announces an entry as committed has it on the disk",
    "committed-entry-truncated": "a committed entry is never truncated",
    "committed-by-count": "only entries of the leader's own term are committed by counting"
    " replicas that have them (Raft 5.4.2)",
    "committed-without-majority": "a committed entry is on the disks of a majority",
    "state-machine-safety": "no two nodes have different committed entries at one index (Raft 5.4)",
    "snapshot-voters": "a snapshot names the voters of its offset",
    "voters-changed-by-more-than-one": "voters change one at a time",
    "two-voter-changes-in-flight": "a change of the voters begins when the one before is committed",
    "voters-changed-before-own-term": "a leader commits an entry of its own term before it changes"
    " the voters",
    # Groups.
    "generation-went-back": "generations of a group do not go back",
    "two-owners": "a partition has one owner in a generation",
    "commit-of-an-old-generation": "members of an earlier generation commit nothing",
    "handed-out-early": "a partition is handed out when its last owner has given it back (KIP-848)",
    "commit-of-a-former-owner": "a member that has lost a partition commits nothing there",
    "commit-not-stored": "a commit is acknowledged when it is on all in-sync replicas",
    "committed-offset-lost": "a group finds what was committed last",
    "offset-of-a-deleted-topic": "a topic that is created again has no committed offsets",
    # Transactions (KIP-98, KIP-890).
    "aborted-read": "a reader of committed records gets none of an open or an aborted transaction",
    "unstable-below-last-stable-offset": "the last stable offset passes no transaction that is"
    " open, or whose marker is not committed",
    "torn-transaction": "of a committed transaction, all records can be read",
    "lost-transaction": "of a committed transaction, all records can be read",
    "zombie-write": "a partition takes nothing from a producer's former epoch",
    "stale-marker": "a partition takes no marker from a former coordinator",
    "cyclic-information-flow": "committed transactions can be put in an order in which each reads"
    " only what came before it",
    "limits-recover": "quotas and throttles that are taken back end by the time all is healed",
    "processed-twice": "what is made from one record in transactions is committed once",
    "input-lost": "offsets that a transaction commits pass no record that nothing was made from",
    "transaction-without-consent": "a transaction begins in a partition when its coordinator has"
    " that partition in it",
    "complete-without-marker": "a transaction is complete once each partition has its marker",
    "pending-offset-passed-over": "a request for stable offsets waits for those in transactions",
    "offset-commit-lost": "what a transaction commits, its offsets included, is committed together",
    "transactions-recover": "once everything is healed, every transaction has ended",
    # Compaction.
    "compacted-log-differs": "a compacted log has the last value of every key",
    "compacted-topic-differs": "a reader of a compacted topic finds the last value of every key",
    "cleaned-section-has-a-key-twice": "the cleaned section of a log has each key once",
    "cleaned-too-early": "only what is committed, closed, and older than min.compaction.lag.ms"
    " is cleaned",
    "deleted-from-compacted": "nothing but cleaning removes records of a compacted topic",
    "key-missing": "a compacted topic takes no record without a key",
    "last-value-removed": "cleaning removes a record only for a later one of the same key",
    "producer-forgotten": "the last batch of a producer stays, emptied, for its sequence (KIP-98)",
    "record-changed-by-cleaning": "cleaning changes no record",
    "record-moved-by-cleaning": "cleaning moves no record to another offset",
    "tombstone-gone-early": "a tombstone stays for delete.retention.ms after it was first"
    " cleaned (KIP-534)",
    # Share groups.
    "acknowledged-delivered-again": "a record that a share group has acknowledged is not"
    " delivered to it again (KIP-932)",
    "acknowledged-by-another": "only the member that holds a record acknowledges it (KIP-932)",
    "share-state-of-a-former-leader": "a share-partition's state comes from no leader before the"
    " one that wrote it last (KIP-932)",
    "dead-letter-of-nobody": "a dead letter is of a record that was rejected, or delivered as often"
    " as the limit says (KIP-1191)",
    "dead-letter-missing": "what a member rejects is in the group's dead letter queue (KIP-1191)",
    "groups-recover": "once everything is healed, groups get what they are owed: records, tasks,"
    " partitions",
    "partition-without-owner": "once everything is healed, each partition of a group that lives has"
    " an owner (KIP-848)",
    "delivered-beyond-limit": "a share group is delivered a record"
    " group.share.delivery.count.limit times at most (KIP-932)",
    "task-with-two-owners": "A task of a streams group has one member that runs it: the next one is"
    " given it when the one before has given it back, or when its session is over (KIP-1071).",
    "task-twice-in-process": "A process has a task of a streams group once, in whatever role: a"
    " standby task is on another process than the one that runs it (KIP-1071).",
    "delivered-to-two": "while a member of a share group holds a record, no other is"
    " delivered it (KIP-932)",
    # Files.
    "append-after-failed-write": "after a disk error a log takes no appends until"
    " another process has recovered it (KIP-112)",
    "corrupt-batch-kept": "a replica in the ISR has whole batches only",
    "corrupt-record-read": "no client reads a record whose checksum is wrong",
    "corrupt-batch-written": "a batch on the disk has the CRC of its header",
    "unreadable-batch-written": "the records of a batch on the disk are what its header says",
    "lying-batch-accepted": "a batch is taken only if its records are what its header says",
    "log-not-contiguous": "the batches of a log follow one another, and epochs do not go back",
    "epoch-cache-differs": "leader-epoch-checkpoint says what the log says",
    "index-differs": "entries of an index point to batches of the log",
    "time-index-differs": "entries of a time index find what they are asked for",
    # Liveness.
    "start": "a cluster of healthy nodes creates topics",
    "controller-recover": "once everything is healed, there is a controller",
    "brokers-recover": "once everything is healed, all brokers are registered and unfenced",
    "partitions-recover": "once everything is healed, every partition has a leader and all"
    " its replicas in the ISR",
    "answers-recover": "once everything is healed, every producer gets its answers",
    "metadata-recover": "once everything is healed, all nodes have all of the metadata",
    "replicas-recover": "once everything is healed, followers reach their leaders",
    "audit": "once everything is healed, everything can be read",
    # Authorization.
    "denied-but-served": "a client with no permission, no login or a wrong password"
    " is served nothing",
    "allowed-but-refused": "a client that ACLs allow something is served by every broker"
    " that serves",
    # Crashes.
    "node-crashed": "a node ends by itself only when its disk or network refuses it something",
    "defect-logged": "no error goes unhandled",
    "simulator-crashed": "the simulator itself does not fail",
}
"""By the violation's name; invariants of a user's own have none."""
