"""Settings of protocols that are not served, or are served without them; accepted so that a file
written for Apache Kafka works as it stands.
"""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLASS,
    CLUSTER_WIDE,
    INT,
    INT_MAX,
    LIST,
    READ_ONLY,
    STRING,
    at_least,
    between,
    without_effect,
)
from raftka.model.settings.setting import Setting

# fmt: off
PROTOCOL_SETTINGS: Final[tuple[Setting, ...]] = (
    *without_effect("share groups are not served yet", (
        ("group.share.assignment.interval.ms", INT, 1000, at_least(0), CLUSTER_WIDE),
        ("group.share.assignors", LIST, ("simple",), None, READ_ONLY),
        ("group.share.delivery.count.limit", INT, 5, between(2, 10), READ_ONLY),
        ("group.share.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY),
        ("group.share.max.assignment.interval.ms", INT, 15000, at_least(0), READ_ONLY),
        ("group.share.max.delivery.count.limit", INT, 10, between(5, 25), READ_ONLY),
        ("group.share.max.heartbeat.interval.ms", INT, 15000, at_least(1), READ_ONLY),
        ("group.share.max.partition.max.record.locks", INT, 4000, between(2000, 10000), READ_ONLY),
        ("group.share.max.record.lock.duration.ms", INT, 60000, between(30000, 3600000), READ_ONLY),
        ("group.share.max.session.timeout.ms", INT, 60000, at_least(1), READ_ONLY),
        ("group.share.max.share.sessions", INT, 2000, at_least(1), READ_ONLY),
        ("group.share.max.size", INT, 200, between(1, 1000), READ_ONLY),
        ("group.share.min.assignment.interval.ms", INT, 0, at_least(0), READ_ONLY),
        ("group.share.min.delivery.count.limit", INT, 2, between(2, 5), READ_ONLY),
        ("group.share.min.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY),
        ("group.share.min.partition.max.record.locks", INT, 100, between(100, 2000), READ_ONLY),
        ("group.share.min.record.lock.duration.ms", INT, 15000, between(1000, 30000), READ_ONLY),
        ("group.share.min.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY),
        ("group.share.partition.max.record.locks", INT, 2000, between(100, 10000), READ_ONLY),
        ("group.share.record.lock.duration.ms", INT, 30000, between(1000, 3600000), READ_ONLY),
        ("group.share.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY),
        ("share.coordinator.append.linger.ms", INT, -1, at_least(-1), READ_ONLY),
        ("share.coordinator.cached.buffer.max.bytes", INT, 1048588, at_least(524288), CLUSTER_WIDE),
        ("share.coordinator.load.buffer.size", INT, 5242880, at_least(1), READ_ONLY),
        ("share.coordinator.snapshot.update.records.per.snapshot", INT,
         500, between(0, 500), READ_ONLY),
        ("share.coordinator.state.topic.compression.codec", INT, 0, None, READ_ONLY),
        ("share.coordinator.threads", INT, 1, at_least(1), READ_ONLY),
        ("share.coordinator.write.timeout.ms", INT, 5000, at_least(1), READ_ONLY),
        ("share.fetch.purgatory.purge.interval.requests", INT, 1000, None, READ_ONLY),
    )),
    *without_effect("there are no dead letter queues yet", (
        ("errors.deadletterqueue.auto.create.topics.enable", BOOLEAN, False, None, CLUSTER_WIDE),
        ("errors.deadletterqueue.topic.name.prefix", STRING, "dlq.", None, CLUSTER_WIDE),
    )),
    *without_effect("the streams group protocol is not served yet", (
        ("group.streams.assignors", LIST, ("sticky",), None, READ_ONLY),
        ("group.streams.rack.aware.assignment.tags", LIST, (), None, READ_ONLY),
        ("group.streams.topology.description.plugin.class", CLASS, None, None, READ_ONLY),
        ("group.streams.assignment.interval.ms", INT, 1000, at_least(0), CLUSTER_WIDE),
        ("group.streams.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY),
        ("group.streams.initial.rebalance.delay.ms", INT, 3000, at_least(0), READ_ONLY),
        ("group.streams.max.assignment.interval.ms", INT, 15000, at_least(0), READ_ONLY),
        ("group.streams.max.heartbeat.interval.ms", INT, 15000, at_least(1), READ_ONLY),
        ("group.streams.max.session.timeout.ms", INT, 60000, at_least(1), READ_ONLY),
        ("group.streams.max.size", INT, INT_MAX, at_least(1), READ_ONLY),
        ("group.streams.max.standby.replicas", INT, 2, at_least(0), READ_ONLY),
        ("group.streams.min.assignment.interval.ms", INT, 0, at_least(0), READ_ONLY),
        ("group.streams.min.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY),
        ("group.streams.min.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY),
        ("group.streams.num.standby.replicas", INT, 0, at_least(0), READ_ONLY),
        ("group.streams.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY),
    )),
    *without_effect("each transaction has a timer of its own, so there is no periodic scan", (
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT,
         10000, at_least(1), READ_ONLY),
    )),
    *without_effect("a coordinator reads its log in pieces of 256 KB", (
        ("transaction.state.log.load.buffer.size", INT, 5242880, at_least(1), READ_ONLY),
    )),
    *without_effect("two-phase commit (KIP-939) is not served", (
        ("transaction.two.phase.commit.enable", BOOLEAN, False, None, READ_ONLY),
    )),
)
# fmt: on
