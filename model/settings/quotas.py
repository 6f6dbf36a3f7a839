"""Quotas: the windows over which rates are measured. The quotas themselves are in the metadata."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import CLUSTER_WIDE, INT, LONG, LONG_MAX, READ_ONLY, at_least
from raftka.model.settings.setting import Setting

# fmt: off
QUOTA_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("quota.window.num", INT, 11, at_least(1), READ_ONLY,
            "How many windows are remembered of what clients produce, fetch and connect."),
    Setting("quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY,
            "How long each of these is; also the longest throttle time of request_percentage."),
    Setting("controller.quota.window.num", INT, 11, at_least(1), READ_ONLY,
            "How many windows' worth of controller_mutation_rate may be used at once."),
    Setting("controller.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY,
            "How long each of these is."),
    Setting("leader.replication.throttled.rate", LONG, LONG_MAX, at_least(0), CLUSTER_WIDE,
            "Bytes a second that replicas which are not in sync may copy from this broker, of the "
            "partitions in leader.replication.throttled.replicas of their topics."),
    Setting("follower.replication.throttled.rate", LONG, LONG_MAX, at_least(0), CLUSTER_WIDE,
            "Bytes a second that this broker copies for replicas which are not in sync, of the "
            "partitions in follower.replication.throttled.replicas of their topics."),
    Setting("replication.quota.window.num", INT, 11, at_least(1), READ_ONLY,
            "How many windows are remembered of what is copied."),
    Setting("replication.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY,
            "How long each of these is."),
    Setting("replica.alter.log.dirs.io.max.bytes.per.second", LONG, LONG_MAX, at_least(0),
            CLUSTER_WIDE,
            "Bytes a second that are copied when replicas move to other log directories."),
    Setting("alter.log.dirs.replication.quota.window.num", INT, 11, at_least(1), READ_ONLY,
            "How many windows are remembered of what such moves copy."),
    Setting("alter.log.dirs.replication.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY,
            "How long each of these is."),
)
# fmt: on
