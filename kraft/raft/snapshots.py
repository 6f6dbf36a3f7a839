"""Snapshot files: the state machine at one offset, and the voter set that was in force there.

Named like Kafka's, <offset>-<epoch>.checkpoint, with contents of our own:

    magic "RAFTKAS1" | CRC32C of the rest | size of the header | header (msgpack) | payload

The file is also exactly what travels to a follower that is too far behind for the log, so the
follower can prove the whole before any of it counts.
"""

from __future__ import annotations

import re
import struct
from typing import Final

import msgpack

from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import Voter
from raftka.model.crc import crc32c
from raftka.model.dataclass import dataclass
from raftka.model.ports import Disk, File, read_file, write_atomically

MAGIC: Final = b"RAFTKAS1"
_PREFIX: Final = struct.Struct(">8sII")
_NAME: Final = re.compile(r"(\d{20})-(\d{10})\.checkpoint")


class CorruptSnapshot(ValueError):
    """Bytes that are no snapshot, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State up to and including (index, term). An empty payload only defines the first voters."""

    index: int
    term: int
    voters: VoterSet
    payload: bytes

    @property
    def name(self) -> str:
        return file_name(self.index, self.term)

    def encode(self) -> bytes:
        header = msgpack.packb([self.index, self.term, self.voters.encode()])
        checksum = crc32c(self.payload, crc32c(header))
        return b"".join((_PREFIX.pack(MAGIC, checksum, len(header)), header, self.payload))

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> Snapshot:
        """Raises CorruptSnapshot unless every byte is intact."""
        if len(data) < _PREFIX.size:
            raise CorruptSnapshot(f"{len(data)} bytes are too few for a snapshot")
        magic, checksum, header_size = _PREFIX.unpack_from(data)
        if magic != MAGIC:
            raise CorruptSnapshot("it does not begin as a snapshot does")
        if crc32c(memoryview(data)[_PREFIX.size :]) != checksum:
            raise CorruptSnapshot("its checksum does not match")
        try:
            start = _PREFIX.size + header_size
            index, term, voters = msgpack.unpackb(bytes(data[_PREFIX.size : start]))
            return cls(index, term, VoterSet.decode(voters), bytes(data[start:]))
        except (TypeError, ValueError, msgpack.UnpackException) as error:
            raise CorruptSnapshot(f"its header cannot be read: {error}") from error


def payload_at(file: File) -> int:
    """The position of the payload in a snapshot's file. Raises CorruptSnapshot."""
    head = file.read(_PREFIX.size, 0)
    if len(head) < _PREFIX.size or not head.startswith(MAGIC):
        raise CorruptSnapshot(f"{file.path}: it does not begin as a snapshot does")
    return _PREFIX.size + int(_PREFIX.unpack(head)[2])


def file_name(index: int, term: int) -> str:
    return f"{index:020d}-{term:010d}.checkpoint"


def list_files(disk: Disk, directory: str) -> list[tuple[int, int]]:
    """(index, term) of the snapshot files in a directory, oldest first."""
    matches = [_NAME.fullmatch(name) for name in disk.list_dir(directory)]
    return sorted((int(match[1]), int(match[2])) for match in matches if match)


def write(disk: Disk, directory: str, snapshot: Snapshot) -> None:
    """Durable when it returns; a crash leaves no partial file under that name."""
    write_atomically(disk, f"{directory}/{snapshot.name}", snapshot.encode())


def load(disk: Disk, directory: str, index: int, term: int) -> Snapshot:
    """Raises CorruptSnapshot, also if the name and the contents disagree."""
    path = f"{directory}/{file_name(index, term)}"
    try:
        snapshot = Snapshot.decode(read_file(disk, path))
    except CorruptSnapshot as error:
        raise CorruptSnapshot(f"{path}: {error}") from error
    if (snapshot.index, snapshot.term) != (index, term):
        raise CorruptSnapshot(f"{path}: it holds offset {snapshot.index}, term {snapshot.term}")
    return snapshot


def load_latest(disk: Disk, directory: str) -> tuple[Snapshot | None, list[str]]:
    """The newest usable snapshot, and why newer ones are not usable, in words."""
    problems: list[str] = []
    for index, term in reversed(list_files(disk, directory)):
        try:
            return load(disk, directory, index, term), problems
        except CorruptSnapshot as error:
            problems.append(str(error))
    return None, problems


def remove_older(disk: Disk, directory: str, index: int) -> None:
    """Remove the snapshots before `index`, and the remains of interrupted writes."""
    for name in disk.list_dir(directory):
        match = _NAME.fullmatch(name)
        if (match and int(match[1]) < index) or name.endswith(".checkpoint.tmp"):
            disk.remove(f"{directory}/{name}")


def write_first_voters(disk: Disk, directory: str, voters: list[Voter]) -> None:
    """Write the voters of a new quorum (`storage format --standalone, --initial-controllers`)."""
    disk.make_dirs(directory)
    write(disk, directory, Snapshot(0, 0, VoterSet(voters), b""))
    disk.sync_dir(directory.rpartition("/")[0] or "/")
