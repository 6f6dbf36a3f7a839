"""The line of code for each kind of event: where this commit decides or does it.

An event of the trace may have its own `where`; for the others the page shows these.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import Final

BEHIND: Final = {
    "append": "storage.log_writer:LogWriter.append_as_leader",
    "truncate": "broker.replication.truncation:cut",
    "high-watermark": "broker.replication.partition:PartitionState._advance_high_watermark",
    "leader-elected": "kraft.controller.election:PartitionPlan._elect",
    "isr-changed": "kraft.controller.election:PartitionPlan.record",
    "broker-fenced": "kraft.controller.leaders:changes_after_broker",
    "quorum-vote": "kraft.raft.elections:Elections.may_start_election",
    "controller-elected": "kraft.raft.elections:Elections.receive_response_vote",
    "quorum-commit": "kraft.raft.engine:Engine.apply",
    "quorum-append": "kraft.raft.engine:Engine.propose",
    "connection-lost": "broker.controller.probe:refuses",
    "ack": "broker.replication.partition:PartitionState.acknowledgement",
    "message/Produce": "broker.handlers.produce:produce",
    "message/Fetch": "broker.handlers.fetch:fetch",
    "message/AlterPartition": "broker.handlers.alter_partition:handle_alter_partition",
    "message/OffsetForLeaderEpoch": (
        "broker.handlers.offset_for_leader_epoch:offset_for_leader_epoch"
    ),
    "message/vote": "kraft.raft.elections:Elections.receive_request_vote",
    "message/pre-vote": "kraft.raft.elections:Elections.receive_pre_vote",
    "message/append-entries": "kraft.raft.engine:Engine.deliver",
}
"""A module of raftka and a function in it, by kind, or `message/` and its API."""


@cache
def places() -> dict[str, str]:
    """`file:line` by kind. Raises ImportError or AttributeError when a place is gone."""
    return {kind: _line(*place.split(":")) for kind, place in BEHIND.items()}


def _line(module: str, name: str) -> str:
    found: object = importlib.import_module(f"raftka.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    # From the code object, not by inspect: playground.html has compiled modules only.
    code = inspect.unwrap(found).__code__  # type: ignore[arg-type]
    root = Path(__file__).resolve().parent.parent
    path = Path(code.co_filename).resolve()
    base = root if path.is_relative_to(root) else root.parent
    return f"{path.relative_to(base).as_posix()}:{code.co_firstlineno}"
