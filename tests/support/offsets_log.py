"""The offsets log in memory: what is appended is committed when the test says so."""

from __future__ import annotations

from collections.abc import Sequence

from raftka.broker.coordinators.outbox import Record
from raftka.broker.coordinators.runtime import Done
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError


class MemoryOffsetsLog:
    """Implements broker.coordinators.group.runtime.OffsetsLog."""

    def __init__(self) -> None:
        self.batches: dict[int, list[Sequence[Record]]] = {}
        self.commits_at_once = True
        self.refusal: ErrorCode | None = None
        """What `check` and `append` raise, from now on."""
        self.append_refusal: ErrorCode | None = None
        """What only `append` raises."""
        self._waiting: dict[int, list[tuple[int, Done]]] = {}
        self._committed: dict[int, int] = {}

    def records(self, partition: int) -> list[Record]:
        return [record for batch in self.batches.get(partition, []) for record in batch]

    def commit(self, partition: int) -> None:
        """Everything that was appended is committed."""
        self._committed[partition] = self.end_offset(partition)
        for _, done in self._waiting.pop(partition, []):
            done(None)

    def lose(self, partition: int, code: ErrorCode) -> None:
        """Everything that waits is told of an error."""
        for _, done in self._waiting.pop(partition, []):
            done(KafkaError(code))

    def check(self, partition: int, *, writing: bool) -> None:
        if self.refusal is not None:
            raise KafkaError(self.refusal)

    def append(self, partition: int, records: Sequence[Record], now: Moment, done: Done) -> None:
        self.check(partition, writing=True)
        if self.append_refusal is not None:
            raise KafkaError(self.append_refusal)
        self.batches.setdefault(partition, []).append(records)
        self.when_committed(partition, self.end_offset(partition), done)
        if self.commits_at_once:
            self.commit(partition)

    def read(self, partition: int, offset: int) -> tuple[Sequence[Record], int]:
        self.check(partition, writing=False)
        return self.records(partition)[offset : offset + 3], offset + 3

    def end_offset(self, partition: int) -> int:
        self.check(partition, writing=False)
        return len(self.records(partition))

    def when_committed(self, partition: int, offset: int, done: Done) -> None:
        if self._committed.get(partition, 0) >= offset:
            done(None)
        else:
            self._waiting.setdefault(partition, []).append((offset, done))
