"""The group epoch of a share group's target assignment (KIP-932), preceded by an int16 with the
version. The timestamp is in ms (KIP-1263).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Message


class ShareGroupTargetAssignmentMetadataValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "assignment_epoch int32",
        "assignment_timestamp int64 tag 0 = 0",
    )
    __slots__ = (
        "assignment_epoch",
        "assignment_timestamp",
    )

    def __init__(
        self,
        *,
        assignment_epoch: int = 0,
        assignment_timestamp: int = 0,
    ) -> None:
        self.assignment_epoch = assignment_epoch
        self.assignment_timestamp = assignment_timestamp
