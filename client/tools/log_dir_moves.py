"""kafka-reassign-partitions with log_dirs: replicas move between directories (KIP-113)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import trio

from raftka.client.admin import Admin
from raftka.client.tools.options import ToolError
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition

Moves = Mapping[tuple[int, TopicPartition], str]

_RETRY_S: Final = 0.2


async def start_moves(admin: Admin, moves: Moves, timeout_s: float) -> None:
    """Begin to move replicas, and wait for those that do not exist yet. Raises ToolError."""
    left = dict(moves)
    deadline = trio.current_time() + timeout_s
    while left:
        outcomes = await admin.alter_replica_log_dirs(left)
        started = []
        for replica, error in outcomes.items():
            if error is None:
                started.append(replica)
            elif error.code is not ErrorCode.REPLICA_NOT_AVAILABLE:
                raise ToolError(f"{_text(replica)} cannot be moved: {error}")
        for replica in started:
            del left[replica]
        for broker, target in sorted(started):
            path = moves[broker, target]
            print(
                f"Successfully started moving log directory to {path} for replica {target} with"
                f" broker {broker} "
            )
        if left and trio.current_time() >= deadline:
            raise ToolError(
                f"Timed out before log directory move{'s' if len(left) > 1 else ''} could be"
                f" started for: {','.join(sorted(map(_text, left)))}"
            )
        if left:
            await trio.sleep(_RETRY_S)


async def print_moves(admin: Admin, moves: Moves) -> bool:
    """Print the progress of moves; returns whether any is in progress."""
    described = await admin.describe_log_dirs(sorted({broker for broker, _ in moves}))
    at: dict[tuple[int, TopicPartition], str] = {}
    to: dict[tuple[int, TopicPartition], str] = {}
    for broker, directories in described.items():
        for directory in directories:
            for target, info in directory.replicas.items():
                (to if info.is_future else at)[broker, target] = directory.path
    moving = False
    for replica, wanted in sorted(moves.items()):
        words = f"Reassignment of replica {_text(replica)}"
        if to.get(replica) == wanted:
            moving = True
            print(f"{words} is still in progress.")
        elif replica in to:
            moving = True
            print(
                f"Partition {replica[1]} on broker {replica[0]} is being moved to log dir"
                f" {to[replica]} instead of {wanted}."
            )
        elif at.get(replica) == wanted:
            print(f"{words} completed successfully.")
        elif replica in at:
            print(
                f"Partition {replica[1]} on broker {replica[0]} is not being moved from log dir"
                f" {at[replica]} to {wanted}."
            )
        else:
            print(
                f"Partition {replica[1]} cannot be found in any live log directory on broker"
                f" {replica[0]}."
            )
    return moving


def _text(replica: tuple[int, TopicPartition]) -> str:
    broker, target = replica
    return f"{target}-{broker}"
