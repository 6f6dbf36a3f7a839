""".kafka_cleanshutdown: the last process has closed every log in this directory.

It contains the broker epoch of that process, which proves to the controller at the next
registration that this broker has lost nothing (KIP-966). The file is removed as soon as logs are
open again.
"""

from __future__ import annotations

import json
from typing import Final

from raftka.model.ids import NO_EPOCH
from raftka.model.ports import Disk, read_file, write_atomically

FILE_NAME: Final = ".kafka_cleanshutdown"


def write(disk: Disk, directory: str, broker_epoch: int) -> None:
    """Record that everything in `directory` was closed and is durable."""
    content = {"version": 0, "brokerEpoch": broker_epoch}
    data = json.dumps(content, separators=(",", ":")).encode("ascii")
    write_atomically(disk, f"{directory}/{FILE_NAME}", data)


def exists(disk: Disk, directory: str) -> bool:
    """Whether the last shutdown was clean."""
    return disk.exists(f"{directory}/{FILE_NAME}")


def read_broker_epoch(disk: Disk, directory: str) -> int:
    """The epoch in the file; -1 if the last shutdown was not clean."""
    path = f"{directory}/{FILE_NAME}"
    if not disk.exists(path):
        return NO_EPOCH
    try:
        return int(json.loads(read_file(disk, path))["brokerEpoch"])
    except (ValueError, KeyError, TypeError):
        return NO_EPOCH


def remove(disk: Disk, directory: str) -> None:
    """Remove the file, durably: from now on a crash requires a recovery."""
    path = f"{directory}/{FILE_NAME}"
    if disk.exists(path):
        disk.remove(path)
        disk.sync_dir(directory)
