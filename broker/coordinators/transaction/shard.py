"""One partition of __transaction_state as a state machine without I/O.

Implements broker.coordinators.shard.Shard. It has one type of effect, WriteMarkers: the runtime's
`perform` has the markers written, with retries until every partition has its own, and calls
`markers_written`. A newly loaded shard requests the markers of every transaction that was being
ended, so that no transaction stays half done after a coordinator fails.
"""

from __future__ import annotations

from collections.abc import Iterable

from raftka.broker.coordinators.outbox import Outbox, Producer, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.broker.coordinators.transaction import ending, init, records
from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.core import Core
from raftka.broker.coordinators.transaction.state import (
    IDLE,
    PREPARED,
    State,
    Transaction,
)
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger
from raftka.model.ports import Buffer
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages.describe_transactions import TopicData, TransactionState
from raftka.net.protocol.messages.end_txn import EndTxnRequest
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.protocol.messages.transaction_log_value import TransactionLogValue

log = get_logger(__name__)


class TransactionShard:
    """All transactional ids of one partition. Operations raise KafkaError if they refuse a request.

    Those that take a `new_producer_id` raise NeedsProducerId if they need one and get None.
    """

    def __init__(
        self, config: TransactionConfig, epoch: int, rules_off: RulesOff = ALL_HOLD
    ) -> None:
        self._core = Core(config, epoch, rules_off)

    @property
    def outbox(self) -> Outbox:
        return self._core.outbox

    # ---- the log

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        """Apply one record of the log. Call `loaded` after the last one."""
        try:
            record = records.decode(key, value)
        except MalformedMessage as error:
            log.error(f"a record of __transaction_state is not readable and is skipped: {error}")
            return
        if record is None:
            return
        transactional_id, transaction = record
        if transaction is None:
            self._core.transactions.pop(transactional_id, None)
        else:
            self._core.transactions[transactional_id] = transaction

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        """Do nothing: no transaction has records here, and the coordinator's own belong to none."""

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        """Follow transaction.version; stop waiting for markers of deleted partitions."""
        core = self._core
        core.image = image
        for topic in () if delta is None else delta.topics.deleted:
            for transactional_id, found in list(core.transactions.items()):
                if found.state in PREPARED and any(p.topic == topic.name for p in found.partitions):
                    core.forget_lost_partitions(transactional_id)
                    core.complete_if_done(transactional_id, now)

    def loaded(self, now: Moment) -> None:
        """The log is replayed: resume what the previous coordinator has started."""
        core = self._core
        for transactional_id, found in list(core.transactions.items()):
            if found.state in PREPARED:
                if Rule.SUCCESSOR_FINISHES not in core.rules_off:
                    core.send_markers(transactional_id)
            elif found.state is State.ONGOING:
                ending.watch_timeout(core, transactional_id, now)
        self._expire_later(now)

    def _expire_later(self, now: Moment) -> None:
        def passed(now: Moment) -> None:
            self._expire(now.wall_ms)
            self._expire_later(now)

        interval_ms = self._core.config.expiration_check_interval_ms
        self._core.timers.schedule("expiry", now.monotonic_s + interval_ms / 1000, passed)

    def _expire(self, now_ms: int) -> None:
        """Delete transactional ids that were not used for transactional.id.expiration.ms."""
        core = self._core
        for transactional_id, found in list(core.transactions.items()):
            unused_ms = now_ms - found.updated_ms
            if found.state in IDLE and unused_ms >= core.config.id_expiration_ms:
                core.bury(transactional_id)

    # ---- time

    def next_deadline_s(self) -> float | None:
        """When `tick` is due, in monotonic seconds."""
        return self._core.timers.next_deadline_s()

    def tick(self, now: Moment) -> None:
        """Run the timers that are due."""
        while (action := self._core.timers.pop_due(now.monotonic_s)) is not None:
            action(now)

    def abandon(self) -> list[Ticket]:
        """No request waits here: all answers are in the outbox."""
        return []

    # ---- producers

    def init_producer_id(
        self,
        request: InitProducerIdRequest,
        ticket: Ticket,
        now: Moment,
        new_producer_id: int | None = None,
    ) -> None:
        """See init.init_producer_id."""
        init.init_producer_id(self._core, request, ticket, now, new_producer_id)

    def add_partitions(
        self,
        transactional_id: str,
        producer: Producer,
        partitions: Iterable[TopicPartition],
        client_version: int,
        now: Moment,
    ) -> None:
        """Add partitions to the producer's transaction; the first ones open it.

        Raises KafkaError: INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED,
        CONCURRENT_TRANSACTIONS, RECORD_LIST_TOO_LARGE.
        """
        core = self._core
        found = self._of_producer(transactional_id, producer)
        wanted = frozenset(partitions)
        if found.state is State.ONGOING and wanted <= found.partitions:
            return
        step = found.with_partitions(wanted, client_version, now.wall_ms)
        core.check_fits(transactional_id, step)
        core.write(transactional_id, step)
        if found.state is not State.ONGOING:
            ending.watch_timeout(core, transactional_id, now)

    def verify_partitions(
        self, transactional_id: str, producer: Producer, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, ErrorCode]:
        """Whether partitions are in the producer's transaction: NONE, or TRANSACTION_ABORTABLE.

        Raises KafkaError as `add_partitions` does (KIP-890, part 1).
        """
        found = self._of_producer(transactional_id, producer)
        return {
            each: ErrorCode.NONE if each in found.partitions else ErrorCode.TRANSACTION_ABORTABLE
            for each in partitions
        }

    def _of_producer(self, transactional_id: str, producer: Producer) -> Transaction:
        found = self._core.of_producer(transactional_id, producer.id)
        if found.producer_epoch != producer.epoch:
            raise ending.fenced(transactional_id)
        if found.state in PREPARED:
            raise ending.concurrent(transactional_id)
        return found

    def end_transaction(
        self,
        request: EndTxnRequest,
        client_version: int,
        ticket: Ticket,
        now: Moment,
        new_producer_id: int | None = None,
    ) -> None:
        """See ending.end_transaction."""
        ending.end_transaction(self._core, request, client_version, ticket, now, new_producer_id)

    def markers_written(
        self,
        transactional_id: str,
        marker: EndMarker,
        partitions: frozenset[TopicPartition],
        now: Moment,
    ) -> None:
        """See ending.markers_written."""
        ending.markers_written(self._core, transactional_id, marker, partitions, now)

    # ---- administration

    def describe(self, transactional_id: str) -> TransactionState:
        """Describe a transactional id for DescribeTransactions (KIP-664).

        While its transaction is being ended, the answer lists the partitions without a marker.

        Raises KafkaError: INVALID_REQUEST, TRANSACTIONAL_ID_NOT_FOUND.
        """
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "the transactional id is empty")
        found = self._core.transactions.get(transactional_id)
        if found is None:
            raise KafkaError(
                ErrorCode.TRANSACTIONAL_ID_NOT_FOUND, f"there is no {transactional_id!r}"
            )
        topics: dict[str, list[int]] = {}
        for topic, partition in sorted(found.partitions):
            topics.setdefault(topic, []).append(partition)
        return TransactionState(
            transactional_id=transactional_id,
            transaction_state=found.state.label,
            transaction_timeout=found.timeout_ms,
            transaction_start_time=found.started_ms,
            producer_id=found.producer_id,
            producer_epoch=found.producer_epoch,
            topics=[TopicData(topic=name, partitions=p) for name, p in topics.items()],
        )

    def transactions(self) -> dict[str, Transaction]:
        """All transactional ids as they are in memory, for lists and checkers."""
        return dict(self._core.transactions)

    def sizes(self) -> dict[str, int]:
        """The numbers of transactional ids and of open or ending transactions, for the log line."""
        found = self._core.transactions.values()
        busy = sum(transaction.state not in IDLE for transaction in found)
        return {"transactional_ids": len(found), "open_transactions": busy}

    def contents(self) -> dict[str, TransactionLogValue]:
        """Transactional ids as their records hold them, to compare two shards."""
        return {name: records.log_value(t) for name, t in self._core.transactions.items()}
