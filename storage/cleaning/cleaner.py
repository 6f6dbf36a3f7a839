"""A broker's cleaner: selects the next compacted log, sets the pace, and reports the results.

The log with the largest dirty ratio comes first (plan.py). Its job runs in another process
(Disk.begin); this module does what only the broker may do: replace segments, write the checkpoint,
report. A log whose records cannot be cleaned is reported and skipped until the broker restarts;
after a temporary disk error (a full disk) it is retried. The others continue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from raftka.model.dataclass import dataclass
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Clock, Disk
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.storage.cleaning import plan, swap
from raftka.storage.failure import LogDirFailure
from raftka.storage.log_directory import RECOVERY_POINTS

if TYPE_CHECKING:
    from raftka.storage.cleaning.job import Job
    from raftka.storage.log import Log
    from raftka.storage.log_directory import LogDirectory
    from raftka.storage.log_manager import LogManager

_LARGEST_STEP: Final = 8 << 20
_SMALLEST_STEP: Final = 64 << 10
_SHORT_WAIT_S: Final = 0.01
_STEPS_PER_S: Final = 10
"""The number of steps per second into which limited work is split."""


_GROWN_SEGMENTS: Final = 3
"""How many segments' worth of blocked dirty bytes cause a warning."""
_WARN_EVERY_MS: Final = 3_600_000


class Said(NamedTuple):
    """A message about a cleaning, for the broker's log."""

    words: str
    is_warning: bool = False


class CleanerConfig(NamedTuple):
    """The log.cleaner.* settings, as one cleaner thread's share."""

    map_bytes: float
    """log.cleaner.dedupe.buffer.size, multiplied by log.cleaner.io.buffer.load.factor."""
    max_bytes_per_s: float
    """log.cleaner.io.max.bytes.per.second, for reads and writes."""

    @property
    def step_bytes(self) -> int:
        """The bytes to process between two checks of the clock."""
        return int(max(_SMALLEST_STEP, min(_LARGEST_STEP, self.max_bytes_per_s / _STEPS_PER_S)))


@dataclass(slots=True)
class CleanerState:
    """The cleaner's state of one partition."""

    dirty_ratio: float = 0.0
    dirty_bytes: int = 0
    cleaned_to: int | None = None
    """The offset that the last cleaning reached."""
    last_run_ms: int | None = None
    """The time of the last cleaning, ms since 1970; None since the broker started."""
    bytes_before: int = 0
    bytes_after: int = 0
    blocked_by: str = ""
    """Why some dirty records cannot be cleaned yet, in words."""
    blocked_bytes: int = 0
    """The blocked bytes in closed segments."""
    uncleanable: str = ""
    """Why the cleaner has given up this partition; empty if it has not."""
    overdue_ms: int = 0
    """How long a cleaning is overdue by max.compaction.lag.ms."""
    warned_ms: int | None = None
    """When its growth was last logged, ms since 1970."""

    @property
    def waiting_bytes(self) -> int:
        """The bytes of closed segments that were never cleaned."""
        return self.dirty_bytes + self.blocked_bytes


class LastRun(NamedTuple):
    """The figures of the last cleaning."""

    seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    buffer_share: float = 0.0
    """How full the offset map was, from 0 to 1."""


class Cleaner:
    """Cleans the logs of one broker. Several tasks may call `clean_next` concurrently."""

    def __init__(
        self, logs: LogManager, disk: Disk, clock: Clock, rules_off: RulesOff = ALL_HOLD
    ) -> None:
        self.states: dict[TopicPartition, CleanerState] = {}
        self.surveyed_ms: int | None = None
        """When logs to clean were last searched, ms since 1970."""
        self.last_run = LastRun()
        self.workers = self.workers_alive = 0
        """The number of tasks started to call `clean_next`, and of those still running."""
        self._logs = logs
        self._disk = disk
        self._clock = clock
        self._rules_off = rules_off
        self._busy: set[TopicPartition] = set()
        self._writing: set[str] = set()
        """Log directories whose checkpoint is being written."""

    def survey(
        self, high_watermarks: Mapping[TopicPartition, int], now_ms: int
    ) -> list[tuple[Log, plan.Dirt]]:
        """The compacted logs that wait for a cleaning, the dirtiest first."""
        due: list[tuple[Log, plan.Dirt]] = []
        self.surveyed_ms = now_ms
        present: set[TopicPartition] = set()
        for log in self._logs:
            if not log.config.compacts or log.failure is not None:
                continue
            present.add(log.topic_partition)
            state = self.states.setdefault(log.topic_partition, CleanerState())
            if log.topic_partition in self._busy:
                continue
            try:
                dirt = self._measure(log, high_watermarks.get(log.topic_partition, 0), now_ms)
            except LogDirFailure:
                continue
            state.dirty_ratio, state.dirty_bytes = dirt.ratio, dirt.dirty_bytes
            state.blocked_by, state.blocked_bytes = dirt.blocked_by, dirt.blocked_bytes
            state.overdue_ms = dirt.overdue_ms
            if not state.uncleanable and dirt.is_due(log.config):
                due.append((log, dirt))
        for gone in self.states.keys() - present:
            del self.states[gone]
        due.sort(key=lambda each: each[1].ratio, reverse=True)
        return due

    def _measure(self, log: Log, high_watermark: int, now_ms: int) -> plan.Dirt:
        home = self._logs.home_of(log.topic_partition)
        cleaned_to = None if home is None else home.cleaned_to.get(log.topic_partition)
        self.states[log.topic_partition].cleaned_to = cleaned_to
        with log.health.doing("measuring"):
            views = []
            for segment in log.segments:
                segment.know_timestamps()
                first = segment.first_timestamp
                views.append(
                    plan.SegmentView(
                        segment.base_offset,
                        segment.size,
                        segment.max_timestamp,
                        -1 if first is None else first,
                    )
                )
        config, stable_offset = log.config, log.stable_offset(high_watermark)
        if Rule.COMPACTION_LAG in self._rules_off:
            config = dataclasses.replace(config, min_compaction_lag_ms=0)
        if Rule.CLEAN_WHAT_IS_STABLE in self._rules_off:
            stable_offset = log.log_end_offset
        return plan.measure(
            views,
            config,
            log_start_offset=log.log_start_offset,
            stable_offset=stable_offset,
            cleaned_to=cleaned_to,
            now_ms=now_ms,
        )

    async def clean_next(
        self, high_watermarks: Mapping[TopicPartition, int], config: Callable[[], CleanerConfig]
    ) -> list[Said]:
        """Clean the dirtiest log that is due; return messages about it, none if nothing is due."""
        due = self.survey(high_watermarks, self._clock.wall_ms())
        if not due:
            return []
        log, dirt = due[0]
        state = self.states[log.topic_partition]
        home = self._logs.home_of(log.topic_partition)
        if home is None:
            return []
        self._busy.add(log.topic_partition)
        changes = log.segments.changes
        try:
            return [Said(await self._clean(log, home, dirt, state, config))]
        except (KafkaError, OSError) as error:
            return [self._gave_up(log, state, error, is_same=log.segments.changes == changes)]
        finally:
            self._busy.discard(log.topic_partition)

    def _gave_up(
        self, log: Log, state: CleanerState, error: KafkaError | OSError, *, is_same: bool
    ) -> Said:
        """Report why a cleaning was aborted; return whether the log may be cleaned later."""
        if log.failure is not None or not is_same:
            return Said(f"cleaning {log.topic_partition} was broken off: {_changed(log)}")
        if isinstance(error, OSError):
            state.blocked_by = str(error)
            words = f"cleaning {log.topic_partition} failed and is tried again: {error}"
            return Said(words, is_warning=True)
        state.uncleanable = str(error)
        words = f"{log.topic_partition} cannot be cleaned and grows until the broker restarts"
        return Said(f"{words}; the other partitions are cleaned: {error}", is_warning=True)

    def complaints(self, now_ms: int) -> list[str]:
        """Messages about growing logs that should stay small, at most one per hour for each."""
        said: list[str] = []
        for target, state in self.states.items():
            log = self._logs.get(target)
            is_held_up = state.blocked_by and target.topic in INTERNAL_TOPICS
            if log is None or not (state.uncleanable or is_held_up):
                continue
            if state.waiting_bytes < _GROWN_SEGMENTS * log.config.segment_bytes:
                continue
            if state.warned_ms is None or now_ms - state.warned_ms >= _WARN_EVERY_MS:
                state.warned_ms = now_ms
                said.append(_growth(target, log, state))
        return said

    async def _clean(
        self,
        log: Log,
        home: LogDirectory,
        dirt: plan.Dirt,
        state: CleanerState,
        config: Callable[[], CleanerConfig],
    ) -> str:
        """Clean one log; return a message. Raises OSError, KafkaError."""
        from raftka.storage.cleaning.job import (
            Step,
            steps,
        )  # Lazy: imported with the first cleaning.

        began_s, now_ms = self._clock.monotonic(), self._clock.wall_ms()
        changes = log.segments.changes
        await self._make_durable(log, home, dirt.end_offset)
        await self._disk.offload(partial(swap.discard, self._disk, log.directory))
        if log.segments.changes != changes:
            return f"cleaning {log.topic_partition} was broken off: {_changed(log)}"
        before = log.size
        work = self._disk.begin(steps, dataclasses.asdict(self._job(log, dirt, now_ms, config())))
        cleaned_to, free_at_s, moved = dirt.first_dirty_offset, began_s, 0
        read = written = 0
        buffer_share = 0.0
        try:
            while (found := await work.step()) is not None:
                step = Step(**found)
                if step.mapped_to >= 0:
                    cleaned_to, buffer_share = step.mapped_to, step.buffer_share
                if step.replaced and not await self._swap(log, step.replaced, now_ms):
                    return f"cleaning {log.topic_partition} was broken off: {_changed(log)}"
                moved += step.moved_bytes
                read += step.replaced_bytes
                written += step.cleaned_bytes
                now_s = self._clock.monotonic()
                free_at_s = max(free_at_s, now_s) + step.moved_bytes / config().max_bytes_per_s
                if free_at_s > now_s:
                    await self._clock.sleep(free_at_s - now_s)
        finally:
            await work.close()
        if log.failure is not None:
            raise log.health.refusal()
        # A truncation meanwhile has lowered the recovery point.
        cleaned_to = min(cleaned_to, log.recovery_point)
        await self._write_down(home, log.topic_partition, cleaned_to)
        state.cleaned_to, state.last_run_ms = cleaned_to, now_ms
        state.bytes_before, state.bytes_after = before, log.size
        state.dirty_ratio, state.dirty_bytes, state.overdue_ms = 0.0, 0, 0
        seconds = self._clock.monotonic() - began_s
        self.last_run = LastRun(seconds, read, written, buffer_share)
        return (
            f"cleaned {log.topic_partition} up to offset {cleaned_to}: {before} bytes became"
            f" {log.size} in {seconds:.1f} s, {moved} bytes moved"
        )

    def _job(self, log: Log, dirt: plan.Dirt, now_ms: int, config: CleanerConfig) -> Job:
        from raftka.storage.cleaning.job import Job

        return Job(
            directory=log.directory,
            segments=[
                (segment.base_offset, segment.size)
                for segment in log.segments
                if segment.base_offset < dirt.end_offset
            ],
            first_dirty_offset=dirt.first_dirty_offset,
            end_offset=dirt.end_offset,
            now_ms=now_ms,
            delete_retention_ms=log.config.delete_retention_ms,
            segment_bytes=log.config.segment_bytes,
            index_bytes=log.config.segment_index_bytes,
            index_interval_bytes=log.config.index_interval_bytes,
            map_bytes=config.map_bytes,
            step_bytes=config.step_bytes,
            producers=[
                (
                    producer_id,
                    entry.batches[-1].last_offset if entry.batches else -1,
                    entry.epoch,
                )
                for producer_id, entry in log.producer_state.producers.items()
            ],
            rules_off=sorted(rule.name for rule in self._rules_off),
        )

    async def _make_durable(self, log: Log, home: LogDirectory, end_offset: int) -> None:
        """Write a recovery point after the cleaned segments.

        A cleaned segment may end before the next one begins. After a crash, recovery would take
        that for lost records, unless they are before the recovery point.
        """
        if log.recovery_point < end_offset:
            await log.flush_in_background(closed_only=True)
        if home.recovery_points.get(log.topic_partition, 0) < end_offset:
            points = {RECOVERY_POINTS: home.current_recovery_points()}
            await self._disk.offload(partial(home.write_checkpoints, points))

    async def _write_down(self, home: LogDirectory, name: TopicPartition, offset: int) -> None:
        """Write a checkpoint, which another cleaner may be writing."""
        while home.path in self._writing:
            await self._clock.sleep(_SHORT_WAIT_S)
        self._writing.add(home.path)
        try:
            await self._disk.offload(partial(home.set_cleaned_to, name, offset))
        finally:
            self._writing.remove(home.path)

    async def _swap(self, log: Log, bases: tuple[int, ...], now_ms: int) -> bool:
        """Replace segments with a cleaned one; False if the log has changed meanwhile."""
        sync = partial(self._disk.sync_dir, log.directory)
        await self._disk.offload(sync)
        if not log.prepare_replacement(bases):
            return False
        await self._disk.offload(sync)
        return log.replace_segments(bases, now_ms)


def _growth(target: TopicPartition, log: Log, state: CleanerState) -> str:
    """A message that a log grows, why, and what to do."""
    words = f"{target} grows: {state.waiting_bytes} of its {log.size} bytes wait for a cleaning"
    if state.uncleanable:
        todo = "move the replica to another broker and back, so that it is copied afresh"
        return f"{words} that cannot be done ({state.uncleanable}); {todo}"
    todo = "kafka-transactions find-hanging names a transaction that stays open; abort it"
    if not state.blocked_by.startswith("records"):
        todo = "see the topic's settings and the broker's log lines"
    return f"{words}, held up by this: {state.blocked_by}; {todo}"


def _changed(log: Log) -> str:
    return log.failure or "segments were deleted or truncated; it is tried again"
