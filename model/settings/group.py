"""The settings of a group (KIP-848, KIP-932, KIP-1071); most default to the broker's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from raftka.model.errors import ErrorCode
from raftka.model.named_tuple import NamedTuple
from raftka.model.settings.altering import parsed, refuse
from raftka.model.settings.catalog import BROKER, nearest
from raftka.model.settings.config import Config
from raftka.model.settings.rows import (
    BOOLEAN,
    INT,
    LIST,
    LONG,
    STRING,
    OneOf,
    at_least,
    between,
    topic_setting,
)
from raftka.model.settings.setting import Setting, Value

EARLIEST: Final = "earliest"
LATEST: Final = "latest"
_DURATION: Final = r"(?i)by_duration:P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
_PARTS_S: Final = (86_400, 3_600, 60, 1)


def duration_ms(text: str) -> int | None:
    """The time of `by_duration:PnDTnHnMnS` (ISO 8601) in ms; None for anything else."""
    found = re.fullmatch(_DURATION, text)
    if found is None or not any(found.groups()):
        return None
    parts = zip(found.groups(), _PARTS_S, strict=True)
    return int(sum(float(number or 0) * seconds for number, seconds in parts) * 1000)


class OffsetReset(NamedTuple):
    """share.auto.offset.reset: earliest, latest, or a duration to go back (KIP-1106)."""

    @property
    def allowed(self) -> str:
        return "of [earliest, latest, by_duration:PnDTnHnMn.nS]"

    def problem(self, value: Value) -> str | None:
        text = str(value)
        if text.lower() in (EARLIEST, LATEST) or duration_ms(text) is not None:
            return None
        return (
            "Invalid value: write earliest, latest, or by_duration:<duration> in ISO 8601, for"
            " example by_duration:PT1H"
        )


class DeadLetterTopic(NamedTuple):
    """errors.deadletterqueue.topic.name: not an internal topic (KIP-1191)."""

    @property
    def allowed(self) -> str:
        return "a topic whose name does not start with '__'"

    def problem(self, value: Value) -> str | None:
        if str(value).startswith("__"):
            return "DLQ topic name must not start with '__'"
        return None


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
    topic_setting("share.session.timeout.ms", INT, 45000, at_least(1),
                  "group.share.session.timeout.ms",
                  "How long a member of the share group may be silent."),
    topic_setting("share.heartbeat.interval.ms", INT, 5000, at_least(1),
                  "group.share.heartbeat.interval.ms",
                  "How long the share group's members wait between heartbeats."),
    topic_setting("share.record.lock.duration.ms", INT, 30000, at_least(1000),
                  "group.share.record.lock.duration.ms",
                  "For how long a member holds a record that it has acquired."),
    topic_setting("share.delivery.count.limit", INT, 5, at_least(2),
                  "group.share.delivery.count.limit",
                  "How often a record is delivered that no member acknowledges."),
    topic_setting("share.partition.max.record.locks", INT, 2000, at_least(100),
                  "group.share.partition.max.record.locks",
                  "How many records of a partition the group may have open at a time."),
    topic_setting("share.auto.offset.reset", STRING, LATEST, OffsetReset(), None,
                  "Where the share group begins in a partition that it has never read."),
    topic_setting("share.isolation.level", STRING, "read_uncommitted",
                  OneOf(("read_committed", "read_uncommitted")), None,
                  "Whether the share group gets records of transactions that were aborted."),
    topic_setting("errors.deadletterqueue.topic.name", STRING, "", DeadLetterTopic(), None,
                  "The topic of the share group's dead letter queue, which takes what is rejected"
                  " or delivered too often (KIP-1191); without one that is archived only."),
    topic_setting("errors.deadletterqueue.copy.record.enable", BOOLEAN, False, None, None,
                  "Whether dead letters have the key and the value of the record, or only say"
                  " which it was."),
    topic_setting("share.renew.acknowledge.enable", BOOLEAN, True, None, None,
                  "Whether members may renew their hold on records (KIP-1222)."),
    topic_setting("streams.assignment.interval.ms", INT, 1000, at_least(0),
                  "group.streams.assignment.interval.ms",
                  "How long the streams group waits after an assignment before the next one."),
    topic_setting("streams.assignor.name", STRING, "sticky", OneOf(("sticky",)), None,
                  "Which assignor shares out the streams group's tasks: there is one."),
    topic_setting("streams.heartbeat.interval.ms", INT, 5000, at_least(1),
                  "group.streams.heartbeat.interval.ms",
                  "How long the streams group's members wait between heartbeats."),
    topic_setting("streams.initial.rebalance.delay.ms", INT, 3000, at_least(0),
                  "group.streams.initial.rebalance.delay.ms",
                  "How long the streams group's first assignment waits for more members."),
    topic_setting("streams.num.standby.replicas", INT, 0, at_least(0),
                  "group.streams.num.standby.replicas",
                  "How many copies of each task's state the streams group keeps."),
    topic_setting("streams.rack.aware.assignment.tags", LIST, (), None,
                  "group.streams.rack.aware.assignment.tags",
                  "The client tags that the streams group's members must have."),
    topic_setting("streams.session.timeout.ms", INT, 45000, at_least(1),
                  "group.streams.session.timeout.ms",
                  "How long a member of the streams group may be silent."),
    topic_setting("streams.task.offset.interval.ms", INT, 60000, at_least(15000), None,
                  "How often members of the streams group say how much state they have."),
    topic_setting("streams.acceptable.recovery.lag", LONG, 10000, at_least(0), None,
                  "With how many records to restore a member of the streams group counts as caught"
                  " up."),
    topic_setting("streams.num.warmup.replicas", INT, 2, between(0, 20), None,
                  "How many tasks the streams group may warm up at a time.",
                  "the assignor makes no warm-up tasks, as Apache Kafka 4.4.0's"),
)
# fmt: on
GROUP: Final[Mapping[str, Setting]] = {setting.name: setting for setting in GROUP_CONFIGS}


INTERNAL: Final = frozenset(
    {
        "streams.task.offset.interval.ms",
        "streams.acceptable.recovery.lag",
        "streams.num.warmup.replicas",
    }
)
"""Settings that Kafka accepts and does not list until they are set."""


class _Bounds(NamedTuple):
    """The broker's settings that bound a group's own."""

    low: str
    high: str


BOUNDS: Final[Mapping[str, _Bounds]] = {
    name: _Bounds(f"group.{protocol}.min.{rest}", f"group.{protocol}.max.{rest}")
    for name, setting in GROUP.items()
    if setting.broker_name is not None
    for protocol, _, rest in (name.partition("."),)
    if f"group.{protocol}.min.{rest}" in BROKER
}
"""By the name of the group's setting."""


def validate_group_configs(config: Config, entries: Mapping[str, str]) -> None:
    """Validate all settings of a group, also against the broker's and each other.

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
        bounds = BOUNDS.get(name)
        if bounds is not None and isinstance(value, int):
            low, high = config.int(bounds.low), config.int(bounds.high)
            if not low <= value <= high:
                refuse(f"{name} must be in the range {low} to {high} inclusive.")
    _check_standbys(config, values)
    for protocol in {name.partition(".")[0] for name in GROUP}:
        session, interval = f"{protocol}.session.timeout.ms", f"{protocol}.heartbeat.interval.ms"
        if session in GROUP and values.keys() & {session, interval}:
            silent_ms = values.get(session, config.int(f"group.{session}"))
            beat_ms = values.get(interval, config.int(f"group.{interval}"))
            if isinstance(silent_ms, int) and isinstance(beat_ms, int) and silent_ms <= beat_ms:
                refuse(f"{session} must be greater than {interval}.")


def _check_standbys(config: Config, values: Mapping[str, object]) -> None:
    most = config.int("group.streams.max.standby.replicas")
    wanted = values.get("streams.num.standby.replicas")
    if isinstance(wanted, int) and wanted > most:
        refuse(f"streams.num.standby.replicas must be less than or equal to {most}")
