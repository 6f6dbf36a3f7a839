"""What AlterConfigs, IncrementalAlterConfigs and CreateTopics accept.

All functions raise KafkaError with Apache Kafka's words, which people search for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings.catalog import BROKER, TOPIC, nearest
from raftka.model.settings.setting import Setting, Type, Value

_SECURITY_PREFIXES = ("ssl.", "sasl.")


def validate_topic_config(name: str, value: str | None) -> Value:
    """The value that a topic's setting would get. Raises KafkaError INVALID_CONFIG."""
    setting = TOPIC.get(name)
    if setting is None:
        _refuse(f"Unknown topic config name: {name}{_hint(name, TOPIC)}")
    if value is None:
        _refuse(f"Null value not supported for topic configs: {name}")
    return _parsed(setting, value, ErrorCode.INVALID_CONFIG)


def validate_topic_configs(entries: Mapping[str, str | None]) -> None:
    """Check all overrides of a topic, also against each other. Raises KafkaError INVALID_CONFIG."""
    values = {name: validate_topic_config(name, value) for name, value in entries.items()}
    if values.get("remote.storage.enable"):
        _refuse(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured"
            " with remote log storage."
        )
    low, high = (
        values.get(name, TOPIC[name].default)
        for name in ("min.compaction.lag.ms", "max.compaction.lag.ms")
    )
    if isinstance(low, int) and isinstance(high, int) and low > high:
        _refuse(
            f"conflict topic config setting min.compaction.lag.ms ({low}) >"
            f" max.compaction.lag.ms ({high})"
        )


def validate_broker_config(name: str, value: str | None, *, cluster_wide: bool = False) -> Value:
    """The value that a broker's dynamic setting would get, or that of all brokers.

    A name that is not known passes: it may belong to a plugin. Raises KafkaError
    INVALID_REQUEST, which is the code that Kafka gives here.
    """
    setting = BROKER.get(name)
    if setting is None:
        return value
    if not setting.dynamic:
        _refuse(f"Cannot update these configs dynamically: [{name}]", ErrorCode.INVALID_REQUEST)
    if name.startswith(_SECURITY_PREFIXES):
        _refuse(
            "These security configs can be dynamically updated only per-listener using the"
            f" listener prefix: [{name}]",
            ErrorCode.INVALID_REQUEST,
        )
    if cluster_wide and setting.dynamic < 2:
        _refuse(
            f"Cannot update these configs at default cluster level, broker id must be specified:"
            f" [{name}]",
            ErrorCode.INVALID_REQUEST,
        )
    parsed = _parsed(setting, value, ErrorCode.INVALID_REQUEST)
    if name == "log.retention.ms" and isinstance(parsed, int) and (parsed == 0 or parsed < -1):
        _refuse(
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or"
            " equal to 1",
            ErrorCode.INVALID_REQUEST,
        )
    return parsed


def is_list(name: str, *, topic: bool) -> bool:
    """Whether APPEND and SUBTRACT apply to a setting."""
    setting = (TOPIC if topic else BROKER).get(name)
    return setting is not None and setting.type is Type.LIST


def _parsed(setting: Setting, value: str | None, code: ErrorCode) -> Value:
    try:
        return setting.parse(value)
    except ValueError as error:
        shown = "[hidden]" if setting.sensitive else _shown(setting, value)
        _refuse(f"Invalid value {shown} for configuration {setting.name}: {error}", code)


def _shown(setting: Setting, value: str | None) -> str:
    """The value as Kafka quotes it: numbers with a point as Java writes them."""
    if setting.type is Type.DOUBLE and value is not None:
        try:
            return str(float(value))
        except ValueError:
            return value
    return str(value)


def _hint(name: str, known: Mapping[str, Setting]) -> str:
    meant = nearest(name, known)
    return "" if meant is None else f". Did you mean {meant}?"


def _refuse(words: str, code: ErrorCode = ErrorCode.INVALID_CONFIG) -> NoReturn:
    raise KafkaError(code, words)
