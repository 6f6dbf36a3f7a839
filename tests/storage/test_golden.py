"""Files that Apache Kafka 4.3.1 wrote: read as it means them, and written again to the byte.

tests/storage/golden/golden-0 is the log of a topic with index.interval.bytes=200 after a clean
shutdown: five codecs, headers, null keys and values, idempotent producers, a committed and an
aborted transaction. The dump-*.txt files are what its own dump tool says about them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from raftka.model.ids import TopicPartition, Uuid, parse_uuid, uuid_text
from raftka.model.record_batch import parse_header
from raftka.model.records import iter_records, validate
from raftka.model.rules import Rule
from raftka.storage import clean_shutdown, meta_properties
from raftka.storage.checkpoints import encode_lines
from raftka.storage.config import LogConfig
from raftka.storage.dump import dump
from raftka.storage.dump_entries import DumpOptions, Findings
from raftka.storage.log import Log
from raftka.storage.meta_properties import MetaProperties
from raftka.storage.partition_metadata import read_topic_id, write_topic_id
from raftka.storage.posix import PosixDisk
from raftka.storage.producer_snapshot import decode, encode
from raftka.storage.producer_state import ProducerState
from raftka.storage.recovery import RecoveryReport, open_log
from tests.support.logs import NOW_MS, all_records

GOLDEN = Path(__file__).parent / "golden"
FIRST, SECOND = f"{0:020d}", f"{25:020d}"
CONFIG = LogConfig(index_interval_bytes=200)


def opened(directory: Path, *, clean: bool) -> tuple[Log, RecoveryReport]:
    return open_log(
        PosixDisk(),
        str(directory),
        TopicPartition("golden", 0),
        Uuid(bytes(16)),
        CONFIG,
        now_ms=NOW_MS,
        clean=clean,
        rules_off={Rule.FIVE_BATCHES_REMEMBERED},
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / "golden-0", tmp_path / "golden-0")
    return tmp_path / "golden-0"


@pytest.mark.parametrize("clean", [True, False])
def test_a_log_of_apache_kafka_is_opened(copy: Path, clean: bool) -> None:
    log, report = opened(copy, clean=clean)
    assert report.messages == []
    assert report.truncated_bytes == 0
    assert (log.log_start_offset, log.log_end_offset) == (0, 32)
    assert log.epochs.entries() == [(0, 0)]
    values = dict(all_records(log))
    assert values[7] == "value 2 of gzip " * 4
    assert values[30] == "in a transaction"
    found = log.offset_for_timestamp(1_700_000_003_000)
    assert found == (1_700_000_003_004, 3, 0)
    log.close()


def test_indexes_are_rebuilt_to_the_same_bytes(copy: Path) -> None:
    names = [f"{base}{kind}" for base in (FIRST, SECOND) for kind in (".index", ".timeindex")]
    for name in names:
        (copy / name).unlink()
    log, _ = opened(copy, clean=False)
    for segment in log.segments:
        segment.finish()
    for name in names:
        assert (copy / name).read_bytes() == (GOLDEN / "golden-0" / name).read_bytes(), name
    log.close()


def test_appending_the_same_batches_writes_the_same_files(tmp_path: Path) -> None:
    log, _ = opened(tmp_path / "again-0", clean=False)
    for base in (FIRST, SECOND):
        if base == SECOND:
            log.roll(NOW_MS)
        log.append_as_follower((GOLDEN / "golden-0" / f"{base}.log").read_bytes(), NOW_MS)
    log.close()
    for path in sorted((GOLDEN / "golden-0").iterdir()):
        if path.suffix != ".txnindex" and path.name != "partition.metadata":
            assert (tmp_path / "again-0" / path.name).read_bytes() == path.read_bytes(), path.name


def test_producer_snapshots_are_written_to_the_same_bytes(copy: Path) -> None:
    for name in (f"{25:020d}.snapshot", f"{32:020d}.snapshot"):
        data = (copy / name).read_bytes()
        assert encode(decode(data)) == data
        state = ProducerState()
        state.from_entries(decode(data), 0)
        assert encode(state.to_entries()) == data


def test_small_files_are_written_to_the_same_bytes(copy: Path, tmp_path: Path) -> None:
    disk = PosixDisk()
    epochs = (copy / "leader-epoch-checkpoint").read_bytes()
    assert encode_lines(["0 0"]) == epochs
    topic_id = read_topic_id(disk, str(copy))
    write_topic_id(disk, str(tmp_path), topic_id)
    written = (tmp_path / "partition.metadata").read_bytes()
    assert written == (copy / "partition.metadata").read_bytes()
    clean_shutdown.write(disk, str(tmp_path), 11)
    assert (tmp_path / ".kafka_cleanshutdown").read_bytes() == (
        GOLDEN / ".kafka_cleanshutdown"
    ).read_bytes()
    assert clean_shutdown.read_broker_epoch(disk, str(tmp_path)) == 11


def test_meta_properties_of_apache_kafka_are_read() -> None:
    found = meta_properties.read(PosixDisk(), str(GOLDEN))
    assert found == MetaProperties(
        "AAAAAAAAAAAAAAAAAAAAAQ", 1, parse_uuid("aglazTZ09A49XsM6BH4eBQ")
    )
    assert found.directory_id is not None
    assert uuid_text(found.directory_id) == "aglazTZ09A49XsM6BH4eBQ"


def test_every_batch_is_valid_and_its_records_are_read() -> None:
    data = (GOLDEN / "golden-0" / f"{FIRST}.log").read_bytes()
    position, codecs = 0, []
    while position < len(data):
        size = parse_header(data, position).size
        header = validate(data[position : position + size])
        records = list(iter_records(data[position : position + size]))
        assert [record.key is None for record in records] == [True] + [False] * 4
        assert records[1].headers == [("codec", header.compression.encode()), ("nothing", None)]
        codecs.append(header.compression)
        position += size
    assert codecs == ["none", "gzip", "snappy", "lz4", "zstd"]


B, C = FIRST, SECOND
DUMPS = {
    "dump-deep.txt": (
        [f"{B}.log", f"{B}.index", f"{B}.timeindex", f"{C}.log", f"{C}.index", f"{C}.timeindex",
         f"{C}.snapshot", f"{32:020d}.snapshot"],
        DumpOptions(deep=True, data=True),
    ),
    "dump-plain.txt": ([f"{B}.log", f"{C}.log"], DumpOptions()),
    "dump-skip.txt": ([f"{B}.log"], DumpOptions(data=True, record_metadata=False)),
    "dump-max.txt": ([f"{B}.log"], DumpOptions(data=True, max_bytes=500)),
    "dump-verify.txt": ([f"{B}.index", f"{B}.timeindex"], DumpOptions(verify_only=True)),
    "dump-sanity.txt": ([f"{B}.index", f"{B}.timeindex"], DumpOptions(sanity_check=True)),
    "dump-other.txt": ([f"{C}.txnindex", "leader-epoch-checkpoint"], DumpOptions()),
}  # fmt: skip


@pytest.mark.parametrize("expected", DUMPS)
def test_dumps_look_as_those_of_apache_kafka(
    expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, options = DUMPS[expected]
    monkeypatch.chdir(GOLDEN / "golden-0")
    findings = Findings()
    lines = [line for name in names for line in dump(PosixDisk(), name, options, findings)]
    assert lines == (GOLDEN / expected).read_text().splitlines()
    assert findings.lines == []
