"""One share-partition (a pair of share group and partition) as a state machine without I/O.

Rules (KIP-932), each in one place:

- A record is acquired by one member at a time, until its lock expires (`acquire`, `tick`).
- An acknowledgement takes effect when the share coordinator has it (`acknowledge`, `written`);
  until then the record is not delivered again, and the start does not move past it.
- A record that has reached the delivery limit is archived instead of being available again
  (`_release`).
- A record that was rejected, or delivered too often, is archived once the group's dead letter
  queue, if any, has it (`take_dead_letters`, `buried`; KIP-1191).
- The start moves past acknowledged and archived records, and past those deleted from the log.

Changes are written one write at a time, in order; later changes go into the next write. Offsets
without a record for the group are archived only in memory: another leader finds them by itself.
Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

from raftka.broker.share.batches import COMPLETE, Delivery, StateBatch, merge, overlay
from raftka.broker.share.ranges import NOBODY, SETTLED, Range, Ranges
from raftka.broker.share.taking import Taking, throttled
from raftka.broker.share.terms import (
    ACCEPT,
    GAP,
    REJECT,
    RELEASE,
    RENEW,
    Acknowledged,
    Acquired,
    Cause,
    DeadLetter,
    Done,
    ShareLimits,
    Span,
    Wish,
    Write,
    pieces,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import ALL_HOLD, Rule, RulesOff

_BECOMES: Final = {
    GAP: Delivery.ARCHIVED,
    ACCEPT: Delivery.ACKNOWLEDGED,
    RELEASE: Delivery.AVAILABLE,
    REJECT: Delivery.ARCHIVED,
}


class SharePartition:
    """The state of the group's records in a partition. `limits` are read before each operation."""

    def __init__(
        self,
        start_offset: int,
        batches: Iterable[StateBatch] = (),
        *,
        state_epoch: int = 0,
        is_new: bool = False,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`is_new`: the coordinator has no start offset yet; the first write contains it."""
        self.limits = ShareLimits()
        self.state_epoch = state_epoch
        self._ranges = Ranges(start_offset)
        self._queued: list[StateBatch] = []
        self._waiting: list[Done] = []
        self._writes_start = is_new
        self._start_at_risk = False
        """Whether the write in flight contains the first start offset."""
        self._writing: Write | None = None
        self._number = SETTLED + 1
        """The number of the write that takes the queued changes."""
        self._excludes = Rule.SHARE_LOCK_EXCLUDES not in rules_off
        self._knows_owners = Rule.SHARE_OWNER_ACKNOWLEDGES not in rules_off
        self._limits_deliveries = Rule.SHARE_DELIVERIES_END not in rules_off
        self._waits = Rule.SHARE_ACKNOWLEDGED_IS_PERSISTED not in rules_off
        self._buries_first = Rule.SHARE_DEAD_LETTERS_FIRST not in rules_off
        self._has_letters = False
        for batch in merge(batches, start_offset):
            self._cover(batch.first - 1)
            self._ranges.append(Range(*batch))
            if batch.state is Delivery.ARCHIVING:
                self._ranges.between(batch.first, batch.last)[0].cause = Cause.FORGOTTEN
                self._has_letters = True
        self._advance()

    # ---- state

    @property
    def start_offset(self) -> int:
        """The first offset that may still be delivered."""
        return self._ranges.start

    @property
    def end_offset(self) -> int:
        """The offset after the last one that was read."""
        return self._ranges.end

    @property
    def complete_count(self) -> int:
        """The number of offsets between start and end that will not be delivered again."""
        return sum(each.size for each in self._ranges if each.state in COMPLETE)

    @property
    def open_count(self) -> int:
        """The number of offsets between start and end that are not complete."""
        return self.end_offset - self.start_offset - self.complete_count

    def next_fetch_offset(self) -> int | None:
        """The offset from which a member can get records; None if it must wait for others.

        Offsets between start and end come first; those after the end only while the group has fewer
        open records than its limit.
        """
        for each in self._ranges:
            if each.may_be_acquired:
                return each.first
        return self.end_offset if self.open_count < self.limits.records else None

    def ranges(self) -> list[Range]:
        """All offsets between start and end, for people and checkers."""
        return list(self._ranges)

    # ---- acquiring

    def acquire(
        self, member: str, fetched_from: int, spans: Sequence[Span], wish: Wish, now_s: float
    ) -> list[Acquired]:
        """Acquire available records of batches that were read from `fetched_from` on."""
        taking = Taking(member, now_s + self.limits.lock_s, wish)
        cursor = max(fetched_from, self.start_offset)
        for span in spans:
            if taking.is_full:
                break
            self._archive_empty(cursor, span.first - 1)
            low = max(cursor, span.first)
            cursor = max(cursor, span.last + 1)
            if not span.is_for_group:
                self._archive_empty(low, span.last)
            elif low <= span.last and not self._take(taking, low, span.last):
                break
        self._ranges.tidy()
        self._advance()
        return taking.acquired

    def _take(self, taking: Taking, low: int, high: int) -> bool:
        """Acquire from one batch; return whether to continue with the next one."""
        taking.begin_batch()
        end = self.end_offset
        for each in self._ranges.overlapping(low, min(high, end - 1)):
            if not self._may_take(each):
                continue
            if self._limits_deliveries and each.deliveries >= self.limits.deliveries:
                # The limit was lowered after the record was released.
                ended = self._ranges.between(each.first, each.last)
                self._change(ended, Delivery.ARCHIVED, cause=Cause.EXCEEDED)
                continue
            first, last = max(each.first, low), min(each.last, high)
            last, is_alone = throttled(each, first, last, self.limits.deliveries)
            last = taking.fitting(first, last)
            for taken in self._ranges.between(first, last):
                taking.take(taken)
            if is_alone or taking.is_full:
                return False
        low = max(low, end)
        if low > high:
            return True
        room = self.limits.records - self.open_count
        if room <= 0:
            return False
        fits = taking.fitting(low, high)
        if taking.wish.strict:
            fits = min(fits, low + room - 1)
        self._cover(low - 1)
        self._ranges.append(Range(low, fits))
        taking.take(self._ranges.between(low, fits)[0])
        return fits == high

    def _may_take(self, each: Range) -> bool:
        return each.may_be_acquired or (
            not self._excludes and each.state is Delivery.ACQUIRED and not each.write
        )

    def _archive_empty(self, first: int, last: int) -> None:
        """None of these offsets has a record for the group."""
        if last < first:
            return
        for each in self._ranges.between(first, last):
            if each.may_be_acquired:
                each.state = Delivery.ARCHIVED
        if last >= self.end_offset:
            self._cover(first - 1)
            self._ranges.append(Range(self.end_offset, last, Delivery.ARCHIVED))

    def _cover(self, last: int) -> None:
        """Move the end to after `last`; offsets that were not covered are available."""
        if last >= self.end_offset:
            self._ranges.append(Range(self.end_offset, last))

    # ---- acknowledging

    def acknowledge(
        self, member: str, said: Sequence[Acknowledged], now_s: float, done: Done
    ) -> None:
        """Apply a member's acknowledgements; `done` is called when the coordinator has them.

        All of them take effect, or none. Offsets before the start are ignored: they are deleted or
        complete. Raises KafkaError INVALID_RECORD_STATE for records that the member has not
        acquired, INVALID_REQUEST for records that no member has acquired.
        """
        changes: list[tuple[list[Range], int]] = []
        for first, last, kind in pieces(said):
            if last >= self.start_offset:
                changes.append((self._held_by(member, max(first, self.start_offset), last), kind))
        if any(kind == RENEW for _, kind in changes) and not self.limits.renews:
            raise KafkaError(
                ErrorCode.INVALID_RECORD_STATE,
                "Renewing acquisition locks is not enabled for the group.",
            )
        is_written = False
        for ranges, kind in changes:
            if kind == RENEW:
                for each in ranges:
                    each.deadline_s = now_s + self.limits.lock_s
            else:
                cause = Cause.REJECTED if kind == REJECT else None
                self._change(ranges, _BECOMES[kind], cause=cause, tentative=True)
                is_written = True
        self._ranges.tidy()
        if is_written and self._waits:
            self._waiting.append(done)
        else:
            done(None)

    def _held_by(self, member: str, first: int, last: int) -> list[Range]:
        """The ranges of these offsets, all acquired by the member. Raises KafkaError."""
        if last >= self.end_offset:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                f"Batch record not found: offset {last} is past acquired records, which end at"
                f" {self.end_offset}.",
            )
        for each in self._ranges.overlapping(first, last):
            if each.state is not Delivery.ACQUIRED:
                raise KafkaError(
                    ErrorCode.INVALID_RECORD_STATE,
                    f"Offsets {each.first} to {each.last} cannot be acknowledged: they are not"
                    " acquired.",
                )
            if each.member != member and self._knows_owners:
                raise KafkaError(
                    ErrorCode.INVALID_RECORD_STATE,
                    f"Member is not the owner of offsets {each.first} to {each.last}.",
                )
        return self._ranges.between(first, last)

    def release_all(self, member: str) -> None:
        """A member has left: release the records that it has acquired."""
        for each in [each for each in self._ranges if each.member == member]:
            if each.state is Delivery.ACQUIRED:
                self._change([each], Delivery.AVAILABLE)
        self._ranges.tidy()
        self._advance()

    def _change(
        self,
        ranges: list[Range],
        state: Delivery,
        *,
        cause: Cause | None = None,
        tentative: bool = False,
    ) -> None:
        """Change the state of ranges, and queue the write; with a `cause` they are dead letters.

        Acknowledgements are `tentative`: if they cannot be written, they are undone.
        """
        for each in ranges:
            ends = self._limits_deliveries and each.deliveries >= self.limits.deliveries
            ended = state is Delivery.AVAILABLE and ends
            each.state = Delivery.ARCHIVED if ended else state
            each.cause = (Cause.EXCEEDED if ended else cause) if self.limits.buries else None
            if each.cause is not None:
                self._has_letters = True
                if self._buries_first:
                    each.state = Delivery.ARCHIVING
            if tentative and self._waits:
                each.write = self._number
            else:
                each.member, each.deadline_s = NOBODY, inf
            self._queued.append(StateBatch(each.first, each.last, each.state, each.deliveries))

    def take_dead_letters(self) -> list[DeadLetter]:
        """The records for the group's dead letter queue; call `buried` when that has them."""
        if not self._has_letters:
            return []
        found, self._has_letters = self._ranges.take_dead_letters(self.limits.deliveries)
        self._ranges.tidy()
        return found

    def buried(self, first: int, last: int) -> None:
        """The dead letter queue has the records of these offsets, or cannot accept them."""
        for each in self._ranges.between(first, last):
            if each.state is Delivery.ARCHIVING and not each.write:
                self._change([each], Delivery.ARCHIVED)
        self._ranges.tidy()
        self._advance()

    # ---- time and the log

    def next_deadline_s(self) -> float | None:
        """When `tick` is due, in monotonic seconds."""
        due_s = min((e.deadline_s for e in self._ranges if not e.write), default=inf)
        return None if due_s == inf else due_s

    def tick(self, now_s: float) -> bool:
        """Release records whose acquisition has expired; return whether there were any."""
        due = [e for e in self._ranges if e.deadline_s <= now_s and not e.write]
        self._change(due, Delivery.AVAILABLE)
        if due:
            self._ranges.tidy()
            self._advance()
        return bool(due)

    def log_starts_at(self, offset: int) -> None:
        """The log has deleted the records before `offset`."""
        if offset > self.start_offset:
            self._ranges.begin_at(offset)
            self._advance()

    def _advance(self) -> None:
        """Move the start past complete offsets."""
        start = self.start_offset
        for each in self._ranges:
            if not each.is_over:
                break
            start = each.last + 1
        if start > self.start_offset:
            self._ranges.begin_at(start)

    # ---- writing

    def take_write(self) -> Write | None:
        """The next change for the coordinator; None if one is in flight, or there is none."""
        if self._writing is not None or not (self._queued or self._writes_start or self._waiting):
            return None
        start = self.start_offset
        for each in self._ranges:
            if each.state not in COMPLETE or each.write not in (SETTLED, self._number):
                break
            start = each.last + 1  # That is the start once this is written.
        after = [e for e in self._ranges if e.state in COMPLETE and e.first >= start]
        write = self._writing = Write(
            self._number,
            start,
            sum(each.size for each in after),
            tuple(overlay((), self._queued, start)),
            tuple(self._waiting),
        )
        self._number += 1
        self._queued, self._waiting = [], []
        self._start_at_risk, self._writes_start = self._writes_start, False
        return write

    def written(self, write: Write, error: KafkaError | None) -> None:
        """The coordinator has a change, or the outcome is unknown: then members hold the records as
        before, and the next `tick` releases expired ones."""
        assert write is self._writing, "writes are answered in their order"
        self._writing = None
        for each in self._ranges:
            if each.write != write.number:
                continue
            each.write = SETTLED
            if error is None:
                each.member, each.deadline_s = NOBODY, inf
            else:
                each.state, each.cause = Delivery.ACQUIRED, None
        if error is not None and self._start_at_risk:
            self._writes_start = True
        self._ranges.tidy()
        self._advance()
        for done in write.waiting:
            done(error)

    def abandon(self, error: KafkaError) -> None:
        """This broker no longer leads the partition: the outcome of pending writes is unknown."""
        waiting, self._waiting = self._waiting, []
        if self._writing is not None:
            waiting = [*self._writing.waiting, *waiting]
        for done in waiting:
            done(error)
