"""The kinds of groups: which records are theirs, and what a shard asks of each.

A group is of the kind whose records it has in the log. The modules of kinds that a cluster does
not use are not imported.
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
"""The module of a kind, in this folder, whose KIND is what the shard calls."""

KEY_TYPES: Final[dict[int, GroupType]] = {
    2: GroupType.CLASSIC,
    **dict.fromkeys((3, 5, 6, 7, 8, 16), GroupType.CONSUMER),
    **dict.fromkeys(range(10, 16), GroupType.SHARE),
    **dict.fromkeys((17, 19, 20, 21, 22, 23), GroupType.STREAMS),
}
"""The int16 with which a record's key begins, and whose it is. 0 and 1 are offsets, of any kind.

Kafka gives 3-8 and 16 to consumer groups, 10-15 to share groups, 17-23 to streams groups (18 is
one that no release has written).
"""

PartitionFence = Callable[[str, int], ErrorCode]
"""(topic, partition) -> whether the member may commit there, beside what it may at all."""


class Format(NamedTuple):
    """One kind of record."""

    key: type[Message]
    value: type[Message]
    replay: Callable[[Core, Any, Any], None]
    """Applies a key and a value, or None in its place, to memory."""


class Kind(Protocol):
    """What a shard asks of a kind of groups. Each group handed in is of that kind."""

    @property
    def formats(self) -> Mapping[int, Format]:
        """Its records, by key type."""
        ...

    def loaded(self, core: Core, group: AnyGroup, now: Moment) -> None:
        """The log has been read: time passes in the group from now on."""
        ...

    def metadata_changed(self, core: Core, delta: MetadataDelta | None, now: Moment) -> None:
        """`core.image` is new; without a delta, when the shard has just been read."""
        ...

    def forgotten(self, core: Core, group: AnyGroup) -> None:
        """The group is no longer there: cancel its timers."""
        ...

    def tombstones(self, group: AnyGroup) -> Iterable[Record]:
        """The records that delete it from the log."""
        ...

    def waiting(self, group: AnyGroup) -> Iterable[Ticket]:
        """The requests that wait in it."""
        ...

    def check_commit(
        self, core: Core, group: AnyGroup, by: Committing, now: Moment
    ) -> PartitionFence | None:
        """Whether that member may commit offsets; it counts as a sign of life.

        Raises KafkaError. What is returned decides partition by partition, where that matters.
        """
        ...

    def check_fetch(self, group: AnyGroup, member_id: str | None, member_epoch: int) -> None:
        """Whether a reader may see the offsets; it may name a member. Raises KafkaError."""
        ...


def kind(of: GroupType) -> Kind:
    """The operations of a kind."""
    found = _KINDS.get(of)
    if found is None:
        module = import_module(f"{__package__}.{MODULES[of]}")
        found = _KINDS[of] = cast(Kind, module.KIND)
    return found


class Decoded(NamedTuple):
    """What a record of a group says; `value` is None for its removal."""

    form: Format
    key: Message
    value: Message | None


def decode(key: Buffer, value: Buffer | None) -> Decoded | None:
    """A record of a group of any kind; None for unknown key types.

    Raises MalformedMessage for a known one that cannot be read, a newer layout included.
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
    """Import all of them, so that a simulated run does not depend on what ran before."""
    for each in MODULES:
        kind(each)


def bury(core: Core, group: AnyGroup) -> None:
    """Delete a group, in memory and in the log."""
    core.outbox.records.extend(kind(group.type).tombstones(group))
    forget(core, group.group_id)


def forget(core: Core, group_id: str) -> None:
    """Drop a group from memory with its timers, if it is there."""
    group = core.drop(group_id)
    if group is not None:
        kind(group.type).forgotten(core, group)
