"""Errors of transactions by the caller's remedy, and the meaning of brokers' error codes. Pure.

The categories are those of KIP-1050: the producer itself retries a transient error; an abortable
error ends the transaction, not the producer; after any other the producer must be closed, and then
opened again (another one has taken over, or its state is lost) or configured differently
(permissions).
"""

from __future__ import annotations

import enum
from typing import Final

from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError


class TransactionError(KafkaError):
    """An error of a transaction; its subclass determines what to do."""


class MustRetry(TransactionError):
    """Nothing is decided yet: make the same call again, or close the producer."""


class MustAbort(TransactionError):
    """This transaction cannot be committed: abort it, and begin another with the same records."""


class MustClose(TransactionError):
    """This producer is unusable: close it; its uncommitted records are aborted. The message says
    whether another one may be opened at once, or what must be corrected first.
    """


class ProducerFenced(MustClose):
    """Another producer with the same transactional.id has begun, and this one must end. Or the
    transaction of this one lasted longer than transaction.timeout.ms.
    """


class Verdict(enum.Enum):
    """The producer's reaction to an error code."""

    RETRY = enum.auto()
    """Ask the same broker again after a pause."""
    LOOK_UP = enum.auto()
    """Another broker coordinates the key now: find it, and ask again."""
    ABORT = enum.auto()
    """The caller must abort."""
    ABORT_AND_RENEW = enum.auto()
    """The caller must abort, and after it the producer needs a new epoch."""
    FENCED = enum.auto()
    CLOSE = enum.auto()


PASSING: Final = frozenset({Verdict.RETRY, Verdict.LOOK_UP})
ABORTS: Final = frozenset({Verdict.ABORT, Verdict.ABORT_AND_RENEW})

_LOOK_UP: Final = frozenset({ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE})
_FENCED: Final = frozenset({ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH})
_RENEW: Final = frozenset({ErrorCode.UNKNOWN_PRODUCER_ID, ErrorCode.INVALID_PRODUCER_ID_MAPPING})
_ABORT: Final = frozenset(
    {
        ErrorCode.TRANSACTION_ABORTABLE,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ErrorCode.GROUP_AUTHORIZATION_FAILED,
        ErrorCode.OPERATION_NOT_ATTEMPTED,
        # Of TxnOffsetCommit: the consumer is no longer the owner of what it consumed (KIP-447).
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.STALE_MEMBER_EPOCH,
        ErrorCode.INVALID_COMMIT_OFFSET_SIZE,
        ErrorCode.OFFSET_METADATA_TOO_LARGE,
    }
)
_CLOSE_AFTER_WRITE: Final = frozenset(
    {
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
        ErrorCode.UNSUPPORTED_VERSION,
    }
)


def of_coordinator(code: ErrorCode) -> Verdict:
    """The meaning of an error from a coordinator of transactions or groups."""
    if code in _LOOK_UP:
        return Verdict.LOOK_UP
    if code == ErrorCode.REQUEST_TIMED_OUT:
        # A coordinator whose replicas do not answer may have been replaced.
        return Verdict.LOOK_UP
    if code in RETRIABLE:
        return Verdict.RETRY
    if code in _FENCED:
        return Verdict.FENCED
    if code in _RENEW:
        return Verdict.ABORT_AND_RENEW
    return Verdict.ABORT if code in _ABORT else Verdict.CLOSE


def of_leader(code: ErrorCode) -> Verdict:
    """The meaning of a batch's final failure for its transaction. A producer with an old epoch is
    not necessarily fenced: a timeout may have aborted the transaction, which the abort shows
    (KIP-588).
    """
    if code not in _CLOSE_AFTER_WRITE:
        return Verdict.ABORT_AND_RENEW
    return Verdict.FENCED if code == ErrorCode.PRODUCER_FENCED else Verdict.CLOSE


def error_for(verdict: Verdict, code: ErrorCode, step: str) -> TransactionError:
    """The error that the caller gets; `step` says what failed."""
    said = KafkaError(code).message
    if verdict is Verdict.FENCED:
        return ProducerFenced(
            code,
            f"{step}: another producer with this transactional.id has begun, or the transaction"
            f" took longer than transaction.timeout.ms ({said}) Close this producer; open another"
            " one only if it is not the other that must go on",
        )
    if verdict is Verdict.CLOSE:
        return MustClose(code, f"{step}: {said} {_hint(code)}")
    return MustAbort(code, f"{step}: {said} Abort the transaction, and do it again")


def _hint(code: ErrorCode) -> str:
    if code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return (
            "Close the producer, and grant its principal WRITE and DESCRIBE on the transactional id"
        )
    if code == ErrorCode.INVALID_TRANSACTION_TIMEOUT:
        return (
            "Close the producer, and lower transaction.timeout.ms to what the brokers'"
            " transaction.max.timeout.ms allows, or raise that"
        )
    if code == ErrorCode.UNSUPPORTED_VERSION:
        return "Close the producer: these brokers are too old for its transactions"
    return "Close the producer and open another one: it begins where the last commit ended"
