"""meta.properties: the cluster, the node and the id of a directory.

Version 1 as the storage tool writes it; version 0 (before KIP-853's directory ids) is read. A
directory of another cluster or node is refused with a message.
"""

from __future__ import annotations

from typing import Final

from raftka.model.ids import Uuid, parse_uuid, uuid_text
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Disk, read_file, write_atomically
from raftka.model.settings.properties import parse_properties

FILE_NAME: Final = "meta.properties"
VERSION: Final = 1


class BadDirectory(ValueError):
    """A log directory cannot be used; the message names it and a remedy."""


class MetaProperties(NamedTuple):
    """The identity of one log directory."""

    cluster_id: str
    node_id: int
    directory_id: Uuid | None = None


def encode(meta: MetaProperties) -> bytes:
    """Encode the file as Java properties, without the date that Java adds."""
    entries = {"cluster.id": meta.cluster_id, "node.id": str(meta.node_id), "version": str(VERSION)}
    if meta.directory_id is not None:
        entries["directory.id"] = uuid_text(meta.directory_id)
    # None of these values has a character that needs escaping.
    return "".join(f"{name}={entries[name]}\n" for name in sorted(entries)).encode()


def decode(data: bytes, path: str) -> MetaProperties:
    """Decode the identity in a file. Raises BadDirectory."""
    try:
        entries = parse_properties(data.decode("latin-1"))
    except ValueError as error:
        raise BadDirectory(f"{path} is not a properties file: {error}") from error
    version = entries.get("version")
    if version not in ("0", "1"):
        raise BadDirectory(f"{path} has version={version}; known are 0 and 1")
    node_text = entries.get("node.id", entries.get("broker.id", ""))
    if not node_text.lstrip("-").isdigit():
        raise BadDirectory(f"{path} names no node: node.id={node_text!r}")
    if not entries.get("cluster.id"):
        raise BadDirectory(f"{path} names no cluster: cluster.id is missing")
    directory_id = None
    if "directory.id" in entries:
        try:
            directory_id = parse_uuid(entries["directory.id"])
        except ValueError as error:
            raise BadDirectory(f"{path} has a bad directory.id: {error}") from error
    return MetaProperties(entries["cluster.id"], int(node_text), directory_id)


def read(disk: Disk, directory: str) -> MetaProperties | None:
    """The identity of a directory, None if it was never formatted.

    Raises BadDirectory, and OSError for an unreadable directory.
    """
    path = f"{directory}/{FILE_NAME}"
    try:
        data = read_file(disk, path)
    except FileNotFoundError:
        return None
    return decode(data, path)


def write(disk: Disk, directory: str, meta: MetaProperties) -> None:
    """Write a directory's identity, durably; creates the directory if it is missing."""
    disk.make_dirs(directory)
    write_atomically(disk, f"{directory}/{FILE_NAME}", encode(meta))


def check(directory: str, found: MetaProperties, cluster_id: str | None, node_id: int) -> None:
    """Refuse a directory of another cluster or node.

    With `cluster_id` None, the directory's is accepted. Raises BadDirectory.
    """
    path = f"{directory}/{FILE_NAME}"
    if cluster_id is not None and found.cluster_id != cluster_id:
        raise BadDirectory(
            f"{path} says cluster.id={found.cluster_id}, but this node is of cluster {cluster_id}:"
            f" the directory holds another cluster's data. Give this node a directory of its own."
        )
    if found.node_id != node_id:
        raise BadDirectory(
            f"{path} says node.id={found.node_id}, but this node is {node_id}: the directory"
            f" belongs to another node. Correct node.id or log.dirs."
        )
