"""The settings of the transaction coordinator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.model.dataclass import dataclass

if TYPE_CHECKING:
    from raftka.model.settings import Config

_BATCH_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class TransactionConfig:
    """The coordinator's settings, with Kafka's defaults; times in milliseconds."""

    timeout_max_ms: int = 15 * 60 * 1000
    """transaction.max.timeout.ms: the longest transaction timeout that a producer may request."""
    id_expiration_ms: int = 7 * 24 * 60 * 60 * 1000
    """transactional.id.expiration.ms: how long an unused transactional id is remembered."""
    expiration_check_interval_ms: int = 60 * 60 * 1000
    """transaction.remove.expired.transaction.cleanup.interval.ms."""
    commit_timeout_ms: int = 30_000
    """request.timeout.ms: how long an answer waits for the in-sync replicas."""
    max_record_bytes: int = 1_048_588 - _BATCH_OVERHEAD_BYTES
    """The largest record that the log of __transaction_state accepts in a batch of its own."""

    @classmethod
    def from_settings(cls, config: Config) -> TransactionConfig:
        return cls(
            timeout_max_ms=config.int("transaction.max.timeout.ms"),
            id_expiration_ms=config.int("transactional.id.expiration.ms"),
            expiration_check_interval_ms=config.int(
                "transaction.remove.expired.transaction.cleanup.interval.ms"
            ),
            commit_timeout_ms=config.int("request.timeout.ms"),
            max_record_bytes=config.int("message.max.bytes") - _BATCH_OVERHEAD_BYTES,
        )
