"""Operations on consumer groups: records, timers, and commit validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.broker.coordinators.group.any_group import AnyGroup, Committing, GroupType
from raftka.broker.coordinators.group.consumer import membership, target
from raftka.broker.coordinators.group.consumer.group import ConsumerGroup, Member
from raftka.broker.coordinators.group.consumer.heartbeat import resolve_regexes
from raftka.broker.coordinators.group.consumer.log import FORMATS, tombstones
from raftka.broker.coordinators.group.consumer.topics import group_hash, topic_hash
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.kinds import Format, PartitionFence
from raftka.broker.coordinators.outbox import Record, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule

_COMMITS_FROM = 9
"""The lowest version of OffsetCommit that members of this protocol may use."""


class ConsumerKind:
    """Implements kinds.Kind."""

    def __init__(self) -> None:
        self.formats: Mapping[int, Format] = FORMATS

    def loaded(self, core: Core, group: AnyGroup, now: Moment) -> None:
        """Give every member a full session, and a full rebalance timeout if it must revoke
        partitions: the log does not hold the time of its last request."""
        assert isinstance(group, ConsumerGroup)
        for member in group.members.values():
            membership.keep_alive(core, group, member, now)
            membership.watch_revocation(core, group, member, now)
        target.assign(core, group, now)

    def metadata_changed(self, core: Core, delta: MetadataDelta | None, now: Moment) -> None:
        """Assign again if topics were created, deleted, extended or moved to other racks."""
        found = core.by_type.get(GroupType.CONSUMER, {}).values()
        groups = [group for group in found if isinstance(group, ConsumerGroup)]
        if delta is None:
            core.topic_hashes.clear()
            core.topics_version = core.image.offset
            for group in groups:
                _follow(core, group, now)
            return
        changed = _changed_topics(core, delta)
        known = {*delta.topics.changed, *(topic.name for topic in delta.topics.deleted)}
        come_or_gone = {n for n in known if (n in delta.base.topics) != (n in core.image.topics)}
        if come_or_gone:
            core.topics_version = core.image.offset
        for group in groups:
            affected = not changed.isdisjoint(group.subscribed_topics())
            if affected or (come_or_gone and group.used_regexes()):
                _follow(core, group, now)

    def forgotten(self, core: Core, group: AnyGroup) -> None:
        assert isinstance(group, ConsumerGroup)
        core.timers.cancel(("assign", group.group_id))
        for member_id in group.members:
            membership.cancel_timers(core, group, member_id)

    def tombstones(self, group: AnyGroup) -> Iterable[Record]:
        assert isinstance(group, ConsumerGroup)
        return tombstones(group)

    def waiting(self, group: AnyGroup) -> Iterable[Ticket]:
        """No requests wait: heartbeats are answered at once."""
        return ()

    def check_commit(
        self, core: Core, group: AnyGroup, by: Committing, now: Moment
    ) -> PartitionFence | None:
        """Allow commits by members, in their current epoch; by anyone while there are no members.

        Raises KafkaError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, UNSUPPORTED_VERSION;
        ILLEGAL_GENERATION to members of the classic protocol and in transactions.
        """
        assert isinstance(group, ConsumerGroup)
        epoch = by.generation_or_epoch
        if epoch < 0 and not group.members:
            return None
        if by.transactional and epoch < 0 and not by.member_id and by.instance_id is None:
            return None
        member = group.member(by.member_id)
        if not by.transactional and member.says.classic is None and by.version < _COMMITS_FROM:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION,
                "OffsetCommit version 9 or above must be used by members using the modern group"
                " protocol",
            )
        if epoch == member.epoch or Rule.MEMBER_EPOCH_FENCES in core.rules_off:
            return None
        if epoch > member.epoch or member.says.classic is not None or epoch < 0:
            raise _stale(member, epoch, illegal=by.transactional)
        return _fence(core, member, epoch, illegal=by.transactional)

    def check_fetch(self, group: AnyGroup, member_id: str | None, member_epoch: int) -> None:
        """Check the reader's epoch. Raises KafkaError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH."""
        assert isinstance(group, ConsumerGroup)
        if member_id is None and member_epoch < 0:
            return
        member = group.member(member_id or "")
        if member_epoch != member.epoch:
            raise _stale(member, member_epoch, illegal=False)


def _stale(member: Member, epoch: int, *, illegal: bool) -> KafkaError:
    if illegal or member.says.classic is not None:
        return KafkaError(
            ErrorCode.ILLEGAL_GENERATION,
            f"The received generation id {epoch} does not match the expected member epoch"
            f" {member.epoch}.",
        )
    return KafkaError(
        ErrorCode.STALE_MEMBER_EPOCH,
        f"The received member epoch {epoch} does not match the expected member epoch"
        f" {member.epoch}.",
    )


def _fence(core: Core, member: Member, epoch: int, *, illegal: bool) -> PartitionFence:
    """A member that does not know its newer epoch yet may commit partitions that it has owned since
    its older one (KIP-1251): no other member can have read them since."""
    refused = ErrorCode.ILLEGAL_GENERATION if illegal else ErrorCode.STALE_MEMBER_EPOCH

    def check(topic: str, index: int) -> ErrorCode:
        found = core.image.topics.get(topic)
        if found is None:
            return refused
        for owned in (member.assigned, member.revoking):
            since = owned.get(found.topic_id, {}).get(index)
            if since is not None and since <= epoch:
                return ErrorCode.NONE
        return refused

    return check


def _changed_topics(core: Core, delta: MetadataDelta) -> set[str]:
    """The subscribed topics that changed in a way that matters for an assignment.

    Leaders and ISRs change often, and no assignment depends on them.
    """
    known = core.topic_hashes
    looked_at = {*delta.topics.changed, *(topic.name for topic in delta.topics.deleted)}
    if core.image.brokers is not delta.base.brokers and _racks(core.image) != _racks(delta.base):
        looked_at = set(known)
    before = {name: known.pop(name) for name in looked_at if name in known}
    return {name for name, value in before.items() if topic_hash(core, name) != value}


def _racks(image: MetadataImage) -> dict[int, str | None]:
    return {number: broker.rack for number, broker in image.brokers.items()}


def _follow(core: Core, group: ConsumerGroup, now: Moment) -> None:
    """Assign a group again if its topics have changed."""
    if not group.members:
        return
    resolve_regexes(core, group, now)
    if group_hash(core, group) != group.metadata_hash:
        target.bump(core, group, "its topics have changed", now)


KIND = ConsumerKind()
