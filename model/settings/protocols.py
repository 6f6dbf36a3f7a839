"""Settings of protocols that are not served, or are served without them; accepted so that a file
written for Apache Kafka works as it stands.
"""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
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
PROTOCOL_SETTINGS: Final[tuple[Setting, ...]] = (
    *without_effect("the streams group protocol is not served yet", (
        ("group.streams.assignors", LIST, ("sticky",), None, READ_ONLY),
        ("group.streams.rack.aware.assignment.tags", LIST, (), None, READ_ONLY),
        ("group.streams.topology.description.plugin.class", CLASS, None, None, READ_ONLY),
        ("group.streams.assignment.interval.ms", INT, 1000, at_least(0), CLUSTER_WIDE),
        ("group.streams.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY),
        ("group.streams.initial.rebalance.delay.ms", INT, 3000, at_least(0), READ_ONLY),
        ("group.streams.max.assignment.interval.ms", INT, 15000, at_least(0), READ_ONLY),
        ("group.streams.max.heartbeat.interval.ms", INT, 15000, at_least(1), READ_ONLY),
        ("group.streams.max.session.timeout.ms", INT, 60000, at_least(1), READ_ONLY),
        ("group.streams.max.size", INT, INT_MAX, at_least(1), READ_ONLY),
        ("group.streams.max.standby.replicas", INT, 2, at_least(0), READ_ONLY),
        ("group.streams.min.assignment.interval.ms", INT, 0, at_least(0), READ_ONLY),
        ("group.streams.min.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY),
        ("group.streams.min.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY),
        ("group.streams.num.standby.replicas", INT, 0, at_least(0), READ_ONLY),
        ("group.streams.session.timeout.ms", INT, 45000, at_least(1), READ_ONLY),
    )),
    *without_effect("each transaction has a timer of its own, so there is no periodic scan", (
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT,
         10000, at_least(1), READ_ONLY),
    )),
    *without_effect("a coordinator reads its log in pieces of 256 KB", (
        ("transaction.state.log.load.buffer.size", INT, 5242880, at_least(1), READ_ONLY),
    )),
    *without_effect("two-phase commit (KIP-939) is not served", (
        ("transaction.two.phase.commit.enable", BOOLEAN, False, None, READ_ONLY),
    )),
)
# fmt: on
