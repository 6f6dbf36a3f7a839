"""Formats log directories: gives them a cluster, a node and a directory id of their own.

It refuses what Apache Kafka refuses, for the same reason: a directory of another cluster or node
must not become one of this node's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from raftka.kraft.raft.port import Voter, VoterEndpoint
from raftka.kraft.raft.snapshots import write_first_voters
from raftka.kraft.sections.scram import NO_CREDENTIALS, ScramKey
from raftka.model.dataclass import dataclass
from raftka.model.ids import METADATA_TOPIC_UUID, Uuid, parse_uuid, uuid_text
from raftka.model.ports import Disk
from raftka.model.scram import ScramCredential
from raftka.model.settings import Config
from raftka.model.settings.listeners import listeners, parse_endpoint
from raftka.storage import bootstrap, meta_properties
from raftka.storage.meta_properties import MetaProperties

METADATA_LOG: Final = "__cluster_metadata-0"
_RESERVED_IDS: Final = frozenset({bytes(16), METADATA_TOPIC_UUID})


class FormatRefused(ValueError):
    """The directories cannot be formatted as requested; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class LogDirectories:
    """The log directories of a configuration, and their contents."""

    formatted: dict[str, MetaProperties] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    """Directories that exist and are not formatted."""
    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, OSError] = field(default_factory=dict)
    """Log directories that the node runs without, and the errors of their disks."""

    @property
    def unformatted(self) -> list[str]:
        """Empty and missing directories."""
        return self.empty + self.missing


def paths(config: Config) -> list[str]:
    """All directories of a node, each once: those of the logs and that of the metadata."""
    return list(dict.fromkeys([*config.names("log.dirs"), config.text("metadata.log.dir")]))


def inspect(config: Config, disk: Disk) -> LogDirectories:
    """Inspect the directories of a node. Raises BadDirectory, and OSError when the one with the
    metadata log, or every one, is unreadable.
    """
    found = LogDirectories()
    every = paths(config)
    for path in every:
        try:
            meta = meta_properties.read(disk, path)
            there = disk.is_dir(path)
        except OSError as error:
            found.unreadable[path] = error
            if path == config.text("metadata.log.dir") or len(found.unreadable) == len(every):
                raise
            continue
        if meta is not None:
            found.formatted[path] = meta
        elif there:
            found.empty.append(path)
        else:
            found.missing.append(path)
    return found


def new_uuid(randbytes: Callable[[int], bytes] = os.urandom) -> Uuid:
    """A uuid that is not reserved, and does not begin with a dash like an option."""
    while True:
        made = bytearray(randbytes(16))
        made[6] = made[6] & 0x0F | 0x40
        made[8] = made[8] & 0x3F | 0x80
        if bytes(made) not in _RESERVED_IDS and not uuid_text(bytes(made)).startswith("-"):
            return Uuid(bytes(made))


def format_directories(
    config: Config,
    disk: Disk,
    cluster_id: str,
    *,
    ignore_formatted: bool = False,
    voters: Sequence[Voter] = (),
    levels: Mapping[str, int] | None = None,
    scram: Mapping[ScramKey, ScramCredential] = NO_CREDENTIALS,
    randbytes: Callable[[int], bytes] = os.urandom,
) -> list[str]:
    """Format the directories that are not formatted yet; returns them, the metadata's last.

    The metadata directory comes last because it decides: the next run sees an interrupted format as
    not done. With `voters` it founds a new dynamic quorum; a new cluster begins with the feature
    `levels` and the passwords in `scram`. Raises FormatRefused, BadDirectory, OSError.
    """
    found = inspect(config, disk)
    node_id = config.int("node.id")
    for path, meta in found.formatted.items():
        meta_properties.check(path, meta, cluster_id, node_id)
    if found.formatted and not ignore_formatted:
        first = next(iter(found.formatted))
        raise FormatRefused(
            f"Log directory {first} is already formatted. Use --ignore-formatted to ignore this"
            " directory and format the others."
        )
    metadata = config.text("metadata.log.dir")
    own = next((voter.directory_id for voter in voters if voter.id == node_id), None)
    ordered = sorted(found.unformatted, key=lambda path: path == metadata)
    for path in ordered:
        directory_id = new_uuid(randbytes)
        if path == metadata:
            directory_id = Uuid(own) if own is not None else directory_id
            if voters:
                write_first_voters(disk, f"{path}/{METADATA_LOG}", list(voters))
            if levels is not None:
                bootstrap.write(disk, path, levels)
            if scram:
                bootstrap.write_scram(disk, path, scram)
        meta_properties.write(disk, path, MetaProperties(cluster_id, node_id, directory_id))
    return ordered


def format_if_new(
    config: Config, disk: Disk, cluster_id: str | None, *, may_invent_id: bool
) -> list[str]:
    """Prepare `raftka server --dev`; directories in use are left alone.

    A new disk of a node that was formatted joins the cluster of its other disks. Raises
    FormatRefused when no cluster id is given and this node must not invent one.
    """
    found = inspect(config, disk)
    known = next(iter(found.formatted.values()), None)
    if cluster_id is None and known is not None:
        cluster_id = known.cluster_id
    if cluster_id is None:
        if not may_invent_id:
            raise FormatRefused(
                "the log directories are not formatted, and this node is not alone in its quorum:"
                " give all its nodes the same CLUSTER_ID in the environment, for example"
                f" CLUSTER_ID={uuid_text(new_uuid())}"
            )
        cluster_id = uuid_text(new_uuid())
    voters: list[Voter] = []
    if known is None and may_invent_id and not config.names("controller.quorum.voters"):
        voters = [standalone_voter(config)]
    return format_directories(config, disk, cluster_id, ignore_formatted=True, voters=voters)


def standalone_voter(config: Config, randbytes: Callable[[int], bytes] = os.urandom) -> Voter:
    """This node as the only member of a new quorum (`format --standalone`).

    Raises FormatRefused when it is no controller.
    """
    endpoints = tuple(
        VoterEndpoint(each.name, each.advertised.host, each.advertised.port)
        for each in listeners(config)
        if each.kind == "controller"
    )
    if not endpoints:
        raise FormatRefused("Standalone mode requires that this node is a controller.")
    return Voter(config.int("node.id"), new_uuid(randbytes), endpoints)


def parse_initial_controllers(text: str, config: Config) -> list[Voter]:
    """The voters of `id@host:port:directory,...`. Raises FormatRefused."""
    listener = (config.names("controller.listener.names") or ["CONTROLLER"])[0]
    found = [_parse_controller(item.strip(), listener) for item in text.split(",")]
    ids = [voter.id for voter in found]
    for what, values in (("id", ids), ("directory id", [voter.directory_id for voter in found])):
        if _repeats(values):
            raise FormatRefused(f"Two of --initial-controllers have the same {what}.")
    if config.int("node.id") not in ids and "controller" in config.names("process.roles"):
        raise FormatRefused(
            f"--initial-controllers does not name this controller, node.id {config.int('node.id')}."
        )
    return found


def _parse_controller(item: str, listener: str) -> Voter:
    number, at, rest = item.partition("@")
    address, colon, directory = rest.rpartition(":")
    if not at or not colon or not number.isdecimal():
        raise FormatRefused(
            f"Failed to parse dynamic voter {item!r}: it must have the form"
            " id@hostname:port:directory"
        )
    try:
        endpoint = parse_endpoint(address, "--initial-controllers")
        return Voter(int(number), parse_uuid(directory), (VoterEndpoint(listener, *endpoint),))
    except ValueError as error:
        raise FormatRefused(f"Failed to parse dynamic voter {item!r}: {error}") from error


def _repeats(values: Iterable[object]) -> bool:
    listed = list(values)
    return len(set(listed)) != len(listed)
