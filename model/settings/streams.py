"""Streams groups (KIP-1071): members, and the assignment of tasks."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    CLASS,
    CLUSTER_WIDE,
    INT,
    INT_MAX,
    LIST,
    READ_ONLY,
    at_least,
    without_effect,
)
from raftka.model.settings.setting import Setting

# fmt: off
STREAMS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("group.streams.assignment.interval.ms", INT, 1000, at_least(0), CLUSTER_WIDE,
            "How long a streams group waits after an assignment before the next one (KIP-1263)."),
    Setting("group.streams.min.assignment.interval.ms", INT, 0, at_least(0), READ_ONLY,
            "The least streams.assignment.interval.ms of a group."),
    Setting("group.streams.max.assignment.interval.ms", INT, 15000, at_least(0), READ_ONLY,
            "The greatest streams.assignment.interval.ms of a group."),
    Setting("group.streams.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY,
            "How often members of streams groups send a heartbeat; where it is not set, as often as"
            " their number allows, so that a rebalance is short."),
    Setting("group.streams.min.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY,
            "The least streams.heartbeat.interval.ms of a group."),
    Setting("group.streams.max.heartbeat.interval.ms", INT, 15000, at_least(1), READ_ONLY,
            "The greatest streams.heartbeat.interval.ms of a group."),
    Setting("group.streams.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY,
            "How long a member of a streams group lives without a heartbeat."),
    Setting("group.streams.min.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY,
            "The least streams.session.timeout.ms of a group."),
    Setting("group.streams.max.session.timeout.ms", INT, 60000, at_least(1), READ_ONLY,
            "The greatest streams.session.timeout.ms of a group."),
    Setting("group.streams.initial.rebalance.delay.ms", INT, 3000, at_least(0), READ_ONLY,
            "How long the first assignment of a streams group waits for more members."),
    Setting("group.streams.max.size", INT, INT_MAX, at_least(1), READ_ONLY,
            "The most members of one streams group."),
    Setting("group.streams.num.standby.replicas", INT, 0, at_least(0), READ_ONLY,
            "How many copies of each task's state a streams group keeps, beside the one in use."),
    Setting("group.streams.max.standby.replicas", INT, 2, at_least(0), READ_ONLY,
            "The greatest streams.num.standby.replicas of a group."),
    Setting("group.streams.rack.aware.assignment.tags", LIST, (), None, READ_ONLY,
            "The client tags that members of streams groups must have; as in Apache Kafka 4.4.0,"
            " no assignor looks at them yet."),
    *without_effect("there is one assignor of streams groups, sticky", (
        ("group.streams.assignors", LIST, ("sticky",), None, READ_ONLY),
    )),
    *without_effect("the classes that keep descriptions of topologies (KIP-1331) are Java's", (
        ("group.streams.topology.description.plugin.class", CLASS, None, None, READ_ONLY),
    )),
)
# fmt: on
