"""The settings of follower fetching, in a module of their own: a single node never fetches."""

from __future__ import annotations

from raftka.broker.replication.throttle import ReplicationThrottle
from raftka.model.dataclass import dataclass


@dataclass(frozen=True)
class FetcherConfig:
    """Settings of follower fetching."""

    wait_max_ms: int = 500
    """replica.fetch.wait.max.ms"""
    min_bytes: int = 1
    """replica.fetch.min.bytes"""
    partition_max_bytes: int = 1024 * 1024
    """replica.fetch.max.bytes"""
    response_max_bytes: int = 10 * 1024 * 1024
    """replica.fetch.response.max.bytes"""
    backoff_max_s: float = 1.0
    """replica.fetch.backoff.ms"""
    socket_timeout_s: float = 30.0
    """replica.socket.timeout.ms"""
    throttle: ReplicationThrottle | None = None
    """Limits what is copied of out-of-sync partitions."""
