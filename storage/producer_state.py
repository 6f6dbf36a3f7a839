"""A partition's state of its producers: it detects retries, fences replaced producers, and tracks
open transactions.

A producer numbers its records per partition. The log keeps each producer's last five batches: that
many may be in flight at once, so a retried batch is one of them. Source: KIP-98, KIP-360; for
transactions KIP-890 and KIP-1228.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from raftka.model.control_records import EndMarker, read_end_marker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_OFFSET
from raftka.model.ports import Buffer
from raftka.model.record_batch import CONTROL_BIT, TRANSACTIONAL_BIT, BatchHeader, advance_sequence
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.storage.open_transactions import OpenTransactions
from raftka.storage.producer_entry import (
    ProducerEntry,
    RememberedBatch,
    from_snapshot,
    to_snapshot,
)
from raftka.storage.producer_snapshot import SnapshotEntry
from raftka.storage.transaction_index import AbortedTransaction
from raftka.storage.verification import WITHOUT_ID, Guard, Verification, Verifications

REMEMBERED_BATCHES: Final = 5
"""An idempotent producer's max.in.flight.requests.per.connection may not be larger."""

EXPIRATION_MS: Final = 24 * 3600 * 1000
"""The default of producer.id.expiration.ms."""

_EPOCH_BUMPS: Final = 2
"""The lowest transaction.version whose markers have a bumped epoch (KIP-890)."""


def _old_epoch(producer_id: int, epoch: int, last: int, where: object) -> KafkaError:
    return KafkaError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        f"Epoch of producer {producer_id} in {where} is {epoch}, which is smaller than the last "
        f"seen epoch {last}",
    )


def _out_of_order(producer_id: int, sequence: int, where: object, than: str) -> KafkaError:
    return KafkaError(
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        f"Out of order sequence number for producer {producer_id} in partition {where}: "
        f"{sequence} (incoming seq. number), {than}",
    )


def _not_transactional(producer_id: int, where: object) -> KafkaError:
    return KafkaError(
        ErrorCode.INVALID_TXN_STATE,
        f"Expected transactional write from producer {producer_id} in partition {where}",
    )


class ProducerState:
    """All producers of one partition."""

    __slots__ = (
        "_remembered",
        "_rules_off",
        "_verifies",
        "end_offset",
        "producers",
        "transactions",
        "verifications",
    )

    def __init__(
        self, rules_off: RulesOff = ALL_HOLD, verifies: Callable[[], bool] = lambda: True
    ) -> None:
        """`verifies` returns the current transaction.partition.verification.enable."""
        self.producers: dict[int, ProducerEntry] = {}
        self.end_offset = 0
        """The state covers all batches before this offset."""
        self._rules_off = rules_off
        self._verifies = verifies
        one_batch = Rule.FIVE_BATCHES_REMEMBERED in rules_off
        self._remembered = 1 if one_batch else REMEMBERED_BATCHES
        self.transactions = OpenTransactions(self._rules_off)
        self.verifications = Verifications()

    # ---- before an append

    def check(
        self,
        producer_id: int,
        epoch: int,
        base_sequence: int,
        offset_delta: int,
        is_transactional: int,
        where: object,
    ) -> RememberedBatch | None:
        """Check that a client's batch may be appended; return the earlier one if it is a duplicate.

        `where` names the partition in messages. Raises KafkaError: INVALID_PRODUCER_EPOCH for a
        replaced producer, OUT_OF_ORDER_SEQUENCE_NUMBER for a gap, INVALID_TXN_STATE outside of the
        producer's open transaction. `check_other` checks batches that open a transaction.
        """
        entry = self.producers.get(producer_id)
        if entry is None:
            if epoch < NO_EPOCH:
                raise _old_epoch(producer_id, epoch, NO_EPOCH, where)
            return None
        if epoch != entry.epoch:
            self._check_new_epoch(entry, producer_id, epoch, base_sequence, where)
        else:
            newest = entry.batches[-1].last_sequence if entry.batches else -1
            if base_sequence != advance_sequence(newest, 1):
                earlier = entry.repeated(base_sequence, offset_delta)
                if earlier is not None:
                    return earlier
                than = f"{newest} (current end sequence number)"
                raise _out_of_order(producer_id, base_sequence, where, than)
        if entry.txn_first_offset >= 0 and not is_transactional:
            raise _not_transactional(producer_id, where)
        return None

    def _check_new_epoch(
        self, entry: ProducerEntry, producer_id: int, epoch: int, base_sequence: int, where: object
    ) -> None:
        self._check_epoch(entry, producer_id, epoch, where)
        if base_sequence != 0 and entry.epoch != NO_EPOCH:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for new epoch of producer {producer_id} in partition "
                f"{where}: {epoch} (request epoch), {base_sequence} (seq. number), "
                f"{entry.epoch} (current producer epoch)",
            )

    def _check_epoch(
        self, entry: ProducerEntry, producer_id: int, epoch: int, where: object
    ) -> None:
        if epoch < entry.epoch and Rule.PRODUCER_EPOCH_FENCES not in self._rules_off:
            raise _old_epoch(producer_id, epoch, entry.epoch, where)

    def check_other(
        self,
        producer_id: int,
        epoch: int,
        base_sequence: int,
        offset_delta: int,
        attributes: int,
        guard: Guard | None,
        where: object,
    ) -> RememberedBatch | None:
        """The same for a transactional batch, which needs a `guard` to open a transaction, and for
        a coordinator's batch, which has no sequence. `check_marker` checks markers."""
        is_transactional = attributes & TRANSACTIONAL_BIT
        entry = self.producers.get(producer_id)
        if attributes & CONTROL_BIT:
            return None
        if is_transactional and guard is WITHOUT_ID:
            raise KafkaError(
                ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                f"a batch of a transaction for {where} came without a transactional.id",
            )
        if base_sequence < 0 or not is_transactional:
            self._check_unnumbered(entry, producer_id, epoch, is_transactional, guard, where)
            return None
        if entry is not None and entry.epoch == epoch:
            earlier = entry.repeated(base_sequence, offset_delta)
            if earlier is not None:
                return earlier
        self._check_guard(producer_id, epoch, guard)
        waiting = self.verifications.get(producer_id)
        if waiting is not None:
            if entry is not None:
                self._check_epoch(entry, producer_id, epoch, where)
            self._check_first(waiting, entry, producer_id, base_sequence, where)
        return self.check(producer_id, epoch, base_sequence, offset_delta, is_transactional, where)

    @staticmethod
    def _check_first(
        waiting: Verification,
        entry: ProducerEntry | None,
        producer_id: int,
        base_sequence: int,
        where: object,
    ) -> None:
        """Batches that wait for the same verification must be appended in order."""
        if waiting.bumps_epoch and base_sequence != 0 and (entry is None or not entry.batches):
            than = "and version 2 of transactions begins with 0"
            raise _out_of_order(producer_id, base_sequence, where, than)
        if base_sequence > waiting.lowest_sequence:
            than = f"{waiting.lowest_sequence} (earliest seen sequence)"
            raise _out_of_order(producer_id, base_sequence, where, than)

    def _check_unnumbered(
        self,
        entry: ProducerEntry | None,
        producer_id: int,
        epoch: int,
        is_transactional: int,
        guard: Guard | None,
        where: object,
    ) -> None:
        if is_transactional:
            self._check_guard(producer_id, epoch, guard)
        if entry is not None:
            self._check_epoch(entry, producer_id, epoch, where)
            if entry.txn_first_offset >= 0 and not is_transactional:
                raise _not_transactional(producer_id, where)

    def _check_guard(self, producer_id: int, epoch: int, guard: Guard | None) -> None:
        if self.is_open(producer_id, epoch) or not self._verifies():
            return
        waiting = self.verifications.get(producer_id)
        if guard is not None and waiting is not None and waiting.guard is guard:
            return
        if Rule.FIRST_WRITE_IS_VERIFIED not in self._rules_off:
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE, "Record was not part of an ongoing transaction"
            )

    def check_marker(self, marker: EndMarker, transaction_version: int, where: object) -> None:
        """Check that an end marker may be appended; a repeated one may, and changes nothing.

        Raises KafkaError: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
        """
        producer_id, epoch = marker.producer_id, marker.producer_epoch
        entry = self.producers.get(producer_id)
        if entry is None:
            if epoch < NO_EPOCH:
                raise _old_epoch(producer_id, epoch, NO_EPOCH, where)
            return
        self._check_epoch(entry, producer_id, epoch, where)
        if (
            transaction_version >= _EPOCH_BUMPS
            and epoch == entry.epoch
            and entry.txn_first_offset >= 0
            and Rule.MARKER_RAISES_EPOCH not in self._rules_off
        ):
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {producer_id} in {where} is {epoch}, and so is that of its "
                "open transaction, which a marker of version 2 with this epoch cannot end",
            )
        if (
            marker.coordinator_epoch < entry.coordinator_epoch
            and Rule.COORDINATOR_EPOCH_FENCES not in self._rules_off
        ):
            raise KafkaError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"Invalid coordinator epoch for producer {producer_id} in {where}: "
                f"{marker.coordinator_epoch} (zombie), {entry.coordinator_epoch} (current)",
            )

    def is_open(self, producer_id: int, epoch: int) -> bool:
        """Whether the producer has an open transaction with that epoch here."""
        entry = self.producers.get(producer_id)
        return entry is not None and entry.txn_first_offset >= 0 and entry.epoch == epoch

    def begin_verification(
        self, producer_id: int, epoch: int, sequence: int, *, bumps_epoch: bool, now_ms: int
    ) -> Guard | None:
        """The guard for a question to the coordinator; None if none is needed, since the
        transaction is open here."""
        if self.is_open(producer_id, epoch):
            return None
        return self.verifications.begin(
            producer_id, epoch, sequence, bumps_epoch=bumps_epoch, now_ms=now_ms
        )

    # ---- after an append

    def appended(
        self,
        producer_id: int,
        epoch: int,
        base_sequence: int,
        offset_delta: int,
        last_offset: int,
        timestamp: int,
        attributes: int,
    ) -> None:
        """Record an appended batch with records, and its position."""
        entry = self.producers.get(producer_id)
        if entry is None:
            entry = self.producers[producer_id] = ProducerEntry(epoch)
        elif entry.epoch != epoch:
            entry.epoch = epoch
            entry.batches.clear()
        entry.last_timestamp = timestamp
        last_sequence = -1 if base_sequence < 0 else advance_sequence(base_sequence, offset_delta)
        batches = entry.batches
        batches.append(RememberedBatch(last_sequence, last_offset, offset_delta, timestamp))
        if len(batches) > self._remembered:
            del batches[0]
        if attributes & TRANSACTIONAL_BIT:
            if entry.txn_first_offset < 0:
                entry.txn_first_offset = last_offset - offset_delta
                self.transactions.begin(producer_id, entry.txn_first_offset)
            self.verifications.void(producer_id, epoch)

    def replay(self, header: BatchHeader, read: Callable[[], Buffer]) -> AbortedTransaction | None:
        """Replay a batch of the log; `read` returns its bytes if they are needed.

        Returns the index entry if it ends a transaction with an abort.
        """
        aborted = None
        if header.producer_id < 0:
            pass  # No producer: only the end offset changes.
        elif header.attributes & CONTROL_BIT:
            aborted = self._ended(header, read_end_marker(header, read()))
        else:
            self.appended(
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                header.last_offset_delta,
                header.last_offset,
                header.max_timestamp,
                header.attributes,
            )
        self.end_offset = header.next_offset
        return aborted

    def _ended(self, header: BatchHeader, marker: EndMarker | None) -> AbortedTransaction | None:
        """Record an end marker: it has no sequence, and may bump the producer's epoch (KIP-890).

        Returns None for one that compaction has emptied: its transaction has no records left.
        """
        producer_id = header.producer_id
        entry = self.producers.get(producer_id)
        if entry is None:
            entry = self.producers[producer_id] = ProducerEntry(header.producer_epoch)
        elif entry.epoch != header.producer_epoch:
            entry.epoch = header.producer_epoch
            entry.batches.clear()
        entry.last_timestamp = header.max_timestamp
        entry.txn_first_offset = NO_OFFSET
        if Rule.MARKER_VOIDS_GUARDS not in self._rules_off:
            self.verifications.ended(producer_id, header.producer_epoch)
        ended = self.transactions.end(producer_id, header.last_offset)
        if marker is None:
            return None
        entry.coordinator_epoch = marker.coordinator_epoch
        return None if marker.commit else ended

    # ---- periodic work

    def expire(self, now_ms: int, expiration_ms: int = EXPIRATION_MS) -> int:
        """Remove long-silent producers without an open transaction; return the number."""
        keeps_open = Rule.OPEN_PRODUCERS_ARE_KEPT not in self._rules_off
        expired = [
            producer_id
            for producer_id, entry in self.producers.items()
            if now_ms - entry.last_timestamp >= expiration_ms
            and not (keeps_open and entry.txn_first_offset >= 0)
        ]
        for producer_id in expired:
            del self.producers[producer_id]
            self.transactions.forget(producer_id)
        self.verifications.expire(now_ms, expiration_ms)
        return len(expired)

    def clear(self, end_offset: int) -> None:
        """Reset the state, as of a log that starts at `end_offset`."""
        self.producers.clear()
        self.transactions.restore({})
        self.verifications.clear()
        self.end_offset = end_offset

    # ---- snapshots

    def to_entries(self) -> Iterator[SnapshotEntry]:
        """The entries of a snapshot file."""
        return to_snapshot(self.producers)

    def from_entries(self, entries: Iterable[SnapshotEntry], end_offset: int) -> None:
        """Restore the state of a snapshot taken at `end_offset`."""
        self.clear(end_offset)
        self.producers.update(from_snapshot(entries, self._remembered))
        self.transactions.restore(
            {
                producer_id: entry.txn_first_offset
                for producer_id, entry in self.producers.items()
                if entry.txn_first_offset >= 0
            }
        )
