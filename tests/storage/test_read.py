"""Reading: whole batches, up to an upper offset, from any segment."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raftka.model.errors import ErrorCode, KafkaError
from raftka.storage.log import Log
from tests.support.logs import (
    FIRST_LOG,
    NOW_MS,
    all_records,
    append,
    batch,
    batches_in,
    new_disk,
    new_log,
    read_bytes,
    reopen,
)


def filled(log: Log, count: int = 30) -> Log:
    """Batches of 1, 2, 3, 1, 2, 3... records."""
    for number in range(count):
        append(log, *(f"{number}" for _ in range(number % 3 + 1)))
    return log


@pytest.mark.parametrize("fresh", [True, False], ids=["appended", "reopened"])
@pytest.mark.parametrize("segment_bytes", [1 << 30, 400])
def test_every_offset_is_found_in_its_batch(fresh: bool, segment_bytes: int) -> None:
    disk = new_disk()
    log = filled(new_log(disk, segment_bytes=segment_bytes, index_interval_bytes=100))
    if not fresh:
        log.close()
        log, _ = reopen(disk, clean=True)
    for offset in range(log.log_end_offset):
        first = batches_in(log.read(offset, 1, log.log_end_offset))
        assert len(first) == 1
        assert first[0].base_offset <= offset <= first[0].last_offset


def test_outside_the_log_is_out_of_range() -> None:
    log = filled(new_log())
    log.advance_log_start(4)
    for offset in (-1, 3, log.log_end_offset + 1):
        with pytest.raises(KafkaError) as caught:
            log.read(offset, 100, log.log_end_offset)
        assert caught.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    assert log.read(log.log_end_offset, 100, log.log_end_offset).size == 0


@given(
    offset=st.integers(0, 60),
    max_bytes=st.integers(0, 3000),
    upper=st.integers(0, 60),
    min_one=st.booleans(),
    segment_bytes=st.sampled_from([1 << 30, 700]),
    fresh=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_limits_hold(
    offset: int, max_bytes: int, upper: int, min_one: bool, segment_bytes: int, fresh: bool
) -> None:
    disk = new_disk()
    log = filled(new_log(disk, segment_bytes=segment_bytes, index_interval_bytes=150))
    if not fresh:
        log.close()
        log, _ = reopen(disk, clean=True)
    found = log.read(offset, max_bytes, upper, min_one=min_one)
    headers = batches_in(found)
    assert all(header.last_offset < upper for header in headers)
    assert found.size <= max_bytes or (min_one and len(headers) == 1)
    if headers:
        assert headers[0].base_offset <= offset <= headers[0].last_offset
    elif min_one and offset < upper:
        # Only the batch that spans the upper offset may be held back.
        whole = batches_in(log.read(offset, 1, log.log_end_offset))
        assert whole[0].last_offset >= upper
    everything = log.read(offset, 1 << 30, upper)
    ends_at = max((h.last_offset + 1 for h in batches_in(everything)), default=upper)
    following = batches_in(log.read(ends_at, 1, upper)) if ends_at < upper else []
    if following:
        assert found.available > 1 << 30, "the next segment has more"
    elif ends_at == upper:
        assert found.available == everything.size
    else:
        # The batch that spans `upper` is held back; it may begin a segment, which counts as more.
        assert found.available >= everything.size


def test_a_deleted_segment_can_still_be_sent() -> None:
    log = filled(new_log(segment_bytes=400))
    found = log.read(0, 10_000, log.log_end_offset)
    before = read_bytes(found)
    log.delete_oldest(2, NOW_MS)
    assert log.remove_doomed(NOW_MS + 60_000) > 0
    assert read_bytes(found) == before


def test_a_flipped_bit_behind_the_scan_is_never_served() -> None:
    """The log was closed cleanly and is not scanned; its first reader finds the damage."""
    disk = new_disk()
    log = filled(new_log(disk))
    third = log.read(3, 1, 60).pieces[0]
    log.close()
    disk.medium.flip_bit(FIRST_LOG, third.offset + 70, 3)  # type: ignore[union-attr]
    log, _ = reopen(disk, clean=True)
    assert [h.base_offset for h in batches_in(log.read(0, 10_000, 60))] == [0, 1]
    with pytest.raises(KafkaError) as caught:
        log.read(3, 10_000, 60)
    assert caught.value.code is ErrorCode.CORRUPT_MESSAGE
    assert batches_in(log.read(6, 10_000, 60))
    append(log, "appending goes on")


class ReadModel(RuleBasedStateMachine):
    """The log against a list: appends, truncations, moves of the start, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = new_disk()
        self.settings = {"segment_bytes": 500, "index_interval_bytes": 120}
        self.log = new_log(self.disk, **self.settings)
        self.records: dict[int, str] = {}
        self.ends = [0]
        self.epoch = 0
        self.serial = 0

    @rule(count=st.integers(1, 4), size=st.integers(0, 80), new_epoch=st.booleans())
    def append(self, count: int, size: int, new_epoch: bool) -> None:
        self.epoch += new_epoch
        values = []
        for _ in range(count):
            self.serial += 1
            values.append(f"{self.serial}" + "." * size)
        base = append(self.log, *values, epoch=self.epoch)
        for index, value in enumerate(values):
            self.records[base + index] = value
        self.ends.append(self.log.log_end_offset)

    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from([e for e in self.ends if e >= self.log_start()]))
        self.log.truncate_to(target)
        self.ends = [end for end in self.ends if end <= target]
        self.records = {o: v for o, v in self.records.items() if o < target}
        self.epoch = max(self.epoch, self.log.latest_epoch)

    def log_start(self) -> int:
        return self.log.log_start_offset

    @rule(data=st.data())
    def delete_records(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(self.log_start(), self.log.log_end_offset))
        self.log.advance_log_start(start)
        self.log.delete_old_segments(NOW_MS, self.log.log_end_offset)
        self.records = {o: v for o, v in self.records.items() if o >= start}

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        start, epochs = self.log_start(), self.log.epochs.entries()
        if clean:
            self.log.close()
        config = self.log.config
        self.log, report = reopen(self.disk, clean=clean, log_start_offset=start, config=config)
        assert report.truncated_bytes == 0
        # An epoch without records is forgotten.
        assert self.log.epochs.entries() == [e for e in epochs if e[1] < self.log.log_end_offset]

    @precondition(lambda self: self.ends[-1] > 0)
    @rule(extra=st.integers(1, 100))
    def start_again(self, extra: int) -> None:
        offset = self.log.log_end_offset + extra
        self.log.truncate_fully_and_start_at(offset)
        self.records, self.ends = {}, [offset]

    @invariant()
    def the_same_records(self) -> None:
        assert dict(all_records(self.log)) == self.records
        assert self.log.size == sum(segment.size for segment in self.log.segments)
        assert self.log.log_end_offset == self.ends[-1]

    @invariant()
    def epochs_match_the_batches(self) -> None:
        seen: dict[int, int] = {}
        for segment in self.log.segments:
            for _, header in segment.headers():
                if header.last_offset >= self.log_start():
                    start = max(header.base_offset, self.log_start())
                    seen.setdefault(header.leader_epoch, start)
        if seen:
            assert self.log.epochs.entries() == sorted(seen.items())


TestReadModel = ReadModel.TestCase
TestReadModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_times_are_found() -> None:
    log = new_log(segment_bytes=300, index_interval_bytes=100)
    times = [NOW_MS + t for t in (0, 50, 20, 90, 30, 100, 100, 60, 200, 10)]
    for number, timestamp in enumerate(times):
        log.append_as_leader(batch(f"{number}", timestamp=timestamp), number // 5, NOW_MS)
    for wanted in range(NOW_MS - 10, NOW_MS + 210, 5):
        first = next(((t, o, o // 5) for o, t in enumerate(times) if t >= wanted), None)
        assert log.offset_for_timestamp(wanted) == first
    assert log.max_timestamp_offset() == (NOW_MS + 200, 8, 1)
    log.advance_log_start(4)
    assert log.offset_for_timestamp(NOW_MS) == (NOW_MS + 30, 4, 0)
    assert new_log().max_timestamp_offset() is None


def test_epochs_tell_where_they_end() -> None:
    log = new_log()
    for epoch in (2, 2, 5, 7):
        append(log, "x", epoch=epoch)
    log.assign_epoch(9, 4)
    asked = {e: log.end_offset_for_epoch(e) for e in (0, 2, 3, 5, 6, 7, 9, 10)}
    assert asked == {
        0: (0, 0),
        2: (2, 2),
        3: (2, 2),
        5: (5, 3),
        6: (5, 3),
        7: (7, 4),
        9: (9, 4),
        10: (-1, -1),
    }
    assert new_log().end_offset_for_epoch(0) == (-1, -1)
