"""Validates topic settings in AlterConfigs, IncrementalAlterConfigs and CreateTopics.

All functions raise KafkaError with Apache Kafka's messages, which people search for. Brokers:
altering_brokers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings.catalog import BROKER, TOPIC, nearest
from raftka.model.settings.setting import Setting, Type, Value


def validate_topic_config(name: str, value: str | None) -> Value:
    """The new value of a topic's setting. Raises KafkaError INVALID_CONFIG."""
    setting = TOPIC.get(name)
    if setting is None:
        refuse(f"Unknown topic config name: {name}{_hint(name, TOPIC)}")
    if value is None:
        refuse(f"Null value not supported for topic configs: {name}")
    return parsed(setting, value, ErrorCode.INVALID_CONFIG)


def validate_topic_configs(entries: Mapping[str, str | None]) -> None:
    """Validate all overrides of a topic, also in combination. Raises KafkaError INVALID_CONFIG."""
    values = {name: validate_topic_config(name, value) for name, value in entries.items()}
    if values.get("remote.storage.enable"):
        refuse(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured"
            " with remote log storage."
        )
    low, high = (
        values.get(name, TOPIC[name].default)
        for name in ("min.compaction.lag.ms", "max.compaction.lag.ms")
    )
    if isinstance(low, int) and isinstance(high, int) and low > high:
        refuse(
            f"conflict topic config setting min.compaction.lag.ms ({low}) >"
            f" max.compaction.lag.ms ({high})"
        )


def is_list(name: str, *, topic: bool) -> bool:
    """Whether APPEND and SUBTRACT apply to a setting."""
    setting = (TOPIC if topic else BROKER).get(name)
    return setting is not None and setting.type is Type.LIST


def parsed(setting: Setting, value: str | None, code: ErrorCode) -> Value:
    """The value of a setting's text. Raises KafkaError with that code."""
    try:
        return setting.parse(value)
    except ValueError as error:
        shown = "[hidden]" if setting.sensitive else _shown(setting, value)
        refuse(f"Invalid value {shown} for configuration {setting.name}: {error}", code)


def _shown(setting: Setting, value: str | None) -> str:
    """The value as Kafka prints it: floats in Java's format."""
    if setting.type is Type.DOUBLE and value is not None:
        try:
            return str(float(value))
        except ValueError:
            return value
    return str(value)


def _hint(name: str, known: Mapping[str, Setting]) -> str:
    meant = nearest(name, known)
    return "" if meant is None else f". Did you mean {meant}?"


def refuse(words: str, code: ErrorCode = ErrorCode.INVALID_CONFIG) -> NoReturn:
    """Raise KafkaError with that code."""
    raise KafkaError(code, words)
