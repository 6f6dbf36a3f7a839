"""The compiled passes of a cleaning against those in Python: the same bytes stay."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path
from random import Random

import pytest

from raftka.model.compression import NAMES
from raftka.model.control_records import EndMarker, encode_end_marker
from raftka.model.crc import crc32c
from raftka.model.errors import KafkaError
from raftka.model.record_batch import ATTRIBUTES_AT, CRC_AT, iter_batches, parse_header, patch
from raftka.model.records import Record, encode_batch
from raftka.storage.cleaning import compiled, runs
from raftka.storage.cleaning.job import Job, run
from raftka.storage.cleaning.offset_map import ENTRY_BYTES
from raftka.storage.posix import PosixDisk
from raftka.storage.segment import file_name
from raftka.storage.transaction_index import AbortedTransaction, encode
from tests.support.raw_batches import mutate

NOW_MS = 1_700_000_000_000

pytestmark = pytest.mark.skipif(compiled.load() is None, reason="no LuaJIT on this machine")


class History:
    """A log of closed segments in a directory."""

    def __init__(self, directory: Path, dice: Random) -> None:
        self.directory = directory
        self.dice = dice
        self.segments: list[tuple[int, int]] = []
        self.end_offset = 0
        self.aborted: list[AbortedTransaction] = []
        self.rare = dice.choice((0.0, 0.02, 0.3))
        """The frequency of records and batches that the compiled passes leave to the others."""

    def write(self, batches: int) -> None:
        """Add a segment."""
        base, data = self.end_offset, bytearray()
        for _ in range(batches):
            batch = bytearray(self.batch())
            patch(batch, self.end_offset, 0)
            self.end_offset = parse_header(batch).next_offset
            data += batch
        (self.directory / file_name(base, ".log")).write_bytes(data)
        self.segments.append((base, len(data)))
        if self.aborted:
            name = file_name(base, ".txnindex")
            (self.directory / name).write_bytes(encode(self.aborted))
            self.aborted = []

    def batch(self) -> bytes:
        dice = self.dice
        rare = dice.random() < self.rare
        if rare and dice.random() < 0.3:
            producer = dice.randrange(3)
            commits = dice.random() < 0.5
            if not commits:
                first = max(0, self.end_offset - dice.randrange(1, 40))
                self.aborted.append(
                    AbortedTransaction(producer, first, self.end_offset, self.end_offset)
                )
            marker = EndMarker(producer, 0, commits, 0)
            return encode_end_marker(marker, NOW_MS)
        return encode_batch(
            [self.record() for _ in range(dice.choice((1, 2, 16, 16, 100)))],
            compression=dice.choice(NAMES) if rare else "none",
            producer_id=dice.randrange(3) if dice.random() < 0.5 else -1,
            producer_epoch=0,
            base_sequence=0,
            is_transactional=dice.random() < 0.3,
            timestamp_type="LogAppendTime" if rare and dice.random() < 0.3 else "CreateTime",
        )

    def record(self) -> Record:
        dice = self.dice
        rare = dice.random() < self.rare
        key: bytes | None = b"%0*d" % (dice.choice((1, 8, 40)), dice.randrange(200))
        value: bytes | None = bytes(dice.choice((0, 1, 62, 63, 64, 200, 9000)))
        if rare:
            key, value = (None, value) if dice.random() < 0.3 else (key, None)
        time = NOW_MS + dice.choice((0, 0, 1, 63, 64, 65, -3, 9000, 10**6, 10**10))
        headers = [("h", b"1")] * dice.choice((0, 0, 2))
        return Record(0, time, key, value, headers)

    def job(self, first_dirty_offset: int, keys: int = 10_000) -> Job:
        return Job(
            directory=str(self.directory),
            segments=self.segments,
            first_dirty_offset=first_dirty_offset,
            end_offset=self.end_offset,
            now_ms=NOW_MS,
            delete_retention_ms=1000,
            segment_bytes=1 << 20,
            index_bytes=1 << 20,
            index_interval_bytes=4096,
            map_bytes=keys * ENTRY_BYTES,
            step_bytes=1 << 18,
            producers=[(0, self.end_offset - 1, 0), (1, -1, 0)],
        )


def cleaned(job: Job, monkeypatch: pytest.MonkeyPatch, *, by_runs: bool) -> dict[str, bytes]:
    """The files of a cleaning, with or without the compiled passes."""
    monkeypatch.setattr(runs, "WORTH_BYTES", 0 if by_runs else 1 << 60)
    for path in Path(job.directory).glob("*.cleaned"):
        path.unlink()
    for _ in run(PosixDisk(), job):
        pass
    return {path.name: path.read_bytes() for path in Path(job.directory).glob("*.cleaned")}


@pytest.mark.parametrize("seed", range(25))
def test_the_same_stays(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = Random(seed)
    history = History(tmp_path, dice)
    for _ in range(3):
        history.write(dice.choice((3, 40)))
    job = history.job(0, keys=dice.choice((150, 10_000)))
    slowly = cleaned(job, monkeypatch, by_runs=False)
    assert cleaned(job, monkeypatch, by_runs=True) == slowly
    # A second cleaning begins with what the first one left.
    base = min(int(name[:20]) for name in slowly)
    for name, data in slowly.items():
        (tmp_path / name.removesuffix(".cleaned")).write_bytes(data)
    kept = sorted(int(name[:20]) for name in slowly if name.endswith(".log.cleaned"))
    history.segments = [
        (each, (tmp_path / file_name(each, ".log")).stat().st_size) for each in kept if each >= base
    ]
    dirty = history.end_offset
    history.write(40)
    job = history.job(dirty - dice.choice((0, 5)))
    slowly = cleaned(job, monkeypatch, by_runs=False)
    assert cleaned(job, monkeypatch, by_runs=True) == slowly


def test_nearly_all_is_taken_by_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This includes batches with individual timestamps: otherwise the passes would be useless."""
    history = History(tmp_path, Random(1))
    history.rare = 0.0
    history.write(200)
    history.write(200)
    taken = []
    sift = runs.Runs.sift

    def counted(self: runs.Runs, *given: object) -> list[runs.Kept]:
        found = sift(self, *given)  # type: ignore[arg-type]
        taken.append(len(found))
        return found

    monkeypatch.setattr(runs.Runs, "sift", counted)
    cleaned(history.job(0), monkeypatch, by_runs=True)
    assert sum(taken) > 380
    taken.clear()
    cleaned(history.job(history.segments[1][0]), monkeypatch, by_runs=True)
    assert sum(taken) > 380


@pytest.mark.parametrize("seed", range(0, 400, 20))
def test_no_batch_is_taken_that_the_slow_passes_refuse(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that do not fill their batch, with a right CRC."""
    for each in range(seed, seed + 20):
        dice = Random(each)
        history = History(tmp_path, dice)
        odd, end, data = bytearray(mutate(dice)), 0, bytearray()
        newer = encode_batch([Record(0, 0, b"key", b"v")])
        for batch in (odd, bytearray(odd), bytearray(newer), bytearray(newer)):
            patch(batch, end, 0)
            end = parse_header(batch).next_offset
            data += batch
        (tmp_path / file_name(0, ".log")).write_bytes(data)
        history.segments, history.end_offset = [(0, len(data))], end
        for dirty in (0, parse_header(odd).last_offset_delta + 1):
            found = []
            for by_runs in (False, True):
                try:
                    found.append(cleaned(history.job(dirty), monkeypatch, by_runs=by_runs))
                except KafkaError as error:
                    found.append({error.code.name: b""})
            assert found[0] == found[1], each


def test_thinned_batches_have_the_right_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path, Random(3))
    history.rare = 0.0
    history.write(100)
    found = cleaned(history.job(0), monkeypatch, by_runs=True)
    batches = list(iter_batches(found[file_name(0, ".log") + ".cleaned"]))
    assert len(batches) > 20
    for _, batch in batches:
        assert struct.unpack_from(">I", batch, CRC_AT)[0] == crc32c(batch[ATTRIBUTES_AT:])


@pytest.mark.parametrize("base", [(1 << 53) - 3, (1 << 53) - 1, 1 << 62])
def test_offsets_that_a_double_does_not_hold_are_left_to_python(base: int) -> None:
    passes = compiled.load()
    assert passes is not None
    batch = bytearray(encode_batch([Record(0, NOW_MS, b"%d" % key, b"v") for key in range(5)]))
    patch(batch, base, 0)
    data = bytes(batch) + bytes(64)
    assert passes.keys(passes.address(data), len(data), 0, 1, 100) == (0, 0, 0)
    out = bytearray(2 * len(data))
    kept = array("q", [base + 1, base + 2])
    source = (passes.address(data), len(data), 0, 1)
    assert passes.sift(source, kept, (0, 2), out, 0) == 0
