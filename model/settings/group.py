"""The settings of a group (KIP-848); each takes its default from a setting of the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from raftka.model.errors import ErrorCode
from raftka.model.settings.altering import parsed, refuse
from raftka.model.settings.catalog import nearest
from raftka.model.settings.config import Config
from raftka.model.settings.rows import INT, at_least, topic_setting
from raftka.model.settings.setting import Setting

# fmt: off
GROUP_CONFIGS: Final[tuple[Setting, ...]] = (
    topic_setting("consumer.assignment.interval.ms", INT, 1000, at_least(0),
                  "group.consumer.assignment.interval.ms",
                  "How long the group waits after an assignment before the next one (KIP-1263)."),
    topic_setting("consumer.heartbeat.interval.ms", INT, 5000, at_least(1),
                  "group.consumer.heartbeat.interval.ms",
                  "How long the group's members wait between heartbeats."),
    topic_setting("consumer.session.timeout.ms", INT, 45000, at_least(1),
                  "group.consumer.session.timeout.ms",
                  "How long a member of the group may be silent."),
)
# fmt: on
GROUP: Final[Mapping[str, Setting]] = {setting.name: setting for setting in GROUP_CONFIGS}


class _Bounds(NamedTuple):
    """The broker's settings between which a group's own must be."""

    low: str
    high: str


_BOUNDS: Final[Mapping[str, _Bounds]] = {
    name: _Bounds(f"group.{protocol}.min.{rest}", f"group.{protocol}.max.{rest}")
    for name in GROUP
    for protocol, _, rest in (name.partition("."),)
}


def validate_group_configs(config: Config, entries: Mapping[str, str]) -> None:
    """Check all settings of a group, also against the broker's and each other.

    Raises KafkaError INVALID_CONFIG, in Kafka's words.
    """
    values: dict[str, object] = {}
    for name, text in entries.items():
        setting = GROUP.get(name)
        if setting is None:
            meant = nearest(name, GROUP)
            hint = "" if meant is None else f". Did you mean {meant}?"
            refuse(f"Unknown group config name: {name}{hint}")
        value = values[name] = parsed(setting, text, ErrorCode.INVALID_CONFIG)
        bounds = _BOUNDS.get(name)
        if bounds is not None and isinstance(value, int):
            low, high = config.int(bounds.low), config.int(bounds.high)
            if not low <= value <= high:
                refuse(f"{name} must be in the range {low} to {high} inclusive.")
    for protocol in {name.partition(".")[0] for name in GROUP}:
        session, interval = f"{protocol}.session.timeout.ms", f"{protocol}.heartbeat.interval.ms"
        if session in GROUP and values.keys() & {session, interval}:
            silent_ms = values.get(session, config.int(f"group.{session}"))
            beat_ms = values.get(interval, config.int(f"group.{interval}"))
            if isinstance(silent_ms, int) and isinstance(beat_ms, int) and silent_ms <= beat_ms:
                refuse(f"{session} must be greater than {interval}.")
