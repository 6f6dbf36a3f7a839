"""Idempotent producers: retries are stored once, gaps and replaced producers are refused."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule
from raftka.storage.log import AppendInfo, Log
from raftka.storage.producer_snapshot import SnapshotCorrupt, SnapshotEntry, decode, encode
from raftka.storage.producer_state import ProducerState
from tests.support.logs import DIRECTORY, NOW_MS, all_records, batch, new_disk, new_log, reopen


def send(log: Log, sequence: int, *, count: int = 1, epoch: int = 0, pid: int = 7) -> AppendInfo:
    values = [f"{sequence + n}" for n in range(count)]
    data = batch(*values, producer_id=pid, producer_epoch=epoch, base_sequence=sequence)
    return log.append_as_leader(data, 0, NOW_MS)


def refusal(log: Log, sequence: int, *, count: int = 1, epoch: int = 0) -> ErrorCode:
    before = log.log_end_offset
    with pytest.raises(KafkaError) as caught:
        send(log, sequence, count=count, epoch=epoch)
    assert log.log_end_offset == before
    return caught.value.code


def test_the_last_five_batches_are_recognised() -> None:
    log = new_log()
    first = [send(log, sequence) for sequence in range(8)]
    for sequence in range(3, 8):
        again = send(log, sequence)
        assert again.duplicate
        assert (again.base_offset, again.last_offset) == first[sequence][:2]
        # As Kafka: a repetition is answered with the batch's time, also under CreateTime.
        assert again.log_append_time >= 0 and first[sequence].log_append_time == -1
    assert refusal(log, 2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert log.log_end_offset == 8


def test_a_gap_is_refused() -> None:
    log = new_log()
    send(log, 0)
    assert refusal(log, 2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 1, count=3)
    assert refusal(log, 1, count=2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(log, 4).base_offset == 4


def test_an_unknown_producer_may_begin_anywhere() -> None:
    """Its earlier records may have been deleted by retention (KIP-360)."""
    assert send(new_log(), 55).base_offset == 0


def test_an_epoch_begins_with_sequence_0_and_ends_the_one_before() -> None:
    log = new_log()
    send(log, 0, epoch=3)
    assert refusal(log, 5, epoch=4) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 0, epoch=4)
    assert refusal(log, 1, epoch=3) is ErrorCode.INVALID_PRODUCER_EPOCH


def test_sequences_wrap_and_are_still_recognised() -> None:
    log = new_log()
    last = 2**31 - 1
    send(log, last - 1, count=2)
    wrapping = send(log, 0, count=1)
    assert send(log, last - 1, count=2).duplicate
    assert send(log, 0).base_offset == wrapping.base_offset
    across = new_log()
    send(across, last - 1, count=4)
    send(across, 2)
    assert send(across, last - 1, count=4).duplicate


@pytest.mark.parametrize("clean", [True, False])
def test_all_five_are_recognised_after_a_restart(clean: bool) -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    first = [send(log, sequence, count=2) for sequence in range(0, 14, 2)]
    if clean:
        log.close()
    log, _ = reopen(disk, clean=clean, config=log.config)
    for info, sequence in list(zip(first, range(0, 14, 2), strict=True))[-5:]:
        again = send(log, sequence, count=2)
        assert again.duplicate
        assert again.base_offset == info.base_offset
    assert refusal(log, 2, count=2) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(log, 14).base_offset == 14


def test_all_five_are_recognised_by_the_next_leader() -> None:
    leader, follower = new_log(), new_log()
    first = [send(leader, sequence) for sequence in range(6)]
    region = leader.read(0, 10_000, 6).pieces[0]
    follower.append_as_follower(region.file.read(region.size, 0))  # type: ignore[union-attr]
    for sequence in range(1, 6):
        again = send(follower, sequence)
        assert again.duplicate
        assert again.base_offset == first[sequence].base_offset


def test_truncation_forgets_what_was_cut() -> None:
    log = new_log()
    for sequence in range(4):
        send(log, sequence)
    log.truncate_to(2)
    assert refusal(log, 3) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert send(log, 1).duplicate
    assert not send(log, 2).duplicate


def test_retention_forgets_no_producer() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=150)
    for sequence in range(6):
        send(log, sequence)
    log.advance_log_start(6)
    assert log.delete_old_segments(NOW_MS, 6) == 2
    log.close()
    log, _ = reopen(disk, clean=True, log_start_offset=6)
    assert send(log, 5).duplicate


def test_silent_producers_expire() -> None:
    log = new_log()
    send(log, 0)
    assert log.producer_state.expire(NOW_MS + 999, 1000) == 0
    assert log.producer_state.expire(NOW_MS + 1000, 1000) == 1
    assert send(log, 9).base_offset == 1


def test_the_number_of_remembered_batches_can_be_lowered_to_see_what_breaks() -> None:
    state = ProducerState({Rule.FIVE_BATCHES_REMEMBERED})
    for sequence in (0, 1):
        state.appended(1, 0, sequence, 0, sequence, NOW_MS, 0)
    with pytest.raises(KafkaError):
        state.check(1, 0, 0, 0, 0, "t-0")


entries = st.builds(
    SnapshotEntry,
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**15 - 1),
    st.integers(-1, 2**31 - 1),
    st.integers(-1, 2**63 - 1),
    st.integers(0, 2**31 - 1),
    st.integers(-1, 2**63 - 1),
    st.integers(-1, 2**31 - 1),
    st.integers(-1, 2**63 - 1),
)


@given(st.lists(entries, max_size=5))
def test_snapshots_are_read_as_written(written: list[SnapshotEntry]) -> None:
    assert decode(encode(written)) == written


@given(st.lists(entries, max_size=3), st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_snapshots_are_told(written: list[SnapshotEntry], data: st.DataObject) -> None:
    good = encode(written)
    position = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[position] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (bytes(bad), good[:position]):
        with pytest.raises(SnapshotCorrupt):
            decode(damaged)


def test_a_damaged_snapshot_is_replaced_by_the_log() -> None:
    disk = new_disk()
    log = new_log(disk)
    for sequence in range(3):
        send(log, sequence)
    log.close()
    path = f"{DIRECTORY}/{3:020d}.snapshot"
    disk.medium.flip_bit(path, 12, 1)
    log, report = reopen(disk, clean=True)
    assert report.messages == [f"t-0: {path} is ignored: its checksum is wrong"]
    assert send(log, 1).duplicate


class Sent(NamedTuple):
    sequence: int
    base_offset: int


class Retries(RuleBasedStateMachine):
    """A producer with up to five batches in flight that repeats any of them at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = new_disk()
        self.log = new_log(self.disk, segment_bytes=400)
        self.next = 0
        self.sent: list[Sent] = []

    @rule(count=st.integers(1, 3))
    def send(self, count: int) -> None:
        info = send(self.log, self.next, count=count)
        assert not info.duplicate
        self.sent.append(Sent(self.next, info.base_offset))
        self.next += count

    @rule(back=st.integers(1, 5))
    def repeat(self, back: int) -> None:
        if back <= len(self.sent):
            sequence, base_offset = self.sent[-back]
            end = self.sent[-back + 1].sequence if back > 1 else self.next
            info = send(self.log, sequence, count=end - sequence)
            assert info.duplicate
            assert info.base_offset == base_offset

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        if clean:
            self.log.close()
        self.log, _ = reopen(self.disk, clean=clean, config=self.log.config)

    @invariant()
    def each_once(self) -> None:
        assert [value for _, value in all_records(self.log)] == [f"{n}" for n in range(self.next)]


TestRetries = Retries.TestCase
TestRetries.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
