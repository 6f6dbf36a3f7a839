"""Automatic commits: at intervals, before partitions are revoked, and on close."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from raftka.client.consumer.group_client import CommitFailed, GroupClient, check_commit
from raftka.client.consumer.state import Assignment, ConsumerRecord
from raftka.client.coordinator import COORDINATOR_MOVED
from raftka.client.given import offset_in, partition_in
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.client.settings import ClientConfig
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.futures import Future
from raftka.net.protocol.messages.offset_commit import OffsetCommitResponse

log = logging.getLogger("raftka.consumer")


class AutoCommit:
    """The consumed positions, and their commits in the background."""

    def __init__(
        self, group: GroupClient | None, assignment: Assignment, config: ClientConfig
    ) -> None:
        self.hold_back: Iterable[ConsumerRecord] = ()
        """Records that were taken but not returned to the caller yet."""
        self.due_at = float("inf")
        """When the next commit of `maybe_send` is due."""
        self._group = group
        self._assignment = assignment
        self._enabled = config.flag("enable.auto.commit") and group is not None
        self._interval_s = config.seconds("auto.commit.interval.ms")
        self._stored: dict[TopicPartition, OffsetAndMetadata] = {}
        self._under_way = False
        if self._enabled:
            self.due_at = 0.0

    def stop(self) -> None:
        """End automatic commits."""
        self._enabled = False
        self.due_at = float("inf")

    def consumed(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """The positions, before any record that was not yet returned to the caller."""
        positions = self._assignment.positions()
        for record in self.hold_back:
            target = TopicPartition(record.topic, record.partition)
            found = positions.get(target)
            if found is not None and record.offset < found.offset:
                positions[target] = OffsetAndMetadata(record.offset, "", record.leader_epoch)
        return positions

    def chosen(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The offsets that a commit of `offsets` stores; for None, everything consumed."""
        if offsets is None:
            return self.consumed()
        return {
            partition_in(target): item
            if isinstance(item, OffsetAndMetadata)
            else OffsetAndMetadata(offset_in(item))
            for target, item in offsets.items()
        }

    def maybe_send(self, now: float) -> None:
        """Commit if the interval is over; never waits."""
        if not self._enabled or now < self.due_at:
            return
        first = self.due_at == 0.0
        self.due_at = now + self._interval_s
        if not first and not self._under_way:
            self.send(self._news())

    async def now(self) -> None:
        """Commit and wait; a failure is only logged, since its records are delivered again.

        Bounded by one request's timeout: this runs while partitions are revoked.
        """
        if not self._enabled or self._group is None:
            return
        news = self._news()
        if not news:
            return
        try:
            cluster = self._group.cluster
            with cluster.clock.within(cluster.request_timeout_s) as waiting:
                await self._group.commit(news)
                self._stored.update(news)
            if waiting.cancelled_caught:
                log.warning("group %s: no commit: no answer in time", self._group.group_id)
        except CommitFailed as error:
            log.warning("group %s: %s", self._group.group_id, error)
        except KafkaError as error:
            log.warning("group %s: no commit: %s", self._group.group_id, error)

    def send(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit without waiting."""
        group = self._group
        channel = group.ready() if group is not None else None
        if group is None or channel is None or not offsets:
            return
        self._under_way = True
        chosen = dict(offsets)

        def handle(future: Future[OffsetCommitResponse]) -> None:
            self._under_way = False
            try:
                check_commit(future.result())
                self._stored.update(chosen)
            except BrokenConnection as error:
                group.lost(str(error))
            except KafkaError as error:
                if error.code in COORDINATOR_MOVED:
                    group.lost(error.code.name)
                log.warning("group %s: no commit: %s", group.group_id, error)

        group.send_commit(channel, chosen).when_done(handle)

    def _news(self) -> dict[TopicPartition, OffsetAndMetadata]:
        return {
            target: item
            for target, item in self.consumed().items()
            if self._stored.get(target) != item
        }
