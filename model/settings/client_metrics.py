"""The settings of a client metrics subscription (KIP-714): which metrics of which clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from raftka.model.errors import ErrorCode
from raftka.model.settings.altering import parsed, refuse
from raftka.model.settings.catalog import nearest
from raftka.model.settings.rows import INT, LIST, topic_setting
from raftka.model.settings.setting import Setting

INTERVAL_MS: Final = 300_000
_SHORTEST_MS: Final = 100
_LONGEST_MS: Final = 3_600_000
SELECTORS: Final = (
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)
"""The criteria by which a subscription selects clients."""

# fmt: off
CLIENT_METRICS_CONFIGS: Final[tuple[Setting, ...]] = (
    topic_setting("interval.ms", INT, INTERVAL_MS, None, None,
                  "How often the clients send their metrics."),
    topic_setting("match", LIST, (), None, None,
                  "Which clients: NAME=REGULAR EXPRESSION for each of some of"
                  f" {', '.join(SELECTORS)}; all of them when empty."),
    topic_setting("metrics", LIST, (), None, None,
                  "Which metrics: the beginnings of their names; * is all."),
)
# fmt: on
CLIENT_METRICS: Final[Mapping[str, Setting]] = {each.name: each for each in CLIENT_METRICS_CONFIGS}


def validate_client_metrics(entries: Mapping[str, str]) -> None:
    """Validate all settings of a subscription.

    Raises KafkaError INVALID_REQUEST, INVALID_CONFIG, in Kafka's words.
    """
    for name, text in entries.items():
        setting = CLIENT_METRICS.get(name)
        if setting is None:
            meant = nearest(name, CLIENT_METRICS)
            hint = "" if meant is None else f". Did you mean {meant}?"
            words = f"Unknown client metrics configuration: {name}{hint}"
            refuse(words, ErrorCode.INVALID_REQUEST)
        value = parsed(setting, text, ErrorCode.INVALID_CONFIG)
        if isinstance(value, int) and not _SHORTEST_MS <= value <= _LONGEST_MS:
            refuse(
                f"Invalid value {value} for interval.ms, interval must be between {_SHORTEST_MS}"
                f" and {_LONGEST_MS} (1 hour)",
                ErrorCode.INVALID_REQUEST,
            )
        if name == "match":
            matchers(text)


def matchers(text: str) -> dict[str, re.Pattern[str]]:
    """By selector, the pattern for its whole value. Raises KafkaError INVALID_CONFIG."""
    found: dict[str, re.Pattern[str]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        selector, equals, pattern = part.partition("=")
        if not equals or selector.strip() not in SELECTORS:
            refuse(f"Illegal client matching pattern: {part}")
        try:
            found[selector.strip()] = re.compile(pattern.strip())
        except re.error:
            refuse(f"Illegal client matching pattern: {part}")
    return found
