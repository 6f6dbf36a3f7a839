"""The consumer: reads partitions, alone or as a member of a group.

    async with Consumer({"bootstrap.servers": "localhost:9092", "group.id": "g"}) as consumer:
        consumer.subscribe(["topic"])
        async for record in consumer:
            ...

One task uses a consumer. Partitions and positions change only within `poll` (and iteration, which
polls); only heartbeats run in the background.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping

import trio

from raftka.client.config import consumer_config
from raftka.client.consumer.commits import AutoCommit
from raftka.client.consumer.fetcher import Fetcher
from raftka.client.consumer.group_client import GroupClient, RebalanceInProgress
from raftka.client.consumer.listener import RebalanceListener
from raftka.client.consumer.lookups import Lookups, no_answer
from raftka.client.consumer.member import GroupMember, SubscriptionPattern
from raftka.client.consumer.membership import LEAVE_S
from raftka.client.consumer.offsets import OffsetAndTimestamp
from raftka.client.consumer.poll_loop import Reading
from raftka.client.consumer.polled import Polled
from raftka.client.consumer.positions import Positions
from raftka.client.consumer.protocols import begin_membership, subscribe_by
from raftka.client.consumer.state import Assignment, ConsumerRecord, reset_policy
from raftka.client.given import names_in, offset_in, partition_in, partitions_in
from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.client.opening import LAST_WORDS_S, Client
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.offset_specs import EARLIEST, LATEST
from raftka.model.ports import BrokenConnection, Clock, Dice, Network

log = logging.getLogger("raftka.consumer")

_POLL_S = 1.0
_CLOSE_S = 30.0
_RECORDS_PER_CHECKPOINT = 50


class Consumer(Client):
    """Reads records. Only one task at a time may use it."""

    def __init__(
        self,
        config: Mapping[str, object],
        *,
        network: Network | None = None,
        clock: Clock | None = None,
        dice: Dice | None = None,
    ) -> None:
        """`config`: Kafka's consumer settings. Raises ConfigError."""
        settings = consumer_config(config)
        super().__init__(settings, network, clock, dice)
        reset = reset_policy(settings.text("auto.offset.reset"))
        committed_only = settings.text("isolation.level") == "read_committed"
        self._api_timeout_s = settings.seconds("default.api.timeout.ms")
        self._lookups = Lookups(self._cluster, self._api_timeout_s, committed_only=committed_only)
        self._limit = settings.number("max.poll.records")
        self._assignment = Assignment(committed_only=committed_only)
        group_id = settings.optional_text("group.id")
        self._group = GroupClient(self._cluster, group_id) if group_id is not None else None
        self._commits = AutoCommit(self._group, self._assignment, settings)
        self._reading = Reading(
            self._cluster,
            self._assignment,
            Fetcher(self._cluster, self._assignment, settings, reset),
            Positions(self._cluster, self._assignment, self._group, reset, committed_only),
            self._commits,
        )
        self._membership: GroupMember | None = None
        self._pattern: re.Pattern[str] | None = None
        self._manual = self._subscribed = False
        self.polled = Polled()
        self._caller_works = False
        """Whether the caller may still process the last returned records."""
        # Records that iteration has polled but not yielded yet count as not consumed.
        self._commits.hold_back = self.polled
        self._cluster.on_change = self._layout_changed

    # Subscription

    def subscribe(
        self,
        topics: Iterable[str] | str | re.Pattern[str] | SubscriptionPattern,
        listener: RebalanceListener | None = None,
    ) -> None:
        """Read a share of these topics as a member of the group.

        A compiled pattern, or a SubscriptionPattern for the coordinator (group.protocol=consumer),
        stands for all topics whose whole name it matches, now or later.
        Takes effect with the next poll. Raises KafkaError without a group.id.
        """
        if self._manual:
            raise _mixed()
        names: list[str] = []
        if not isinstance(topics, SubscriptionPattern | re.Pattern):
            names = names_in([topics] if isinstance(topics, str) else topics, "topics")
        membership = self._member()
        membership.listener = listener
        self._subscribed = True
        self._pattern = topics if isinstance(topics, re.Pattern) else None
        if isinstance(topics, SubscriptionPattern):
            subscribe_by(membership, topics)
            self._cluster.follow_all()
            return
        if self._pattern is not None:
            self._cluster.follow_all()
            self._match_pattern()
            return
        self._cluster.follow_only(
            names, allow_creation=self._config.flag("allow.auto.create.topics")
        )
        membership.subscribe(names)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these partitions, without a group's help."""
        if self._subscribed:
            raise _mixed()
        self._manual = True
        wanted = partitions_in(partitions)
        self._assignment.replace(wanted)
        self._cluster.follow_only(
            {target.topic for target in wanted},
            allow_creation=self._config.flag("allow.auto.create.topics"),
        )

    async def unsubscribe(self) -> None:
        """Stop reading; a member leaves its group."""
        if self._membership is not None:
            await self._membership.revoke_all()
            await self._membership.leave("the consumer unsubscribed from all topics")
            self._membership.topics = frozenset()
        self._assignment.replace([])
        self._subscribed = self._manual = False
        self._pattern = None

    @property
    def assignment(self) -> list[TopicPartition]:
        """The partitions that are read now."""
        return self._assignment.partitions

    @property
    def subscription(self) -> frozenset[str]:
        """The topics whose partitions the group assigns to its members."""
        return self._membership.topics if self._membership is not None else frozenset()

    # Reading

    async def poll(
        self, timeout_s: float = _POLL_S, *, max_records: int | None = None
    ) -> list[ConsumerRecord]:
        """The next records, as soon as there are any; none when the timeout is over.

        Raises KafkaError that is not retriable, LogTruncated, NoOffset.
        """
        if not self._subscribed and not self._manual:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, "the consumer reads nothing: subscribe or assign first"
            )
        self._caller_works = False
        if self.polled:
            self._caller_works = True
            return self.polled.take(max_records or self._limit)
        if self._membership is not None:
            self._membership.polling(True)
        try:
            records = await self._reading.next_records(
                max_records or self._limit, self._membership, max(0.0, timeout_s)
            )
        finally:
            if self._membership is not None:
                self._membership.polling(False)
        self._caller_works = bool(records)
        return records

    def __aiter__(self) -> AsyncIterator[ConsumerRecord]:
        """Every record from the current positions on, endlessly."""
        return self

    async def __anext__(self) -> ConsumerRecord:
        self._caller_works = False
        if self.polled:
            # While many records are buffered, yield to other tasks now and then, not for each
            # record.
            if len(self.polled) % _RECORDS_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()
        else:
            while not (records := await self.poll()):
                continue
            self.polled.extend(records)
        self._caller_works = True
        return self.polled.next()

    # Positions

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at `offset`."""
        self._assignment.seek(partition_in(partition), offset_in(offset))
        self.polled.drop(partition)

    def seek_to_beginning(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """Continue at the start; all assigned partitions when none are given."""
        self._reset(partitions, EARLIEST)

    def seek_to_end(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """Read only records that come from now on; all assigned partitions when none are given."""
        self._reset(partitions, LATEST)

    async def position(self, partition: TopicPartition) -> int:
        """The offset of the next record. Raises KafkaError when it cannot be found in time."""
        target = partition_in(partition)
        with self._clock.within(self._api_timeout_s):
            while (found := self._assignment.state(target).position) is None:
                await self._reading.step()
            return self.polled.start(target, found.offset)
        raise no_answer(self._cluster, f"the position in {target}", self._api_timeout_s)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch and return nothing from these until `resume`."""
        for target in partitions:
            self._assignment.state(target).paused = True

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """End the pause; has no effect on partitions that are not paused."""
        for target in partitions:
            self._assignment.state(target).paused = False

    @property
    def paused(self) -> list[TopicPartition]:
        """The assigned partitions that `pause` was called for."""
        return [state.target for state in self._assignment.states if state.paused]

    def high_watermark(self, partition: TopicPartition) -> int:
        """The high watermark, as of the last response; -1 before the first."""
        return self._assignment.state(partition).high_watermark

    def lag(self, partition: TopicPartition) -> int | None:
        """How many offsets lie between the next record and the end of what may be read.

        That end is the high watermark, or the last stable offset (isolation.level =
        read_committed), as of the last answer; None before the first.
        """
        behind = self._assignment.lag(partition_in(partition))
        return None if behind is None else behind + self.polled.count(partition)

    # Commits

    async def commit(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None
    ) -> None:
        """Store the positions of all partitions, or `offsets`, for the group.

        Raises KafkaError: RebalanceInProgress when a poll must come first, CommitFailed when the
        group rebalanced without this member.
        """
        group = self._require_group()
        if self._membership is not None and self._membership.joining:
            raise RebalanceInProgress
        chosen = self._commits.chosen(offsets)
        if not chosen:
            await trio.lowlevel.checkpoint()
            return
        with self._clock.within(self._api_timeout_s):
            await group.commit(chosen)
            return
        raise no_answer(self._cluster, "the commit", self._api_timeout_s)

    def commit_soon(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None
    ) -> None:
        """Store positions without waiting; a failure is only logged."""
        self._require_group()
        if self._membership is not None and self._membership.joining:
            log.warning("no commit: %s", RebalanceInProgress())
            return
        self._commits.send(self._commits.chosen(offsets))

    async def committed(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The group's committed offsets; partitions without a commit are left out."""
        return await self._lookups.committed(self._require_group(), partitions)

    def group_metadata(self) -> GroupMetadata:
        """The consumer's membership, for `Producer.send_offsets_to_transaction`. Read it after the
        poll whose records are processed: the coordinator refuses the offsets of a member that has
        lost its partitions since then (KIP-447).
        """
        return self._require_group().metadata

    # Lookups: each may take default.api.timeout.ms, whether the partition is assigned or not

    async def offsets_for_times(
        self, timestamps_ms: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record at or after each timestamp; None where there is none."""
        return await self._lookups.offsets_for_times(timestamps_ms)

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """The log start offset of each partition."""
        return await self._lookups.beginning_offsets(partitions)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record will get (or the last stable one, read_committed)."""
        return await self._lookups.end_offsets(partitions)

    async def partitions_for(self, topic: str) -> list[TopicPartition]:
        """All partitions of a topic. Raises KafkaError when the topic does not exist."""
        return await self._lookups.partitions_for(topic)

    # Ending

    async def close(self) -> None:
        """Commit if that is automatic, revoke the partitions, and leave the group.

        Takes _CLOSE_S at most, plus the time to leave. Leaving `async with` calls it. When the body
        is cancelled or fails, closing takes LAST_WORDS_S at most, and commits only if the caller
        processes no record; a record in progress is delivered again.
        """
        await self._end(_CLOSE_S, LEAVE_S)

    async def _say_last_words(self) -> None:
        if self._caller_works:
            self._commits.stop()
        # The member leaves even if the offsets cannot be committed in time.
        await self._end(0.5 * LAST_WORDS_S, 0.4 * LAST_WORDS_S)

    async def _end(self, hand_over_s: float, leave_s: float) -> None:
        try:
            with self._clock.within(hand_over_s):
                if self._membership is not None:
                    await self._membership.revoke_all()
                else:
                    await self._commits.now()
        except (KafkaError, BrokenConnection) as error:
            log.warning("closing: %s", error)
        finally:
            self._subscribed = self._manual = False
            if self._membership is not None:
                await self._membership.leave("the consumer is being closed", leave_s)

    def _start(self, nursery: trio.Nursery) -> None:
        self._reading.start(nursery)

    def _reset(self, partitions: Iterable[TopicPartition], timestamp: int) -> None:
        for target in list(partitions) or self._assignment.partitions:
            self.polled.drop(target)
            self._assignment.reset(partition_in(target), timestamp)

    # The group

    def _member(self) -> GroupMember:
        if self._membership is None:
            self._membership = begin_membership(
                self._cluster,
                self._require_group(),
                self._assignment,
                self._config,
                self._commits.now,
                self._reading.news,
                self.tasks,
            )
        return self._membership

    def _require_group(self) -> GroupClient:
        if self._group is None:
            raise KafkaError(
                ErrorCode.INVALID_GROUP_ID, "this needs a group: set group.id in the configuration"
            )
        return self._group

    def _layout_changed(self) -> None:
        if self._pattern is not None:
            self._match_pattern()
        self._reading.layout_changed()

    def _match_pattern(self) -> None:
        assert self._pattern is not None and self._membership is not None
        hide_internal = self._config.flag("exclude.internal.topics")
        self._membership.subscribe(
            name
            for name, view in sorted(self._cluster.view.topics.items())
            if self._pattern.fullmatch(name) and not (hide_internal and view.internal)
        )


def _mixed() -> KafkaError:
    words = "a consumer either subscribes to topics or is assigned partitions, not both"
    return KafkaError(ErrorCode.INVALID_REQUEST, words)
