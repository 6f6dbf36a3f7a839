"""Operations on streams groups: records, timers, and commit validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.broker.coordinators.group.any_group import AnyGroup, Committing, GroupType
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import Format, PartitionFence
from raftka.broker.coordinators.group.streams import membership, target
from raftka.broker.coordinators.group.streams.group import StreamsGroup, StreamsMember
from raftka.broker.coordinators.group.streams.log import FORMATS, tombstones
from raftka.broker.coordinators.group.streams.topology import required_topics, source_topics
from raftka.broker.coordinators.outbox import Record, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule

_COMMITS_FROM = 9
"""The lowest version of OffsetCommit that members of this protocol may use."""


class StreamsKind:
    """Implements kinds.Kind."""

    formats: Mapping[int, Format] = FORMATS

    def loaded(self, core: Core, group: AnyGroup, now: Moment) -> None:
        """Give every member a full session, and a full rebalance timeout if it must revoke tasks:
        the log does not hold the time of its last heartbeat."""
        assert isinstance(group, StreamsGroup)
        for member in group.members.values():
            membership.keep_alive(core, group, member, now)
            membership.watch_revocation(core, group, member, now)
        target.follow(core, group, now)
        target.compute(core, group, now)

    def metadata_changed(self, core: Core, delta: MetadataDelta | None, now: Moment) -> None:
        """Assign again if topics were created, deleted or extended."""
        touched = None
        if delta is not None:
            touched = {*delta.topics.changed, *(topic.name for topic in delta.topics.deleted)}
        for group in list(core.by_type[GroupType.STREAMS].values()):
            assert isinstance(group, StreamsGroup)
            if touched is None or not touched.isdisjoint(required_topics(group.topology)):
                group.configured = None
                target.follow(core, group, now)

    def forgotten(self, core: Core, group: AnyGroup) -> None:
        assert isinstance(group, StreamsGroup)
        target.cancel(core, group)
        for member_id in group.members:
            membership.cancel_timers(core, group, member_id)

    def tombstones(self, group: AnyGroup) -> Iterable[Record]:
        assert isinstance(group, StreamsGroup)
        return tombstones(group)

    def waiting(self, group: AnyGroup) -> Iterable[Ticket]:
        """No requests wait: heartbeats are answered at once."""
        return ()

    def check_commit(
        self, core: Core, group: AnyGroup, by: Committing, now: Moment
    ) -> PartitionFence | None:
        """Allow commits by members, in their current epoch; by anyone while there are no members.

        Raises KafkaError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, UNSUPPORTED_VERSION;
        ILLEGAL_GENERATION in transactions.
        """
        assert isinstance(group, StreamsGroup)
        epoch = by.generation_or_epoch
        if epoch < 0 and not group.members:
            return None
        if by.transactional and epoch < 0 and not by.member_id and by.instance_id is None:
            return None
        member = group.member(by.member_id)
        if not by.transactional and by.version < _COMMITS_FROM:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION,
                "OffsetCommit version 9 or above must be used by members using the streams group"
                " protocol",
            )
        if epoch == member.epoch or Rule.MEMBER_EPOCH_FENCES in core.rules_off:
            return None
        refused = ErrorCode.ILLEGAL_GENERATION if by.transactional else ErrorCode.STALE_MEMBER_EPOCH
        if epoch > member.epoch:
            raise KafkaError(
                refused,
                f"Received member epoch {epoch} is newer than current member epoch {member.epoch}.",
            )
        return _fence(group, member, epoch, refused)

    def check_fetch(self, group: AnyGroup, member_id: str | None, member_epoch: int) -> None:
        """Check the reader's epoch. Raises KafkaError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH."""
        assert isinstance(group, StreamsGroup)
        if member_id is None and member_epoch < 0:
            return
        member = group.member(member_id or "")
        if member_epoch != member.epoch:
            raise KafkaError(
                ErrorCode.STALE_MEMBER_EPOCH,
                f"The received member epoch {member_epoch} does not match the expected member"
                f" epoch {member.epoch}.",
            )


def _fence(
    group: StreamsGroup, member: StreamsMember, epoch: int, refused: ErrorCode
) -> PartitionFence:
    """A member that does not know its newer epoch yet may commit for tasks that it has owned since
    its older one (KIP-1251): no other member can have read their partitions since."""
    subtopologies = source_topics(group.topology)

    def check(topic: str, index: int) -> ErrorCode:
        subtopology = subtopologies.get(topic)
        if subtopology is None:
            return refused
        for held in (member.assigned, member.revoking):
            since = held.active.get(subtopology, {}).get(index)
            if since is not None and since <= epoch:
                return ErrorCode.NONE
        return refused

    return check


KIND = StreamsKind()
