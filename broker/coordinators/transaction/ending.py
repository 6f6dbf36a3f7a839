"""The end of a transaction: EndTxn, timeouts, fencing, and the end markers.

Source: KIP-98, "EndTxnRequest"; KIP-890, part 2 (transaction.version 2).
"""

from __future__ import annotations

from raftka.broker.coordinators.outbox import Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.broker.coordinators.transaction.core import Core, NeedsProducerId
from raftka.broker.coordinators.transaction.state import (
    EPOCH_BUMPS,
    EPOCH_MAX,
    PREPARED,
    State,
    Transaction,
)
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_PRODUCER_ID, TopicPartition
from raftka.model.logs import get_logger
from raftka.net.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse

log = get_logger(__name__)


def end_transaction(
    core: Core,
    request: EndTxnRequest,
    client_version: int,
    ticket: Ticket,
    now: Moment,
    new_producer_id: int | None,
) -> None:
    """Commit or abort; answered once the decision is committed, before the markers are written.

    Raises NeedsProducerId, and KafkaError: INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING,
    PRODUCER_FENCED, CONCURRENT_TRANSACTIONS (that end is in progress), INVALID_TXN_STATE.
    """
    if client_version >= EPOCH_BUMPS:
        _end_with_bump(core, request, client_version, ticket, now, new_producer_id)
    else:
        _end_without_bump(core, request, ticket, now)


def _end_without_bump(core: Core, request: EndTxnRequest, ticket: Ticket, now: Moment) -> None:
    """Versions 0 and 1: the epoch stays, so a retry is recognized by the state alone."""
    name = request.transactional_id
    found = core.of_producer(name, request.producer_id)
    if request.producer_epoch != found.producer_epoch:
        raise fenced(name)
    if found.state is State.ONGOING:
        _prepare(core, name, found, commit=request.committed, version=0, now=now)
    elif found.state is State.EMPTY or _is_commit(found) != request.committed:
        raise _wrong_state(name, found, request)
    elif found.state in PREPARED:
        raise concurrent(name)
    core.outbox.answer(ticket, EndTxnResponse())


def _end_with_bump(
    core: Core,
    request: EndTxnRequest,
    client_version: int,
    ticket: Ticket,
    now: Moment,
    new_producer_id: int | None,
) -> None:
    """Version 2: a retry carries the epoch before the current one.

    |                | abort again | abort   | commit again | commit            |
    | Empty          | fenced      | bumps   | fenced       | INVALID_TXN_STATE |
    | CompleteAbort  | as before   | bumps   | INVALID_...  | INVALID_TXN_STATE |
    | CompleteCommit | INVALID_... | bumps   | as before    | INVALID_TXN_STATE |
    | Prepare...     | CONCURRENT_TRANSACTIONS, where it would be accepted once that is complete |

    An abort without a transaction is allowed: the producer may not know whether its first batch has
    added a partition.
    """
    name = request.transactional_id
    if not name:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "the transactional id is empty")
    found = core.transactions.get(name)
    if found is None:
        raise core.wrong_mapping(name, request.producer_id)
    is_repeated = _is_repetition(found, request)
    if request.producer_id != found.producer_id and not is_repeated:
        raise core.wrong_mapping(name, request.producer_id)
    if is_repeated and found.state not in (State.ONGOING, State.EMPTY):
        if _is_commit(found) != request.committed:
            raise _wrong_state(name, found, request)
        if found.state in PREPARED:
            raise concurrent(name)
    elif request.producer_epoch != found.producer_epoch:
        raise fenced(name)
    elif found.state in PREPARED:
        # The producer learned its next epoch with the decision, and aborts its next transaction
        # before the markers of the last one are written. Kafka answers PRODUCER_FENCED.
        raise concurrent(name)
    elif found.state is not State.ONGOING and request.committed:
        raise _wrong_state(name, found, request)
    else:
        if found.is_exhausted and new_producer_id is None:
            raise NeedsProducerId(name)
        reserved = new_producer_id if found.is_exhausted else None
        found = _prepare(
            core,
            name,
            found,
            commit=request.committed,
            version=client_version,
            now=now,
            next_producer_id=reserved,
        ).completed(now.wall_ms)
    core.outbox.answer(
        ticket,
        EndTxnResponse(producer_id=found.producer_id, producer_epoch=found.producer_epoch),
    )


def _is_repetition(found: Transaction, request: EndTxnRequest) -> bool:
    """Whether this is a retry of a request that was served, and whose answer was lost."""
    if request.producer_id == found.producer_id:
        return request.producer_epoch + 1 == found.producer_epoch
    return (
        request.producer_id == found.previous_producer_id
        and request.producer_epoch == EPOCH_MAX - 1
        and found.producer_epoch == 0
    )


def abort_for_server(core: Core, transactional_id: str, now: Moment) -> None:
    """Abort an ongoing transaction without its producer: it has timed out, or has a successor.

    This bumps its epoch, so that its batches in flight are refused.
    """
    found = core.transactions[transactional_id]
    version = core.version
    if version < EPOCH_BUMPS:
        found, version = found.fenced(), 0
    _prepare(core, transactional_id, found, commit=False, version=version, now=now)


def _prepare(
    core: Core,
    transactional_id: str,
    found: Transaction,
    *,
    commit: bool,
    version: int,
    now: Moment,
    next_producer_id: int | None = None,
) -> Transaction:
    prepared = found.prepared(
        commit=commit,
        client_version=version,
        next_producer_id=NO_PRODUCER_ID if next_producer_id is None else next_producer_id,
        now_ms=now.wall_ms,
    )
    core.timers.cancel(("timeout", transactional_id))
    core.write(transactional_id, prepared)
    core.send_markers(transactional_id)
    return prepared


def markers_written(
    core: Core,
    transactional_id: str,
    marker: EndMarker,
    partitions: frozenset[TopicPartition],
    now: Moment,
) -> None:
    """Record that these partitions have the marker; after the last one the transaction is complete.

    Does nothing if the marker belongs to an earlier transaction: the answer was delayed.
    """
    found = core.transactions.get(transactional_id)
    if (
        found is None
        or found.state not in PREPARED
        or (found.producer_id, found.producer_epoch) != (marker.producer_id, marker.producer_epoch)
        or core.epoch != marker.coordinator_epoch
    ):
        return
    core.transactions[transactional_id] = found.without(partitions)
    core.complete_if_done(transactional_id, now)


def watch_timeout(core: Core, transactional_id: str, now: Moment) -> None:
    """Abort the transaction when its timeout expires.

    Apache Kafka looks for late transactions every
    transaction.abort.timed.out.transaction.cleanup.interval.ms; here each has a timer.
    """
    found = core.transactions[transactional_id]
    left_ms = found.started_ms + found.timeout_ms - now.wall_ms
    left_ms = min(max(left_ms, 0), found.timeout_ms)

    def passed(now: Moment) -> None:
        log.info(
            f"{transactional_id!r} has left its transaction open for more than"
            f" transaction.timeout.ms={core.transactions[transactional_id].timeout_ms}:"
            " it is aborted"
        )
        abort_for_server(core, transactional_id, now)

    core.timers.schedule(("timeout", transactional_id), now.monotonic_s + left_ms / 1000, passed)


def _is_commit(found: Transaction) -> bool:
    return found.state in (State.PREPARE_COMMIT, State.COMPLETE_COMMIT)


def fenced(transactional_id: str) -> KafkaError:
    """The refusal of a producer whose epoch is not the current one."""
    return KafkaError(
        ErrorCode.PRODUCER_FENCED,
        f"the epoch of {transactional_id!r} is not the producer's: a newer producer has begun, or"
        " the coordinator has aborted its transaction",
    )


def concurrent(transactional_id: str) -> KafkaError:
    """The refusal while a transaction is being ended; the producer retries."""
    return KafkaError(
        ErrorCode.CONCURRENT_TRANSACTIONS, f"the transaction of {transactional_id!r} is being ended"
    )


def _wrong_state(transactional_id: str, found: Transaction, request: EndTxnRequest) -> KafkaError:
    wish = "commit" if request.committed else "abort"
    return KafkaError(
        ErrorCode.INVALID_TXN_STATE,
        f"there is nothing to {wish}: {transactional_id!r} is in {found.state.label}",
    )
