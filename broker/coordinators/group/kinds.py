"""The types of groups: their records, and the operations that a shard needs of each.

The records of a group in the log determine its type. The modules of types that a cluster does not
use are not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol, cast

from raftka.broker.coordinators.group import records
from raftka.broker.coordinators.group.any_group import AnyGroup, Committing, GroupType
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.outbox import Record, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.model.errors import ErrorCode
from raftka.model.ports import Buffer
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message

MODULES: Final[dict[GroupType, str]] = {
    GroupType.CLASSIC: "classic_kind",
    GroupType.CONSUMER: "consumer.kind",
    GroupType.SHARE: "share.kind",
    GroupType.STREAMS: "streams.kind",
}
"""The module of each type, in this folder; its KIND implements `Kind`."""

KEY_TYPES: Final[dict[int, GroupType]] = {
    2: GroupType.CLASSIC,
    **dict.fromkeys((3, 5, 6, 7, 8, 16), GroupType.CONSUMER),
    **dict.fromkeys(range(10, 16), GroupType.SHARE),
    **dict.fromkeys((17, 19, 20, 21, 22, 23), GroupType.STREAMS),
}
"""The key types (the int16 that starts a key) and the group types that they belong to; 0 and 1 are
offsets of any type.

Kafka gives 3-8 and 16 to consumer groups, 10-15 to share groups, 17-23 to streams groups (no
release has written 18).
"""

PartitionFence = Callable[[str, int], ErrorCode]
"""(topic, partition) -> whether the member may commit there, in addition to `check_commit`."""


class Format(NamedTuple):
    """One kind of record."""

    key: type[Message]
    value: type[Message]
    replay: Callable[[Core, Any, Any], None]
    """Applies a key and a value, or None for a tombstone, to memory."""


class Kind(Protocol):
    """The operations of a shard on one type of group. Every group passed in has that type."""

    @property
    def formats(self) -> Mapping[int, Format]:
        """Its records, by key type."""
        ...

    def loaded(self, core: Core, group: AnyGroup, now: Moment) -> None:
        """The log is replayed: start the group's timers."""
        ...

    def metadata_changed(self, core: Core, delta: MetadataDelta | None, now: Moment) -> None:
        """`core.image` is new; `delta` is None right after the shard was replayed."""
        ...

    def forgotten(self, core: Core, group: AnyGroup) -> None:
        """The group is removed: cancel its timers."""
        ...

    def tombstones(self, group: AnyGroup) -> Iterable[Record]:
        """The records that delete the group from the log."""
        ...

    def waiting(self, group: AnyGroup) -> Iterable[Ticket]:
        """The requests that wait in the group."""
        ...

    def check_commit(
        self, core: Core, group: AnyGroup, by: Committing, now: Moment
    ) -> PartitionFence | None:
        """Check whether that member may commit offsets; it counts as a heartbeat.

        Raises KafkaError. The returned fence, if any, decides for each partition.
        """
        ...

    def check_fetch(self, group: AnyGroup, member_id: str | None, member_epoch: int) -> None:
        """Check whether a reader, maybe a named member, may read offsets. Raises KafkaError."""
        ...


def kind(of: GroupType) -> Kind:
    """The operations of a type."""
    found = _KINDS.get(of)
    if found is None:
        module = import_module(f"{__package__}.{MODULES[of]}")
        found = _KINDS[of] = cast(Kind, module.KIND)
    return found


class Decoded(NamedTuple):
    """A decoded record of a group; `value` is None for a tombstone."""

    form: Format
    key: Message
    value: Message | None


def decode(key: Buffer, value: Buffer | None) -> Decoded | None:
    """Decode a record of a group of any type; None for unknown key types.

    Raises MalformedMessage for a known one that cannot be decoded, which includes newer layouts.
    """
    key_type = records.key_type(key)
    of = KEY_TYPES.get(key_type)
    form = None if of is None else kind(of).formats.get(key_type)
    if form is None:
        return None
    said = None if value is None else codec.decode_versioned(form.value, value)
    return Decoded(form, codec.decode_versioned(form.key, key), said)


_KINDS: Final[dict[GroupType, Kind]] = {}


def import_kinds() -> None:
    """Import all of them, so that a simulated run does not depend on earlier runs."""
    for each in MODULES:
        kind(each)


def bury(core: Core, group: AnyGroup) -> None:
    """Delete a group, in memory and in the log."""
    core.outbox.records.extend(kind(group.type).tombstones(group))
    forget(core, group.group_id)


def forget(core: Core, group_id: str) -> None:
    """Remove a group and its timers from memory, if it exists."""
    group = core.drop(group_id)
    if group is not None:
        kind(group.type).forgotten(core, group)
