"""Partitions of groups and transactional ids, compared with Apache Kafka's choices."""

from __future__ import annotations

from raftka.model.key_hash import java_hash, partition_of_key

KNOWN = {
    "": 0,
    "gj": 49,
    "gs": 8,
    "gret": 24,
    "g2": 43,
    "my-group-1": 4,
    "abcdefgh": 32,
    "payments-app": 41,
    "orders-consumer": 40,
    "confl": 10,
    "perf": 39,
}
"""Where Apache Kafka 4.3.1 and 4.4.0 keep these groups and transactional ids, of 50 partitions."""


def test_a_keys_partition_is_the_one_that_kafka_chooses() -> None:
    assert {name: partition_of_key(name, 50) for name in KNOWN} == KNOWN
    negative = [name for name in KNOWN if java_hash(name) < 0]
    assert negative == ["payments-app", "orders-consumer"]


def test_characters_beyond_16_bits_count_as_two() -> None:
    assert partition_of_key("\U0001f980", 50) == (31 * 0xD83E + 0xDD80) % 50


def test_the_least_integer_has_no_absolute_value() -> None:
    assert java_hash("polygenelubricants") == -(1 << 31)
    assert partition_of_key("polygenelubricants", 50) == 0
