"""The state that the operations of a shard share: groups, timers and the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from raftka.broker.coordinators.group.any_group import AnyGroup, GroupType
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.pending import PendingOffsets
from raftka.broker.coordinators.outbox import Outbox
from raftka.broker.coordinators.timers import Timers
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.dataclass import dataclass
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue

Offsets = dict[str, dict[str, dict[int, OffsetCommitValue]]]
"""group id -> topic -> partition -> the committed offset"""


@dataclass(slots=True)
class Core:
    """The state of one shard."""

    config: GroupConfig
    new_uuid: Callable[[], str]
    """Returns a new uuid as text, for member ids."""
    groups: dict[str, AnyGroup] = field(default_factory=dict)
    """All groups by name. Use `add` and `drop`."""
    by_type: dict[GroupType, dict[str, AnyGroup]] = field(default_factory=dict)
    offsets: Offsets = field(default_factory=dict)
    pending: PendingOffsets = field(default_factory=PendingOffsets)
    image: MetadataImage = EMPTY_IMAGE
    """The newest metadata; empty while the shard is replayed from its log."""
    topic_hashes: dict[str, int] = field(default_factory=dict)
    """A hash per subscribed topic of everything that assignments depend on."""
    topics_version: int = -1
    """The metadata offset at which a topic was last created or deleted."""
    members: int = 0
    """The number of consumer group members, as of `members_at_s`."""
    members_at_s: float = float("-inf")
    streams_members: int = 0
    """The number of streams group members, as of `streams_members_at_s`."""
    streams_members_at_s: float = float("-inf")
    rules_off: RulesOff = ALL_HOLD
    timers: Timers = field(default_factory=Timers)
    outbox: Outbox = field(default_factory=Outbox)

    def add(self, group: AnyGroup) -> None:
        """Add a group, replacing one of the same name."""
        self.drop(group.group_id)
        self.groups[group.group_id] = group
        self.by_type.setdefault(group.type, {})[group.group_id] = group

    def drop(self, group_id: str) -> AnyGroup | None:
        """Remove and return a group, if it exists. `kinds.forget` also cancels its timers."""
        group = self.groups.pop(group_id, None)
        if group is not None:
            del self.by_type[group.type][group_id]
        return group
