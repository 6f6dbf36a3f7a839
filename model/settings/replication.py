"""Replicas: in-sync minimums, follower fetching, leader election."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLUSTER_WIDE,
    INT,
    LONG,
    READ_ONLY,
    STRING,
    at_least,
)
from raftka.model.settings.setting import Setting

# fmt: off
REPLICATION_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("min.insync.replicas", INT, 1, at_least(1), CLUSTER_WIDE,
            "How many replicas must have a record of acks=all before it is acknowledged."),
    Setting("unclean.leader.election.enable", BOOLEAN, False, None, CLUSTER_WIDE,
            "Whether a replica that may lack records can become leader when no other is left."),
    Setting("auto.leader.rebalance.enable", BOOLEAN, True, None, READ_ONLY,
            "Whether leadership returns to the preferred replica by itself."),
    Setting("leader.imbalance.check.interval.seconds", LONG, 300, at_least(1), READ_ONLY,
            "How often it is looked whether leadership should return."),
    Setting("replica.lag.time.max.ms", LONG, 30000, None, READ_ONLY,
            "A follower that was not caught up for this long leaves the in-sync replicas."),
    Setting("raftka.replica.silence.max.ms", INT, 2000, at_least(0), READ_ONLY,
            "A follower whose broker has stopped fetching for this long, while records wait for "
            "it, leaves the in-sync replicas if min.insync.replicas are left; 0 waits for "
            "replica.lag.time.max.ms or the controller. Keep it above replica.fetch.wait.max.ms."),
    Setting("replica.fetch.min.bytes", INT, 1, None, READ_ONLY,
            "A follower's fetch waits until the leader has this many bytes."),
    Setting("replica.fetch.wait.max.ms", INT, 500, None, READ_ONLY,
            "How long a follower's fetch waits at the leader; keep it below "
            "replica.lag.time.max.ms."),
    Setting("replica.fetch.max.bytes", INT, 1048576, at_least(0), READ_ONLY,
            "Bytes of one partition in one answer to a follower."),
    Setting("replica.fetch.response.max.bytes", INT, 10485760, at_least(0), READ_ONLY,
            "Bytes of one whole answer to a follower."),
    Setting("replica.fetch.backoff.ms", INT, 1000, at_least(0), READ_ONLY,
            "How long a follower waits after a failed fetch."),
    Setting("replica.socket.timeout.ms", INT, 30000, None, READ_ONLY,
            "How long a follower waits for a leader's answer."),
    Setting("replica.high.watermark.checkpoint.interval.ms", LONG, 5000, None, READ_ONLY,
            "How often high watermarks are written to disk."),
    Setting("replica.selector.class", STRING, None, None, READ_ONLY,
            "How the replica for a consumer's fetch is chosen; RackAwareReplicaSelector takes "
            "one in its rack."),
)
# fmt: on
