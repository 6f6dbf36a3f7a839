"""Consumer groups and transactions, and the internal topics that store them."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLUSTER_WIDE,
    INT,
    INT_MAX,
    LONG,
    READ_ONLY,
    SHORT,
    at_least,
)
from raftka.model.settings.setting import Setting

# fmt: off
GROUP_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("offsets.topic.num.partitions", INT, 50, at_least(1), READ_ONLY,
            "Partitions of __consumer_offsets; not to be changed once it exists."),
    Setting("offsets.topic.replication.factor", SHORT, 3, at_least(1), READ_ONLY,
            "Replicas of __consumer_offsets; it is created when there are enough brokers."),
    Setting("offsets.topic.segment.bytes", INT, 104857600, at_least(1), READ_ONLY,
            "Segment size of __consumer_offsets: small, so that it loads fast."),
    Setting("offsets.retention.minutes", INT, 10080, at_least(1), READ_ONLY,
            "How long the offsets of a group without members are kept."),
    Setting("offsets.retention.check.interval.ms", LONG, 600000, at_least(1), READ_ONLY,
            "How often expired offsets are looked for."),
    Setting("offset.metadata.max.bytes", INT, 4096, None, READ_ONLY,
            "The longest text that a commit may carry."),
    Setting("offsets.commit.timeout.ms", INT, 5000, at_least(1), READ_ONLY,
            "How long a commit waits for its replicas."),
    Setting("group.min.session.timeout.ms", INT, 6000, None, READ_ONLY,
            "The shortest session timeout that a member may ask for."),
    Setting("group.max.session.timeout.ms", INT, 1800000, None, READ_ONLY,
            "The longest session timeout that a member may ask for."),
    Setting("group.max.size", INT, INT_MAX, at_least(1), READ_ONLY,
            "The most members of one group."),
    Setting("group.initial.rebalance.delay.ms", INT, 3000, None, READ_ONLY,
            "How long an empty group waits for more members before its first assignment."),
    Setting("transaction.state.log.replication.factor", SHORT, 3, at_least(1), READ_ONLY,
            "Replicas of __transaction_state; it is created when there are enough brokers."),
    Setting("transaction.state.log.min.isr", INT, 2, at_least(1), READ_ONLY,
            "min.insync.replicas of __transaction_state."),
    Setting("transaction.state.log.num.partitions", INT, 50, at_least(1), READ_ONLY,
            "Partitions of __transaction_state; not to be changed once it exists."),
    Setting("transaction.state.log.segment.bytes", INT, 104857600, at_least(1), READ_ONLY,
            "Segment size of __transaction_state: small, so that it loads fast."),
    Setting("request.timeout.ms", INT, 30000, None, READ_ONLY,
            "How long a transaction coordinator's answer waits for replicas, and a broker may take "
            "to write the end of a transaction."),
    Setting("add.partitions.to.txn.retry.backoff.ms", INT, 20, at_least(1), READ_ONLY,
            "How soon a partition asks again to join a transaction while the one before it ends."),
    Setting("add.partitions.to.txn.retry.backoff.max.ms", INT, 100, at_least(0), READ_ONLY,
            "How long it does that, before its producer hears CONCURRENT_TRANSACTIONS."),
    Setting("transaction.partition.verification.enable", BOOLEAN, True, None, CLUSTER_WIDE,
            "Whether a transaction's first write in a partition is verified with its coordinator."),
    Setting("transaction.max.timeout.ms", INT, 900000, at_least(1), READ_ONLY,
            "The longest transaction.timeout.ms that a producer may ask for."),
    Setting("transactional.id.expiration.ms", INT, 604800000, at_least(1), READ_ONLY,
            "How long a transactional id is remembered that is not used."),
    Setting("transaction.remove.expired.transaction.cleanup.interval.ms", INT,
            3600000, at_least(1), READ_ONLY,
            "How often expired transactional ids are looked for."),
    Setting("share.coordinator.state.topic.replication.factor", SHORT, 3, at_least(1), READ_ONLY,
            "Replicas of __share_group_state; it is created when there are enough brokers."),
    Setting("share.coordinator.state.topic.min.isr", SHORT, 2, at_least(1), READ_ONLY,
            "min.insync.replicas of __share_group_state."),
    Setting("share.coordinator.state.topic.num.partitions", INT, 50, at_least(1), READ_ONLY,
            "Partitions of __share_group_state; not to be changed once it exists."),
    Setting("share.coordinator.state.topic.segment.bytes", INT, 104857600, at_least(1), READ_ONLY,
            "Segment size of __share_group_state: small, so that it loads fast."),
)
# fmt: on
