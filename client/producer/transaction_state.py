"""How far a producer's transaction is: what may be called, written and sent now. Pure.

Theory of operation. A producer with a transactional.id is one of

    UNINITIALIZED -> INITIALIZING -> READY -> OPEN -> COMMITTING -> DECIDED -> READY
                                               |          |
                                               +-> SPOILT +
                                               |    |     |
                                               +----+-----+---> ABORTING --> READY

and DEAD from anywhere. While COMMITTING, the last records are on their way, and the transaction may
still be aborted; once it is DECIDED, the coordinator was asked to commit, and only its answer ends
that. An error that an abort cures makes the transaction SPOILT: nothing more of it is sent, and
every call raises that error until the caller aborts. Any other error makes the producer DEAD: every
call raises it.

Partitions join a transaction in one of two ways, which is decided as the transaction begins. With
transaction.version below 2 the producer has the coordinator add them before the first batch goes
out (KIP-98). From 2 on the leader does that as the first batch comes, and each end of a transaction
brings the epoch of the next one (KIP-890). A coordinator refuses the end of a transaction that it
knows nothing of, so EndTxn is sent only when something has joined.

Numbers that may have been used without an answer cannot be used again. Where the end of the
transaction brings no new epoch, the producer asks for one after the abort (KIP-360).
"""

from __future__ import annotations

import enum
from typing import Final

from raftka.client.producer.batch import NO_IDENTITY, Identity
from raftka.client.producer.transaction_errors import TransactionError
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition


class Phase(enum.Enum):
    """Where a producer is between one transaction and the next."""

    UNINITIALIZED = "init_transactions was not called"
    INITIALIZING = "init_transactions is under way"
    READY = "no transaction was begun"
    OPEN = "a transaction is open"
    SPOILT = "the transaction failed and must be aborted"
    COMMITTING = "the transaction is being committed"
    DECIDED = "the coordinator was asked to commit the transaction"
    ABORTING = "the transaction is being aborted"
    DEAD = "the producer must be closed"


_WRITING: Final = frozenset({Phase.OPEN, Phase.COMMITTING})
_IN_TRANSACTION: Final = _WRITING | {Phase.SPOILT, Phase.DECIDED, Phase.ABORTING}


class TransactionState:
    """One producer's transactions, one after the other."""

    def __init__(self) -> None:
        self.phase = Phase.UNINITIALIZED
        self.identity = NO_IDENTITY
        self.error: TransactionError | None = None
        """Why it is SPOILT or DEAD."""
        self.joins_by_writing = False
        """Whether partitions join this transaction by their first batch (KIP-890)."""
        self._joined: set[TopicPartition] = set()
        self._wanted: dict[TopicPartition, None] = {}
        self._has_begun = False
        self._renew = False
        self._mapping_lost = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun that has not ended yet."""
        return self.phase in _IN_TRANSACTION

    # The caller's actions

    def initialize(self) -> None:
        """Begin to initialize, or repeat an unanswered attempt. Raises KafkaError."""
        if self.phase is not Phase.INITIALIZING:
            self._require("init_transactions", Phase.UNINITIALIZED)
        self.phase = Phase.INITIALIZING

    def begin(self, *, joins_by_writing: bool) -> None:
        """Open a transaction. Raises KafkaError while another is open, and before `initialized`."""
        self._require("begin_transaction", Phase.READY)
        self.phase = Phase.OPEN
        self.joins_by_writing = joins_by_writing

    def check_open(self, call: str) -> None:
        """Raises KafkaError unless records and offsets may join now."""
        self._require(call, Phase.OPEN)

    def commit(self) -> None:
        """Refuse further records; also when repeated because no answer has come so far.

        Raises MustAbort when the transaction failed.
        """
        if self.phase in (Phase.COMMITTING, Phase.DECIDED):
            return
        self._require("commit_transaction", Phase.OPEN)
        self.phase = Phase.COMMITTING

    def decide(self) -> None:
        """All records are stored: the producer asks the coordinator to commit. Raises MustAbort."""
        if self.phase is not Phase.DECIDED:
            self._require("commit_transaction", Phase.COMMITTING)
        self.phase = Phase.DECIDED

    def abort(self) -> None:
        """Send nothing more and abort, or repeat an unanswered abort. Raises KafkaError."""
        if self.phase not in (Phase.SPOILT, Phase.COMMITTING, Phase.ABORTING):
            self._require("abort_transaction", Phase.OPEN)
        self.phase = Phase.ABORTING
        self._wanted.clear()

    # The sender's actions

    def want(self, target: TopicPartition) -> bool:
        """Accept a record for `target`; returns whether the coordinator must add the partition."""
        if self.joins_by_writing or target in self._joined or target in self._wanted:
            return False
        self._wanted[target] = None
        return True

    def may_write(self, target: TopicPartition) -> bool:
        """Whether a batch may go to the partition now."""
        if self.phase not in _WRITING:
            return False
        return self.joins_by_writing or target in self._joined

    def written(self, target: TopicPartition) -> None:
        """A batch goes out: from now on the transaction may be open on the brokers."""
        self._joined.add(target)
        self._has_begun = True

    # The coordinator's answers

    @property
    def wanted(self) -> list[TopicPartition]:
        """The partitions that the coordinator must add before anything is written to them."""
        return list(self._wanted)

    def joined(self, targets: list[TopicPartition]) -> None:
        """The coordinator has added these partitions."""
        self._has_begun = True
        if self.phase not in _WRITING:
            return
        for target in targets:
            self._wanted.pop(target, None)
            self._joined.add(target)

    def offsets_joined(self) -> None:
        """The offsets of a group may be in the transaction."""
        self._has_begun = True

    def initialized(self, identity: Identity) -> None:
        """The coordinator knows the producer, and has ended what its predecessor left open."""
        self._rest(identity)

    def ended(self, identity: Identity | None) -> None:
        """The transaction is over; `identity` is that of the next one, None for the same again."""
        self._rest(identity or self.identity)

    @property
    def needs_end(self) -> bool:
        """Whether an EndTxn must be sent to the coordinator.

        It knows nothing of a transaction that nothing joined, and takes no EndTxn from a producer
        whose id it has forgotten.
        """
        return self._has_begun and not self._mapping_lost

    @property
    def needs_new_epoch(self) -> bool:
        """Whether, after the abort, the producer must ask for a new epoch (KIP-360)."""
        return self._mapping_lost or (self._renew and not self.joins_by_writing)

    def spoil(self, error: TransactionError, *, renew: bool) -> None:
        """An abortable error occurred; `renew` when sequence numbers may have been used."""
        if not self.in_transaction:
            return
        self._renew = self._renew or renew
        if error.code == ErrorCode.INVALID_PRODUCER_ID_MAPPING:
            self._mapping_lost = True
        if self.phase in _WRITING or self.phase is Phase.DECIDED:
            self.phase = Phase.SPOILT
            self.error = error
            self._wanted.clear()

    def die(self, error: TransactionError) -> None:
        """An error that no abort cures occurred; the first such error is kept."""
        if self.phase is not Phase.DEAD:
            self.phase = Phase.DEAD
            self.error = error
            self._wanted.clear()

    def failure(self) -> TransactionError | None:
        """A fresh copy of the error for one more caller, since each raise adds its traceback."""
        error = self.error
        return None if error is None else type(error)(error.code, error.message)

    def _rest(self, identity: Identity) -> None:
        self.phase = Phase.READY
        self.identity = identity
        self.error = None
        self._joined.clear()
        self._wanted.clear()
        self._has_begun = self._renew = self._mapping_lost = False

    def _require(self, call: str, phase: Phase) -> None:
        if self.phase is phase:
            return
        failure = self.failure()
        if failure is not None:
            raise failure
        raise KafkaError(
            ErrorCode.INVALID_TXN_STATE, f"{call}: {self.phase.value}; {_ADVICE[self.phase]}"
        )


_ADVICE: Final = {
    Phase.UNINITIALIZED: "await producer.init_transactions() once, before anything else",
    Phase.INITIALIZING: "await it first",
    Phase.READY: "begin_transaction() comes first, or `async with producer.transaction():`",
    Phase.OPEN: "commit or abort it first",
    Phase.SPOILT: "await producer.abort_transaction() first",
    Phase.COMMITTING: "await commit_transaction() first",
    Phase.DECIDED: "await commit_transaction() again, until it has an answer",
    Phase.ABORTING: "await abort_transaction() first",
    Phase.DEAD: "close it",
}
