"""The state that the operations of a shard share: transactional ids, timers and the outbox."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from raftka.broker.coordinators.outbox import Outbox, batch_bytes
from raftka.broker.coordinators.timers import Moment, Timers
from raftka.broker.coordinators.transaction import records
from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.state import PREPARED, State, Transaction
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.control_records import EndMarker
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TRANSACTION_TOPIC, TopicPartition
from raftka.model.rules import ALL_HOLD, RulesOff

FEATURE: Final = "transaction.version"

_ENDING_BYTES: Final = 64
"""How many bytes the records that end a transaction may add to the previous record."""


class NeedsProducerId(KafkaError):
    """The operation must be repeated with a new producer id; nothing has changed."""

    def __init__(self, transactional_id: str) -> None:
        super().__init__(
            ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
            f"{transactional_id!r} needs a new producer id, and none is at hand yet",
        )


@dataclass(frozen=True, slots=True)
class WriteMarkers:
    """An effect: end the transaction in these partitions, then call `markers_written`.

    Without partitions there is nothing to write, and the call follows at once.
    """

    transactional_id: str
    marker: EndMarker
    partitions: frozenset[TopicPartition]
    transaction_version: int
    """For WriteTxnMarkers 2 (KIP-1228): how a partition interprets the marker's epoch."""


@dataclass(slots=True)
class Core:
    """The state of one shard."""

    config: TransactionConfig
    epoch: int
    """The coordinator's epoch: the leader epoch of its partition."""
    rules_off: RulesOff = ALL_HOLD
    transactions: dict[str, Transaction] = field(default_factory=dict)
    timers: Timers = field(default_factory=Timers)
    outbox: Outbox = field(default_factory=Outbox)
    image: MetadataImage = EMPTY_IMAGE

    @property
    def version(self) -> int:
        """The cluster's transaction.version."""
        return self.image.features.get(FEATURE, 0)

    def of_producer(self, transactional_id: str, producer_id: int) -> Transaction:
        """The transactional id that a producer claims.

        Raises KafkaError: INVALID_REQUEST without an id, INVALID_PRODUCER_ID_MAPPING if the id
        belongs to another producer, or has expired.
        """
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "the transactional id is empty")
        found = self.transactions.get(transactional_id)
        if found is None or found.producer_id != producer_id:
            raise self.wrong_mapping(transactional_id, producer_id)
        return found

    @staticmethod
    def wrong_mapping(transactional_id: str, producer_id: int) -> KafkaError:
        return KafkaError(
            ErrorCode.INVALID_PRODUCER_ID_MAPPING,
            f"producer id {producer_id} is not the present one of {transactional_id!r}",
        )

    def check_fits(self, transactional_id: str, transaction: Transaction) -> None:
        """Raises KafkaError RECORD_LIST_TOO_LARGE if a record that ends the transaction would not
        fit."""
        record = self._record(transactional_id, transaction)
        size = batch_bytes([record]) + _ENDING_BYTES
        if size > self.outbox.bytes_max:
            raise KafkaError(
                ErrorCode.RECORD_LIST_TOO_LARGE,
                f"the transaction of {transactional_id!r} has {len(transaction.partitions)}"
                f" partitions, which take {size} bytes; one record holds"
                f" {self.outbox.bytes_max} (message.max.bytes)",
            )

    def write(self, transactional_id: str, transaction: Transaction) -> None:
        """Apply a transition, in memory and in the log."""
        self.transactions[transactional_id] = transaction
        self.outbox.records.append(self._record(transactional_id, transaction))

    def _record(self, transactional_id: str, transaction: Transaction) -> tuple[bytes, bytes]:
        key = records.transaction_key(transactional_id)
        return key, records.transaction_value(transaction, self.version)

    def bury(self, transactional_id: str) -> None:
        """Delete a transactional id, in memory and in the log."""
        del self.transactions[transactional_id]
        self.outbox.records.append((records.transaction_key(transactional_id), None))

    # ---- the end of transactions

    def send_markers(self, transactional_id: str) -> None:
        """Write the markers of a prepared transaction, once the decision is committed."""
        self.forget_lost_partitions(transactional_id)
        found = self.transactions[transactional_id]
        marker = EndMarker(
            found.producer_id,
            found.producer_epoch,
            found.state is State.PREPARE_COMMIT,
            self.epoch,
        )
        self.outbox.effects.append(
            WriteMarkers(transactional_id, marker, found.partitions, found.client_version)
        )

    def forget_lost_partitions(self, transactional_id: str) -> None:
        """Skip partitions of deleted topics: no reader waits for their markers."""
        if TRANSACTION_TOPIC not in self.image.topics:
            return  # The metadata may be older than this shard's election, so it proves nothing.
        found = self.transactions[transactional_id]
        lost = frozenset(each for each in found.partitions if self.image.partition(*each) is None)
        if lost and found.state in PREPARED:
            self.transactions[transactional_id] = found.without(lost)

    def complete_if_done(self, transactional_id: str, now: Moment) -> None:
        """Complete the transaction once every partition has its marker."""
        found = self.transactions[transactional_id]
        if found.state in PREPARED and not found.partitions:
            self.write(transactional_id, found.completed(now.wall_ms))
