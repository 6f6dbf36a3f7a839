"""The components of a log, each alone: segments, the tail, the flusher, health."""

from __future__ import annotations

import pytest

from raftka.model.ids import TopicPartition
from raftka.storage.bounds import Bounds
from raftka.storage.config import LogConfig
from raftka.storage.failure import LogDirFailure
from raftka.storage.flusher import Flusher
from raftka.storage.health import Health
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.segment import Segment
from raftka.storage.segments import Segments, open_segment
from raftka.storage.tail import Tail
from tests.support.logs import DIRECTORY, NOW_MS, PARTITION, batch, new_disk

BATCH = bytes(batch("x"))


class Owner:
    """The notifications of a log's owner."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def log_failed(self, directory: str, error: OSError) -> None:
        self.heard.append(f"{directory} failed: {error}")

    def corruption_found(self, topic_partition: TopicPartition, words: str) -> None:
        self.heard.append(f"{topic_partition}: {words}")

    def recovery_point_moved(self, topic_partition: TopicPartition) -> None:
        self.heard.append(f"{topic_partition} lowered")


class Parts:
    """The parts of an empty log, without a Log around them."""

    def __init__(self, **settings: int) -> None:
        self.disk = new_disk()
        self.disk.make_dirs(DIRECTORY)
        self.config = LogConfig(**settings)  # type: ignore[arg-type]
        first = self.segment(0)
        self.owner = Owner()
        self.health = Health(DIRECTORY, PARTITION, self.owner)
        self.bounds = Bounds(0, 0)
        self.segments = Segments(self.disk, DIRECTORY, [first], is_durable=False)
        self.tail = Tail(first, self.config, None)
        self.flusher = Flusher(
            self.disk,
            self.health,
            self.bounds,
            self.segments,
            LeaderEpochCache(self.disk, DIRECTORY),
            recovery_point=0,
            now_ms=NOW_MS,
        )

    def segment(self, base: int) -> Segment:
        return open_segment(self.disk, DIRECTORY, base, self.config, created_ms=NOW_MS, create=True)

    def append(self) -> None:
        position, offset = self.tail.segment.size, self.bounds.end
        self.tail.segment.file.write([BATCH], position)
        self.bounds.end += 1
        self.tail.note(position, len(BATCH), offset, offset, NOW_MS)

    def roll(self) -> None:
        self.tail.begin(self.segments.add(self.bounds.end, self.config, NOW_MS))


def test_segments_are_found_by_offset_and_dropped_from_either_end() -> None:
    parts = Parts()
    for _ in range(3):
        parts.append()
        parts.append()
        parts.roll()
    segments = parts.segments
    assert [segment.base_offset for segment in segments] == [0, 2, 4, 6]
    assert [segments.place_of(offset) for offset in (0, 1, 2, 5, 6, 99)] == [0, 0, 1, 2, 3, 3]
    assert segments.size == 6 * len(BATCH)
    segments.drop_from(3)
    segments.retire(1, due_ms=NOW_MS + 5)
    assert [segment.base_offset for segment in segments] == [2, 4]
    names = parts.disk.list_dir(DIRECTORY)
    assert f"{0:020d}.log.deleted" in names and f"{0:020d}.log" not in names
    assert f"{6:020d}.log" not in names
    assert segments.remove_doomed(NOW_MS + 4) == 0
    assert segments.remove_doomed(NOW_MS + 5) == 3
    assert not [name for name in parts.disk.list_dir(DIRECTORY) if name.endswith(".deleted")]


def test_the_tail_knows_when_its_segment_is_full() -> None:
    tail_of = Parts(segment_bytes=2 * len(BATCH), segment_ms=100)
    tail = tail_of.tail
    assert tail.has_room(10 * len(BATCH), 0, NOW_MS, NOW_MS), "an empty segment takes anything"
    assert not tail.has_room(1, 2**31, NOW_MS, NOW_MS), "but no offset that it cannot name"
    tail_of.append()
    assert tail.has_room(len(BATCH), 1, NOW_MS, NOW_MS)
    assert not tail.has_room(len(BATCH), 1, NOW_MS, NOW_MS, pending=1)
    assert not tail.has_room(len(BATCH), 1, NOW_MS + 101, NOW_MS), "records of another time"
    tail.configure(LogConfig(segment_bytes=10 * len(BATCH)))
    assert tail.has_room(len(BATCH), 1, NOW_MS + 101, NOW_MS, pending=1)


def test_the_tail_finds_batches_by_the_places_it_has_noted() -> None:
    parts = Parts()
    for _ in range(5000):
        parts.append()
    size = len(BATCH)
    first = parts.tail.offsets[0]
    assert 0 < first < 4000, "old places are forgotten"
    found = parts.tail.range_from
    assert found(4990, 3 * size, None, False) == (4990 * size, 4993 * size, 5000 * size)
    assert found(4990, 1, None, True) == (4990 * size, 4991 * size, 5000 * size)
    assert found(4990, 1, None, False) == (4990 * size, 4990 * size, 5000 * size)
    assert found(4990, 10**6, 4995, False) == (4990 * size, 4995 * size, 4995 * size)
    assert found(4999, 10**6, None, False) == (4999 * size, 5000 * size, 5000 * size)
    parts.tail.forget_places()
    assert not parts.tail.offsets


def test_the_flusher_moves_the_recovery_point_to_what_is_durable() -> None:
    parts = Parts(flush_messages=2)
    flusher = parts.flusher
    parts.append()
    assert not flusher.is_durable
    assert not flusher.is_due(parts.config, NOW_MS)
    parts.append()
    assert flusher.is_due(parts.config, NOW_MS)
    flusher.flush(NOW_MS)
    assert (flusher.recovery_point, flusher.is_durable) == (2, True)
    parts.append()
    assert not flusher.is_durable
    flusher.truncated(1)
    assert (flusher.recovery_point, flusher.is_durable) == (1, False)
    assert parts.owner.heard == ["t-0 lowered"]


def test_a_failure_is_reported_once_and_ends_all_use() -> None:
    parts = Parts()
    failing = pytest.raises(LogDirFailure, match="flushing t-0 failed: no medium")
    with failing, parts.health.doing("flushing"):
        raise OSError("no medium")
    assert parts.owner.heard == ["/data failed: no medium"]
    with pytest.raises(LogDirFailure), parts.health.doing("reading"):
        raise AssertionError("unreachable")
    assert len(parts.owner.heard) == 1
