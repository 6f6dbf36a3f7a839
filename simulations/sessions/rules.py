"""The rules that a session can switch off, as a page lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from raftka.model.rules import Rule, word

_GROUPS: Final = {
    Rule.TERM_IN_ACKNOWLEDGEMENTS: "quorum",
    Rule.JOIN_BY_PRESENT_BROKER_EPOCH: "controller",
    Rule.TRUNCATE_BY_LEADER_EPOCH: "partitions",
    Rule.KEYS_WHERE_COMPACTED: "compaction",
    Rule.ONE_OWNER_PER_PARTITION: "groups",
    Rule.MARKERS_UNTIL_WRITTEN: "transactions",
    Rule.SHARE_LEADER_EPOCH_FENCES: "share groups",
}
"""The first rule of each group, in the order of model/rules.py."""

_FROM: Final = {
    Rule.TERM_IN_ACKNOWLEDGEMENTS: "Raft, section 5.1",
    Rule.KEEP_MATCHING_ENTRIES: "Raft, section 5.3",
    Rule.ONE_CHANGE_OF_VOTERS: "KIP-853",
    Rule.COMMIT_ONLY_VERIFIED: "Raft, section 5.3",
    Rule.FAILED_SNAPSHOT_IS_REFUSED: "Raft, section 7",
    Rule.VOTES_ARE_ATTRIBUTED: "Raft, section 5.2",
    Rule.FAST_BACK_OFF: "Raft, section 5.3",
    Rule.PRE_VOTE: "KIP-996",
    Rule.STICKY_LEADER: "Ongaro's thesis, section 4.2.3",
    Rule.PROPOSALS_END: "Raft, section 8",
    Rule.FENCED_PROPOSALS: "KIP-631",
    Rule.VOTE_IS_PERSISTED: "Raft, figure 2",
    Rule.SYNC_BEFORE_SEND: "Raft, figure 2",
    Rule.COMMIT_OWN_TERM: "Raft, section 5.4.2",
    Rule.LEADER_LEASE: "Ongaro's thesis, section 6.2",
    Rule.KEEP_COMMITTED: "Raft, section 5.4.3",
    Rule.TRUNCATE_BEFORE_HIGH_WATERMARK: "KIP-101",
    Rule.BROKER_EPOCHS_IN_ALTER_PARTITION: "KIP-903",
    Rule.PROPOSE_NO_FENCED_REPLICA: "KIP-841",
    Rule.BATCHES_ARE_CHECKED: "Kafka's documentation, section Record Batch",
    Rule.KEYS_WHERE_COMPACTED: "Kafka's documentation, section Log Compaction",
    Rule.LAST_VALUE_STAYS: "Kafka's documentation, section Log Compaction",
    Rule.CLEAN_WHAT_IS_STABLE: "KIP-98",
    Rule.LAST_BATCH_OF_PRODUCER_STAYS: "KIP-98",
    Rule.CLEANED_IS_DURABLE: "Kafka's documentation, section Log Compaction",
    Rule.INTERRUPTED_SWAPS_ARE_FINISHED: "Kafka's documentation, section Log Compaction",
    Rule.ONE_OWNER_PER_PARTITION: "KIP-848",
    Rule.MEMBER_EPOCH_FENCES: "KIP-848",
    Rule.REVOKED_IS_CONFIRMED: "KIP-848",
    Rule.REVOCATION_HAS_AN_END: "KIP-848",
    Rule.ONE_OWNER_PER_TASK: "KIP-1071",
    Rule.TASK_ONCE_PER_PROCESS: "KIP-1071",
    Rule.SHARE_STATE_IS_SUMMED_UP: "KIP-932",
    Rule.LAST_STABLE_OFFSET: "KIP-98",
    Rule.MARKERS_ARE_COMMITTED_FIRST: "KIP-98",
    Rule.ABORTED_ARE_NAMED: "KIP-98",
    Rule.OPEN_PRODUCERS_ARE_KEPT: "KIP-98",
}
"""The source of a rule, unless its own sentence names a KIP."""
_KIPS: Final = re.compile(r"KIP-\d+")


def origin(rule: Rule) -> str:
    """The KIP or paper that a rule comes from; "raftka" for one of our own."""
    if (found := _FROM.get(rule)) is not None:
        return found
    if kips := _KIPS.findall(rule.value):
        return ", ".join(kips)
    return "KIP-932" if rule.name.startswith("SHARE_") else "raftka"


def listed() -> Iterator[dict[str, str]]:
    """Each rule: name, statement, source and group."""
    group = ""
    for rule in Rule:
        group = _GROUPS.get(rule, group)
        yield {"name": word(rule), "holds": rule.value, "rule": origin(rule), "group": group}
