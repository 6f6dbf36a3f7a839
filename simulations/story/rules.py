"""Which rule each violation breaks, for readers who do not know its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RULES: Final[Mapping[str, str]] = {
    # Records.
    "lost-write": "a record of which a client was told that it is stored is held by every replica"
    " that is in the ISR or is elected",
    "isr-member-lacks-record": "what is acknowledged with acks=all, or given to a reader, is on"
    " every replica in the ISR",
    "replicas-differ": "replicas in the ISR hold the same records at the same offsets",
    "in-sync-replica-truncated": "a replica in the ISR gives nothing up that a client was told of",
    "divergent-append": "who copies a batch from the leader has what the leader has before it",
    "uncommitted-below-high-watermark": "below a high watermark are committed records only",
    "high-watermark-beyond-log-end": "a replica's high watermark is not beyond the end of its log",
    "inconsistent-offsets": "an offset has one record, whoever asks",
    "duplicate": "a record of an idempotent producer is stored once (KIP-98)",
    "reordered": "records of an idempotent producer are stored in the order in which it sent them",
    "nonmonotonic-poll": "a consumer is given ascending offsets",
    "poll-skip": "a consumer is given all records, without gaps",
    "commit-past-consumption": "a group commits only what its members were given",
    "readers-recover": "whoever reads sees every record that was acknowledged",
    "record-differs": "a record is read with the key, headers and time that it was sent with",
    "record-of-a-deleted-topic": "a topic that is made anew has no record of its predecessor",
    "deleted-beyond-high-watermark": "what is not committed yet cannot be deleted (KIP-107)",
    "deleted-too-early": "records go when the topic's settings or an administrator give them up",
    "deleted-before-committed": "retention deletes committed records only",
    "deleted-records-came-back": "records that an administrator has deleted stay deleted",
    "records-not-deleted": "when nothing is broken any more, records can be deleted",
    "logs-of-nobody": "a broker keeps no log of a partition that it has no replica of",
    # What brokers say.
    "offsets-out-of-order": "log start <= last stable offset <= high watermark <= log end",
    "high-watermark-went-back": "the high watermark of one leader in one epoch does not go back",
    "isr-member-below-high-watermark": "every replica in the ISR has what is below the high"
    " watermark",
    "record-beyond-high-watermark": "consumers are given nothing beyond the high watermark",
    "isr-grew-unasked": "who joins an ISR was asked for by the leader",
    "isr-member-of-a-former-life": "who joins an ISR has fetched from the leader since its process"
    " was registered: what its process before had counts for nothing (KIP-903)",
    "committed-on-too-few": "what is committed is on min.insync.replicas disks (KIP-966)",
    "log-begins-too-late": "a log begins where nothing was given up before",
    "end-before-what-is-known": "the end of a partition is behind all that clients know of",
    "look-up-by-time": "a look-up by time finds the first record that is late enough",
    "metadata-differs": "every broker tells the metadata that is committed, and administrators find"
    " the topics that they were told of",
    "settings-differ": "every broker tells the settings that administrators have made",
    "settings-without-effect": "a setting that is changed has an effect, until it is taken back",
    "told-another-offset": "a producer is told the offset at which its batch is, also when it"
    " sent the batch before (KIP-98)",
    "fetch-waits": "a fetch is answered as soon as there are records that it may read (KIP-74)",
    "partition-passed-over": "partitions of a fetch take turns: what was served goes to the end"
    " (KIP-227)",
    # The metadata.
    "fenced-in-isr": "a fenced broker is in no ISR (KIP-841)",
    "isr-and-elr": "nobody is in the ISR and in the ELR (KIP-966)",
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
    "vote-not-durable": "a vote is on the disk before anybody is told of it (Raft 5.2)",
    "term-went-back": "a node's term never goes back, not even by a restart",
    "acknowledged-before-durable": "an entry is on the disk before it is acknowledged",
    "committed-unwritten": "who says that an entry is committed has it on the disk",
    "committed-entry-truncated": "a committed entry is never cut off",
    "committed-by-count": "only entries of the leader's own term are committed by counting who has"
    " them (Raft 5.4.2)",
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
    "commit-not-stored": "a commit is acknowledged when it is on all in-sync replicas",
    "committed-offset-lost": "a group finds what was committed last",
    "offset-of-a-deleted-topic": "a topic that is made anew has no committed offsets",
    # Files.
    "append-after-failed-write": "a log whose disk has refused something takes nothing more until"
    " another process has recovered it (KIP-112)",
    "corrupt-batch-kept": "a replica in the ISR has whole batches only",
    "corrupt-record-read": "no client is given a record that its checksum does not fit",
    "corrupt-batch-written": "a batch on the disk has the CRC of its header",
    "unreadable-batch-written": "the records of a batch on the disk are what its header says",
    "lying-batch-accepted": "a batch is taken only if its records are what its header says",
    "log-not-contiguous": "the batches of a log follow one another, and epochs do not go back",
    "epoch-cache-differs": "leader-epoch-checkpoint says what the log says",
    "index-differs": "entries of an index point to batches of the log",
    "time-index-differs": "entries of a time index find what they are asked for",
    # Liveness.
    "start": "a cluster of healthy nodes makes topics",
    "controller-recover": "when nothing is broken any more, there is a controller",
    "brokers-recover": "when nothing is broken any more, all brokers are registered and unfenced",
    "partitions-recover": "when nothing is broken any more, every partition has a leader and all"
    " its replicas in the ISR",
    "answers-recover": "when nothing is broken any more, every producer gets its answers",
    "metadata-recover": "when nothing is broken any more, all nodes have all of the metadata",
    "replicas-recover": "when nothing is broken any more, followers reach their leaders",
    "audit": "when nothing is broken any more, everything can be read",
    # Crashes.
    "node-crashed": "a node ends by itself only when its disk or network refuses it something",
    "defect-logged": "no error goes unhandled",
    "simulator-crashed": "the simulator itself does not fail",
}
"""By the violation's name; invariants of a user's own have none."""
