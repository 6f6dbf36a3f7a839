"""bootstrap.properties: the feature levels with which a formatted node would begin a new cluster.

What bootstrap.checkpoint is to Apache Kafka's nodes (KIP-778): the first active controller writes
these levels into the metadata, and no node reads them later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.model.ports import Disk, read_file, write_atomically
from raftka.model.settings.properties import parse_properties
from raftka.storage.meta_properties import BadDirectory

FILE_NAME: Final = "bootstrap.properties"


def write(disk: Disk, directory: str, levels: Mapping[str, int]) -> None:
    """Remember the levels, durably; the directory is made if need be."""
    disk.make_dirs(directory)
    text = "".join(f"{name}={level}\n" for name, level in sorted(levels.items()))
    write_atomically(disk, f"{directory}/{FILE_NAME}", text.encode())


def read(disk: Disk, directory: str) -> dict[str, int] | None:
    """The levels; None when the format chose none. Raises BadDirectory."""
    path = f"{directory}/{FILE_NAME}"
    if not disk.exists(path):
        return None
    try:
        found = parse_properties(read_file(disk, path).decode("latin-1"))
        return {name: int(level) for name, level in found.items()}
    except ValueError as error:
        raise BadDirectory(f"{path} cannot be read: {error}; format the node again") from error
