"""The contents of coordinators' logs, replica by replica: transactions, and pending offsets.

They are followed record by record as these reach a disk, and read again after a truncation or a
loss.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from raftka.broker.coordinators.transaction.records import decode
from raftka.broker.coordinators.transaction.state import Transaction
from raftka.model.ids import OFFSETS_TOPIC, TRANSACTION_TOPIC
from raftka.simulations.observers.batch_contents import CONTROL, TRANSACTIONAL, Entry, entries
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror

_OFFSET_KINDS: Final = (0, 1)
"""Kinds of keys that stand for a committed offset."""
_SHORT: Final = struct.Struct(">h")
_INT: Final = struct.Struct(">i")


class Step(NamedTuple):
    """A new record of a transactional id, and the id's state before it on the first replica to have
    it: the coordinator's own.
    """

    replica: ReplicaMirror
    transactional_id: str
    before: Transaction | None
    after: Transaction


class Pending(NamedTuple):
    """An offset committed in a transaction that has no marker yet."""

    producer_id: int
    at: int
    """Where its record is."""


@dataclass
class _State:
    transactions: dict[str, Transaction] = field(default_factory=dict)
    pending: dict[tuple[str, Key], Pending] = field(default_factory=dict)
    """By group and partition."""


class CoordinatorLogs:
    """The replicas of __transaction_state and __consumer_offsets."""

    def __init__(self, logs: PartitionLogs, stepped: Callable[[Step], None]) -> None:
        """`stepped` is called with each new record of a transactional id."""
        self._logs = logs
        self._stepped = stepped
        self._states: dict[tuple[str, Key], _State] = {}
        self._known: set[tuple[Key, int, int]] = set()
        """Records that some replica has had: partition, offset, leader epoch."""
        logs.on_append.append(self._appended)
        logs.on_shrink.append(self._shrunk)

    def transactions(self) -> list[Transaction]:
        """Each replica's state of every transactional id, whatever was just cleaned or cut."""
        return [
            each
            for replica in self._logs.of_topic(TRANSACTION_TOPIC)
            for each in self._of(replica).transactions.values()
        ]

    def pending(self, replica: ReplicaMirror) -> dict[tuple[str, Key], Pending]:
        """The offsets that are pending in a replica's log, by group and partition."""
        return self._of(replica).pending

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        if replica.key[0] not in (TRANSACTION_TOPIC, OFFSETS_TOPIC):
            return
        if (replica.host, replica.key) not in self._states:
            self._of(replica)
            return
        self._read(replica, batches[0].base_offset, self._states[replica.host, replica.key])

    def _shrunk(self, replica: ReplicaMirror) -> None:
        self._states.pop((replica.host, replica.key), None)

    def _of(self, replica: ReplicaMirror) -> _State:
        place = (replica.host, replica.key)
        if place not in self._states:
            self._states[place] = _State()
            self._read(replica, 0, self._states[place])
        return self._states[place]

    def _read(self, replica: ReplicaMirror, start: int, state: _State) -> None:
        reads = self._transaction if replica.key[0] == TRANSACTION_TOPIC else self._offset
        for batch, data in replica.contents(start):
            if batch.attributes & CONTROL:
                for place in [p for p, e in state.pending.items() if e[0] == batch.producer_id]:
                    del state.pending[place]
                continue
            for entry in entries(data):
                reads(replica, batch, entry, state)

    def _transaction(
        self, replica: ReplicaMirror, batch: Batch, entry: Entry, state: _State
    ) -> None:
        found = None if entry.key is None else decode(entry.key, entry.value)
        if found is None:
            return
        before = state.transactions.pop(found.transactional_id, None)
        if found.transaction is None:
            return
        state.transactions[found.transactional_id] = found.transaction
        mark = (replica.key, entry.offset, batch.epoch)
        if mark not in self._known:
            self._known.add(mark)
            self._stepped(Step(replica, found.transactional_id, before, found.transaction))

    def _offset(self, replica: ReplicaMirror, batch: Batch, entry: Entry, state: _State) -> None:
        if not batch.attributes & TRANSACTIONAL or entry.key is None:
            return
        (kind,) = _SHORT.unpack_from(entry.key)
        if kind not in _OFFSET_KINDS:
            return
        group, at = _string(entry.key, _SHORT.size)
        topic, at = _string(entry.key, at)
        (index,) = _INT.unpack_from(entry.key, at)
        state.pending[group, (topic, index)] = Pending(batch.producer_id, entry.offset)


def _string(data: bytes, at: int) -> tuple[str, int]:
    (size,) = _SHORT.unpack_from(data, at)
    start = at + _SHORT.size
    return data[start : start + size].decode(), start + size
