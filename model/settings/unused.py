"""Settings of components that raftka does not have, accepted so that a file written for Apache
Kafka works unchanged.
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
    LONG,
    LONG_MAX,
    READ_ONLY,
    STRING,
    NonEmpty,
    at_least,
    without_effect,
)
from raftka.model.settings.setting import Setting

# fmt: off
UNUSED_SETTINGS: Final[tuple[Setting, ...]] = (
    *without_effect("there is no tiered storage: all records stay in log.dirs", (
        ("follower.fetch.last.tiered.offset.enable", BOOLEAN, False, None, CLUSTER_WIDE),
        ("log.local.retention.bytes", LONG, -2, at_least(-2), CLUSTER_WIDE),
        ("log.local.retention.ms", LONG, -2, at_least(-2), CLUSTER_WIDE),
        ("log.remote.copy.lag.bytes", LONG, -1, at_least(-1), CLUSTER_WIDE),
        ("log.remote.copy.lag.ms", LONG, 0, at_least(-1), CLUSTER_WIDE),
        ("remote.fetch.max.wait.ms", INT, 500, at_least(1), CLUSTER_WIDE),
        ("remote.list.offsets.request.timeout.ms", LONG, 30000, at_least(1), CLUSTER_WIDE),
        ("remote.log.index.file.cache.total.size.bytes", LONG, 1073741824, at_least(1),
         CLUSTER_WIDE),
        ("remote.log.manager.copier.thread.pool.size", INT, 10, at_least(1), CLUSTER_WIDE),
        ("remote.log.manager.copy.max.bytes.per.second", LONG, LONG_MAX, at_least(1), CLUSTER_WIDE),
        ("remote.log.manager.copy.quota.window.num", INT, 11, at_least(1), READ_ONLY),
        ("remote.log.manager.copy.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY),
        ("remote.log.manager.expiration.thread.pool.size", INT, 10, at_least(1), CLUSTER_WIDE),
        ("remote.log.manager.fetch.max.bytes.per.second", LONG, LONG_MAX, at_least(1),
         CLUSTER_WIDE),
        ("remote.log.manager.fetch.quota.window.num", INT, 11, at_least(1), READ_ONLY),
        ("remote.log.manager.fetch.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY),
        ("remote.log.manager.follower.thread.pool.size", INT, 2, at_least(1), CLUSTER_WIDE),
        ("remote.log.manager.task.interval.ms", LONG, 30000, at_least(1), READ_ONLY),
        ("remote.log.manager.thread.pool.size", INT, 2, at_least(1), READ_ONLY),
        ("remote.log.metadata.custom.metadata.max.bytes", INT, 128, at_least(0), READ_ONLY),
        ("remote.log.metadata.manager.class.name", STRING,
         "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
         NonEmpty(), READ_ONLY),
        ("remote.log.metadata.manager.class.path", STRING, None, None, READ_ONLY),
        ("remote.log.metadata.manager.impl.prefix", STRING, "rlmm.config.", NonEmpty(), READ_ONLY),
        ("remote.log.metadata.manager.listener.name", STRING, None, NonEmpty(), READ_ONLY),
        ("remote.log.reader.max.pending.tasks", INT, 100, at_least(1), READ_ONLY),
        ("remote.log.reader.threads", INT, 10, at_least(1), CLUSTER_WIDE),
        ("remote.log.storage.manager.class.name", STRING, None, NonEmpty(), READ_ONLY),
        ("remote.log.storage.manager.class.path", STRING, None, None, READ_ONLY),
        ("remote.log.storage.manager.impl.prefix", STRING, "rsm.config.", NonEmpty(), READ_ONLY),
        ("remote.log.storage.system.enable", BOOLEAN, False, None, READ_ONLY),
    )),
    *without_effect("one loop serves all connections: there are no threads or queues to size", (
        ("background.threads", INT, 10, at_least(1), CLUSTER_WIDE),
        ("delete.records.purgatory.purge.interval.requests", INT, 1, None, READ_ONLY),
        ("fetch.purgatory.purge.interval.requests", INT, 1000, None, READ_ONLY),
        ("group.coordinator.append.linger.ms", INT, -1, at_least(-1), READ_ONLY),
        ("group.coordinator.background.threads", INT, 2, at_least(1), READ_ONLY),
        ("group.coordinator.cached.buffer.max.bytes", INT, 1048588, at_least(524288), CLUSTER_WIDE),
        ("group.coordinator.threads", INT, 4, at_least(1), READ_ONLY),
        ("max.connection.creation.rate", INT, INT_MAX, at_least(0), CLUSTER_WIDE),
        ("num.io.threads", INT, 8, at_least(1), CLUSTER_WIDE),
        ("num.network.threads", INT, 3, at_least(1), CLUSTER_WIDE),
        ("num.recovery.threads.per.data.dir", INT, 2, at_least(1), CLUSTER_WIDE),
        ("num.replica.alter.log.dirs.threads", INT, None, None, READ_ONLY),
        ("producer.purgatory.purge.interval.requests", INT, 1000, None, READ_ONLY),
        ("queued.max.request.bytes", LONG, -1, None, READ_ONLY),
        ("queued.max.requests", INT, 500, at_least(1), READ_ONLY),
    )),
    *without_effect("metrics are Prometheus' to collect (prometheus.metrics.reporter.listener)", (
        ("kafka.metrics.polling.interval.secs", INT, 10, at_least(1), READ_ONLY),
        ("kafka.metrics.reporters", LIST, (), None, READ_ONLY),
        ("metric.reporters", LIST,
         ("org.apache.kafka.common.metrics.JmxReporter",), None, CLUSTER_WIDE),
        ("metrics.num.samples", INT, 2, at_least(1), READ_ONLY),
        ("metrics.recording.level", STRING, "INFO", None, READ_ONLY),
        ("metrics.sample.window.ms", LONG, 30000, at_least(1), READ_ONLY),
    )),
    *without_effect("Java classes cannot be loaded here", (
        ("alter.config.policy.class.name", CLASS, None, None, READ_ONLY),
        ("client.quota.callback.class", CLASS, None, None, READ_ONLY),
        ("create.topic.policy.class.name", CLASS, None, None, READ_ONLY),
    )),
    *without_effect("the quorum has its own transport, journal and snapshots", (
        ("controller.quorum.auto.join.enable", BOOLEAN, False, None, READ_ONLY),
        ("controller.quorum.fetch.max.bytes", INT, 1048576, at_least(1), READ_ONLY),
        ("controller.quorum.fetch.snapshot.max.bytes", INT, 1048576, at_least(1), READ_ONLY),
        ("metadata.log.segment.ms", LONG, 604800000, None, READ_ONLY),
        ("controller.quorum.election.backoff.max.ms", INT, 1000, at_least(0), READ_ONLY),
        ("controller.quorum.request.timeout.ms", INT, 2000, at_least(0), READ_ONLY),
        ("controller.quorum.retry.backoff.ms", INT, 20, at_least(0), READ_ONLY),
        ("controller.quorum.append.linger.ms", INT, 25, at_least(0), READ_ONLY),
        ("metadata.max.retention.ms", LONG, 604800000, None, READ_ONLY),
        ("metadata.max.idle.interval.ms", INT, 500, at_least(0), READ_ONLY),
    )),
    *without_effect("this broker has no such step", (
        ("early.start.listeners", LIST, None, None, READ_ONLY),
        ("offsets.topic.compression.codec", INT, 0, None, READ_ONLY),
        ("socket.connection.setup.timeout.max.ms", LONG, 30000, None, READ_ONLY),
        ("socket.connection.setup.timeout.ms", LONG, 10000, None, READ_ONLY),
    )),
    *without_effect("sockets and buffers have the sizes that the system gives them", (
        ("socket.listen.backlog.size", INT, 50, at_least(1), READ_ONLY),
        ("socket.send.buffer.bytes", INT, 102400, None, READ_ONLY),
        ("socket.receive.buffer.bytes", INT, 102400, None, READ_ONLY),
        ("replica.socket.receive.buffer.bytes", INT, 65536, None, READ_ONLY),
        ("offsets.load.buffer.size", INT, 5242880, at_least(1), READ_ONLY),
    )),
    *without_effect("one connection to a leader carries all partitions", (
        ("num.replica.fetchers", INT, 1, at_least(1), CLUSTER_WIDE),
    )),
    *without_effect("what happens to a directory is written and reported at once", (
        ("log.flush.start.offset.checkpoint.interval.ms", INT, 60000, at_least(0), READ_ONLY),
        ("log.dir.failure.timeout.ms", LONG, 30000, at_least(1), READ_ONLY),
    )),
    *without_effect("nodes wait for each other as long as each request allows", (
        ("controller.socket.timeout.ms", INT, 30000, None, READ_ONLY),
    )),
)
# fmt: on
