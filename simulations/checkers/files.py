"""Checks that the files next to the records agree with the log that they describe.

Logs are contiguous, their epochs never go back, and every written batch has the CRC of its
header. The leader epoch checkpoint agrees with the batches. After a clean shutdown each
index entry points to a batch with which a look-up finds its target.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from crc32c import crc32c

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.machines.medium import Inode
from raftka.simulations.observers.partition_log import Batch, PartitionLogs, ReplicaMirror
from raftka.simulations.violation import About, Report

_OFFSET_ENTRY: Final = struct.Struct(">ii")
_TIME_ENTRY: Final = struct.Struct(">qi")
_EPOCHS: Final = "leader-epoch-checkpoint"
_CRC_FROM: Final = 21
"""The position in a batch from which its checksum covers the bytes."""


class FileChecker:
    """Compares files on demand."""

    def __init__(self, logs: PartitionLogs, report: Report) -> None:
        self.looks = Looks()
        self._logs = logs
        self._report = report

    def check_running(self, host: str, files: Mapping[str, Inode]) -> None:
        """Check what always holds once a machine's broker has recovered."""
        for mirror in self._logs.on(host):
            batches = mirror.batches()
            self.looks("epoch-cache-differs", "log-not-contiguous")
            self._check_order(mirror, batches)
            inode = files.get(f"{mirror.directory}/{_EPOCHS}")
            if inode is not None:
                self._check_epochs(mirror, batches, inode)

    def check_stopped(self, host: str, files: Mapping[str, Inode]) -> None:
        """Check what holds only after a clean shutdown."""
        self.check_running(host, files)
        for mirror in self._logs.on(host):
            for path, base_offset, batches in mirror.segments():
                stem = path.removesuffix(".log")
                self.looks("index-differs", "time-index-differs")
                about = About(mirror.key, node=host)
                self._check_offset_index(f"{stem}.index", files, base_offset, batches, about)
                self._check_time_index(f"{stem}.timeindex", files, base_offset, batches, about)

    def check_batches(self, mirror: ReplicaMirror, files: Mapping[str, Inode]) -> None:
        """Every batch of an in-sync replica has the CRC of its header: recovery has found any
        damage, and the replica has copied the batch again.
        """
        self.looks("corrupt-batch-kept")
        for path, _, batches in mirror.segments():
            inode = files.get(path)
            if inode is None:
                continue
            data = memoryview(bytes(inode.data))
            for batch in batches:
                covered = data[batch.position + _CRC_FROM : batch.position + batch.size]
                if crc32c(covered) != batch.crc:
                    self._report(
                        "corrupt-batch-kept",
                        f"{mirror.host} counts as in sync for {mirror.name}, and its batch"
                        f" {_words(batch)} has not the CRC that its header says",
                        about=About(mirror.key, batch.base_offset, node=mirror.host),
                    )
                    return

    def _check_order(self, mirror: ReplicaMirror, batches: list[Batch]) -> None:
        for one, other in pairwise(batches):
            follows = other.base_offset == one.last_offset + 1
            if not follows and self._logs.compacts(mirror.key[0]):
                follows = other.base_offset > one.last_offset  # A cleaning leaves gaps.
            if not follows or other.epoch < one.epoch:
                self._report(
                    "log-not-contiguous",
                    f"in {mirror.host}'s log of {mirror.name} the batch {_words(one)} is followed"
                    f" by {_words(other)}",
                    about=About(mirror.key, other.base_offset, node=mirror.host),
                )
                return

    def _check_epochs(self, mirror: ReplicaMirror, batches: list[Batch], inode: Inode) -> None:
        """Old bytes may follow the last valid entry: recovery reads those batches again."""
        lines = bytes(inode.data).decode("ascii").split("\n")[2:-1]
        entries = [(int(epoch), int(start)) for epoch, start in (x.split() for x in lines if x)]
        bases = [batch.base_offset for batch in batches]
        for place, (epoch, start) in enumerate(entries):
            is_last = place == len(entries) - 1
            first = bisect_left(bases, start)
            end = len(bases) if is_last else bisect_left(bases, entries[place + 1][1])
            for batch in batches[first:end]:
                if batch.epoch < epoch or (not is_last and batch.epoch != epoch):
                    self._report(
                        "epoch-cache-differs",
                        f"{mirror.host}'s {_EPOCHS} of {mirror.name} says {entries}, but its log"
                        f" has the batch {_words(batch)}",
                        about=About(mirror.key, batch.base_offset, node=mirror.host),
                    )
                    return

    def _check_offset_index(
        self,
        path: str,
        files: Mapping[str, Inode],
        base_offset: int,
        batches: list[Batch],
        about: About,
    ) -> None:
        inode = files.get(path)
        if inode is None:
            return
        at = {batch.position: batch for batch in batches}
        before = (-1, -1)
        for relative, position in _OFFSET_ENTRY.iter_unpack(inode.data):
            batch, offset = at.get(position), base_offset + relative
            if (
                batch is None
                or not batch.base_offset <= offset <= batches[-1].last_offset
                or (relative, position) <= before
            ):
                self._report(
                    "index-differs",
                    f"{path} has an entry for offset {offset} at position {position}, where the"
                    f" log has {_words(batch) if batch else 'no batch begin'}",
                    about=about,
                )
                return
            before = (relative, position)

    def _check_time_index(
        self,
        path: str,
        files: Mapping[str, Inode],
        base_offset: int,
        batches: list[Batch],
        about: About,
    ) -> None:
        inode = files.get(path)
        if inode is None:
            return
        before = (-2, -1)
        for timestamp, relative in _TIME_ENTRY.iter_unpack(inode.data):
            offset = base_offset + relative
            # A lookup starts here when everything before it is older than its target.
            late = [b for b in batches if b.last_offset < offset and b.max_timestamp > timestamp]
            ends = batches[-1].last_offset if batches else -1
            if late or timestamp <= before[0] or relative < before[1] or offset > ends:
                self._report(
                    "time-index-differs",
                    f"{path} says that nothing up to offset {offset} is later than {timestamp}, and"
                    f" the log has {_words(late[0]) if late else f'its end at {ends}'}",
                    about=about,
                )
                return
            before = (timestamp, relative)


def _words(batch: Batch) -> str:
    return f"of offsets {batch.base_offset} to {batch.last_offset} in epoch {batch.epoch}"
