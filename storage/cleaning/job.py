"""One cleaning of one log, in steps: reads the dirty section, then writes the remaining records.

It reads closed segments, which nothing else changes, and writes files with the suffix `.cleaned`,
which nothing else reads: so it can run in a process of its own, and be aborted at any moment. Each
step reports how many bytes it moved, so that the caller can set the pace, and which segments are
ready to be replaced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from raftka.model.control_records import read_end_marker
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Disk, read_file
from raftka.model.record_batch import BatchHeader
from raftka.model.rules import Rule
from raftka.storage.cleaning import plan
from raftka.storage.cleaning.chunks import Chunk, chunks
from raftka.storage.cleaning.offset_map import OffsetMap, fingerprint
from raftka.storage.cleaning.runs import Runs, runs_for
from raftka.storage.cleaning.sieve import LastOfProducer, Sieve
from raftka.storage.cleaning.swap import CLEANED
from raftka.storage.cleaning.transactions import TransactionsPassed
from raftka.storage.cleaning.walk import note_keys, records_of, walk
from raftka.storage.segment import Segment, file_name
from raftka.storage.transaction_index import AbortedTransaction, decode, encode

TASK: Final = "raftka.storage.cleaning.job:steps"
"""The name under which Disk.begin finds `steps`."""


@dataclass(frozen=True, slots=True)
class Job:
    """The arguments of a cleaning: plain values, which are sent to another process as JSON."""

    directory: str
    segments: list[tuple[int, int]]
    """(base offset, size) of the segments that may be cleaned, from the first of the log on."""
    first_dirty_offset: int
    end_offset: int
    """The base offset of the first segment that may not be cleaned."""
    now_ms: int
    delete_retention_ms: int
    segment_bytes: int
    index_bytes: int
    index_interval_bytes: int
    map_bytes: float
    step_bytes: int
    """How many bytes to read in one step."""
    producers: list[tuple[int, int, int]]
    """(producer id, last offset of its last batch with records or -1, its epoch)"""
    rules_off: list[str] = dataclasses.field(default_factory=list)
    """Names of rules that are off (model/rules.py): only in simulations."""

    def holds(self, rule: Rule) -> bool:
        """Whether a rule is on."""
        return rule.name not in self.rules_off


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a step."""

    moved_bytes: int
    """Bytes read and written since the previous step."""
    mapped_to: int = -1
    """The offset up to which this cleaning goes, once known."""
    replaced: tuple[int, ...] = ()
    """The base offsets of segments whose replacement is ready, under the first one's name."""
    cleaned_bytes: int = 0
    """The size of the replacement."""
    replaced_bytes: int = 0
    """The size of those segments."""
    buffer_share: float = 0.0
    """How full the offset map was, from 0 to 1, once `mapped_to` is known."""


def steps(disk: Disk, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of a Job, as plain values. Raises OSError, KafkaError CORRUPT_MESSAGE."""
    for step in run(disk, Job(**arguments)):
        yield dataclasses.asdict(step)


def run(disk: Disk, job: Job) -> Iterator[Step]:
    """The steps of a job."""
    offset_map = OffsetMap(job.map_bytes)
    aborted = _aborted_transactions(disk, job)
    runs = runs_for(sum(size for _, size in job.segments))
    if not job.holds(Rule.LAST_VALUE_STAYS) or not job.holds(Rule.TOMBSTONES_WAIT):
        runs = None
    yield from _build_map(disk, job, offset_map, aborted, runs)
    end_offset = offset_map.latest + 1
    if end_offset <= job.first_dirty_offset:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG,
            f"The first batch in {job.directory} from offset {job.first_dirty_offset} on has more "
            f"than the {offset_map.capacity} keys that fit: raise log.cleaner.dedupe.buffer.size.",
        )
    offset_map.complete()
    yield Step(0, mapped_to=end_offset, buffer_share=len(offset_map.offsets) / offset_map.capacity)
    sources = [
        plan.Source(base, size, _index_bytes(disk, job.directory, base))
        for base, size in job.segments
        if base < end_offset
    ]
    groups = plan.group(
        sources,
        job.end_offset,
        segment_bytes=job.segment_bytes,
        index_bytes=job.index_bytes,
    )
    transactions = TransactionsPassed(aborted)
    sieve = Sieve(
        offset_map,
        transactions,
        _last_of_producers(job),
        first_dirty_offset=job.first_dirty_offset,
        upper_offset=job.end_offset,
        now_ms=job.now_ms,
        delete_retention_ms=job.delete_retention_ms,
        tombstones_wait=job.holds(Rule.TOMBSTONES_WAIT),
    )
    for group in groups:
        yield from _clean_group(disk, job, group, sieve, transactions, runs)


def _last_of_producers(job: Job) -> dict[int, LastOfProducer]:
    if not job.holds(Rule.LAST_BATCH_OF_PRODUCER_STAYS):
        return {}
    return {producer: LastOfProducer(last, epoch) for producer, last, epoch in job.producers}


def _clean_group(
    disk: Disk,
    job: Job,
    group: Sequence[plan.Source],
    sieve: Sieve,
    transactions: TransactionsPassed,
    runs: Runs | None,
) -> Iterator[Step]:
    """Write the segment that replaces `group`, durably."""
    cleaned = Segment(
        disk,
        job.directory,
        group[0].base_offset,
        created_ms=job.now_ms,
        index_interval_bytes=job.index_interval_bytes,
        index_bytes=job.index_bytes,
        create=True,
        ending=CLEANED,
    )
    cleaned.file.truncate(0)  # the remains of an aborted cleaning
    cleaned.size = 0
    if disk.exists(cleaned.path(".txnindex")):
        disk.remove(cleaned.path(".txnindex"))
    transactions.kept = []
    moved = 0
    for source in group:
        for chunk in chunks(disk, job.directory, source.base_offset, source.size):
            kept = []
            position = cleaned.size
            for header, rest, latest in sieve.sift_chunk(chunk, runs):
                kept.append(rest)
                cleaned.note_batch(position, len(rest), header.last_offset, latest)
                position += len(rest)
            if kept:
                cleaned.file.write(kept, cleaned.size)
            moved += chunk.size + position - cleaned.size
            cleaned.size = position
            if moved >= job.step_bytes:
                yield Step(moved)
                moved = 0
    cleaned.finish()
    if job.holds(Rule.CLEANED_IS_DURABLE):
        cleaned.sync(with_indexes=True)
    cleaned.file.close()
    if transactions.kept:
        _write(disk, cleaned.path(".txnindex"), encode(transactions.kept))
    yield Step(
        moved,
        replaced=tuple(source.base_offset for source in group),
        cleaned_bytes=cleaned.size,
        replaced_bytes=sum(source.size for source in group),
    )


def _write(disk: Disk, path: str, data: bytes) -> None:
    file = disk.open(path, create=True)
    try:
        file.truncate(0)
        file.write([data], 0)
        file.sync()
    finally:
        file.close()


def _build_map(
    disk: Disk,
    job: Job,
    offset_map: OffsetMap,
    aborted: list[AbortedTransaction],
    runs: Runs | None,
) -> Iterator[Step]:
    """Read the dirty section, as much of it as fits into the map."""
    transactions = TransactionsPassed(
        each for each in aborted if each.last_offset >= job.first_dirty_offset
    )
    ends = [base for base, _ in job.segments[1:]] + [job.end_offset]
    moved = 0
    for (base, size), end in zip(job.segments, ends, strict=True):
        if end <= job.first_dirty_offset:
            continue
        for chunk in chunks(disk, job.directory, base, size):
            if not _add_chunk(offset_map, chunk, job, runs, transactions):
                yield Step(moved + chunk.size)
                return
            moved += chunk.size
            if moved >= job.step_bytes:
                yield Step(moved)
                moved = 0
        # If an earlier cleaning left a gap at the end, the map covers that too.
        offset_map.latest = max(offset_map.latest, end - 1)
    yield Step(moved)


def _add_chunk(
    offset_map: OffsetMap,
    chunk: Chunk,
    job: Job,
    runs: Runs | None,
    transactions: TransactionsPassed,
) -> bool:
    """Add the keys of a chunk to the map; False if it is full."""
    batches, start = chunk.batches, job.first_dirty_offset
    index = at = 0
    if runs is not None:
        runs.turn_to(chunk)
    while index < len(batches):
        header, batch = batches[index]
        if runs is not None and header.base_offset >= start:
            taken = runs.note_keys(index, at, offset_map, transactions)
            if taken:
                at += sum(each.size for each, _ in batches[index : index + taken])
                index += taken
                offset_map.latest = batches[index - 1][0].last_offset
                continue
        index, at = index + 1, at + header.size
        if header.last_offset < start:
            continue
        if header.is_control:
            marker = read_end_marker(header, batch)
            if marker is not None:
                transactions.has_nothing_left(header, commits=marker.commit)
        elif not transactions.is_aborted(header) and not _add(offset_map, header, batch, job):
            return False
        offset_map.latest = header.last_offset
    return True


def _add(offset_map: OffsetMap, header: BatchHeader, batch: memoryview, job: Job) -> bool:
    """Add the keys of a batch to the map; False if it is full."""
    offsets, data = offset_map.offsets, records_of(header, batch)
    start, keeps_last = job.first_dirty_offset, job.holds(Rule.LAST_VALUE_STAYS)
    if (
        keeps_last
        and header.base_offset >= start
        and (len(offsets) + header.record_count <= offset_map.capacity)
    ):
        if note_keys(header, data, offsets):
            offset_map.tombstones.add(header.base_offset)
        return True
    for _, _, offset, _, key, is_tombstone in walk(header, data):
        if key is not None and offset >= start:
            if offset_map.is_full:
                return False  # `latest` is unchanged: the map does not cover the batch
            if keeps_last or fingerprint(key) not in offsets:
                offsets[fingerprint(key)] = offset
            if is_tombstone:
                offset_map.tombstones.add(header.base_offset)
    return True


def _aborted_transactions(disk: Disk, job: Job) -> list[AbortedTransaction]:
    """The aborted transactions that begin in the cleaned section; their markers may be after it."""
    found: list[AbortedTransaction] = []
    for name in disk.list_dir(job.directory):
        if name.endswith(".txnindex"):
            found += decode(read_file(disk, f"{job.directory}/{name}"))
    return [each for each in found if each.first_offset < job.end_offset]


def _index_bytes(disk: Disk, directory: str, base_offset: int) -> int:
    sizes = [0]
    for suffix in (".index", ".timeindex"):
        path = f"{directory}/{file_name(base_offset, suffix)}"
        if disk.exists(path):
            file = disk.open(path)
            try:
                sizes.append(file.size())
            finally:
                file.close()
    return max(sizes)
