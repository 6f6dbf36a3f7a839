"""Observes a process's disk port: appends to and truncations of partition logs and quorum journals.
Calls pass through to the disk; only logs and journals are observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from raftka.kraft.raft import records
from raftka.kraft.raft.records import INDEX, POSITION, STATE, Kind
from raftka.model.errors import KafkaError
from raftka.model.ports import Buffer, Disk, File, FileLock, Values, Work
from raftka.model.record_batch import BatchHeader, iter_batches, parse_header
from raftka.tracing.entries import NAMES_MAX, names_of
from raftka.tracing.safely import Safely

T = TypeVar("T")

_SEGMENT = re.compile(r".*/([^/]+-\d+)/\d{20}\.log")

OnAppend = Callable[[str, BatchHeader], None]
"""(partition, batch)"""
OnEvent = Callable[[str, dict[str, Any]], None]
"""(kind, fields)"""


class _Traced:
    """A file that forwards every call."""

    def __init__(self, inner: File) -> None:
        self.path = inner.path
        self._inner = inner

    def size(self) -> int:
        return self._inner.size()

    def read(self, size: int, offset: int) -> bytes:
        return self._inner.read(size, offset)

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        return self._inner.write(buffers, offset)

    def truncate(self, size: int) -> None:
        self._inner.truncate(size)

    def sync(self) -> None:
        self._inner.sync()

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        self._inner.close()


class TracedSegment(_Traced):
    """A partition's .log file."""

    def __init__(self, inner: File, partition: str, disk: TracedDisk) -> None:
        super().__init__(inner)
        self._partition = partition
        self._disk = disk
        self._safely = disk.safely(inner.path)

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Implements the port."""
        written = self._inner.write(buffers, offset)
        self._safely(self._wrote, b"".join(bytes(buffer) for buffer in buffers))
        return written

    def _wrote(self, data: bytes) -> None:
        try:
            for header, _ in iter_batches(data):
                self._disk.on_append(self._partition, header)
        except KafkaError:
            self._disk.on_event("append-unread", {"partition": self._partition, "bytes": len(data)})

    def truncate(self, size: int) -> None:
        """Implements the port."""
        cut = self._safely(self._cut, size)
        self._inner.truncate(size)
        if cut is not None:
            self._safely(self._truncated, *cut)

    def _cut(self, size: int) -> tuple[bytes, int] | None:
        """The header of the first truncated batch, and the number of truncated bytes."""
        before = self._inner.size()
        return (self._inner.read(61, size), before - size) if size < before else None

    def _truncated(self, head: bytes, gone: int) -> None:
        if len(head) == 61 and (first := parse_header(head)).magic == 2:
            self._disk.on_event(
                "truncate",
                {
                    "partition": self._partition,
                    "offset": first.base_offset,
                    "leader_epoch": first.leader_epoch,
                    "bytes": gone,
                },
            )


class TracedJournal(_Traced):
    """A file of the quorum's journal; its events are written once their entries are durable."""

    def __init__(self, inner: File, disk: TracedDisk) -> None:
        super().__init__(inner)
        self._disk = disk
        self._written = bytearray()
        self._safely = disk.safely(inner.path)

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Implements the port."""
        written = self._inner.write(buffers, offset)
        if not self._safely.ended:
            self._written += b"".join(bytes(buffer) for buffer in buffers)
        return written

    def sync(self) -> None:
        """Implements the port."""
        self._inner.sync()
        self._safely(self._synced)

    def _synced(self) -> None:
        data, offset = memoryview(bytes(self._written)), 0
        self._written.clear()
        first, last, term = 0, 0, 0
        names: list[str] = []
        while (found := records.decode(data, offset)) is not None:
            record, offset = found
            if record.kind == Kind.ENTRY:
                last, term = POSITION.unpack_from(record.body)
                first = first or last
                if len(names) < NAMES_MAX:
                    names += names_of(bytes(record.body[POSITION.size :]))
            else:
                self._tell(record.kind, record.body)
        if last:
            entries: dict[str, Any] = {"first_index": first, "last_index": last, "term": term}
            entries["records"] = names[:NAMES_MAX]
            self._disk.on_event("quorum-append", entries)

    def _tell(self, kind: int, body: memoryview) -> None:
        tell = self._disk.on_event
        if kind == Kind.STATE:
            term, voted_for, _ = STATE.unpack(body)
            self._disk.voted(term, voted_for)
        elif kind == Kind.TRUNCATE:
            tell("quorum-truncate", {"index": INDEX.unpack(body)[0]})
        elif kind == Kind.COMMIT:
            tell("quorum-commit", {"index": INDEX.unpack(body)[0]})
        elif kind == Kind.BASE:
            index, term = POSITION.unpack(body)
            tell("quorum-snapshot", {"index": index, "term": term})


class TracedDisk:
    """A process's disk port, observed."""

    watches_segments = True
    """Whether partitions' logs are observed, in addition to the quorum's journals."""

    def __init__(
        self,
        inner: Disk,
        on_append: OnAppend,
        on_event: OnEvent,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """The caller holds `lock` during reports."""
        self._inner = inner
        self._lock = lock
        self.on_append = on_append
        self.on_event = on_event
        self._state = (0, -1)

    def safely(self, path: str) -> Safely:
        """Shields a file from errors of its observer."""
        return Safely(path, self._lock)

    def voted(self, term: int, voted_for: int) -> None:
        """A term and a vote are durable; they are repeated in each new file."""
        before, self._state = self._state, (term, voted_for)
        if before[0] != term:
            self.on_event("quorum-term", {"term": term})
        if voted_for >= 0 and before != self._state:
            self.on_event("quorum-vote", {"term": term, "candidate": voted_for})

    def open(self, path: str, *, create: bool = False) -> File:
        """Implements the port."""
        file = self._inner.open(path, create=create)
        if self.watches_segments and (match := _SEGMENT.fullmatch(path)) is not None:
            return TracedSegment(file, match[1], self)
        return TracedJournal(file, self) if path.endswith(".journal") else file

    def exists(self, path: str) -> bool:
        """Implements the port."""
        return self._inner.exists(path)

    def is_dir(self, path: str) -> bool:
        """Implements the port."""
        return self._inner.is_dir(path)

    def list_dir(self, path: str) -> list[str]:
        """Implements the port."""
        return self._inner.list_dir(path)

    def make_dirs(self, path: str) -> None:
        """Implements the port."""
        self._inner.make_dirs(path)

    def rename(self, source: str, target: str) -> None:
        """Implements the port."""
        self._inner.rename(source, target)

    def remove(self, path: str) -> None:
        """Implements the port."""
        self._inner.remove(path)

    def remove_tree(self, path: str) -> None:
        """Implements the port."""
        self._inner.remove_tree(path)

    def sync_dir(self, path: str) -> None:
        """Implements the port."""
        self._inner.sync_dir(path)

    def free_bytes(self, path: str) -> tuple[int, int]:
        """Implements the port."""
        return self._inner.free_bytes(path)

    def lock(self, path: str) -> FileLock:
        """Implements the port."""
        return self._inner.lock(path)

    async def offload(self, function: Callable[[], T]) -> T:
        """Implements the port."""
        return await self._inner.offload(function)

    def begin(self, steps: Callable[[Disk, Values], Iterator[Values]], arguments: Values) -> Work:
        """Implements the port; files that the work writes are not traced until they are renamed."""
        return self._inner.begin(steps, arguments)
