"""The recorder's file: its contents, and the failures that it survives."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from raftka.tracing.flight_file import (
    EVENT_BYTES,
    EVENTS,
    FILE_BYTES,
    RING_OF_EVENTS,
    RING_OF_SAMPLES,
    SAMPLES,
    FlightFile,
    Unreadable,
    read,
)


def written(path: Path, numbers: range) -> None:
    file = FlightFile(str(path), 3)
    for number in numbers:
        file.event(number, {"t": float(number), "kind": "log", "node": "n3"})
    file.close()


def test_what_was_written_is_read_by_others_at_once(tmp_path: Path) -> None:
    path = tmp_path / "f"
    file = FlightFile(str(path), 3)
    file.event(1, {"t": 1.5, "kind": "start"})
    file.sample([1.0, "ap", True, 2, 7, 3.25])
    found = read(path.read_bytes())  # Nothing was closed, as after a kill.
    assert found.node_id == 3
    assert [(each.number, each.content) for each in found.events] == [
        (1, {"t": 1.5, "kind": "start"})
    ]
    assert [each.content for each in found.samples] == [[1.0, "ap", True, 2, 7, 3.25]]
    file.close()


def test_the_file_is_eight_megabytes_and_has_all_its_blocks(tmp_path: Path) -> None:
    written(tmp_path / "f", range(1, 2))
    found = os.stat(tmp_path / "f")
    assert found.st_size == FILE_BYTES <= 8 << 20
    assert found.st_blocks * 512 >= FILE_BYTES


def test_the_last_ten_thousand_stay(tmp_path: Path) -> None:
    written(tmp_path / "f", range(1, EVENTS + 251))
    found = read((tmp_path / "f").read_bytes())
    assert [each.number for each in found.events] == list(range(251, EVENTS + 251))


def test_the_next_process_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "f"
    written(path, range(1, 40))
    file = FlightFile(str(path), 3)
    assert file.last_event == 39
    file.sample(["a"])
    file.close()
    again = FlightFile(str(path), 3)
    again.sample(["b"])
    again.close()
    found = read(path.read_bytes())
    assert len(found.events) == 39
    assert [each.content for each in found.samples] == [["a"], ["b"]]


@pytest.mark.parametrize("note", [0, 17, 1 << 40])
def test_the_newest_is_found_whatever_a_power_loss_left_of_its_note(
    tmp_path: Path, note: int
) -> None:
    path = tmp_path / "f"
    written(path, range(1, 40))
    data = bytearray(path.read_bytes())
    data[RING_OF_EVENTS.note : RING_OF_EVENTS.note + 8] = note.to_bytes(8, "little")
    path.write_bytes(data)
    file = FlightFile(str(path), 3)
    assert file.last_event == 39
    file.close()


@pytest.mark.parametrize("at", [0, 4, 8, 16, 30])
def test_a_torn_slot_is_left_out(tmp_path: Path, at: int) -> None:
    path = tmp_path / "f"
    written(path, range(1, 6))
    data = bytearray(path.read_bytes())
    data[RING_OF_EVENTS.at(5) + at] ^= 0x55
    assert [each.number for each in read(bytes(data)).events] == [1, 2, 3, 4]


def test_a_length_beyond_its_slot_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    written(path, range(1, 3))
    data = bytearray(path.read_bytes())
    at = RING_OF_EVENTS.at(2)
    data[at + 4 : at + 8] = (1 << 31).to_bytes(4, "little")
    assert [each.number for each in read(bytes(data)).events] == [1]


def test_a_file_that_was_cut_gives_what_is_left(tmp_path: Path) -> None:
    written(tmp_path / "f", range(1, 30))
    data = (tmp_path / "f").read_bytes()[: RING_OF_EVENTS.at(10) + 5]
    assert [each.number for each in read(data).events] == list(range(1, 10))


@pytest.mark.parametrize("data", [b"", b"RFTKREC1", b"x" * 9000, bytes(9000)])
def test_another_file_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def test_another_nodes_file_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "f"
    written(path, range(1, 5))
    file = FlightFile(str(path), 4)
    assert file.last_event == 0
    file.close()
    assert read(path.read_bytes()).node_id == 4


def test_what_is_too_long_for_a_slot_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "f"
    file = FlightFile(str(path), 3)
    file.event(1, {"t": 1.0, "kind": "log", "words": "w" * 5000, "isr": list(range(500))})
    file.event(2, {"t": 1.0, "kind": "log"} | {f"field{n}": "v" * 150 for n in range(40)})
    file.close()
    first, second = read(path.read_bytes()).events
    assert first.content["kind"] == second.content["kind"] == "log"
    assert first.content["words"].startswith("w" * 100)
    assert first.content["isr"] == list(range(12))
    assert EVENT_BYTES == 768


def test_without_room_for_all_of_it_nothing_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page without a block behind it would end the process on a full disk."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        FlightFile(str(tmp_path / "f"), 3)
    assert SAMPLES == 4096


def test_a_reader_gets_what_is_newer_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "f"
    file = FlightFile(str(path), 3)
    total = EVENTS + 50
    for number in range(1, total + 1):
        file.event(number, {"t": float(number), "kind": "log", "node": "n3"})
    file.sample([1.0, "ap", True, 2, 7, 3.25])
    seen: list[int] = []
    while part := file.after(RING_OF_EVENTS, seen[-1] if seen else 0, total, 20_000):
        assert sum(len(data) for _, data in part) <= 20_000
        seen += [number for number, _ in part]
    assert seen == list(range(51, total + 1)), "what the ring still has, each once"
    assert file.after(RING_OF_EVENTS, total - 1, total, 1)[0][0] == total, "one at least"
    assert [number for number, _ in file.after(RING_OF_SAMPLES, 0, file.last_sample, 99)] == [1]
    file.close()


def test_a_reader_is_not_given_damaged_slots(tmp_path: Path) -> None:
    path = tmp_path / "f"
    written(path, range(1, 6))
    with path.open("r+b") as raw:
        raw.seek(RING_OF_EVENTS.at(3) + 20)
        raw.write(b"~")
    file = FlightFile(str(path), 3)
    assert [number for number, _ in file.after(RING_OF_EVENTS, 0, 5, 10_000)] == [1, 2, 4, 5]
    file.close()
