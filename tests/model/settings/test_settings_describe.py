"""What DescribeConfigs shows and AlterConfigs takes; expectations are Apache Kafka's answers."""

from __future__ import annotations

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings import Config, read_config, with_dynamic
from raftka.model.settings.altering import (
    is_list,
    validate_topic_config,
    validate_topic_configs,
)
from raftka.model.settings.catalog import BROKER, TOPIC
from raftka.model.settings.describe import (
    Description,
    Source,
    describe_broker,
    describe_broker_defaults,
    describe_topic,
)

NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@127.0.0.1:9093",
    "log.dirs": "/data",
}


def config(**static: str) -> Config:
    return read_config({**NODE, **{n.replace("_", "."): v for n, v in static.items()}})


def shown(entry: Description) -> str:
    """As kafka-configs --describe prints it."""
    synonyms = ", ".join(f"{s.source.name}:{s.name}={s.value}" for s in entry.synonyms)
    value = "null" if entry.value is None else entry.value
    return f"{entry.name}={value} sensitive={str(entry.sensitive).lower()} synonyms={{{synonyms}}}"


def broker(node: Config, name: str) -> str:
    return shown(describe_broker(node, [name])[0])


def topic(node: Config, name: str, **overrides: str) -> str:
    given = {n.replace("_", "."): v for n, v in overrides.items()}
    return shown(describe_topic(node, given, [name])[0])


def test_all_settings_are_described_by_name() -> None:
    node = config()
    assert [e.name for e in describe_broker(node)] == sorted(BROKER)
    assert [e.name for e in describe_topic(node, {})] == sorted(TOPIC)


def test_static_settings_and_defaults() -> None:
    node = config()
    assert broker(node, "log.dirs") == (
        "log.dirs=/data sensitive=false synonyms={STATIC_BROKER_CONFIG:log.dirs=/data}"
    )
    assert broker(node, "log.retention.ms") == ("log.retention.ms=null sensitive=false synonyms={}")
    assert broker(node, "listeners") == (
        "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093 sensitive=false"
        " synonyms={STATIC_BROKER_CONFIG:listeners=PLAINTEXT://127.0.0.1:9092,"
        "CONTROLLER://127.0.0.1:9093, DEFAULT_CONFIG:listeners=PLAINTEXT://:9092}"
    )


def test_layers_of_dynamic_settings() -> None:
    node = with_dynamic(
        config(),
        {"log.retention.ms": "1000000", "message.max.bytes": "2000000"},
        {"log.retention.ms": "2000000", "log.roll.ms": "5000000"},
    )
    assert broker(node, "log.retention.ms") == (
        "log.retention.ms=1000000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms"
        "=1000000, DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2000000,"
        " DEFAULT_CONFIG:log.retention.hours=168}"
    )
    assert topic(node, "max.message.bytes") == (
        "max.message.bytes=2000000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:"
        "message.max.bytes=2000000, DEFAULT_CONFIG:message.max.bytes=1048588}"
    )
    assert topic(node, "retention.ms", retention_ms="3000000") == (
        "retention.ms=3000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=3000000,"
        " DYNAMIC_BROKER_CONFIG:log.retention.ms=1000000,"
        " DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2000000,"
        " DEFAULT_CONFIG:log.retention.hours=168}"
    )
    assert topic(node, "segment.ms") == (
        "segment.ms=5000000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.roll.ms"
        "=5000000, DEFAULT_CONFIG:log.roll.hours=168}"
    )


def test_a_default_in_other_units_is_the_value_without_a_synonym() -> None:
    assert topic(config(), "retention.ms") == "retention.ms=604800000 sensitive=false synonyms={}"
    assert topic(config(), "cleanup.policy", cleanup_policy="") == (
        "cleanup.policy= sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=,"
        " DEFAULT_CONFIG:log.cleanup.policy=delete}"
    )


def test_a_source_comes_with_each_value() -> None:
    node = config(num_partitions="3")
    (partitions,) = describe_broker(node, ["num.partitions"])
    assert (partitions.source, partitions.read_only) == (Source.STATIC_BROKER_CONFIG, True)
    (retention,) = describe_topic(node, {}, ["retention.ms"])
    assert (retention.source, retention.read_only) == (Source.DEFAULT_CONFIG, False)


def test_secrets_are_not_shown() -> None:
    assert broker(config(ssl_key_password="sesame"), "ssl.key.password") == (
        "ssl.key.password=null sensitive=true synonyms={STATIC_BROKER_CONFIG:ssl.key.password=None}"
    )


def test_unknown_dynamic_settings_may_be_secret() -> None:
    node = with_dynamic(config(), {"unknown.x": "1"}, {})
    assert broker(node, "unknown.x").startswith("unknown.x=null sensitive=true")
    (entry,) = describe_broker_defaults({"unknown.y": "2", "log.roll.ms": "3"}, ["unknown.y"])
    assert (entry.value, entry.sensitive) == (None, True)


def test_defaults_of_all_brokers_are_only_those_that_are_set() -> None:
    (entry,) = describe_broker_defaults({"log.roll.ms": "3"})
    assert shown(entry) == (
        "log.roll.ms=3 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.roll.ms=3}"
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("retention.ms", "abc", "Not a number of type LONG"),
        ("retention.ms", "-5", "Value must be at least -1"),
        ("cleanup.policy", "foo", "String must be one of: compact, delete"),
        ("segment.bytes", "10", "Value must be at least 1048576"),
        ("preallocate", "yes", "Expected value to be either true or false"),
        ("compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"),
        ("max.message.bytes", "99999999999", "Not a number of type INT"),
    ],
)
def test_topic_settings_are_refused_in_kafkas_words(name: str, value: str, words: str) -> None:
    with pytest.raises(KafkaError) as caught:
        validate_topic_config(name, value)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message == f"Invalid value {value} for configuration {name}: {words}"


def test_a_number_with_a_point_is_shown_as_java_shows_it() -> None:
    with pytest.raises(
        KafkaError, match=r"Invalid value 2\.0 for .*: Value must be no more than 1"
    ):
        validate_topic_config("min.cleanable.dirty.ratio", "2")


def test_throttled_replicas() -> None:
    name = "leader.replication.throttled.replicas"
    for fine in ("*", "0:1,1:2", ""):
        validate_topic_config(name, fine)
    with pytest.raises(KafkaError, match="must be the literal"):
        validate_topic_config(name, "foo")


def test_unknown_topic_settings_are_refused_with_a_hint() -> None:
    with pytest.raises(KafkaError, match=r"config name: retentoin\.ms\. Did you mean"):
        validate_topic_config("retentoin.ms", "1")
    with pytest.raises(KafkaError, match=r"Unknown topic config name: unknown\.x$"):
        validate_topic_config("unknown.x", "1")


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(KafkaError, match=r"min\.compaction\.lag\.ms \(10\) > max"):
        validate_topic_configs({"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"})
    with pytest.raises(KafkaError, match="Tiered Storage"):
        validate_topic_configs({"remote.storage.enable": "true"})
    with pytest.raises(KafkaError, match="Null value"):
        validate_topic_configs({"retention.ms": None})
    validate_topic_configs({"retention.ms": "1", "cleanup.policy": "compact,delete"})


def test_lists_can_be_appended_to() -> None:
    assert is_list("cleanup.policy", topic=True)
    assert not is_list("retention.ms", topic=True)
    assert is_list("log.cleanup.policy", topic=False)
    assert not is_list("unknown", topic=False)
