"""Kafka's checkpoint files: a version, a count, and one line per entry.

They are written to a temporary file and renamed, so that a crash leaves the old or the new
contents. Files that recovery depends on are also synced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.model.ids import TopicPartition
from raftka.model.ports import Disk, read_file, write_atomically

_VERSION = 0


class CheckpointCorrupt(ValueError):
    """A checkpoint file cannot be read; the message has the file and the reason."""


def encode_lines(lines: Iterable[str]) -> bytes:
    """A checkpoint file of these lines."""
    listed = list(lines)
    return "".join(f"{line}\n" for line in (_VERSION, len(listed), *listed)).encode("ascii")


def decode_lines(path: str, data: bytes) -> list[list[str]]:
    """The fields of each line. Raises CheckpointCorrupt."""
    try:
        lines = data.decode("ascii").splitlines()
        version, count = int(lines[0]), int(lines[1])
    except (UnicodeDecodeError, ValueError, IndexError) as error:
        raise CheckpointCorrupt(f"{path} does not begin with a version and a count") from error
    if version != _VERSION:
        raise CheckpointCorrupt(f"{path} is of version {version}; only {_VERSION} is known")
    if not data.endswith(b"\n"):
        # A truncated number may still be a valid one.
        raise CheckpointCorrupt(f"{path} is cut off")
    if len(lines) - 2 != count:
        raise CheckpointCorrupt(f"{path} has {len(lines) - 2} lines where {count} were declared")
    return [line.split() for line in lines[2:]]


def replace_file(disk: Disk, path: str, data: bytes) -> None:
    """Replace a small file by rename; a later sync makes it durable."""
    temporary = path + ".tmp"
    file = disk.open(temporary, create=True)
    try:
        file.truncate(0)
        file.write([data], 0)
    finally:
        file.close()
    disk.rename(temporary, path)


def write_offsets(disk: Disk, path: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Replace a checkpoint with one offset per partition, durably."""
    write_atomically(
        disk,
        path,
        encode_lines(
            f"{topic} {partition} {offset}"
            for (topic, partition), offset in sorted(offsets.items())
        ),
    )


def read_offsets(disk: Disk, path: str) -> dict[TopicPartition, int]:
    """The offsets in a checkpoint; empty if there is no such file. Raises CheckpointCorrupt."""
    if not disk.exists(path):
        return {}
    offsets: dict[TopicPartition, int] = {}
    for fields in decode_lines(path, read_file(disk, path)):
        try:
            topic, partition, offset = fields
            offsets[TopicPartition(topic, int(partition))] = int(offset)
        except ValueError as error:
            raise CheckpointCorrupt(f"{path} has a malformed line: {' '.join(fields)}") from error
    return offsets
