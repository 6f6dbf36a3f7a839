"""InitProducerId: a producer starts to use a transactional id, and fences its predecessor.

Source: KIP-98, "InitPidRequest"; KIP-360 (a producer that recovers from an error sends its id and
epoch, which tell it apart from a newer producer).
"""

from __future__ import annotations

from typing import NamedTuple

from raftka.broker.coordinators.outbox import Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.broker.coordinators.transaction import ending
from raftka.broker.coordinators.transaction.core import Core, NeedsProducerId
from raftka.broker.coordinators.transaction.state import PREPARED, State, Transaction
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_PRODUCER_ID
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)


class _Expected(NamedTuple):
    """The producer id and epoch that a producer expects to have."""

    producer_id: int
    epoch: int


def init_producer_id(
    core: Core,
    request: InitProducerIdRequest,
    ticket: Ticket,
    now: Moment,
    new_producer_id: int | None,
) -> None:
    """Answer with the producer id and epoch to use.

    An open transaction is aborted first: the answer is CONCURRENT_TRANSACTIONS, and the producer
    retries. Raises NeedsProducerId, and KafkaError: INVALID_REQUEST, INVALID_TRANSACTION_TIMEOUT,
    PRODUCER_FENCED, CONCURRENT_TRANSACTIONS.
    """
    transactional_id = request.transactional_id
    if not transactional_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "the transactional id is empty")
    timeout_ms = request.transaction_timeout
    if not 0 < timeout_ms <= core.config.timeout_max_ms:
        raise KafkaError(
            ErrorCode.INVALID_TRANSACTION_TIMEOUT,
            f"transaction.timeout.ms={timeout_ms} of {transactional_id!r} is not within"
            f" 1 and transaction.max.timeout.ms={core.config.timeout_max_ms}",
        )
    expected = _expected(request)
    found = core.transactions.get(transactional_id)
    if found is None:
        if new_producer_id is None:
            raise NeedsProducerId(transactional_id)
        found = Transaction(new_producer_id, NO_EPOCH, timeout_ms)
    _check_fencing(transactional_id, found, expected)
    if found.state in PREPARED:
        raise KafkaError(
            ErrorCode.CONCURRENT_TRANSACTIONS,
            f"the last transaction of {transactional_id!r} is being ended",
        )
    if found.state is State.ONGOING:
        ending.abort_for_server(core, transactional_id, now)
        core.outbox.answer(ticket, KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS))
        return
    step = _next(transactional_id, found, expected, timeout_ms, now.wall_ms, new_producer_id)
    core.check_fits(transactional_id, step)
    core.write(transactional_id, step)
    core.outbox.answer(
        ticket,
        InitProducerIdResponse(producer_id=step.producer_id, producer_epoch=step.producer_epoch),
    )


def _expected(request: InitProducerIdRequest) -> _Expected | None:
    """Raises KafkaError INVALID_REQUEST for an id without an epoch, or an epoch without an id."""
    without_id = request.producer_id == NO_PRODUCER_ID
    if without_id != (request.producer_epoch == NO_EPOCH):
        raise KafkaError(
            ErrorCode.INVALID_REQUEST, "a producer id and its epoch come together or not at all"
        )
    return None if without_id else _Expected(request.producer_id, request.producer_epoch)


def _check_fencing(transactional_id: str, found: Transaction, expected: _Expected | None) -> None:
    """A producer id that a producer names must be the current one.

    Or the previous one, if its epochs were used up: the answer with the new id may have been lost.
    """
    if (
        expected is None
        or found.producer_epoch == NO_EPOCH
        or expected.producer_id == found.producer_id
        or (
            expected.producer_id == found.previous_producer_id
            and Transaction(expected.producer_id, expected.epoch, 0).is_exhausted
        )
    ):
        return
    raise _fenced(transactional_id)


def _next(
    transactional_id: str,
    found: Transaction,
    expected: _Expected | None,
    timeout_ms: int,
    now_ms: int,
    new_producer_id: int | None,
) -> Transaction:
    """The next id and epoch: the epoch increases, unless the request is a retry."""
    epoch = found.producer_epoch
    is_present = expected is None or epoch == NO_EPOCH or expected.epoch == epoch
    is_repeated = expected is not None and expected.epoch == found.last_epoch
    if found.is_exhausted and (is_present or is_repeated):
        if new_producer_id is None:
            raise NeedsProducerId(transactional_id)
        return found.rotated(
            new_producer_id, timeout_ms, keep_last=expected is not None, now_ms=now_ms
        )
    if is_present:
        last_epoch = NO_EPOCH if expected is None else epoch
        return found.initialized(timeout_ms, epoch + 1, last_epoch, now_ms)
    if is_repeated:
        # No newer producer has started: that would have cleared the last epoch.
        return found.initialized(timeout_ms, epoch, found.last_epoch, now_ms)
    raise _fenced(transactional_id)


def _fenced(transactional_id: str) -> KafkaError:
    return KafkaError(
        ErrorCode.PRODUCER_FENCED, f"a newer producer has begun under {transactional_id!r}"
    )
