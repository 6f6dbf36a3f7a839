"""Names the records inside a metadata log entry, for its event."""

from __future__ import annotations

from typing import Final

from raftka.kraft.codec import UnreadableRecord, decode_records
from raftka.kraft.raft.engine import STAMP
from raftka.kraft.raft.seams import MEMBERSHIP, REGULAR

NAMES_MAX: Final = 20
"""The maximal number of names in one event."""


def names_of(command: bytes) -> list[str]:
    """An entry's records, or its purpose; nothing for an unreadable entry."""
    kind = command[:1]
    if kind != REGULAR:
        return ["voters" if kind == MEMBERSHIP else "leader"]
    try:
        found = decode_records(memoryview(command)[STAMP.size :])
    except UnreadableRecord:
        return []
    return [type(record).__name__.removesuffix("Record") for record in found]
