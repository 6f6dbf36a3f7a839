"""Runs one shard: appends its records, releases its answers, and runs its timers.

The outbox of all requests of one scheduler turn is appended together, and appends are pipelined:
the log commits them in order, and each commit releases the answers and effects that belong to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Generic, Protocol, TypeVar

import trio

from raftka.broker.coordinators.outbox import (
    Batch,
    Entry,
    Record,
    Ticket,
    batch_bytes,
    deliver,
)
from raftka.broker.coordinators.shard import CoordinatorTopic, Shard
from raftka.broker.coordinators.timers import Moment
from raftka.model.control_records import EndMarker
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import Clock

log = get_logger(__name__)

S = TypeVar("S", bound=Shard)

_BATCH_BYTES_MAX = 512 * 1024

Done = Callable[[KafkaError | None], None]
"""Called once: with None once it is committed, or with the reason why the outcome is unknown."""


class CoordinatorLog(Protocol):
    """The partitions of a coordinator's topic that this node leads.

    All raise KafkaError; NOT_LEADER_OR_FOLLOWER if this node is not, or may not be, the leader.
    """

    def check(self, partition: int, *, writing: bool) -> None:
        """Check that this node may answer for the partition, and append to it if `writing`."""
        ...

    def append(
        self,
        partition: int,
        entry: Entry,
        now: Moment,
        done: Done,
        *,
        transaction_version: int = 0,
    ) -> None:
        """Append one batch as leader, with acks from all in-sync replicas; raise if nothing was
        appended.

        `transaction_version` is that of the transaction which an EndMarker ends (KIP-1228).

        Also raises KafkaError for a producer that is fenced or whose transaction is over:
        INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED.
        """
        ...

    def read(self, partition: int, offset: int) -> tuple[Sequence[Entry], int]:
        """Some entries from `offset`, or the log's start if that is higher, and the next offset."""
        ...

    def end_offset(self, partition: int) -> int:
        """Where the next record goes."""
        ...

    def when_committed(self, partition: int, offset: int, done: Done) -> None:
        """Call `done` once all before `offset` is committed, which may be at once."""
        ...

    def delete_before(self, partition: int, offset: int) -> None:
        """Advance the log's start to an offset below which everything is committed."""
        ...


@dataclass(slots=True)
class _Append:
    """Appended entries that are not committed yet, and everything that waits for them."""

    deadline_s: float
    waiting: list[Done] = field(default_factory=list)
    """Called at the deadline at the latest."""
    effects: list[object] = field(default_factory=list)
    """Performed once it is committed, even after the deadline, or never."""
    supersedes: int | None = None
    """The log before this offset is redundant once this append is committed."""
    batches: int = 0
    """The number of its batches that are not committed yet."""
    is_late: bool = False
    """Whether its deadline has passed; it may still be committed."""


def perform_nothing(_runtime: object, effect: object) -> None:
    """For coordinators whose shards have no effects."""
    raise TypeError(f"the shard emitted an effect, but its coordinator performs none: {effect!r}")


class ShardRuntime(Generic[S]):
    """One shard that is loaded and served. Call `settle` after each operation on `shard`.

    `perform` is called with this runtime and each effect of the shard, once it may happen; the
    result of an effect must be dropped if `is_live` is false by then.
    """

    def __init__(
        self,
        shard: S,
        partition: int,
        topic: CoordinatorTopic,
        coordinator_log: CoordinatorLog,
        clock: Clock,
        perform: Callable[[ShardRuntime[S], object], None] = perform_nothing,
    ) -> None:
        self.shard = shard
        self.partition = partition
        self.is_live = True
        """False once the shard is discarded: another may replace it, here or on another broker."""
        self._topic = topic
        self._log = coordinator_log
        self._clock = clock
        self._perform = perform
        self._batch_bytes_max = min(_BATCH_BYTES_MAX, topic.max_batch_bytes)
        self._next: list[Done] = []
        """Callers that wait for records still in the outbox."""
        self._next_effects: list[object] = []
        self._appends: deque[_Append] = deque()
        """Uncommitted appends, in the log's order."""
        self._timely: deque[_Append] = deque()
        """Those that are not late, and some that were committed since."""
        self._alarm = clock.alarm()
        self._nap_until_s = float("inf")
        self._failure: KafkaError | None = None
        shard.outbox.bytes_max = topic.max_batch_bytes

    def now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.wall_ms())

    # ---- for callers of the shard

    def settle(self) -> None:
        """Process the outbox and the timers after an operation."""
        self._hand_out()
        if self.shard.outbox or self._next_wake_s() < self._nap_until_s:
            self._wake()

    def _hand_out(self) -> None:
        """Release answers and effects once the records that they depend on are committed."""
        outbox = self.shard.outbox
        if outbox.answers:
            for ticket, answer in outbox.take_answers():
                self.answer(ticket, answer)
        if outbox.effects:
            self._after_commit_perform(outbox.take_effects())

    def answer(self, ticket: Ticket, answer: object) -> None:
        """Answer once all that the shard has decided so far is committed."""
        self.after_commit(lambda error: deliver(ticket, answer if error is None else error))

    def after_commit(self, done: Done) -> None:
        """Call `done` once all that the shard has decided so far is committed, maybe at once."""
        if self._failure is not None:
            done(self._failure)
        elif self.shard.outbox:
            self._next.append(done)
        elif not self._appends:
            done(None)
        elif self._appends[-1].is_late:
            done(self._topic.late())
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

    def append_for_producer(self, batch: Batch, done: Done) -> None:
        """Append records of a producer's transaction, and apply them as pending in it.

        The shard has decided them but not applied them. `done` is called once they are committed,
        or with the log's refusal; then nothing has changed.
        """
        if self._append_at_once(batch, done):
            for key, value in batch.records:
                self.shard.replay(key, value, batch.producer)
            self.after_commit(done)
            self.settle()

    def end_transaction(
        self, marker: EndMarker, done: Done, *, transaction_version: int = 0
    ) -> None:
        """Append the end of a producer's transaction, and apply it; `done` as above."""
        if self._append_at_once(marker, done, transaction_version):
            self.shard.replay_end_transaction_marker(
                marker.producer_id, marker.producer_epoch, marker.commit
            )
            self.after_commit(done)
            self.settle()

    # ---- the task

    async def run(self) -> None:
        """Run until cancelled. Raises KafkaError if the log has refused the shard's records."""
        self._hand_out()
        while True:
            await self._sleep()
            if self._failure is not None:
                raise self._failure
            self.shard.tick(self.now())
            self.settle()
            self._give_up_late()
            if self.shard.outbox:
                self._append_outbox()

    async def _sleep(self) -> None:
        """Sleep until there is something to do."""
        if self.shard.outbox or self._failure is not None:
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

    # ---- appending

    def _append_outbox(self) -> None:
        """Append all that the shard has decided. Raises KafkaError; the shard is then discarded."""
        supersedes, self.shard.outbox.supersedes = self.shard.outbox.supersedes, False
        entries = list(_cut(self.shard.outbox.take(), self._batch_bytes_max))
        append = self._begin(len(entries))
        if supersedes:
            append.supersedes = self._log.end_offset(self.partition)
        append.waiting, self._next = self._next, []
        append.effects, self._next_effects = self._next_effects, []
        for entry in entries:
            self._hand_over(append, entry)

    def _append_at_once(self, entry: Entry, done: Done, transaction_version: int = 0) -> bool:
        """Append an entry after all that was decided before.

        Return False if the log has refused it; `done` was called with the reason, and nothing has
        changed.
        """
        try:
            self._append_what_precedes()
        except KafkaError as error:
            self._fail(error)
            done(error)
            return False
        append = self._begin(1)
        try:
            self._hand_over(append, entry, transaction_version)
        except KafkaError as error:
            self._appends.pop()
            self._timely.pop()
            done(error)
            return False
        return True

    def _append_what_precedes(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.shard.outbox:
            self._append_outbox()

    def _begin(self, batches: int) -> _Append:
        deadline_s = self._clock.monotonic() + self._topic.commit_timeout_ms / 1000
        append = _Append(deadline_s, batches=batches)
        self._appends.append(append)
        self._timely.append(append)
        return append

    def _hand_over(self, append: _Append, entry: Entry, transaction_version: int = 0) -> None:
        self._log.append(
            self.partition,
            entry,
            self.now(),
            lambda error: self._appended(append, error),
            transaction_version=transaction_version,
        )

    def _appended(self, append: _Append, error: KafkaError | None) -> None:
        """One batch is committed, or its outcome is unknown."""
        append.batches -= 1
        if error is not None:
            _release(append, error)
            if error.code is not ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
                self._fail(error)
        while self._appends and not self._appends[0].batches:
            first = self._appends.popleft()
            _release(first, None)
            self._perform_now(first.effects)
            if first.supersedes is not None and self.is_live and self._failure is None:
                self._log.delete_before(self.partition, first.supersedes)

    def _fail(self, error: KafkaError) -> None:
        self._failure = error
        self._wake()

    # ---- effects

    def _after_commit_perform(self, effects: list[object]) -> None:
        if self.shard.outbox:
            self._next_effects += effects
        elif self._appends:
            self._appends[-1].effects += effects
        else:
            self._perform_now(effects)

    def _perform_now(self, effects: list[object]) -> None:
        for effect in effects:
            if self.is_live and self._failure is None:
                self._perform(self, effect)

    # ---- the end

    def _give_up_late(self) -> None:
        """Release the callers whose commit timeout has passed.

        The records are in the log and the state stands: they may still be committed, and effects
        wait for that.
        """
        now_s = self._clock.monotonic()
        while self._timely and (self._timely[0].deadline_s <= now_s or not self._timely[0].batches):
            append = self._timely.popleft()
            if append.batches:
                append.is_late = True
                error = self._topic.late()
                log.warning(f"{self._topic.name}-{self.partition}: {error.message}")
                _release(append, error)

    def abandon(self, error: KafkaError) -> None:
        """Refuse all waiting callers: the shard is no longer served here."""
        self.is_live = False
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


def _cut(batches: Sequence[Batch], bytes_max: int) -> Iterator[Batch]:
    """Split the records into batches of bounded size; atomic groups stay together.

    A record or an atomic group that exceeds the bound gets its own batch.
    """
    run: list[Record] = []
    size = 0
    for batch in batches:
        for records in (batch.records,) if batch.atomic else zip(batch.records, strict=True):
            added = batch_bytes(records)
            if run and size + added > bytes_max:
                yield Batch(run)
                run, size = [], 0
            run += records
            size += added
    yield Batch(run)
