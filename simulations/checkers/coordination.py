"""Compares the logs of transaction and group coordinators with the partitions.

- A transaction begins in a partition with its coordinator's consent: by then the coordinator's log
  has the partition in that transaction (KIP-890). No coordinator would ever end a transaction that
  it does not know.
- A transaction is complete in the coordinator's log when each of its partitions has its marker.
- A client that requires stable offsets gets none while an open transaction has a pending offset for
  the same partition (KIP-447).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from raftka.broker.coordinators.transaction.state import PREPARED, State
from raftka.model.ids import OFFSETS_TOPIC
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.offsets import told_offsets
from raftka.simulations.observers.coordinator_logs import CoordinatorLogs, Pending, Step
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror
from raftka.simulations.observers.transactions import TransactionLogs
from raftka.simulations.violation import About, Report

_COMPLETE: Final = (State.COMPLETE_COMMIT, State.COMPLETE_ABORT)
_OPEN: Final = (State.ONGOING, *PREPARED)

_Held = dict[tuple[str, Key], Pending]


class CoordinationChecker:
    """Compares the logs of coordinators with those of partitions and with their answers."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        transactions: TransactionLogs,
        report: Report,
        *,
        is_excused: Callable[[Key], bool],
        is_lost: Callable[[], bool],
        offsets_log: Callable[[str], Key | None],
        verifies: bool = True,
    ) -> None:
        """`is_excused`: whether a partition has lost more than its guarantees cover; `is_lost`:
        whether transaction coordinators have. `offsets_log`: the log with a group's offsets.
        `verifies`: whether leaders ask coordinators before a transaction begins in a partition.
        """
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._transactions = transactions
        self._report = report
        self._is_excused = is_excused
        self._is_lost = is_lost
        self._offsets_log = offsets_log
        self._verifies = verifies
        self._coordinators = CoordinatorLogs(logs, self._stepped)
        self._seen: set[tuple[Key, int, int]] = set()
        """The transactions checked so far, by partition, first offset and producer."""
        self._asked: dict[int, tuple[Any, _Held]] = {}
        logs.on_append.append(self._appended)
        watched.request("OffsetFetch", self._fetch_sent)
        watched.answer("OffsetFetch", self._fetch_answered)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        self._seen = {each for each in self._seen if each[0][0] != topic}

    # The beginning of a transaction in a partition.

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        key = replica.key
        for batch in batches:
            if not batch.is_transactional or batch.is_control or not self._verifies:
                continue
            state = self._transactions.of(replica)
            if state is None or state.open.get(batch.producer_id) != batch.base_offset:
                continue
            mark = (key, batch.base_offset, batch.producer_id)
            if mark in self._seen:
                continue
            self._seen.add(mark)
            if not self._is_copy(replica, batch):
                self._check_consent(replica, batch)

    def _is_copy(self, replica: ReplicaMirror, batch: Batch) -> bool:
        """Whether another replica has it, where the transaction may have begun before: a cleaning
        can remove its first batch there, before a follower copies the rest."""
        for other in self._logs.replicas(replica.key):
            found = None if other is replica else other.find(batch.base_offset)
            if found is not None and found.producer_id == batch.producer_id:
                return True
        return False

    def _check_consent(self, replica: ReplicaMirror, batch: Batch) -> None:
        self.looks("transaction-without-consent")
        key = replica.key
        if self._is_lost() or self._is_excused(key) or key[0] not in self._metadata.image.topics:
            return
        for each in self._coordinators.transactions():
            ids = (each.producer_id, each.previous_producer_id, each.next_producer_id)
            if each.state in _OPEN and batch.producer_id in ids and key in each.partitions:
                return
        self._report(
            "transaction-without-consent",
            f"{replica.host} has in its log of {replica.name} a transaction of producer"
            f" {batch.producer_id}, epoch {batch.producer_epoch}, from offset {batch.base_offset}"
            " on, and no coordinator has that partition in an open transaction of that producer",
            about=About(key, batch.base_offset, node=replica.host),
        )

    # Its end.

    def _stepped(self, step: Step) -> None:
        before, after = step.before, step.after
        if before is None or before.state not in PREPARED or after.state not in _COMPLETE:
            return
        if self._is_lost():
            return
        for target in sorted(before.partitions):
            key = (target.topic, target.partition)
            partition = self._metadata.image.partition(*key)
            if partition is None or not partition.has_leader or self._is_excused(key):
                continue
            mirror = self._logs.replica(f"n{partition.leader}", key)
            state = None if mirror is None else self._transactions.of(mirror)
            if mirror is None or state is None:
                continue
            self.looks("complete-without-marker")
            first = state.open.get(before.producer_id)
            if first is not None:
                self._report(
                    "complete-without-marker",
                    f"{step.replica.host} has {step.transactional_id} as {after.state.label}, and"
                    f" in {mirror.name} on {mirror.host}, its leader, the transaction from offset"
                    f" {first} on is open",
                    about=About(key, first, node=step.replica.host),
                )

    # Offsets.

    def _held(self, server: str, request: Any) -> _Held:
        """The pending offsets in the log of the coordinator that answers."""
        held: _Held = {}
        for group in {each.group_id for each in request.groups or ()} or {request.group_id}:
            key = self._offsets_log(group)
            partition = None if key is None else self._metadata.image.partition(*key)
            if key is None or partition is None or f"n{partition.leader}" != server:
                continue
            mirror = self._logs.replica(server, key)
            if mirror is not None and not self._is_excused(key):
                pending = self._coordinators.pending(mirror)
                held |= {place: each for place, each in pending.items() if place[0] == group}
        return held

    def _fetch_sent(self, client: str, server: str, request: Any) -> None:
        if request.require_stable:
            self._asked[id(request)] = (request, self._held(server, request))

    def _fetch_answered(self, client: str, server: str, request: Any, response: Any) -> None:
        _, before = self._asked.pop(id(request), (None, {}))
        if not before:
            return
        after = self._held(server, request)
        topics = self._metadata.image.topics
        for group, topic, partition in told_offsets(request, response):
            place = (group, (topic, partition.partition_index))
            held = before.get(place)
            self.looks("pending-offset-passed-over")
            # It was pending before the coordinator was asked, and still is.
            if held is None or after.get(place) != held or partition.error_code:
                continue
            if topic in topics and OFFSETS_TOPIC in topics:
                self._report(
                    "pending-offset-passed-over",
                    f"{server} answers {client}, which asks for stable offsets, that group {group}"
                    f" has committed {partition.committed_offset} of"
                    f" {topic}-{partition.partition_index}, while the offset that producer"
                    f" {held.producer_id} has in a transaction is pending",
                    about=About(place[1], partition.committed_offset, node=server, group=group),
                )
