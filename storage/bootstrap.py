"""bootstrap.properties: the feature levels with which a formatted node would begin a new cluster.

What bootstrap.checkpoint is to Apache Kafka's nodes (KIP-778): the first active controller writes
these levels into the metadata, and no node reads them later.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from raftka.model.ports import Disk, read_file, write_atomically
from raftka.model.scram import ScramCredential
from raftka.model.settings.properties import parse_properties
from raftka.storage.meta_properties import BadDirectory

FILE_NAME: Final = "bootstrap.properties"
SCRAM_FILE_NAME: Final = "bootstrap.scram"


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


def write_scram(
    disk: Disk, directory: str, credentials: Mapping[tuple[str, int], ScramCredential]
) -> None:
    """Remember the passwords with which a new cluster would begin, durably."""
    rows = [
        [
            user,
            mechanism,
            *(b64encode(each).decode() for each in credential[:3]),
            credential.iterations,
        ]
        for (user, mechanism), credential in credentials.items()
    ]
    disk.make_dirs(directory)
    write_atomically(disk, f"{directory}/{SCRAM_FILE_NAME}", json.dumps(rows).encode())


def read_scram(disk: Disk, directory: str) -> dict[tuple[str, int], ScramCredential]:
    """What `write_scram` wrote; nothing when the format chose none. Raises BadDirectory."""
    path = f"{directory}/{SCRAM_FILE_NAME}"
    if not disk.exists(path):
        return {}
    try:
        rows = json.loads(read_file(disk, path))
        return {
            (user, mechanism): ScramCredential(
                b64decode(salt), b64decode(stored), b64decode(server), iterations
            )
            for user, mechanism, salt, stored, server, iterations in rows
        }
    except (ValueError, TypeError) as error:
        raise BadDirectory(f"{path} cannot be read: {error}; format the node again") from error
