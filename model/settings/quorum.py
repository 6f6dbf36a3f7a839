"""The controller quorum, the metadata log, and heartbeats of brokers."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    INT,
    LIST,
    LONG,
    READ_ONLY,
    NonEmpty,
    at_least,
    between,
)
from raftka.model.settings.setting import Setting

# fmt: off
QUORUM_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("controller.quorum.voters", LIST, (), NonEmpty(), READ_ONLY,
            "The controllers that vote, as id@host:port; the fixed form of the quorum."),
    Setting("controller.quorum.bootstrap.servers", LIST, (), NonEmpty(), READ_ONLY,
            "Addresses at which to find the quorum, whose voters may then change."),
    Setting("controller.quorum.election.timeout.ms", INT, 1000, at_least(0), READ_ONLY,
            "How long, at least, a voter hears nothing from the leader before it stands for"
            " election; at most twice as long. A leader that no majority answers resigns then."),
    Setting("controller.quorum.fetch.timeout.ms", INT, 2000, at_least(0), READ_ONLY,
            "How long an observer hears nothing from the leader before it connects again."),
    Setting("raftka.quorum.heartbeat.ms", INT, 100, at_least(10), READ_ONLY,
            "How often the quorum's leader sends a heartbeat to the other nodes: when one fell"
            " silent is known to half of that. At most a quarter of the election timeout, and at"
            " least 10 ms for each node, so that their number does not grow with the cluster."),
    Setting("raftka.controller.changes.per.batch", INT, 1000, between(1, 5000), READ_ONLY,
            "How many partitions the change of one broker (it is fenced, say) changes in one batch"
            " of the metadata log: the controller answers others between the batches."),
    Setting("broker.heartbeat.interval.ms", INT, 2000, None, READ_ONLY,
            "How often a broker sends a heartbeat to the active controller."),
    Setting("broker.session.timeout.ms", INT, 9000, None, READ_ONLY,
            "A broker that was silent this long is fenced and its leaderships move."),
    Setting("initial.broker.registration.timeout.ms", INT, 60000, None, READ_ONLY,
            "How long a starting broker tries to register before it gives up."),
    Setting("metadata.log.max.record.bytes.between.snapshots", LONG, 20971520, at_least(1),
            READ_ONLY,
            "Bytes of the metadata log after which a snapshot is written."),
    Setting("metadata.log.max.snapshot.interval.ms", LONG, 3600000, at_least(0), READ_ONLY,
            "The longest time between snapshots while the log grows; 0 for no limit."),
    Setting("metadata.log.segment.bytes", INT, 1073741824, at_least(8388608), READ_ONLY,
            "A segment of the metadata log is closed before it would grow past this size."),
    Setting("metadata.max.retention.bytes", LONG, 104857600, None, READ_ONLY,
            "What is kept of the metadata log in front of a snapshot, at most 2 MiB: nodes that"
            " are further behind get the snapshot. -1 for no limit but that."),
)
# fmt: on
