"""Helpers for the tables of settings: one line for each setting, without prefixes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from raftka.model.settings.setting import (
    DECOMPRESSED_BYTES_MAX,
    DOUBLE_MAX,
    INT_MAX,
    LONG_MAX,
    Check,
    ConnectionOverrides,
    Dynamic,
    HttpListener,
    NonEmpty,
    OneOf,
    Patterns,
    Range,
    Setting,
    ThrottledReplicas,
    Type,
    Value,
)

__all__ = [
    "BOOLEAN",
    "CLASS",
    "CLEANUP_POLICIES",
    "CLUSTER_WIDE",
    "CODECS",
    "DECOMPRESSED_BYTES_MAX",
    "DOUBLE",
    "DOUBLE_MAX",
    "INT",
    "INT_MAX",
    "LIST",
    "LONG",
    "LONG_MAX",
    "PASSWORD",
    "PER_BROKER",
    "PROTOCOL_MAP",
    "READ_ONLY",
    "SECURITY_PROTOCOLS",
    "SHORT",
    "STRING",
    "TIMESTAMP_TYPES",
    "WITHOUT_EFFECT",
    "ConnectionOverrides",
    "HttpListener",
    "NonEmpty",
    "OneOf",
    "Patterns",
    "Range",
    "ThrottledReplicas",
    "at_least",
    "between",
    "topic_setting",
    "without_effect",
]

BOOLEAN: Final = Type.BOOLEAN
CLASS: Final = Type.CLASS
DOUBLE: Final = Type.DOUBLE
INT: Final = Type.INT
LIST: Final = Type.LIST
LONG: Final = Type.LONG
PASSWORD: Final = Type.PASSWORD
SHORT: Final = Type.SHORT
STRING: Final = Type.STRING

READ_ONLY: Final = Dynamic.READ_ONLY
PER_BROKER: Final = Dynamic.PER_BROKER
CLUSTER_WIDE: Final = Dynamic.CLUSTER_WIDE

CLEANUP_POLICIES: Final = OneOf(("compact", "delete"))
CODECS: Final = OneOf(("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"))
SECURITY_PROTOCOLS: Final = OneOf(("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"))
TIMESTAMP_TYPES: Final = OneOf(("CreateTime", "LogAppendTime"))
PROTOCOL_MAP: Final = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"
"""The default security protocols of listeners."""

WITHOUT_EFFECT: Final = "Accepted, without effect:"
"""The start of the documentation of a setting without effect: tools look for it."""

Row = tuple[str, Type, Value, Check | None, Dynamic]


def at_least(low: int) -> Range:
    return Range(low)


def between(low: float, high: float) -> Range:
    return Range(low, high)


def without_effect(reason: str, rows: Iterable[Row]) -> tuple[Setting, ...]:
    """Settings that are parsed and listed as in Kafka but have no effect, all for one reason."""
    doc = f"{WITHOUT_EFFECT} {reason}."
    return tuple(Setting(*row, doc, reason) for row in rows)


def topic_setting(
    name: str,
    kind: Type,
    default: Value,
    check: Check | None,
    broker_name: str | None,
    doc: str,
    no_effect: str = "",
) -> Setting:
    """A setting of one topic, with the broker setting that gives its default.

    Topic settings may always be altered.
    """
    if no_effect:
        doc = f"{WITHOUT_EFFECT} {no_effect}."
    return Setting(name, kind, default, check, CLUSTER_WIDE, doc, no_effect, broker_name)
