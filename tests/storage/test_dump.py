"""Odd files in the dump: what Apache Kafka 4.3.1's tool prints about the same bytes.

The expected lines are that tool's own, where a test does not say otherwise.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import pytest

from raftka.commands import main
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.message_set import iter_messages, parse_message
from raftka.model.records import Record, encode_batch

BASE = f"{0:020d}"
T = 1_700_000_000_000

FIRST = encode_batch([Record(0, T, b"k", b"v", ()), Record(1, T, b"k", b"v", ())])
SECOND = encode_batch([Record(2, T, b"k", b"v", ())], base_offset=2)
LOG = FIRST + SECOND


def field(data: bytes | None) -> bytes:
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def message(
    offset: int,
    magic: int,
    key: bytes | None,
    value: bytes | None,
    *,
    attributes: int = 0,
    timestamp: int = T,
    crc_error: int = 0,
) -> bytes:
    """One entry of a message set."""
    stamp = struct.pack(">q", timestamp) if magic else b""
    body = bytes([magic, attributes]) + stamp + field(key) + field(value)
    crc = zlib.crc32(body) ^ crc_error
    return struct.pack(">qiI", offset, len(body) + 4, crc) + body


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dump(
    capsys: pytest.CaptureFixture[str], name: str, *options: str
) -> tuple[int, list[str], list[str]]:
    """(exit code, lines after the title, error lines) of the command."""
    code = main(["dump-log", *options, "--files", name])
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == f"Dumping {name}"
    assert "Traceback" not in err
    return code, lines[1:], err.splitlines()


def test_messages_of_magic_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{BASE}.log").write_bytes(
        message(0, 1, b"k", b"v0")
        + message(1, 1, None, b"v1", attributes=8, timestamp=T + 1)
        + message(2, 1, b"k", None, timestamp=-1)
    )
    code, lines, errors = dump(capsys, f"{BASE}.log", "--print-data-log")
    assert (code, errors) == (0, [])
    assert lines == [
        "Log starting offset: 0",
        "offset: 0 position: 0 CreateTime: 1700000000000 size: 37 magic: 1 compresscodec: none "
        "crc: 1232348898 isvalid: true",
        "| offset: 0 CreateTime: 1700000000000 keySize: 1 valueSize: 2 isValid: true "
        "crc: 1232348898 key: k payload: v0",
        "offset: 1 position: 37 LogAppendTime: 1700000000001 size: 36 magic: 1 "
        "compresscodec: none crc: 2725954238 isvalid: true",
        "| offset: 1 LogAppendTime: 1700000000001 keySize: -1 valueSize: 2 isValid: true "
        "crc: 2725954238 payload: v1",
        "offset: 2 position: 73 CreateTime: -1 size: 35 magic: 1 compresscodec: none "
        "crc: 812927762 isvalid: true",
        "| offset: 2 CreateTime: -1 keySize: 1 valueSize: -1 isValid: true crc: 812927762 key: k",
    ]


def test_messages_of_magic_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{BASE}.log").write_bytes(
        message(0, 0, b"k", b"v0", crc_error=1) + message(4, 0, b"", b"x")
    )
    code, lines, errors = dump(capsys, f"{BASE}.log", "--deep-iteration")
    assert code == 0
    assert lines == [
        "Log starting offset: 0",
        "offset: 0 position: 0 NoTimestampType: -1 size: 29 magic: 0 compresscodec: none "
        "crc: 374826160 isvalid: false",
        "| offset: 0 NoTimestampType: -1 keySize: 1 valueSize: 2 isValid: false crc: 374826160",
        "offset: 4 position: 29 NoTimestampType: -1 size: 27 magic: 0 compresscodec: none "
        "crc: 742554019 isvalid: true",
        "| offset: 4 NoTimestampType: -1 keySize: 0 valueSize: 1 isValid: true crc: 742554019",
    ]
    assert errors == [
        f"Non-consecutive offsets in {folder}/{BASE}.log",
        "  0 is followed by 4",
    ]


@pytest.mark.parametrize(
    ("magic", "attributes", "inner_offsets", "kind", "timestamps"),
    [
        (0, 1, (5, 6), "NoTimestampType", (-1, -1)),
        (1, 1, (0, 1), "CreateTime", (T, T + 3)),
        (1, 9, (0, 1), "LogAppendTime", (T + 9, T + 9)),
    ],
)
def test_messages_within_a_compressed_one(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    magic: int,
    attributes: int,
    inner_offsets: tuple[int, int],
    kind: str,
    timestamps: tuple[int, int],
) -> None:
    inner = message(inner_offsets[0], magic, b"k", b"a")
    inner += message(inner_offsets[1], magic, b"k", b"b", timestamp=T + 3)
    wrapper = message(6, magic, None, gzip.compress(inner), attributes=attributes, timestamp=T + 9)
    (folder / f"{BASE}.log").write_bytes(wrapper)
    code, lines, errors = dump(capsys, f"{BASE}.log", "--print-data-log")
    assert (code, errors) == (0, [])
    assert f" magic: {magic} compresscodec: gzip crc: " in lines[1]
    crcs = {0: (2621395661, 87425911), 1: (3136621044, 3122544207)}[magic]
    assert lines[2:] == [
        f"| offset: {offset} {kind}: {timestamp} keySize: 1 valueSize: 1 isValid: true "
        f"crc: {crc} key: k payload: {payload}"
        for offset, timestamp, crc, payload in zip(
            (5, 6), timestamps, crcs, ("a", "b"), strict=True
        )
    ]


def test_a_message_that_is_cut_off(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = message(0, 1, b"k", b"v0")
    (folder / f"{BASE}.log").write_bytes(whole + message(1, 1, b"k", b"v")[:-3])
    code, lines, errors = dump(capsys, f"{BASE}.log")
    assert (code, errors) == (0, [])
    assert lines[2:] == [f"Found 33 invalid bytes at the end of {BASE}.log"]


INNER = message(0, 1, b"k", b"v")


@pytest.mark.parametrize(
    ("value", "attributes", "problem"),
    [
        (b"junk", 1, "cannot be decompressed as gzip"),
        (gzip.compress(b""), 1, "holds no messages"),
        (gzip.compress(INNER[:9]), 1, "cut off"),
        (gzip.compress(message(0, 0, b"k", b"v")), 1, "holds one of magic 0"),
        (gzip.compress(message(0, 1, None, b"", attributes=1)), 1, "compression 1"),
        (b"x", 7, "Unknown compression type id: 7"),
    ],
)
def test_compressed_messages_that_cannot_be_read(
    value: bytes, attributes: int, problem: str
) -> None:
    wrapper = parse_message(message(6, 1, None, value, attributes=attributes))
    with pytest.raises(KafkaError, match=problem) as caught:
        list(iter_messages(wrapper))
    assert caught.value.code is ErrorCode.CORRUPT_MESSAGE


def test_zeros_behind_an_offset_index(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{BASE}.log").write_bytes(LOG)
    (folder / f"{BASE}.index").write_bytes(struct.pack(">ii", 2, len(FIRST)) + bytes(800))
    shown = dump(capsys, f"{BASE}.index")
    assert shown == (0, [f"offset: 2 position: {len(FIRST)}"], [])
    checked = dump(capsys, f"{BASE}.index", "--index-sanity-check")
    assert checked == (0, [f"{BASE}.index passed sanity check."], [])


def test_an_offset_index_that_disagrees(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{BASE}.log").write_bytes(LOG)
    (folder / f"{BASE}.index").write_bytes(struct.pack(">iiii", 7, 0, 8, len(FIRST)))
    code, lines, errors = dump(capsys, f"{BASE}.index", "--verify-index-only")
    assert (code, lines) == (0, [])
    assert errors == [
        f"Mismatches in :{folder}/{BASE}.index",
        "  Index offset: 8, log offset: 2",
        "  Index offset: 7, log offset: 1",
    ]


@pytest.mark.parametrize("position", [-3, 7, 5000])
def test_an_offset_index_that_points_nowhere(
    folder: Path, capsys: pytest.CaptureFixture[str], position: int
) -> None:
    """Kafka's tool ends with an exception here, so with the same code."""
    (folder / f"{BASE}.log").write_bytes(LOG)
    (folder / f"{BASE}.index").write_bytes(struct.pack(">ii", 2, position))
    code, lines, errors = dump(capsys, f"{BASE}.index")
    assert (code, lines) == (1, [f"offset: 2 position: {position}"])
    assert errors[1:] == ["  Index offset: 2, log offset: none"]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        (
            f"{5:020d}.index",
            struct.pack(">ii", -3, 0),
            "Corrupt index found, index file {path} has non-zero size but the last offset is 2 "
            "which is less than the base offset 5",
        ),
        (
            f"{BASE}.index",
            struct.pack(">iii", 2, 77, 0),
            "Index file {path} is corrupt, found 12 bytes which is neither positive nor a multiple "
            "of 8",
        ),
        (
            f"{BASE}.timeindex",
            bytes(7),
            "Time index file {path} is corrupt, found 7 bytes which is neither positive nor a "
            "multiple of 12",
        ),
        (
            f"{BASE}.timeindex",
            struct.pack(">qi", T, 1) + bytes(120),
            "Corrupt time index found, time index file ({path}) has non-zero size but the last "
            "timestamp is 0 which is less than the first timestamp 1700000000000",
        ),
        (
            f"{5:020d}.timeindex",
            struct.pack(">qi", T, -1),
            "Corrupt time index found, time index file ({path}) has non-zero size but the last "
            "offset is 4 which is less than the first offset 5",
        ),
    ],
)
def test_indexes_that_a_start_would_rebuild(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, problem: str
) -> None:
    (folder / name).write_bytes(data)
    code, lines, errors = dump(capsys, name, "--index-sanity-check")
    assert (code, lines) == (1, [])
    assert errors == [problem.format(path=folder / name)]


def test_an_empty_index(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{BASE}.index").write_bytes(b"")
    (folder / f"{BASE}.timeindex").write_bytes(b"")
    assert dump(capsys, f"{BASE}.index") == (0, [f"{BASE}.index is empty."], [])
    assert dump(capsys, f"{BASE}.timeindex") == (0, [], [])


@pytest.mark.parametrize(
    ("entries", "errors"),
    [
        ([(T, 1), (0, 0), (0, 0)], []),
        (
            [(T + 5, 1), (T, 2)],
            [
                "Found timestamp mismatch in :{path}",
                "  Index timestamp: 1700000000005, log timestamp: 1700000000000",
                "Found out of order timestamp in :{path}",
                "  Index timestamp: 1700000000000, Previously indexed timestamp: 1700000000005",
            ],
        ),
        (
            [(T, 0), (T, 2)],
            [
                "Found out of order timestamp in :{path}",
                "  Index timestamp: 1700000000000, Previously indexed timestamp: 1700000000000",
                "The following indexed offsets are not found in :{path}",
                "Indexed offset: 0, found log offset: 1",
            ],
        ),
        (
            [(T, 1), (T + 9, 50)],
            [
                "The following indexed offsets are not found in :{path}",
                "Indexed offset: 50, found log offset: -1",
            ],
        ),
    ],
)
def test_a_time_index_against_its_log(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    entries: list[tuple[int, int]],
    errors: list[str],
) -> None:
    (folder / f"{BASE}.log").write_bytes(LOG)
    (folder / f"{BASE}.index").write_bytes(struct.pack(">ii", 2, len(FIRST)))
    path = folder / f"{BASE}.timeindex"
    path.write_bytes(b"".join(struct.pack(">qi", *entry) for entry in entries))
    code, lines, told = dump(capsys, path.name)
    shown = [
        f"timestamp: {timestamp} offset: {offset}" for timestamp, offset in entries if timestamp
    ]
    assert (code, lines) == (0, shown)
    assert told == [line.format(path=path) for line in errors]


def test_a_time_index_of_old_messages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = message(0, 1, b"k", b"v0")
    (folder / f"{BASE}.log").write_bytes(old + message(1, 1, b"k", b"v", timestamp=T + 1))
    (folder / f"{BASE}.timeindex").write_bytes(struct.pack(">qi", T + 1, 1))
    shown = dump(capsys, f"{BASE}.timeindex")
    assert shown == (0, ["timestamp: 1700000000001 offset: 1"], [])


def test_a_size_that_cannot_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{BASE}.log").write_bytes(struct.pack(">qi", 0, 3) + bytes(60))
    code, _, errors = dump(capsys, f"{BASE}.log")
    assert code == 1
    assert errors == [
        f"Found record size 3 smaller than minimum record overhead (14) in file {BASE}.log."
    ]


@pytest.mark.parametrize(
    "suffix", [".log", ".checkpoint", ".index", ".timeindex", ".snapshot", ".txnindex", ".x", ""]
)
def test_any_bytes_are_told_without_a_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    """raftka's own output: Kafka's tool ends some of these with a stack trace."""
    name = BASE + suffix
    good = {".log": LOG + message(3, 1, b"k", b"v")}.get(suffix, bytes(range(60)) * 2)
    for at in range(len(good)):
        for byte in (0, 0x7F, 0xFF):
            (folder / name).write_bytes(good[:at] + bytes([byte]) + good[at + 1 :])
            for option in ("--print-data-log", "--offsets-decoder", "--index-sanity-check"):
                code, _, errors = dump(capsys, name, option)
                assert code == 0 or errors
    (folder / name).unlink()
    (folder / name).mkdir()
    dump(capsys, name)


def test_the_other_files_are_dumped_all_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / f"{BASE}.log").write_bytes(LOG)
    assert main(["dump-log", "--files", f"missing.log,{BASE}.log"]) == 1
    out, err = capsys.readouterr()
    assert "baseOffset: 2 lastOffset: 2" in out
    assert err == "missing.log: No such file or directory\n"
