"""partition.metadata: the id of the topic of the log in this directory.

Topics may be deleted and recreated under the same name; the id distinguishes their logs (KIP-516).
"""

from __future__ import annotations

from typing import Final

from raftka.model.ids import ZERO_UUID, Uuid, parse_uuid, uuid_text
from raftka.model.ports import Disk, read_file

FILE_NAME: Final = "partition.metadata"


def write_topic_id(disk: Disk, directory: str, topic_id: Uuid) -> None:
    """Write the file; the log's first flush makes it durable, before any record is.

    If a crash truncates the file, the id does not parse, and the log belongs to no known topic.
    """
    text = f"version: 0\ntopic_id: {uuid_text(topic_id)}"
    file = disk.open(f"{directory}/{FILE_NAME}", create=True)
    try:
        file.write([text.encode("ascii")], 0)
    finally:
        file.close()


def read_topic_id(disk: Disk, directory: str) -> Uuid:
    """The topic's id; the zero id if the file is missing or unreadable."""
    try:
        text = read_file(disk, f"{directory}/{FILE_NAME}").decode("ascii")
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if fields.get("version") != "0":
            return ZERO_UUID
        return parse_uuid(fields["topic_id"])
    except (FileNotFoundError, KeyError, ValueError):
        return ZERO_UUID


def sync_topic_id(disk: Disk, directory: str) -> None:
    """Make the file durable, if there is one."""
    path = f"{directory}/{FILE_NAME}"
    if disk.exists(path):
        file = disk.open(path)
        try:
            file.sync()
        finally:
            file.close()
