"""Compares what clients saw, without asking a server.

The names are those of Jepsen's checker for Kafka: inconsistent-offsets, lost-write, duplicate,
nonmonotonic-poll, poll-skip, unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.violation import About, Report

Told = Callable[[Key, int, str], None]


@dataclass
class PartitionHistory:
    """All that clients know about one partition."""

    values: dict[int, bytes] = field(default_factory=dict)
    """Records by offset: acknowledged with acks=all, or read."""
    offsets: dict[bytes, int] = field(default_factory=dict)
    acked: dict[int, tuple[bytes, str, float]] = field(default_factory=dict)
    """By offset: value, producer, when; acks=all."""
    acked_by_leader: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    """Records by offset, acknowledged with acks=1: a leader's crash may lose them."""
    read_end: int = 0
    start: int = 0
    """The offset up to which retention or an administrator may have deleted records."""


class History:
    """The operations of all clients of a run."""

    def __init__(self, report: Report, told: Told, *, strict_acks_1: bool = False) -> None:
        """`told` gets each record that a client may rely on. With `strict_acks_1`, acks=1 counts
        too: a control that no cluster can pass.
        """
        self._strict_acks_1 = strict_acks_1
        self.partitions: dict[Key, PartitionHistory] = {}
        self.acked = 0
        self.read = 0
        self.failed = 0
        self.looks = Looks()
        self.last_ack: dict[Key, float] = {}
        self.longest_gap_s = 0.0
        """The longest time in which a partition acknowledged nothing."""
        self.lost_acks_1: list[str] = []
        self.one_at_a_time: frozenset[str] = frozenset()
        """Producers with max.in.flight.requests.per.connection = 1."""
        self._report = report
        self._told = told
        self._committed: dict[tuple[str, Key], int] = {}
        self._consumed: dict[tuple[str, Key], int] = {}
        self.excused: Callable[[Key], bool] = lambda key: False
        """Whether a partition lost more disks than its guarantees cover."""
        self.may_pass: Callable[[Key, int, int], bool] = lambda key, start, end: False
        """Whether a cleaning may have removed every record between two offsets of a partition."""
        self.may_be_gone: Callable[[Key, int], bool] = lambda key, offset: False
        """Whether a cleaning may have removed the record at an offset."""

    def of(self, key: Key) -> PartitionHistory:
        found = self.partitions.get(key)
        if found is None:
            found = self.partitions[key] = PartitionHistory()
        return found

    def forget(self, topic: str) -> None:
        for key in [key for key in self.partitions if key[0] == topic]:
            del self.partitions[key]

    def may_begin_at(self, key: Key, offset: int) -> None:
        """Records before `offset` may be gone from now on."""
        history = self.of(key)
        history.start = max(history.start, offset)

    # Producers.

    def acknowledged(
        self, producer: str, key: Key, offset: int, value: bytes, *, acks: int, idempotent: bool
    ) -> None:
        self.acked += 1
        self.looks("inconsistent-offsets", "duplicate")
        history = self.of(key)
        now = trio.current_time()
        last = self.last_ack.get(key)
        if last is not None and now - last > self.longest_gap_s:
            self.longest_gap_s = now - last
        self.last_ack[key] = now
        if acks != -1 and not self._strict_acks_1:
            history.acked_by_leader[offset] = (value, producer)
            return
        known = history.values.setdefault(offset, value)
        if known != value and not self.excused(key):
            self._report(
                "inconsistent-offsets",
                f"{producer} learned that {show(value)} is at offset {offset} of"
                f" {key[0]}-{key[1]}, but a client knows {show(known)} there",
                about=About(key, offset, node=producer),
            )
        elsewhere = history.offsets.setdefault(value, offset)
        if idempotent and self._is_repeated(key, history, offset, elsewhere):
            self._report(
                "duplicate",
                f"{producer} learned that {show(value)} is at offset {offset} of"
                f" {key[0]}-{key[1]}, but it is at offset {elsewhere} already",
                about=About(key, offset, elsewhere, node=producer),
            )
        history.acked[offset] = (value, producer, now)
        if acks == -1:
            self._told(key, offset, f"{producer} got acknowledged")

    # Consumers.

    def polled(self, consumer: str, key: Key, last: int | None, offset: int, value: bytes) -> None:
        """`last`: the offset that the consumer read before, in the same assignment."""
        self.read += 1
        self.looks("duplicate", "inconsistent-offsets", "nonmonotonic-poll", "poll-skip")
        history = self.of(key)
        if last is not None:
            self._check_order(consumer, history, key, last, offset)
        known = history.values.get(offset)
        if known is None:
            history.values[offset] = value
        elif known != value and not self.excused(key):
            self._report(
                "inconsistent-offsets",
                f"{consumer} read {show(value)} at offset {offset} of {key[0]}-{key[1]}, where"
                f" another client knows {show(known)}",
                about=About(key, offset, node=consumer),
            )
        elsewhere = history.offsets.setdefault(value, offset)
        if is_idempotent(value) and self._is_repeated(key, history, offset, elsewhere):
            self._report(
                "duplicate",
                f"{consumer} read {show(value)} of an idempotent producer at offset {offset} of"
                f" {key[0]}-{key[1]}, and it is at offset {elsewhere} too",
                about=About(key, offset, elsewhere, node=consumer),
            )
        if offset >= history.read_end:
            history.read_end = offset + 1
            self._told(key, offset, f"{consumer} read")

    def _is_repeated(self, key: Key, history: PartitionHistory, one: int, other: int) -> bool:
        """The state of a producer may be deleted with its records, and only then."""
        return one != other and min(one, other) >= history.start and not self.excused(key)

    def _check_order(
        self, consumer: str, history: PartitionHistory, key: Key, last: int, offset: int
    ) -> None:
        if self.excused(key):
            return
        if offset <= last:
            self._report(
                "nonmonotonic-poll",
                f"{consumer} read offset {offset} of {key[0]}-{key[1]} after {last}, without a seek"
                " in between",
                about=About(key, offset, last, node=consumer),
            )
        elif offset > last + 1 and offset > history.start:
            if self.may_pass(key, max(last + 1, history.start), offset):
                return
            self._report(
                "poll-skip",
                f"{consumer} read offset {offset} of {key[0]}-{key[1]} right after {last}: what is"
                " between was passed over",
                about=About(key, last + 1, node=consumer),
            )

    # Groups.

    def consumed(self, group: str, key: Key, position: int) -> None:
        """A member of the group received the records up to `position`."""
        known = self._consumed.get((group, key), 0)
        self._consumed[group, key] = max(known, position)

    def consumed_to(self, group: str, key: Key) -> int:
        """The offset after the last record that a member of the group received."""
        return self._consumed.get((group, key), 0)

    def found_committed(self, group: str, key: Key, offset: int) -> None:
        """A member starts at the group's committed `offset`."""
        self.looks("commit-past-consumption")
        passed = max(self._consumed.get((group, key), 0), self.of(key).start)
        if offset > passed and not self.excused(key) and not self.may_pass(key, passed, offset):
            self._report(
                "commit-past-consumption",
                f"group {group} finds offset {offset} of {key[0]}-{key[1]} committed, but its"
                f" members have been given records up to {self._consumed.get((group, key), 0)}"
                " only: the rest would never be processed",
                about=About(key, offset, group=group),
            )

    # At the end.

    def final_read(self, key: Key, found: dict[int, bytes], end: int) -> None:
        """A new consumer read the whole partition, up to `end`."""
        history = self.of(key)
        for offset, (value, producer, when) in history.acked.items():
            if offset < history.start or self.excused(key):
                continue
            self.looks("lost-write", "reordered")
            if offset not in found and self.may_pass(key, offset, offset + 1):
                continue
            if found.get(offset) != value:
                there = show(found[offset]) if offset in found else "nothing"
                self._report(
                    "lost-write",
                    f"{producer} got {show(value)} acknowledged at offset {offset} of"
                    f" {key[0]}-{key[1]} at {when:.3f} s, and a reader of the whole partition finds"
                    f" {there} there (it ends at {end})",
                    about=About(key, offset, node=producer),
                )
                return
        for offset, (value, producer) in history.acked_by_leader.items():
            passed = offset not in found and self.may_pass(key, offset, offset + 1)
            if offset >= history.start and found.get(offset) != value and not passed:
                self.lost_acks_1.append(f"{producer}: {show(value)} at {key[0]}-{key[1]}@{offset}")
        self._check_producer_order(key, found)
        if not history.start:
            self._check_first_ones(key, found)

    def _check_first_ones(self, key: Key, found: dict[int, bytes]) -> None:
        """With one request at a time, retries may repeat records but not reorder them. A record
        that looks late is a repeat if a cleaning may have removed its first copy.
        """
        last: dict[bytes, int] = {}
        at: dict[bytes, int] = {}
        seen: set[tuple[bytes, int]] = set()
        for offset in sorted(found):
            producer, number = parse(found[offset])
            if producer.decode() not in self.one_at_a_time or (producer, number) in seen:
                continue
            seen.add((producer, number))
            if number < last.get(producer, -1):
                before = range(at[producer])
                if any(each not in found and self.may_be_gone(key, each) for each in before):
                    continue
                self._report(
                    "reordered",
                    f"{key[0]}-{key[1]} has {show(found[offset])} at offset {offset}, after record"
                    f" {last[producer]} of the same producer, which has one request in flight",
                )
                return
            last[producer], at[producer] = number, offset

    def _check_producer_order(self, key: Key, found: dict[int, bytes]) -> None:
        last: dict[bytes, int] = {}
        at: dict[bytes, int] = {}
        for offset in sorted(found):
            producer, number = parse(found[offset])
            if is_idempotent(found[offset]) and number <= last.get(producer, -1):
                self._report(
                    "reordered",
                    f"{key[0]}-{key[1]} has {show(found[offset])} at offset {offset}, after record"
                    f" {last[producer]} of the same idempotent producer",
                    about=About(key, offset, at[producer], node=producer.decode()),
                )
                return
            last[producer], at[producer] = number, offset


def value_of(producer: str, number: int, idempotent: bool, padding: int, at_ms: int = 0) -> bytes:
    """A record's value: unique, with its producer and the time at which it was sent."""
    kind = "i" if idempotent else "p"
    return f"{kind}:{producer}:{number}:{at_ms}:".encode().ljust(padding, b".")


def is_idempotent(value: bytes) -> bool:
    return value.startswith(b"i")


def parse(value: bytes) -> tuple[bytes, int]:
    """(producer, number) of a value."""
    _, producer, number, _ = value.split(b":", 3)
    return producer, int(number)


def show(value: bytes) -> str:
    """A record's name in a story."""
    try:
        producer, number = parse(value)
    except ValueError:
        return repr(value)
    return f"record {number} of {producer.decode()}"
