"""Transactions in the logs: nothing is stable beyond an open one, and no fenced producer writes.

- The last stable offset of an answer passes no transaction that is open in the log of the broker
  that answers, nor one whose marker is not below the high watermark (KIP-98).
- In a log the epochs of a producer never go back, markers included: a fenced producer can no longer
  write (zombie-write). Neither do the epochs of the coordinators that wrote a producer's markers
  (stale-marker).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror
from raftka.simulations.observers.transactions import TransactionLogs
from raftka.simulations.violation import About, Report


class TransactionChecker:
    """Checks appends, and the last stable offsets in Fetch answers."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        report: Report,
        *,
        is_excused: Callable[[Key], bool],
        coordinators_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_excused`: whether a partition has lost more than its guarantees cover.
        `coordinators_lost`: whether a log of coordinators has; they may then assign an epoch
        again.
        """
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._report = report
        self._is_excused = is_excused
        self._coordinators_lost = coordinators_lost
        self.logs = TransactionLogs(logs, self._out_of_order)
        watched.answer("Fetch", self._fetched)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        self.logs.forget(topic)

    def is_marker(self, key: Key, offset: int) -> bool:
        """Whether a marker is, or was, at an offset: no consumer receives it."""
        return offset in self.logs.controls.get(key, ())

    def _out_of_order(self, replica: ReplicaMirror, batch: Batch, words: str) -> None:
        if self._is_excused(replica.key) or self._coordinators_lost():
            return
        name = "zombie-write"
        if batch.is_control and "coordinator" in words:
            name = "stale-marker"
        self._report(
            name,
            f"{replica.host} has in its log of {replica.name}, at offset {batch.base_offset},"
            f" {words}, of producer {batch.producer_id}",
            about=About(replica.key, batch.base_offset, node=replica.host),
        )

    def _fetched(self, client: str, server: str, request: Any, response: Any) -> None:
        if request.replica_id >= 0 or request.replica_state.replica_id >= 0:
            return  # A follower also copies unstable records, and needs no such offset.
        names = self._metadata.image.topic_names
        for topic in response.responses:
            name = names.get(topic.topic_id, topic.topic)
            for data in topic.partitions:
                replica = self._logs.replica(server, (name, data.partition_index)) if name else None
                state = self.logs.of(replica) if replica is not None else None
                if replica is None or state is None or data.error_code or data.high_watermark < 0:
                    continue
                self.looks("unstable-below-last-stable-offset")
                first = state.first_unstable(data.high_watermark)
                stable = data.last_stable_offset
                # DeleteRecords may cut into an open transaction: the log then begins after its
                # start.
                if first is None or stable <= max(first, data.log_start_offset):
                    continue
                if self._is_excused(replica.key):
                    continue
                self._report(
                    "unstable-below-last-stable-offset",
                    f"{server} answers {client} with last stable offset {stable} of {replica.name},"
                    f" high watermark {data.high_watermark}, and a transaction that is open, or"
                    f" whose marker is not committed, begins at {first} there",
                    about=About(replica.key, first, node=server, other=client),
                )
