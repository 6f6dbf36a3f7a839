"""Share groups as seen on the wire: deliveries by brokers and acknowledgements by members.

A record is delivered when the leader sends its answer to ShareFetch; an acknowledgement counts when
the leader sends its confirmation. Answers of a broker that is no longer the leader in the committed
metadata are only counted: it does not know its successor yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import trio

from raftka.broker.share.key import SharePartitionKey
from raftka.client.share.acknowledgements import GAP, AcknowledgeType
from raftka.model.ids import TopicPartition
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.shares import ShareChecker, Where
from raftka.simulations.machines.stream import Flow
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.partition_log import Key, ReplicaMirror
from raftka.simulations.observers.share_states import Epochs
from raftka.simulations.violation import About, Report

_SLOWEST: Final = 0.94
"""The factor by which the fastest clock shortens a lock."""
_LAST_EPOCH: Final = -1
_FIRST_EPOCH: Final = 0
_DONE: Final = (AcknowledgeType.ACCEPT, AcknowledgeType.REJECT)


class ShareGroups:
    """Checks deliveries and acknowledgements of all share groups of a run."""

    def __init__(
        self,
        watched: Watched,
        report: Report,
        *,
        limit: int,
        lock_s: float,
        topic_name: Callable[[bytes], str | None],
        leader: Callable[[Key], tuple[str, int] | None],
        is_excused: Callable[[Key], bool],
        was_deleted: Callable[[Key, int], bool],
    ) -> None:
        """`limit` and `lock_s` are the brokers' settings. `leader`: a partition's host and leader
        epoch in the committed metadata. `is_excused`: whether its records, or the coordinators'
        state of it, may be lost with their disks. `was_deleted`: whether the log may begin after a
        record; its leader then accepts any acknowledgement. Cleaning is no excuse: a record that a
        member has acquired stays acquired.
        """
        self.looks = Looks()
        self._watched = watched
        self._report = report
        self._limit = limit
        self._lock_s = lock_s * _SLOWEST
        self._topic_name = topic_name
        self._leader = leader
        self._is_excused = is_excused
        self._was_deleted = was_deleted
        self._groups: dict[str, ShareChecker] = {}
        self._asked_s: dict[int, tuple[Any, float]] = {}
        """Requests in flight, and when they were sent."""
        for api in ("ShareFetch", "ShareAcknowledge"):
            watched.request(api, self._sent)
        watched.answer("ShareFetch", self._fetched)
        watched.answer("ShareAcknowledge", self._acknowledged)
        for api in ("AlterShareGroupOffsets", "DeleteShareGroupOffsets"):
            # The administrator's change may take effect, and records come again, until the answer.
            watched.request(api, self._moved)
            watched.answer(api, self._moved)

    def of(self, group: str) -> ShareChecker:
        """The checker of one group."""
        found = self._groups.get(group)
        if found is None:
            told = partial(self._tell, group)
            found = ShareChecker(self._limit, self._lock_s, told, self.looks)
            self._groups[group] = found
        return found

    def state_follows(
        self, replica: ReplicaMirror, offset: int, key: SharePartitionKey, old: Epochs, new: Epochs
    ) -> None:
        """A state of a share-partition comes after another one in a coordinator's log."""
        self.looks.at("share-state-of-a-former-leader")
        if new < old:
            self._report(
                "share-state-of-a-former-leader",
                f"{replica.host} writes a state of {key} at offset {offset} of {replica.name} that"
                f" a leader of epoch {new.leader_epoch} has sent (state epoch {new.state_epoch}),"
                f" after one of epoch {old.leader_epoch} (state epoch {old.state_epoch})",
                about=About(replica.key, offset, node=replica.host, group=key.group_id),
            )

    def _moved(self, client: str, server: str, request: Any, response: Any = None) -> None:
        self.of(request.group_id).forget()

    def _tell(self, group: str, name: str, story: str) -> None:
        self._report(name, f"in share group {group} {story}", about=About(group=group))

    def _said(self, request: Any) -> Iterator[tuple[Where, int]]:
        """The acknowledgements of a request, record by record."""
        for topic in request.topics:
            name = self._topic_name(bytes(topic.topic_id))
            if name is None:
                continue
            for part in topic.partitions:
                target = TopicPartition(name, part.partition_index)
                for batch in part.acknowledgement_batches:
                    kinds, first = batch.acknowledge_types, batch.first_offset
                    for offset in range(first, batch.last_offset + 1):
                        kind = kinds[0] if len(kinds) == 1 else kinds[offset - first]
                        yield Where(target, offset), kind

    def _sent(self, client: str, server: str, request: Any) -> None:
        self._asked_s[id(request)] = (request, trio.current_time())
        checker = self.of(request.group_id)
        if request.share_session_epoch in (_FIRST_EPOCH, _LAST_EPOCH):
            checker.all_let_go(request.member_id)
        for where, kind in self._said(request):
            if kind == GAP or kind in _DONE:
                checker.said(request.member_id, where)
            if kind in _DONE:
                checker.in_doubt(where, is_rejected=kind == AcknowledgeType.REJECT)
            elif kind == AcknowledgeType.RELEASE:
                checker.let_go(request.member_id, where)

    def _judge(self, server: str, target: TopicPartition) -> int | None:
        """The leader epoch if this server leads and the partition is not excused."""
        found = self._leader(target)
        if found is None or found[0] != server or self._is_excused(target):
            return None
        return found[1]

    def _fetched(self, client: str, server: str, request: Any, response: Any) -> None:
        _, asked_s = self._asked_s.pop(id(request))
        now_s = trio.current_time()
        if response.error_code:
            return
        checker, is_connected = self.of(request.group_id), _connected(self._watched.flow)
        refused: set[TopicPartition] = set()
        for topic in response.responses:
            name = self._topic_name(bytes(topic.topic_id))
            for part in topic.partitions if name is not None else ():
                assert name is not None
                target = TopicPartition(name, part.partition_index)
                if part.acknowledge_error_code:
                    refused.add(target)
                epoch = self._judge(server, target)
                for run in part.acquired_records:
                    for offset in range(run.first_offset, run.last_offset + 1):
                        where = Where(target, offset)
                        if epoch is None:
                            # The coordinator wrote this before it learned of its successor.
                            checker.counted(where, run.delivery_count)
                            continue
                        checker.delivered(
                            *(request.member_id, where, run.delivery_count, epoch),
                            *(asked_s, now_s, is_connected),
                        )
        self._counts(server, request, asked_s, refused)

    def _acknowledged(self, client: str, server: str, request: Any, response: Any) -> None:
        _, asked_s = self._asked_s.pop(id(request))
        if response.error_code:
            return
        refused = {
            TopicPartition(self._topic_name(bytes(topic.topic_id)) or "", part.partition_index)
            for topic in response.responses
            for part in topic.partitions
            if part.error_code
        }
        self._counts(server, request, asked_s, refused)

    def _counts(
        self, server: str, request: Any, asked_s: float, refused: set[TopicPartition]
    ) -> None:
        """The acknowledgements of a request count, except for these partitions."""
        checker = self.of(request.group_id)
        for where, kind in self._said(request):
            if where.partition in refused:
                continue
            if kind == AcknowledgeType.RENEW:
                checker.renewed(request.member_id, where, asked_s)
            elif kind in _DONE:
                epoch = self._judge(server, where.partition)
                if epoch is None or self._was_deleted(*where):
                    epoch = -1
                checker.acknowledged(
                    where,
                    trio.current_time(),
                    member=request.member_id,
                    said_s=asked_s,
                    epoch=epoch,
                    is_rejected=kind == AcknowledgeType.REJECT,
                )


def _connected(flow: Flow | None) -> Callable[[], bool]:
    return lambda: flow is not None and flow.is_open
