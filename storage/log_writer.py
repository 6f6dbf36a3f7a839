"""Appends to a log: single batches as its leader, runs of batches as its follower.

Appending is the broker's hot path: it parses the header, computes the CRC and writes, once each,
and keeps numbers in memory. Everything rare is behind a comparison that is usually false. Sources
of the rules: KIP-98 (format, idempotence), KIP-101 (epochs), KIP-32 and KIP-33 (time).
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_TIMESTAMP
from raftka.model.ports import Buffer
from raftka.model.record_batch import (
    CONTROL_BIT,
    TRANSACTIONAL_BIT,
    parse_header,
    place_bytes,
)
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.storage.appending import NOTHING_APPENDED, AppendInfo
from raftka.storage.bounds import Bounds
from raftka.storage.config import LogConfig
from raftka.storage.health import Health
from raftka.storage.leader_checks import LeaderChecks
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.log_ends import LogEnds
from raftka.storage.producer_state import ProducerState
from raftka.storage.replicated import Replicated, check_order, read_replicated
from raftka.storage.segment import MAX_RELATIVE_OFFSET
from raftka.storage.tail import Tail
from raftka.storage.verification import Guard

_place = struct.Struct(">qii").pack_into
_PLACE_BYTES: Final = 16
_info: Final = partial(
    tuple.__new__, AppendInfo
)  # a NamedTuple's own constructor costs another call


class LogWriter:
    """Appends to one log, and updates its end, its leader epochs and its producers."""

    __slots__ = (
        "_bounds",
        "_checks",
        "_ends",
        "_epochs",
        "_health",
        "_producers",
        "_tail",
    )

    def __init__(
        self,
        bounds: Bounds,
        tail: Tail,
        ends: LogEnds,
        epochs: LeaderEpochCache,
        producers: ProducerState,
        health: Health,
        config: LogConfig,
        *,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self._bounds = bounds
        self._tail = tail
        self._ends = ends
        self._epochs = epochs
        self._producers = producers
        self._health = health
        self._checks = LeaderChecks(health.topic_partition, config, rules_off)

    def configure(self, config: LogConfig) -> None:
        """Apply new settings of the topic."""
        self._checks.configure(config)

    def append_as_leader(
        self,
        records: Buffer,
        leader_epoch: int,
        now_ms: int,
        *,
        from_client: bool = True,
        guard: Guard | None = None,
    ) -> AppendInfo:
        """Append one batch at the end of the log; a batch that opens a transaction needs a `guard`.

        `records` is patched in place if it is writable; it is only copied if the topic's settings
        require a conversion. Raises KafkaError if the batch is refused, with nothing changed;
        LogDirFailure.
        """
        if self._health.failure is not None:
            raise self._health.refusal()
        (view, size, attributes, delta, max_timestamp, append_time, producer_id, producer_epoch,
         base_sequence, count) = self._checks.accept(records, now_ms, from_client)  # fmt: skip
        bounds = self._bounds
        if producer_id >= 0 or attributes & TRANSACTIONAL_BIT:
            where = self._health.topic_partition
            if from_client and not attributes & TRANSACTIONAL_BIT:
                earlier = self._producers.check(
                    producer_id, producer_epoch, base_sequence, delta, 0, where
                )
            else:
                earlier = self._producers.check_other(
                    producer_id, producer_epoch, base_sequence, delta, attributes, guard, where
                )
            if earlier:
                first, when = earlier.base_offset, earlier.timestamp
                return AppendInfo(first, earlier.last_offset, when, bounds.start, True, 0, 0)
        base = bounds.end
        last_offset = base + delta
        tail = self._tail
        segment = tail.segment
        if (
            segment.size + size > tail.size_limit
            or max_timestamp > tail.roll_timestamp
            or now_ms > tail.roll_ms
            or last_offset > tail.offset_limit
        ) and not tail.has_room(size, last_offset, max_timestamp, now_ms):
            segment = self._ends.roll(base, now_ms)
        if leader_epoch != self._epochs.latest:
            self._begin_epoch(leader_epoch, base)
        position = segment.size
        try:
            if view.readonly:
                head = place_bytes(size, base, leader_epoch)
                segment.file.write((head, view[_PLACE_BYTES:]), position)
            else:
                _place(view, 0, base, size - 12, leader_epoch)
                segment.file.write((view,), position)
            bounds.end = last_offset + 1
            tail.note(position, size, base, last_offset, max_timestamp)
            if not position:
                self._epochs.save()
        except OSError as error:
            raise self._health.fail(error, "appending to") from error
        if attributes & CONTROL_BIT:
            aborted = self._producers.replay(parse_header(view), partial(bytes, view))
            if aborted is not None:
                self._ends.note_aborted(aborted)
        elif producer_id >= 0:
            self._producers.appended(
                producer_id, producer_epoch, base_sequence, delta, last_offset, max_timestamp,
                attributes,
            )  # fmt: skip
        return _info((base, last_offset, append_time, bounds.start, False, size, count))

    def _begin_epoch(self, epoch: int, start_offset: int) -> None:
        if epoch < self._epochs.latest:
            raise KafkaError(
                ErrorCode.FENCED_LEADER_EPOCH,
                f"An append to {self._health.topic_partition} in leader epoch {epoch}, but the log "
                f"has records of epoch {self._epochs.latest} already.",
            )
        self._epochs.assign(epoch, start_offset)

    def append_as_follower(self, records: Buffer, now_ms: int = 0) -> AppendInfo:
        """Append whole batches with their leader's offsets; an incomplete last one is ignored.

        All complete batches or none. Raises KafkaError: CORRUPT_MESSAGE for a wrong CRC,
        INVALID_RECORD for an offset below the end of the log; LogDirFailure if the disk fails. A
        gap is accepted: a compacted leader has gaps.
        """
        if self._health.failure is not None:
            raise self._health.refusal()
        batches = read_replicated(records, self._health.topic_partition)
        if not batches:
            return NOTHING_APPENDED
        bounds, tail, first = self._bounds, self._tail, batches[0][0]
        start = bounds.start
        if bounds.end == start and first.base_offset < start <= first.last_offset:
            # The leader's log starts inside a batch (DeleteRecords); it can only send whole
            # batches.
            self._ends.start_again_at(first.base_offset, now_ms)
        check_order(batches, bounds.end, self._health.topic_partition)
        run: list[Replicated] = []
        run_bytes = written = count = 0
        for batch in batches:
            header, size, _ = batch
            last_offset, time_ms = header[0] + header[6], header[8]
            if (
                tail.segment.size + run_bytes + size > tail.size_limit
                or time_ms > tail.roll_timestamp
                or now_ms > tail.roll_ms
                or last_offset > tail.offset_limit
            ) and not tail.has_room(size, last_offset, time_ms, now_ms, pending=run_bytes):
                self._write_run(run)
                run, run_bytes = [], 0
                if not tail.has_room(size, last_offset, time_ms, now_ms):
                    # Segments without a gap between them let recovery notice a lost end of a
                    # segment.
                    base = bounds.end
                    is_near = last_offset - base <= MAX_RELATIVE_OFFSET
                    self._ends.roll(base if is_near else header.base_offset, now_ms)
            run.append(batch)
            run_bytes += size
            written += size
            count += header[12]
        self._write_run(run)
        self._ends.advance_start(start)
        return _info(
            (
                first[0],
                batches[-1][0].last_offset,
                NO_TIMESTAMP,
                bounds.start,
                False,
                written,
                count,
            )
        )

    def _write_run(self, run: list[Replicated]) -> None:
        """Append batches that fit into the active segment, in one write."""
        if not run:
            return
        tail, bounds, producers = self._tail, self._bounds, self._producers
        position = tail.segment.size
        latest, end = self._epochs.latest, bounds.end
        plain = position > 0
        named: list[Replicated] = []
        for batch in run:
            header = batch[0]
            if header[0] != end or header[2] > latest:
                plain = False
            if header[9] >= 0:
                named.append(batch)
            end = header[0] + header[6] + 1
        try:
            tail.segment.file.write([view for _, _, view in run], position)
            if plain:
                bounds.end = end
                tail.note_run(position, run)
            else:
                self._note_each(run, position)
            for header, _, view in named:
                aborted = producers.replay(header, partial(bytes, view))
                if aborted is not None:
                    self._ends.note_aborted(aborted)
            producers.end_offset = end
        except OSError as error:
            raise self._health.fail(error, "appending to") from error

    def _note_each(self, run: list[Replicated], position: int) -> None:
        """Account for written batches, even the first of a segment, of an epoch, or after a gap."""
        tail, bounds, epochs = self._tail, self._bounds, self._epochs
        for header, size, _ in run:
            base, last_offset = header.base_offset, header.last_offset
            if header.leader_epoch > epochs.latest:
                epochs.assign(header.leader_epoch, base)
            if base != bounds.end:
                tail.forget_places()
            bounds.end = last_offset + 1
            tail.note(position, size, base, last_offset, header.max_timestamp)
            if not position:
                epochs.save()
            position += size
