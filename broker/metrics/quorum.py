"""Gauges of the metadata quorum on this node: Kafka's raft-metrics (KIP-595)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from raftka.broker.metrics.families import Family, gauge, labels
from raftka.broker.metrics.names import raft
from raftka.model.ids import NO_BROKER

if TYPE_CHECKING:
    from raftka.broker.node import Node

_WINDOW_S: Final = 30.0
"""The window of Kafka's own rates (metrics.sample.window.ms)."""


class QuorumMetrics:
    """Keeps values between scrapes, for rates."""

    def __init__(self) -> None:
        self._ends: deque[tuple[float, int]] = deque()
        """(monotonic seconds, log end offset)"""

    def gather(self, node: Node, now_s: float) -> Iterator[Family]:
        """The quorum as this node sees it."""
        quorum = node.quorum
        leader, epoch = quorum.leader
        state = quorum.state
        yield Family(
            (raft("current_state")[0], raft("current_state_info")[1]),
            "gauge",
            "1 for the state of this node in the quorum.",
            ((labels(current_state=state), 1),),
        )
        known = NO_BROKER if leader is None else leader
        yield gauge(raft("current_leader"), "The quorum's leader, -1 when none is known.", known)
        yield gauge(
            raft("current_vote"), "Whom this node voted for in this epoch, or -1.", quorum.vote
        )
        yield gauge(raft("current_epoch"), "The quorum's epoch.", epoch)
        end = quorum.log_end_offset
        yield gauge(
            raft("high_watermark"),
            "The offset behind the last committed batch.",
            quorum.last_committed + 1,
        )
        yield gauge(raft("log_end_offset"), "The offset of the next batch.", end)
        rate = self._rate(end, now_s)
        is_leader = state == "leader"
        yield gauge(
            raft("append_records_rate"),
            "Batches appended a second as leader.",
            rate if is_leader else 0,
        )
        yield gauge(
            raft("fetch_records_rate"),
            "Batches taken from the leader a second.",
            0 if is_leader else rate,
        )
        commits = quorum.commit_latency
        yield gauge(
            raft("commit_latency_avg"),
            "Mean time to commit a batch, in ms.",
            commits.mean_s(now_s) * 1000,
        )
        yield gauge(
            raft("commit_latency_max"),
            "Longest time to commit a batch, in ms.",
            commits.most_s(now_s) * 1000,
        )

    def _rate(self, end: int, now_s: float) -> float:
        """Batches per second since the oldest scrape of the last half minute."""
        ends = self._ends
        while len(ends) > 1 and ends[1][0] <= now_s - _WINDOW_S:
            ends.popleft()
        ends.append((now_s, end))
        since_s, first = ends[0]
        return (end - first) / (now_s - since_s) if now_s > since_s else 0.0
