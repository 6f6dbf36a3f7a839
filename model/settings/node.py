"""The node's identity, roles and listeners."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLUSTER_WIDE,
    DOUBLE,
    INT,
    INT_MAX,
    LIST,
    LONG,
    PASSWORD,
    PER_BROKER,
    PROTOCOL_MAP,
    READ_ONLY,
    SECURITY_PROTOCOLS,
    STRING,
    ConnectionOverrides,
    HttpListener,
    OneOf,
    Patterns,
    at_least,
    between,
)
from raftka.model.settings.setting import Setting

# fmt: off
NODE_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("process.roles", LIST, None, OneOf(("broker", "controller")), READ_ONLY,
            "What this node does: broker, controller, or both."),
    Setting("node.id", INT, None, at_least(0), READ_ONLY,
            "The number by which the cluster knows this node; unique among brokers and "
            "controllers."),
    Setting("broker.id", INT, -1, None, READ_ONLY,
            "The old name of node.id. When both are given they must be equal."),
    Setting("config.providers", LIST, (), None, CLUSTER_WIDE,
            "Where ${name:path:key} in a value is looked up; each name has a class in "
            "config.providers.NAME.class: EnvVar-, File- or DirectoryConfigProvider of Kafka."),
    Setting("raftka.trace.file", STRING, None, None, READ_ONLY,
            "A file to write every event of this node to, as JSON lines (docs/trace.md)."),
    Setting("raftka.log.format", STRING, "text", OneOf(("text", "json")), READ_ONLY,
            "How log lines are written: words first, or as JSON objects for a log collector."),
    Setting("prometheus.metrics.reporter.listener", STRING, None, HttpListener(), READ_ONLY,
            "Where Prometheus finds /metrics, and others /health/live and /health/ready, as "
            "http://host:port; an empty host is the default interface. Not given: nowhere."),
    Setting("prometheus.metrics.reporter.listener.enable", BOOLEAN, True, None, READ_ONLY,
            "False keeps prometheus.metrics.reporter.listener closed."),
    Setting("prometheus.metrics.reporter.allowlist", LIST, (".*",), Patterns(), READ_ONLY,
            "Regular expressions: only metrics whose whole name one of them matches are shown."),
    Setting("telemetry.max.bytes", INT, 1048576, at_least(1), READ_ONLY,
            "The most bytes of metrics that a client may send at once (KIP-714)."),
    Setting("raftka.metrics.partitions.max", INT, 10000, at_least(0), READ_ONLY,
            "Partitions with metrics of their own; those beyond are in the sums only."),
    Setting("raftka.otlp.traces.endpoint", STRING, None, None, READ_ONLY,
            "Where spans of requests are sent, by OTLP over HTTP, as http://host:4318/v1/traces."
            " Not given: nowhere, and there are none."),
    Setting("raftka.otlp.traces.ratio", DOUBLE, 0.01, between(0, 1), READ_ONLY,
            "The share of requests that have spans."),
    Setting("raftka.otlp.headers", PASSWORD, None, None, READ_ONLY,
            "HTTP headers that go with spans, as name=value with commas between."),
    Setting("broker.rack", STRING, None, None, READ_ONLY,
            "The rack or zone of this broker: replicas are spread over racks, consumers may "
            "fetch nearby."),
    Setting("listeners", LIST, ("PLAINTEXT://:9092",), None, PER_BROKER,
            "Where this node listens, as NAME://host:port; an empty host is the default "
            "interface, 0.0.0.0 all of them."),
    Setting("advertised.listeners", LIST, None, None, READ_ONLY,
            "Where clients and other nodes shall connect; the listeners themselves when "
            "not given."),
    Setting("inter.broker.listener.name", STRING, None, None, READ_ONLY,
            "The listener over which brokers reach each other."),
    Setting("security.inter.broker.protocol", STRING, "PLAINTEXT", SECURITY_PROTOCOLS, READ_ONLY,
            "The security protocol between brokers when inter.broker.listener.name is not given."),
    Setting("controller.listener.names", LIST, None, None, READ_ONLY,
            "The listeners on which controllers serve; brokers connect to the first."),
    Setting("listener.security.protocol.map", STRING, PROTOCOL_MAP, None, PER_BROKER,
            "Which security protocol each listener speaks, as NAME:PROTOCOL."),
    Setting("socket.request.max.bytes", INT, 104857600, at_least(1), READ_ONLY,
            "A request larger than this is refused and its connection closed."),
    Setting("connections.max.idle.ms", LONG, 600000, None, READ_ONLY,
            "A connection that was silent this long is closed."),
    Setting("max.connections", INT, INT_MAX, at_least(0), CLUSTER_WIDE,
            "How many connections clients may have to a broker; a further one is closed at once."),
    Setting("max.connections.per.ip", INT, INT_MAX, at_least(0), CLUSTER_WIDE,
            "How many connections one address may have."),
    Setting("max.connections.per.ip.overrides", STRING, "", ConnectionOverrides(), CLUSTER_WIDE,
            "Other limits for some addresses, as host:count."),
    Setting("controlled.shutdown.enable", BOOLEAN, True, None, READ_ONLY,
            "On SIGTERM, leadership moves to other brokers before this one stops."),
    Setting("delete.topic.enable", BOOLEAN, True, None, READ_ONLY,
            "Whether topics can be deleted."),
    Setting("auto.create.topics.enable", BOOLEAN, True, None, READ_ONLY,
            "Whether a client's question about a topic that does not exist creates it."),
    Setting("num.partitions", INT, 1, at_least(1), READ_ONLY,
            "Partitions of a topic that is created without saying how many."),
    Setting("default.replication.factor", INT, 1, at_least(1), READ_ONLY,
            "Replicas of each partition of a topic that is created without saying how many."),
    Setting("max.request.partition.size.limit", INT, 2000, at_least(1), READ_ONLY,
            "The most partitions that one answer to DescribeTopicPartitions describes."),
    Setting("fetch.max.bytes", INT, 57671680, at_least(1024), READ_ONLY,
            "The most bytes that one answer to a fetch carries, unless its first batch alone is "
            "larger."),
    Setting("max.incremental.fetch.session.cache.slots", INT, 1000, at_least(0), READ_ONLY,
            "How many incremental fetch sessions a broker remembers."),
)
# fmt: on
