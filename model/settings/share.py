"""Share groups (KIP-932): members, deliveries, and the share coordinator."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLUSTER_WIDE,
    INT,
    LIST,
    READ_ONLY,
    STRING,
    at_least,
    between,
    without_effect,
)
from raftka.model.settings.setting import Setting

# fmt: off
SHARE_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("group.share.delivery.count.limit", INT, 5, between(2, 10), READ_ONLY,
            "How often a record is delivered to a share group that does not acknowledge it."),
    Setting("group.share.min.delivery.count.limit", INT, 2, between(2, 5), READ_ONLY,
            "The least share.delivery.count.limit of a group."),
    Setting("group.share.max.delivery.count.limit", INT, 10, between(5, 25), READ_ONLY,
            "The greatest share.delivery.count.limit of a group."),
    Setting("group.share.record.lock.duration.ms", INT, 30000, between(1000, 3600000), READ_ONLY,
            "For how long a member of a share group holds a record that it has acquired."),
    Setting("group.share.min.record.lock.duration.ms", INT, 15000, between(1000, 30000), READ_ONLY,
            "The least share.record.lock.duration.ms of a group."),
    Setting("group.share.max.record.lock.duration.ms", INT, 60000, between(30000, 3600000),
            READ_ONLY, "The greatest share.record.lock.duration.ms of a group."),
    Setting("group.share.partition.max.record.locks", INT, 2000, between(100, 10000), READ_ONLY,
            "How many records of a partition a share group may have open at a time."),
    Setting("group.share.min.partition.max.record.locks", INT, 100, between(100, 2000), READ_ONLY,
            "The least share.partition.max.record.locks of a group."),
    Setting("group.share.max.partition.max.record.locks", INT, 4000, between(2000, 10000),
            READ_ONLY, "The greatest share.partition.max.record.locks of a group."),
    Setting("group.share.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY,
            "How often members of share groups send a heartbeat."),
    Setting("group.share.min.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY,
            "The least share.heartbeat.interval.ms of a group."),
    Setting("group.share.max.heartbeat.interval.ms", INT, 15000, at_least(1), READ_ONLY,
            "The greatest share.heartbeat.interval.ms of a group."),
    Setting("group.share.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY,
            "How long a member of a share group lives without a heartbeat."),
    Setting("group.share.min.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY,
            "The least share.session.timeout.ms of a group."),
    Setting("group.share.max.session.timeout.ms", INT, 60000, at_least(1), READ_ONLY,
            "The greatest share.session.timeout.ms of a group."),
    Setting("group.share.max.size", INT, 200, between(1, 1000), READ_ONLY,
            "The most members of one share group."),
    Setting("group.share.max.share.sessions", INT, 2000, at_least(1), READ_ONLY,
            "The most members that may fetch from one broker for share groups."),
    Setting("errors.deadletterqueue.auto.create.topics.enable", BOOLEAN, False, None, CLUSTER_WIDE,
            "Whether the topic of a share group's dead letter queue is created when it is first"
            " needed (KIP-1191)."),
    Setting("errors.deadletterqueue.topic.name.prefix", STRING, "dlq.", None, CLUSTER_WIDE,
            "What the names of dead letter queues' topics begin with."),
    Setting("share.coordinator.snapshot.update.records.per.snapshot", INT, 500, between(0, 500),
            READ_ONLY, "After so many changes of a share-partition its state is written whole."),
    Setting("share.coordinator.state.topic.prune.interval.ms", INT, 300000, at_least(1), READ_ONLY,
            "How long a share coordinator's log keeps what later records make redundant."),
    Setting("share.coordinator.write.timeout.ms", INT, 5000, at_least(1), READ_ONLY,
            "How long a share coordinator's answer waits for replicas."),
    *without_effect("an assignment of a share group is made as soon as it is needed", (
        ("group.share.assignment.interval.ms", INT, 1000, at_least(0), CLUSTER_WIDE),
        ("group.share.max.assignment.interval.ms", INT, 15000, at_least(0), READ_ONLY),
        ("group.share.min.assignment.interval.ms", INT, 0, at_least(0), READ_ONLY),
    )),
    *without_effect("share-partitions that do not change are summed up with the others, by"
                    " share.coordinator.state.topic.prune.interval.ms", (
        ("share.coordinator.cold.partition.snapshot.interval.ms", INT,
         300000, at_least(1), READ_ONLY),
    )),
    *without_effect("there is one assignor of share groups, simple", (
        ("group.share.assignors", LIST, ("simple",), None, READ_ONLY),
    )),
    *without_effect("a coordinator appends what comes in one turn, and reads in pieces of 256 KB", (
        ("share.coordinator.append.linger.ms", INT, -1, at_least(-1), READ_ONLY),
        ("share.coordinator.cached.buffer.max.bytes", INT, 1048588, at_least(524288), CLUSTER_WIDE),
        ("share.coordinator.load.buffer.size", INT, 5242880, at_least(1), READ_ONLY),
        ("share.coordinator.state.topic.compression.codec", INT, 0, None, READ_ONLY),
        ("share.coordinator.threads", INT, 1, at_least(1), READ_ONLY),
        ("share.fetch.purgatory.purge.interval.requests", INT, 1000, None, READ_ONLY),
    )),
)
# fmt: on
