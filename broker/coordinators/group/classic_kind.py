"""Operations on classic groups: replay, sessions after a load, and commit validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.broker.coordinators.group import rebalance, records
from raftka.broker.coordinators.group.any_group import AnyGroup, Committing
from raftka.broker.coordinators.group.classic_log import restore
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group, GroupState
from raftka.broker.coordinators.group.kinds import Format, forget
from raftka.broker.coordinators.group.sync import check_generation
from raftka.broker.coordinators.outbox import Record, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue


class ClassicKind:
    """Implements kinds.Kind."""

    formats: Mapping[int, Format]

    def __init__(self) -> None:
        self.formats = {2: Format(GroupMetadataKey, GroupMetadataValue, _replay)}

    def loaded(self, core: Core, group: AnyGroup, now: Moment) -> None:
        """Give every member a full session: the log does not hold the time of its last request."""
        assert isinstance(group, Group)
        for member in group.members.values():
            rebalance.keep_alive(core, group, member, now)
        if len(group.members) > core.config.max_size:
            rebalance.prepare(core, group, "it is larger than group.max.size", now)

    def metadata_changed(self, core: Core, delta: MetadataDelta | None, now: Moment) -> None:
        """Do nothing: the leaders of classic groups watch topics themselves."""

    def forgotten(self, core: Core, group: AnyGroup) -> None:
        assert isinstance(group, Group)
        core.timers.cancel(("join", group.group_id))
        core.timers.cancel(("sync", group.group_id))
        for member_id in [*group.members, *group.pending_joins]:
            core.timers.cancel(("session", group.group_id, member_id))

    def tombstones(self, group: AnyGroup) -> Iterable[Record]:
        yield records.group_key(group.group_id), None

    def waiting(self, group: AnyGroup) -> Iterable[Ticket]:
        assert isinstance(group, Group)
        for member in group.members.values():
            for ticket in (member.join_ticket, member.sync_ticket):
                if ticket is not None:
                    yield ticket

    def check_commit(self, core: Core, group: AnyGroup, by: Committing, now: Moment) -> None:
        """Allow commits by members of this generation, and by anyone while there are no members."""
        assert isinstance(group, Group)
        no_generation = by.generation_or_epoch < 0
        if no_generation and group.state is GroupState.EMPTY:
            # An admin client, or a consumer with manually assigned partitions.
            return
        if no_generation and not by.member_id and by.instance_id is None:
            if by.transactional:
                # Versions before 3 do not name a member (KIP-447).
                return
            raise KafkaError(
                ErrorCode.UNKNOWN_MEMBER_ID,
                f"group {group.group_id!r} has members: only they may commit",
            )
        member = group.validate_member(by.member_id, by.instance_id)
        check_generation(group, by.generation_or_epoch)
        if by.transactional:
            return
        if group.state is GroupState.COMPLETING_REBALANCE:
            # The member knows the new generation, but not its own assignment in it.
            raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
        rebalance.keep_alive(core, group, member, now)

    def check_fetch(self, group: AnyGroup, member_id: str | None, member_epoch: int) -> None:
        """Allow every reader: member ids and epochs do not apply to classic groups."""


def _replay(core: Core, key: GroupMetadataKey, value: GroupMetadataValue | None) -> None:
    if value is None:
        # The group may have changed its type, and records of the new type have been replayed.
        if isinstance(core.groups.get(key.group), Group):
            forget(core, key.group)
    else:
        core.add(restore(key.group, value))


KIND = ClassicKind()
