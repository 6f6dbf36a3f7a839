"""The checker reports a wrong cleaning, whichever rule it breaks, and no right one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.kraft.image import TOPIC_RESOURCE, ConfigResource
from raftka.model.control_records import EndMarker, encode_end_marker
from raftka.model.record_batch import DELETE_HORIZON_BIT, HEADER_BYTES, parse_header
from raftka.model.records import Record, encode_batch, encode_record, seal
from raftka.simulations.checkers.compaction import CompactionChecker
from raftka.simulations.machines.medium import Inode
from raftka.simulations.observers.partition_log import CleaningStep
from tests.support.scene import DIRECTORY, LED, Scene

KEY = ("t", 0)
NOW_MS = 10_000
Record4 = tuple[int, str, str | None]
"""Offset, key, value."""


def batch(*records: Record4, last: int | None = None, horizon_ms: int | None = None) -> bytes:
    """A batch of producer 9 with these records; `last` where its last offset is of one that has
    gone."""
    base = records[0][0]
    listed = [
        Record(at, 1000, k.encode(), None if v is None else v.encode(), ()) for at, k, v in records
    ]
    made = encode_batch(
        listed,
        base_offset=base,
        leader_epoch=3,
        producer_id=9,
        producer_epoch=0,
        base_sequence=base,
    )
    header, body = parse_header(memoryview(made)), made[HEADER_BYTES:]
    if horizon_ms is not None:  # times count from it, and those of the records stay
        attributes = header.attributes | DELETE_HORIZON_BIT
        header = header._replace(attributes=attributes, base_timestamp=horizon_ms)
        body = b"".join(encode_record(r.offset - base, 1000 - horizon_ms, r) for r in listed)
    if last is not None:
        header = header._replace(last_offset_delta=last - base)
    return bytes(seal(header, body))


class Compacted(Scene):
    """A compacted t-0 on two hosts: `a`, `b`, `a` and a tombstone of `t`, then an active segment
    with another `b`."""

    def __init__(self, **config: str) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.set_partition(LED)
        configs = {"cleanup.policy": "compact", **config}
        self.metadata.image = replace(
            self.metadata.image, configs={ConfigResource(TOPIC_RESOURCE, "t"): configs}
        )
        self.compaction = CompactionChecker(
            self.metadata,
            self.logs,
            self.checker,
            self.told,
            note=self.notes.append,
            highest_wall_ms=lambda host: NOW_MS,
            may_begin_at=lambda key: self.begins_at,
            is_excused=lambda key, host: False,
        )
        for host in ("n1", "n2"):
            self.append(host, *self.first())
            active = self.add(host, f"{DIRECTORY}/{5:020}.log")
            active.write(0, batch((5, "b", "2")))

    def first(self) -> list[bytes]:
        return [batch((0, "a", "1")), batch((1, "b", "1")), batch((2, "a", "2"), (3, "c", "1")),
                batch((4, "t", None))]  # fmt: skip

    def clean(self, *batches: bytes, host: str = "n1", power_fails: bool = False) -> list[str]:
        """Replace the first segment by one with these batches; returns the names of violations."""
        log = f"{DIRECTORY}/{0:020}.log"
        cleaned = self.add(host, f"{log}.cleaned")
        for each in batches:
            cleaned.write(len(cleaned.data), each)
        old = self.files[host][log]
        for inode, name in ((cleaned, f"{log}.swap"), (old, f"{log}.deleted"), (cleaned, log)):
            self.rename(inode, name)
        self.files[host][log] = cleaned
        if power_fails:
            for inode, name in ((old, log), (cleaned, f"{log}.swap")):
                self.rename(inode, name)
            self.files[host][log] = old
        return self.told.names

    def rename(self, inode: Inode, path: str) -> None:
        assert inode.watcher is not None
        inode.watcher.renamed(path)

    def look(self, host: str = "n1", checkpoint: str = "") -> list[str]:
        mirror = self.logs.replica(host, KEY)
        assert mirror is not None
        files = {"/data/cleaner-offset-checkpoint": Inode(bytearray(checkpoint.encode()))}
        self.compaction.check_replica(mirror, files)
        return self.told.names


TOMBSTONE = batch((4, "t", None))


def test_a_right_cleaning() -> None:
    scene = Compacted()
    steps: list[tuple[str, CleaningStep]] = []
    with scene.logs.hearing_of_cleaning(lambda host, step: steps.append((host, step))):
        assert scene.clean(batch((2, "a", "2"), (3, "c", "1")), TOMBSTONE) == []
    assert steps == [("n1", each) for each in CleaningStep]
    assert scene.look() == []
    mirror = scene.logs.replica("n1", KEY)
    assert mirror is not None
    other = scene.logs.replica("n2", KEY)
    assert other is not None
    # Its original records have not changed: other checkers compare those.
    assert [mirror.find(at) for at in range(6)] == [other.find(at) for at in range(6)]
    assert [batch.base_offset for batch in mirror.batches()] == [2, 4, 5]


def test_the_log_of_before_is_back_after_a_power_loss() -> None:
    scene = Compacted()
    scene.clean(batch((2, "a", "2"), (3, "c", "1")), TOMBSTONE, power_fails=True)
    mirror = scene.logs.replica("n1", KEY)
    assert mirror is not None
    assert [batch.base_offset for batch in mirror.batches()] == [0, 1, 2, 4, 5]
    assert scene.look() == []


@pytest.mark.parametrize(
    ("batches", "name"),
    [
        ([batch((3, "c", "1")), TOMBSTONE], "last-value-removed"),
        ([batch((2, "a", "2"), (3, "c", "1"))], "tombstone-gone-early"),
        ([batch((2, "a", "2"), (3, "c", "x")), TOMBSTONE], "record-changed-by-cleaning"),
        ([batch((1, "a", "2")), batch((2, "a", "2"), (3, "c", "1")), TOMBSTONE],
         "record-changed-by-cleaning"),
        ([batch((2, "a", "2"), (3, "c", "1")), batch((4, "t", None), last=7)],
         "record-moved-by-cleaning"),
    ],
)  # fmt: skip
def test_a_wrong_cleaning(batches: list[bytes], name: str) -> None:
    assert name in Compacted().clean(*batches)


def test_a_tombstone_goes_when_its_horizon_has_passed() -> None:
    for horizon_ms, names in ((NOW_MS, []), (NOW_MS + 1, ["tombstone-gone-early"])):
        scene = Compacted()
        kept = batch((2, "a", "2"), (3, "c", "1"))
        assert scene.clean(kept, batch((4, "t", None), horizon_ms=horizon_ms)) == []
        assert scene.clean(kept) == names


def test_a_young_record_is_not_cleaned() -> None:
    kept = [batch((2, "a", "2"), (3, "c", "1")), TOMBSTONE]
    assert Compacted(**{"min.compaction.lag.ms": "9000"}).clean(*kept) == []
    early = Compacted(**{"min.compaction.lag.ms": "9001"}).clean(*kept)
    assert set(early) == {"cleaned-too-early"}


def test_what_is_removed_for_a_record_that_is_not_committed() -> None:
    scene = Compacted()
    # The other in-sync replica has no more than the first segment: `b` at 5 may go again.
    watcher = scene.files["n2"][f"{DIRECTORY}/{5:020}.log"].watcher
    assert watcher is not None
    watcher.truncated(0)
    scene.clean(batch((2, "a", "2"), (3, "c", "1")), TOMBSTONE)
    assert scene.told.names == ["isr-member-below-high-watermark"]


def test_the_last_batch_of_a_producer_stays() -> None:
    """No record of it is left, and its sequence would be unknown."""
    scene = Compacted()
    scene.append("n1", b"")
    log = scene.add("n1", f"{DIRECTORY}/{6:020}.log")
    log.write(0, encode_batch([Record(0, 1000, b"a", b"3", ())], base_offset=6, leader_epoch=3))
    active = f"{DIRECTORY}/{5:020}.log"
    cleaned = scene.add("n1", f"{active}.cleaned")
    for inode, name in (
        (cleaned, f"{active}.swap"),
        (scene.files["n1"][active], f"{active}.deleted"),
        (cleaned, active),
    ):
        scene.rename(inode, name)
    assert "producer-forgotten" in scene.told.names


def test_a_log_that_lacks_the_last_value_of_a_key() -> None:
    """A power loss removed the segment of a swap, and no checker noticed."""
    scene = Compacted()
    assert scene.clean(batch((2, "a", "2"), (3, "c", "1")), TOMBSTONE) == []
    watcher = scene.files["n1"][f"{DIRECTORY}/{0:020}.log"].watcher
    assert watcher is not None
    watcher.replaced(b"")
    assert set(scene.look()) == {"compacted-log-differs"}


def test_a_key_is_once_in_what_is_clean() -> None:
    assert Compacted().look(checkpoint="0\n1\nt 0 2\n") == []
    assert Compacted().look(checkpoint="0\n1\nt 0 5\n") == ["cleaned-section-has-a-key-twice"]


def test_a_record_without_a_key_is_not_stored() -> None:
    scene = Compacted()
    scene.append("n1", encode_batch([Record(0, 1000, None, b"v", ())], base_offset=8))
    assert scene.told.names == ["key-missing"]


def test_what_a_reader_may_pass_over() -> None:
    scene = Compacted()
    gone = [at for at in range(6) if scene.compaction.may_be_gone(KEY, at)]
    assert gone == [0, 1, 4], "the tombstone goes by itself"
    scene.compaction.read(KEY, "n1", {2, 3, 5}, end=6)
    assert scene.told.names == []
    scene.compaction.read(KEY, "n1", {2, 5}, end=6)
    assert scene.told.names == ["compacted-topic-differs"]


def test_who_was_away_too_long_may_keep_what_a_tombstone_deleted() -> None:
    """n2 has the value, and copies from a log in which the tombstone was there and is gone."""
    scene = Scene()
    made = Compacted()
    made.append("n1", b"")
    mirror = made.logs.replica("n2", KEY)
    assert mirror is not None
    mirror.never_had.add(4)
    assert scene.told.names == []
    assert made.look("n2") == []


def test_a_reader_may_pass_over_what_was_aborted() -> None:
    """Seed 8058: a cleaning had dropped it, and a reader of everything found the marker next."""
    scene = Compacted()
    records = [Record(0, 1000, b"only", b"v", ())]
    scene.append(
        "n1",
        encode_batch(records, base_offset=6, leader_epoch=3, producer_id=8, is_transactional=True),
    )
    assert not scene.compaction.may_be_gone(KEY, 6)
    marker = bytearray(encode_end_marker(EndMarker(8, 0, False, 1), 1000))
    marker[:8] = (7).to_bytes(8, "big")
    marker[12:16] = (3).to_bytes(4, "big")
    scene.append("n1", bytes(marker))
    assert scene.compaction.may_be_gone(KEY, 6)
