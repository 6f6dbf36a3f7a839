"""Operations on share groups: replay, sessions after a load, changes of topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.broker.coordinators.group.any_group import AnyGroup, Committing, GroupType
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import Format
from raftka.broker.coordinators.group.share import log
from raftka.broker.coordinators.group.share.group import ShareGroup
from raftka.broker.coordinators.group.share.heartbeat import (
    BeginStates,
    DeleteStates,
    keep_alive,
    refresh,
)
from raftka.broker.coordinators.outbox import Record, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.model.errors import ErrorCode, KafkaError


class ShareKind:
    """Implements kinds.Kind."""

    formats: Mapping[int, Format] = log.FORMATS

    def loaded(self, core: Core, group: AnyGroup, now: Moment) -> None:
        """Give every member a full session, and repeat pending requests for partition state."""
        assert isinstance(group, ShareGroup)
        for member_id in group.members:
            keep_alive(core, group, member_id, now)
        begun = {topic_id: state.partitions for topic_id, state in group.initializing.items()}
        if begun:
            core.outbox.effects.append(BeginStates(group.group_id, group.epoch, begun))
        for topic_id in group.deleting:
            topic = core.image.topic_by_id(topic_id)
            some = frozenset(range(0 if topic is None else len(topic.partitions)))
            core.outbox.effects.append(DeleteStates(group.group_id, {topic_id: some}))
        refresh(core, group, now, is_changed=False)

    def metadata_changed(self, core: Core, delta: MetadataDelta | None, now: Moment) -> None:
        if delta is None or not delta.topics.size:
            return
        for group in list(core.by_type[GroupType.SHARE].values()):
            assert isinstance(group, ShareGroup)
            refresh(core, group, now, is_changed=False)

    def forgotten(self, core: Core, group: AnyGroup) -> None:
        assert isinstance(group, ShareGroup)
        for member_id in group.members:
            core.timers.cancel(("share session", group.group_id, member_id))

    def tombstones(self, group: AnyGroup) -> Iterable[Record]:
        assert isinstance(group, ShareGroup)
        return log.tombstones(group)

    def waiting(self, group: AnyGroup) -> Iterable[Ticket]:
        """No requests wait: heartbeats are answered at once."""
        return ()

    def check_commit(self, core: Core, group: AnyGroup, by: Committing, now: Moment) -> None:
        """Refused: a share group acknowledges records instead."""
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group.group_id} is a share group.")

    def check_fetch(self, group: AnyGroup, member_id: str | None, member_epoch: int) -> None:
        """Refused: a share group has no committed offsets."""
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group.group_id} is a share group.")


KIND = ShareKind()
