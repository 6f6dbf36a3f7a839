"""A leader's state of each connected replica during replication."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import field
from typing import Final

from raftka.kraft.raft.codec import Entry
from raftka.model.dataclass import dataclass
from raftka.model.ports import File

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""The limit of bytes in flight to one replica, which bounds the memory cost of a slow one."""
BATCH_BYTES: Final = 512 * 1024
CHUNK_BYTES: Final = 256 * 1024
CHUNKS_IN_FLIGHT: Final = 4


@dataclass(slots=True)
class Transfer:
    """A snapshot in transfer to a replica that is behind the start of the log."""

    index: int
    file: File
    size: int
    offset: int = 0
    unanswered: int = 0

    @property
    def may_send(self) -> bool:
        """Whether another piece may be sent; the last one, maybe empty, marks the end."""
        return self.offset <= self.size and self.unanswered < CHUNKS_IN_FLIGHT

    def next_chunk(self) -> tuple[bytes, bool, bool]:
        """(bytes, is first, is last), in the library's format. Raises OSError."""
        data = self.file.read(CHUNK_BYTES, self.offset)
        first, last = self.offset == 0, self.offset + len(data) >= self.size
        self.offset = self.size + 1 if last else self.offset + len(data)
        self.unanswered += 1
        return data, first, last


@dataclass(slots=True)
class Progress:
    """The leader's state of one replica.

    `probing`: the leader does not know yet where the logs diverge, so it sends one message at a
    time, and none while `waiting` for the answer. Otherwise entries are pipelined, up to the
    window.
    """

    probing: bool = True
    waiting: bool = False
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)
    in_flight_bytes: int = 0
    commit_sent: int = -1
    transfer: Transfer | None = None
    transfer_after: float = -math.inf
    fetched_at: float = -math.inf
    caught_up_at: float = -math.inf
    end_when_fetched: int = 0

    @property
    def may_send(self) -> bool:
        return not self.waiting and self.in_flight_bytes < WINDOW_BYTES

    def sent(self, entries: list[Entry]) -> None:
        size = sum(len(command) for command, _, _ in entries)
        self.in_flight.append((entries[-1][1], size))
        self.in_flight_bytes += size
        self.waiting = self.probing

    def matched(self, index: int) -> None:
        """All entries up to `index` are durable on the replica."""
        self.probing = self.waiting = False
        while self.in_flight and self.in_flight[0][0] <= index:
            self.in_flight_bytes -= self.in_flight.popleft()[1]

    def rejected(self) -> None:
        """The logs diverge before the sent entries; the messages in flight are useless."""
        self.probing, self.waiting = True, False
        self.in_flight.clear()
        self.in_flight_bytes = 0

    def fetched(self, index: int, end: int, now: float) -> None:
        """The replica acknowledged up to `index` while the leader's log ends at `end`.

        Caught up as DescribeQuorum defines it: the replica has everything that existed at its last
        answer.
        """
        if index >= end:
            self.caught_up_at = now
        elif index >= self.end_when_fetched and self.fetched_at > self.caught_up_at:
            self.caught_up_at = self.fetched_at
        self.fetched_at, self.end_when_fetched = now, end

    def end_transfer(self) -> None:
        if self.transfer is not None:
            self.transfer.file.close()
            self.transfer = None
