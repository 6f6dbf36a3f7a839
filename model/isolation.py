"""Isolation levels of Fetch and ListOffsets (KIP-98), numbered as in the protocol."""

from __future__ import annotations

from typing import Final

from raftka.model.errors import ErrorCode, KafkaError

READ_UNCOMMITTED: Final = 0
READ_COMMITTED: Final = 1


def check_isolation_level(level: int) -> None:
    """Raise KafkaError UNKNOWN_SERVER_ERROR, as Kafka does, for an unknown level."""
    if level not in (READ_UNCOMMITTED, READ_COMMITTED):
        raise KafkaError(
            ErrorCode.UNKNOWN_SERVER_ERROR,
            f"isolation level {level} does not exist: use {READ_UNCOMMITTED} (read_uncommitted)"
            f" or {READ_COMMITTED} (read_committed)",
        )
