"""The settings of producers, consumers and admin clients: one table for each."""

from __future__ import annotations

from collections.abc import Mapping

from raftka.client.security import SECURITY
from raftka.client.settings import (
    ClientConfig,
    ConfigError,
    Setting,
    acks,
    flag,
    integer,
    names,
    optional_text,
    text,
)

_INT_MAX = 2**31 - 1
MAX_IN_FLIGHT_IDEMPOTENT = 5
"""Batches of one producer and partition that a broker remembers to detect duplicates (KIP-98)."""


def _table(*settings: Setting) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


COMMON = _table(
    Setting("bootstrap.servers", names, [], "Brokers to reach the cluster by: host:port,..."),
    Setting("client.id", text, "", "The name by which brokers log and count this client."),
    Setting("request.timeout.ms", integer, 30_000, "How long an answer may take.", low=1),
    Setting("metadata.max.age.ms", integer, 300_000, "Refresh the cluster's layout so often.", 0),
    Setting("retry.backoff.ms", integer, 100, "The pause before a first retry.", low=0),
    Setting("retry.backoff.max.ms", integer, 1_000, "The longest pause between retries.", low=0),
    Setting("reconnect.backoff.ms", integer, 50, "The pause before a first reconnect.", low=0),
    Setting("reconnect.backoff.max.ms", integer, 1_000, "The longest pause to reconnect.", low=0),
    Setting("connections.max.idle.ms", integer, 540_000, "Close an unused connection after this."),
    Setting(
        "socket.connection.setup.timeout.ms", integer, 10_000, "How long connecting may take.", 1
    ),
    Setting(
        "raftka.broker.silence.max.ms",
        integer,
        1_000,
        "Ask other brokers about one that owes an answer and has said nothing for so long, and"
        " leave it once they go on without it; 0: wait for request.timeout.ms. No client of"
        " Kafka's has it.",
        low=0,
    ),
    *SECURITY,
)

PRODUCER = COMMON | _table(
    Setting(
        "acks",
        acks,
        -1,
        "Which replicas must have a batch before it counts as sent: 0 (none), 1 (the leader), all.",
    ),
    Setting("enable.idempotence", flag, True, "Write each record once, whatever is retried."),
    Setting("linger.ms", integer, 5, "Wait so long for more records for a batch.", low=0),
    Setting("batch.size", integer, 16_384, "Send a batch when it has so many bytes.", low=0),
    Setting("max.request.size", integer, 1_048_576, "The largest request, in bytes.", low=0),
    Setting("buffer.memory", integer, 33_554_432, "Bytes of records that may wait.", low=0),
    Setting("max.block.ms", integer, 60_000, "How long send waits for metadata or memory.", 0),
    Setting("retries", integer, _INT_MAX, "How often a batch is sent again.", 0, _INT_MAX),
    Setting("delivery.timeout.ms", integer, 120_000, "A batch fails after so long.", low=0),
    Setting("max.in.flight.requests.per.connection", integer, 5, "Unanswered requests.", low=1),
    Setting(
        "compression.type",
        text,
        "none",
        "How batches are compressed.",
        choices=("none", "gzip", "snappy", "lz4", "zstd"),
    ),
    Setting("partitioner.ignore.keys", flag, False, "Spread records that have a key, too."),
    Setting(
        "partitioner.adaptive.partitioning.enable",
        flag,
        True,
        "Give more records without a key to partitions whose brokers keep up.",
    ),
    Setting("metadata.max.idle.ms", integer, 300_000, "Forget an unused topic after this.", 5_000),
    Setting(
        "transactional.id",
        optional_text,
        None,
        "The lasting name of a producer that writes in transactions.",
    ),
    Setting(
        "transaction.timeout.ms",
        integer,
        60_000,
        "A transaction that is open for longer is aborted by its coordinator.",
        low=0,
    ),
)

CONSUMER = COMMON | _table(
    Setting("group.id", optional_text, None, "The group whose members share the partitions."),
    Setting(
        "group.protocol",
        text,
        "classic",
        "How the group divides partitions: classic, by a leader among its members; consumer, by its"
        " coordinator (KIP-848).",
        choices=("classic", "consumer"),
    ),
    Setting(
        "group.remote.assignor",
        optional_text,
        None,
        "The coordinator's assignor for group.protocol = consumer: uniform or range.",
    ),
    Setting("group.instance.id", optional_text, None, "A name that makes the member static."),
    Setting(
        "auto.offset.reset",
        text,
        "latest",
        "Where to begin without a committed offset.",
        choices=("latest", "earliest", "none"),
    ),
    Setting("enable.auto.commit", flag, True, "Commit what was polled, in the background."),
    Setting("auto.commit.interval.ms", integer, 5_000, "How often to commit.", low=0),
    Setting("fetch.min.bytes", integer, 1, "Bytes that a broker waits for.", low=0),
    Setting("fetch.max.wait.ms", integer, 500, "How long a broker waits for them.", low=0),
    Setting("fetch.max.bytes", integer, 52_428_800, "The most bytes of one answer.", low=0),
    Setting("max.partition.fetch.bytes", integer, 1_048_576, "The most for a partition.", 0),
    Setting("max.poll.records", integer, 500, "The most records that one poll returns.", low=1),
    Setting("max.poll.interval.ms", integer, 300_000, "A member that polls later leaves.", 1),
    Setting("session.timeout.ms", integer, 45_000, "A member is dead after this silence.", low=0),
    Setting("heartbeat.interval.ms", integer, 3_000, "How often a member shows life.", low=1),
    Setting(
        "partition.assignment.strategy",
        names,
        ["range", "cooperative-sticky"],
        "How a group divides partitions: range, roundrobin, sticky, cooperative-sticky.",
    ),
    Setting(
        "isolation.level",
        text,
        "read_uncommitted",
        "Whether records of open and aborted transactions are seen.",
        choices=("read_uncommitted", "read_committed"),
    ),
    Setting("client.rack", text, "", "Where this client is, to read from a replica nearby."),
    Setting("check.crcs", flag, True, "Check the checksum of what was read."),
    Setting("exclude.internal.topics", flag, True, "A pattern does not match internal topics."),
    Setting("allow.auto.create.topics", flag, True, "A subscription may create its topic."),
    Setting("default.api.timeout.ms", integer, 60_000, "How long a call may take.", low=0),
)

SHARE_CONSUMER = COMMON | _table(
    Setting("group.id", text, "", "The share group to join."),
    Setting(
        "share.acknowledgement.mode",
        text,
        "implicit",
        "Whether records count as accepted with the next poll, or each must be acknowledged.",
        choices=("implicit", "explicit"),
    ),
    Setting(
        "share.acquire.mode",
        text,
        "batch_optimized",
        "Whether a poll may exceed max.poll.records to the end of a batch (KIP-1206).",
        choices=("batch_optimized", "record_limit"),
    ),
    Setting("fetch.min.bytes", integer, 1, "Bytes that a broker waits for.", low=0),
    Setting("fetch.max.wait.ms", integer, 500, "How long a broker waits for them.", low=0),
    Setting("fetch.max.bytes", integer, 52_428_800, "The most bytes of one answer.", low=0),
    Setting("max.poll.records", integer, 500, "The most records that one poll returns.", low=1),
    Setting("client.rack", text, "", "Where this client is."),
    Setting("default.api.timeout.ms", integer, 60_000, "How long a call may take.", low=0),
)

ADMIN = COMMON | _table(
    Setting("default.api.timeout.ms", integer, 60_000, "How long a call may take.", low=0),
    Setting("retries", integer, _INT_MAX, "How often a request is sent again.", 0, _INT_MAX),
    Setting("bootstrap.controllers", names, [], "Controllers to talk to directly: host:port,..."),
)


def producer_config(given: Mapping[str, object]) -> ClientConfig:
    """Raises ConfigError, also for settings that contradict each other."""
    config = ClientConfig("producer", PRODUCER, given)
    if config.optional_text("transactional.id") is not None:
        _check_transactional(config)
    obstacle = _not_idempotent_because(config)
    if config.flag("enable.idempotence") and obstacle:
        # KIP-679: a default yields to an explicit setting; two explicit ones may conflict.
        if config.optional_text("transactional.id") is not None:
            raise ConfigError(f"a transactional.id does not go with {obstacle}")
        if config.given("enable.idempotence"):
            raise ConfigError(f"enable.idempotence = true does not go with {obstacle}")
        config.override("enable.idempotence", False)
    if config.number("delivery.timeout.ms") < config.number("linger.ms") + config.number(
        "request.timeout.ms"
    ):
        if config.given("delivery.timeout.ms"):
            raise ConfigError(
                f"delivery.timeout.ms = {config.number('delivery.timeout.ms')}: it must be at least"
                f" linger.ms + request.timeout.ms = "
                f"{config.number('linger.ms') + config.number('request.timeout.ms')}"
            )
        config.override(
            "delivery.timeout.ms",
            config.number("linger.ms") + config.number("request.timeout.ms"),
        )
    return config


_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")
"""Settings that the coordinator decides for members of the consumer protocol."""


def consumer_config(given: Mapping[str, object]) -> ClientConfig:
    """Raises ConfigError, also for settings that contradict each other."""
    config = ClientConfig("consumer", CONSUMER, given)
    if config.text("group.protocol") == "consumer":
        for name in _CLASSIC_ONLY:
            if config.given(name):
                raise ConfigError(
                    f"{name} cannot be set when group.protocol=consumer: the coordinator decides it"
                )
    elif config.optional_text("group.remote.assignor") is not None:
        raise ConfigError("group.remote.assignor needs group.protocol=consumer")
    heartbeat, session = config.number("heartbeat.interval.ms"), config.number("session.timeout.ms")
    if heartbeat >= session:
        raise ConfigError(
            f"heartbeat.interval.ms = {heartbeat}: it must be below session.timeout.ms = {session},"
            " best a third of it"
        )
    if config.optional_text("group.id") is None and config.flag("enable.auto.commit"):
        if config.given("enable.auto.commit"):
            raise ConfigError("enable.auto.commit = true needs a group.id to commit for")
        config.override("enable.auto.commit", False)
    return config


def share_consumer_config(given: Mapping[str, object]) -> ClientConfig:
    """Raises ConfigError, also without a group."""
    config = ClientConfig("share consumer", SHARE_CONSUMER, given)
    if not config.text("group.id"):
        raise ConfigError("group.id: a share consumer must name its group")
    return config


def admin_config(given: Mapping[str, object]) -> ClientConfig:
    return ClientConfig("admin client", ADMIN, given)


def _check_transactional(config: ClientConfig) -> None:
    if not config.optional_text("transactional.id"):
        raise ConfigError("transactional.id is empty: it must be a name, or not be set")
    if not config.flag("enable.idempotence"):
        raise ConfigError("a transactional.id does not go with enable.idempotence = false")


def _not_idempotent_because(config: ClientConfig) -> str | None:
    """With this setting a broker cannot distinguish a retried batch from a new one."""
    if config.number("acks") != -1:
        return f"acks = {config.number('acks')}: it needs acks = all"
    if config.number("retries") == 0:
        return "retries = 0: it needs retries"
    limit = config.number("max.in.flight.requests.per.connection")
    if limit > MAX_IN_FLIGHT_IDEMPOTENT:
        return (
            f"max.in.flight.requests.per.connection = {limit}: brokers remember"
            f" {MAX_IN_FLIGHT_IDEMPOTENT} batches of a producer"
        )
    return None
