"""A coordinator's log in memory: the test decides when appends are committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raftka.broker.coordinators.outbox import Batch, Entry, Record
from raftka.broker.coordinators.runtime import Done
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError


class MemoryOffsetsLog:
    """Implements broker.coordinators.runtime.CoordinatorLog. Offsets count entries."""

    def __init__(self) -> None:
        self.entries: dict[int, list[Entry]] = {}
        self.commits_at_once = True
        self.refusal: ErrorCode | None = None
        """The error that `check` and `append` raise from now on."""
        self.append_refusal: ErrorCode | None = None
        """The error that only `append` raises."""
        self.refuses: Callable[[Entry], ErrorCode | None] = lambda entry: None
        """The error that `append` raises for an entry of a fenced producer."""
        self.read_refusals: list[ErrorCode] = []
        """The errors that the next calls of `read` raise, one each."""
        self.starts: dict[int, int] = {}
        """The start offsets that a coordinator has set, by partition."""
        self._waiting: dict[int, list[tuple[int, Done]]] = {}
        self._committed: dict[int, int] = {}

    @property
    def batches(self) -> dict[int, list[Sequence[Record]]]:
        """The records of each batch, by partition."""
        return {
            partition: [entry.records for entry in entries if isinstance(entry, Batch)]
            for partition, entries in self.entries.items()
        }

    def records(self, partition: int) -> list[Record]:
        return [record for batch in self.batches.get(partition, []) for record in batch]

    def commit(self, partition: int) -> None:
        """Commit everything that was appended."""
        self._committed[partition] = self.end_offset(partition)
        for _, done in self._waiting.pop(partition, []):
            done(None)

    def lose(self, partition: int, code: ErrorCode) -> None:
        """Fail everything that waits."""
        for _, done in self._waiting.pop(partition, []):
            done(KafkaError(code))

    def check(self, partition: int, *, writing: bool) -> None:
        if self.refusal is not None:
            raise KafkaError(self.refusal)

    def append(
        self,
        partition: int,
        entry: Entry,
        now: Moment,
        done: Done,
        *,
        transaction_version: int = 0,
    ) -> None:
        self.check(partition, writing=True)
        refusal = self.append_refusal or self.refuses(entry)
        if refusal is not None:
            raise KafkaError(refusal)
        self.entries.setdefault(partition, []).append(entry)
        self.when_committed(partition, self.end_offset(partition), done)
        if self.commits_at_once:
            self.commit(partition)

    def read(self, partition: int, offset: int) -> tuple[Sequence[Entry], int]:
        self.check(partition, writing=False)
        if self.read_refusals:
            raise KafkaError(self.read_refusals.pop(0))
        offset = max(offset, self.starts.get(partition, 0))
        return self.entries.get(partition, [])[offset : offset + 3], offset + 3

    def end_offset(self, partition: int) -> int:
        self.check(partition, writing=False)
        return len(self.entries.get(partition, []))

    def delete_before(self, partition: int, offset: int) -> None:
        self.starts[partition] = offset

    def when_committed(self, partition: int, offset: int, done: Done) -> None:
        if self._committed.get(partition, 0) >= offset:
            done(None)
        else:
            self._waiting.setdefault(partition, []).append((offset, done))
