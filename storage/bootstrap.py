"""bootstrap.properties: the feature levels with which a formatted node would bootstrap a cluster.

It corresponds to Apache Kafka's bootstrap.checkpoint (KIP-778): the first active controller writes
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
    """Write the levels, durably; creates the directory if it is missing."""
    disk.make_dirs(directory)
    text = "".join(f"{name}={level}\n" for name, level in sorted(levels.items()))
    write_atomically(disk, f"{directory}/{FILE_NAME}", text.encode())


def read(disk: Disk, directory: str) -> dict[str, int] | None:
    """The levels; None if the format set none. Raises BadDirectory."""
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
    """Write the SCRAM credentials with which a new cluster would start, durably."""
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
    """The output of `write_scram`; empty if the format set none. Raises BadDirectory."""
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
