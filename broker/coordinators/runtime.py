"""Runs one shard: appends its records, lets its answers out, wakes it when time is due.

What the requests of one turn leave in the outbox is appended together, and appends follow each
other without waiting: the log commits them in their order, and each lets out the answers that
belong to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import trio

from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.outbox import Record, Ticket, deliver
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import Clock

log = get_logger(__name__)

_BATCH_BYTES_MAX = 512 * 1024
_RECORD_OVERHEAD_BYTES = 40
"""At most, for the lengths and deltas around a key and a value."""

Done = Callable[[KafkaError | None], None]
"""Told once: None when it is committed, or why nobody knows."""


class OffsetsLog(Protocol):
    """The partitions of __consumer_offsets that this node leads.

    All raise KafkaError; NOT_LEADER_OR_FOLLOWER when this node does not lead, or may not any more.
    """

    def check(self, partition: int, *, writing: bool) -> None:
        """Whether this node may answer for the partition, and whether an append would be taken."""
        ...

    def append(self, partition: int, records: Sequence[Record], now: Moment, done: Done) -> None:
        """Append as leader, for all in-sync replicas; when it raises, nothing was appended."""
        ...

    def read(self, partition: int, offset: int) -> tuple[Sequence[Record], int]:
        """Some records from `offset`, or from the log's start if that is later; the next offset."""
        ...

    def end_offset(self, partition: int) -> int:
        """Where the next record goes."""
        ...

    def when_committed(self, partition: int, offset: int, done: Done) -> None:
        """Call `done` once all before `offset` is committed; maybe at once."""
        ...


@dataclass(slots=True)
class _Append:
    """Records on their way to being committed, and who waits for that."""

    deadline_s: float
    waiting: list[Done] = field(default_factory=list)
    chunks: int = 0
    """Batches of it that are not committed yet."""
    is_late: bool = False
    """It was given up waiting for; it may be committed yet."""


def _late() -> KafkaError:
    return KafkaError(
        ErrorCode.REQUEST_TIMED_OUT,
        "not all in-sync replicas have it within offsets.commit.timeout.ms",
    )


class ShardRuntime:
    """One shard that is loaded and served. Call `settle` after each operation on `shard`."""

    def __init__(
        self,
        shard: GroupShard,
        partition: int,
        offsets_log: OffsetsLog,
        clock: Clock,
        config: GroupConfig,
    ) -> None:
        self.shard = shard
        self._partition = partition
        self._log = offsets_log
        self._clock = clock
        self._commit_timeout_s = config.commit_timeout_ms / 1000
        self._batch_bytes_max = min(_BATCH_BYTES_MAX, config.max_record_bytes)
        self._next: list[Done] = []
        """Who waits for the records that are still in the outbox."""
        self._appends: deque[_Append] = deque()
        """Not committed yet, in the log's order."""
        self._timely: deque[_Append] = deque()
        """Those among them that are not late, and some that have been committed since."""
        self._alarm = clock.alarm()
        self._nap_until_s = float("inf")
        self._failure: KafkaError | None = None

    def now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.wall_ms())

    # ---- for whoever calls the shard

    def settle(self) -> None:
        """See to what an operation has left in the outbox and in the timers."""
        for ticket, answer in self.shard.outbox.take_answers():
            self.answer(ticket, answer)
        if self.shard.outbox.records or self._next_wake_s() < self._nap_until_s:
            self._wake()

    def answer(self, ticket: Ticket, answer: object) -> None:
        """Answer, as soon as all that the shard has decided so far is committed."""
        self.after_commit(lambda error: deliver(ticket, answer if error is None else error))

    def after_commit(self, done: Done) -> None:
        """Call `done` when all that the shard has decided so far is committed; maybe at once."""
        if self.shard.outbox.records:
            self._next.append(done)
        elif not self._appends:
            done(None)
        elif self._appends[-1].is_late:
            done(_late())
        else:
            self._appends[-1].waiting.append(done)

    async def committed(self) -> None:
        """Wait for `after_commit`. Raises KafkaError."""
        outcome: list[KafkaError | None] = []
        event = trio.Event()

        def done(error: KafkaError | None) -> None:
            outcome.append(error)
            event.set()

        self.after_commit(done)
        if not outcome:
            await event.wait()
        if outcome[0] is not None:
            raise outcome[0]

    # ---- the task

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError when the shard is void: it and the log part ways."""
        while True:
            await self._sleep()
            if self._failure is not None:
                raise self._failure
            self.shard.tick(self.now())
            self.settle()
            self._give_up_late()
            if self.shard.outbox.records:
                self._append()

    async def _sleep(self) -> None:
        """Until there is something to do."""
        if self.shard.outbox.records or self._failure is not None:
            return
        self._nap_until_s = self._next_wake_s()
        await self._alarm.wait(self._nap_until_s)
        self._nap_until_s = float("-inf")

    def _next_wake_s(self) -> float:
        deadline_s = self.shard.next_deadline_s()
        due_s = float("inf") if deadline_s is None else deadline_s
        return min(due_s, self._timely[0].deadline_s) if self._timely else due_s

    def _wake(self) -> None:
        if self._nap_until_s > float("-inf"):
            self._alarm.ring()

    def _append(self) -> None:
        records = self.shard.outbox.take_records()
        now = self.now()
        append = _Append(now.monotonic_s + self._commit_timeout_s, self._next)
        self._next = []
        self._appends.append(append)
        self._timely.append(append)
        chunks = list(_chunks(records, self._batch_bytes_max))
        append.chunks = len(chunks)
        for chunk in chunks:
            self._log.append(self._partition, chunk, now, lambda error: self._told(append, error))

    def _told(self, append: _Append, error: KafkaError | None) -> None:
        """One chunk is committed, or is not to be."""
        append.chunks -= 1
        if error is not None:
            _release(append, error)
            if error.code in (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH):
                self._failure = error
                self._wake()
        while self._appends and not self._appends[0].chunks:
            _release(self._appends.popleft(), None)

    def _give_up_late(self) -> None:
        """Tell whoever has waited offsets.commit.timeout.ms that nobody knows.

        The records are in the log and the state stands: they may be committed yet.
        """
        now_s = self._clock.monotonic()
        while self._timely and (self._timely[0].deadline_s <= now_s or not self._timely[0].chunks):
            append = self._timely.popleft()
            if append.chunks:
                append.is_late = True
                log.warning(f"__consumer_offsets-{self._partition}: {_late().message}")
                _release(append, _late())

    def abandon(self, error: KafkaError) -> None:
        """Refuse whoever still waits: the shard is not served here any more."""
        waiting, self._next = self._next, []
        for ticket, _ in self.shard.outbox.take_answers():
            ticket.fail(error)
        for append in self._appends:
            _release(append, error)
        for done in waiting:
            done(error)
        for ticket in self.shard.abandon():
            ticket.fail(error)


def _release(append: _Append, error: KafkaError | None) -> None:
    waiting, append.waiting = append.waiting, []
    for done in waiting:
        done(error)


def _chunks(records: Sequence[Record], bytes_max: int) -> Iterator[Sequence[Record]]:
    """Cut records into batches of bounded size; a record that is larger by itself goes alone."""
    start = size = 0
    for index, (key, value) in enumerate(records):
        added = len(key) + len(value or b"") + _RECORD_OVERHEAD_BYTES
        if index > start and size + added > bytes_max:
            yield records[start:index]
            start, size = index, 0
        size += added
    yield records[start:]
