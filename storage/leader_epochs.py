"""The start offset of each leader epoch, on which truncation by epoch is based.

A follower asks for the end of an epoch in the leader's log, and truncates its own there (KIP-101).
The cache has the epochs in the batches' headers, plus those in which nothing was written. The file
leader-epoch-checkpoint covers the log before the recovery point: the log saves it with a segment's
first batch, when entries are removed (by truncations and on opening), and before it advances the
recovery point, so that a change of leaders writes nothing. After that point, recovery reads the
epochs from the scanned batches. There the file may lack epochs, but never has a later one than the
records: a recovery like Apache Kafka's, which only adds missing epochs, would keep it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from raftka.model.ids import NO_EPOCH, NO_OFFSET
from raftka.model.ports import Disk, read_file
from raftka.storage.checkpoints import CheckpointCorrupt, decode_lines, encode_lines, replace_file

FILE_NAME = "leader-epoch-checkpoint"


class LeaderEpochCache:
    """(epoch, start offset) pairs, ascending in both."""

    __slots__ = ("_disk", "_saved", "_unsynced", "epochs", "latest", "path", "starts")

    def __init__(self, disk: Disk, directory: str) -> None:
        self._disk = disk
        self._unsynced = False
        self.path = f"{directory}/{FILE_NAME}"
        self.epochs: list[int] = []
        self.starts: list[int] = []
        self.latest = NO_EPOCH
        """The largest known epoch, -1 for none."""
        self._saved: tuple[list[int], list[int]] | None = ([], [])
        """The epochs and start offsets in the file; None if it is unreadable."""

    def load(self) -> None:
        """Read the entries from the file, if there is one. Raises CheckpointCorrupt."""
        if not self._disk.exists(self.path):
            return
        self._saved = None
        self._unsynced = True  # maybe written by a process that was killed
        fields = decode_lines(self.path, read_file(self._disk, self.path))
        try:
            entries = [(int(epoch), int(start)) for epoch, start in fields]
        except ValueError as error:
            raise CheckpointCorrupt(f"{self.path} has a malformed line") from error
        self._set(entries)
        if any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(entries)):
            self._set([])
            raise CheckpointCorrupt(f"{self.path} has entries out of order")
        self._saved = (self.epochs, self.starts)

    def entries(self) -> list[tuple[int, int]]:
        return list(zip(self.epochs, self.starts, strict=True))

    def _set(self, entries: list[tuple[int, int]]) -> None:
        self.epochs = [epoch for epoch, _ in entries]
        self.starts = [start for _, start in entries]
        self.latest = self.epochs[-1] if entries else NO_EPOCH

    def assign(self, epoch: int, start_offset: int) -> None:
        """Record that `epoch` begins at `start_offset`; contradicting entries are removed."""
        if epoch == self.latest and self.starts[-1] <= start_offset:
            return
        kept = [entry for entry in self.entries() if entry[0] < epoch and entry[1] < start_offset]
        self._set([*kept, (epoch, start_offset)])

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(the largest known epoch <= `epoch`, its end offset).

        (-1, -1) if `epoch` is unknown: newer than all entries, or there are none. For an epoch
        older than all entries, the epoch itself and the first entry's start offset.
        """
        if epoch == NO_EPOCH or epoch > self.latest or not self.epochs:
            return NO_EPOCH, NO_OFFSET
        if epoch == self.latest:
            return epoch, log_end_offset
        above = bisect_right(self.epochs, epoch)
        if above == 0:
            return epoch, self.starts[0]
        return self.epochs[above - 1], self.starts[above]

    def epoch_at(self, offset: int) -> int:
        """The epoch of the record at `offset`, -1 if unknown."""
        slot = bisect_right(self.starts, offset)
        return self.epochs[slot - 1] if slot else NO_EPOCH

    def truncate_from_end(self, end_offset: int) -> None:
        """Remove epochs that begin at `end_offset` or later."""
        slot = bisect_left(self.starts, end_offset)
        if slot < len(self.starts):
            self._set(self.entries()[:slot])

    def truncate_from_start(self, start_offset: int) -> None:
        """Remove epochs before `start_offset`; the epoch that spans it now begins there."""
        slot = bisect_right(self.starts, start_offset)
        if slot == 0 or (slot == 1 and self.starts[0] == start_offset):
            return
        entries = self.entries()
        self._set([(entries[slot - 1][0], start_offset), *entries[slot:]])

    def clear(self) -> None:
        if self.epochs:
            self._set([])

    def save(self) -> None:
        """Write the entries to the file."""
        present = (self.epochs, self.starts)
        if present != self._saved:
            lines = [f"{epoch} {start}" for epoch, start in self.entries()]
            replace_file(self._disk, self.path, encode_lines(lines))
            self._saved = present
            self._unsynced = True

    def save_written(self, end_offset: int) -> None:
        """The same, unless file and entries differ only in epochs without a record before
        `end_offset`.

        A recovery would remove those from the file again, one log after the other: a cost for ten
        thousand idle logs.
        """
        slot = bisect_left(self.starts, end_offset)
        written = (self.epochs[:slot], self.starts[:slot])
        if self._saved is not None:
            epochs, starts = self._saved
            slot = bisect_left(starts, end_offset)
            if written == (epochs[:slot], starts[:slot]):
                return
        self.save()

    def sync(self) -> None:
        """Make the saved file durable."""
        if not self._unsynced:
            return
        self._unsynced = False
        file = self._disk.open(self.path)
        try:
            file.sync()
        finally:
            file.close()
        self._disk.sync_dir(self.path.rpartition("/")[0])
