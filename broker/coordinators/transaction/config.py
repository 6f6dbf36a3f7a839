"""The settings that the transaction coordinator goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_BATCH_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class TransactionConfig:
    """The coordinator's settings, with Kafka's defaults; times in milliseconds.

    No broker composes the coordinator yet, so nothing reads them from a file.
    """

    timeout_max_ms: int = 15 * 60 * 1000
    """transaction.max.timeout.ms: the longest that a producer may leave a transaction open."""
    id_expiration_ms: int = 7 * 24 * 60 * 60 * 1000
    """transactional.id.expiration.ms: how long an unused transactional id is remembered."""
    expiration_check_interval_ms: int = 60 * 60 * 1000
    """transaction.remove.expired.transaction.cleanup.interval.ms."""
    commit_timeout_ms: int = 30_000
    """request.timeout.ms: how long an answer waits for the in-sync replicas."""
    max_record_bytes: int = 1_048_588 - _BATCH_OVERHEAD_BYTES
    """The largest record that the log of __transaction_state takes in a batch of its own."""
