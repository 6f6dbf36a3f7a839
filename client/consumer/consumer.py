"""The consumer: reads partitions, alone or as a member of a group.

    async with Consumer({"bootstrap.servers": "localhost:9092", "group.id": "g"}) as consumer:
        consumer.subscribe(["topic"])
        async for record in consumer:
            ...

One task uses a consumer. Everything that moves partitions or positions happens within `poll` (and
iteration, which polls); only heartbeats go on beside it.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping

import trio

from client.config import consumer_config
from client.consumer.commits import AutoCommit
from client.consumer.fetcher import LANE, Fetcher
from client.consumer.group_client import GroupClient, RebalanceInProgress
from client.consumer.heartbeats import keep_alive
from client.consumer.membership import Membership, RebalanceListener
from client.consumer.offsets import OffsetAndTimestamp, list_offsets_for
from client.consumer.positions import Positions
from client.consumer.state import (
    EARLIEST,
    LATEST,
    Assignment,
    ConsumerRecord,
    OffsetAndMetadata,
    reset_policy,
)
from client.opening import Client
from model.errors import ErrorCode, KafkaError
from model.ids import TopicPartition
from model.world import BrokenConnection, Clock, Dice, Network

log = logging.getLogger("raftka.consumer")

_POLL_S = 1.0
_CLOSE_S = 30.0
_RECORDS_PER_CHECKPOINT = 50


class Consumer(Client):
    """Reads records. To be used by one task at a time."""

    def __init__(
        self,
        config: Mapping[str, object],
        *,
        network: Network | None = None,
        clock: Clock | None = None,
        dice: Dice | None = None,
    ) -> None:
        """`config`: Kafka's consumer settings. Raises ConfigError."""
        super().__init__(consumer_config(config), network, clock, dice)
        settings = self._config
        reset = reset_policy(settings.text("auto.offset.reset"))
        committed_only = settings.text("isolation.level") == "read_committed"
        self._committed_only = committed_only
        self._limit = settings.number("max.poll.records")
        self._api_timeout_s = settings.seconds("default.api.timeout.ms")
        self._assignment = Assignment()
        self._fetcher = Fetcher(self._cluster, self._assignment, settings, reset)
        group_id = settings.optional_text("group.id")
        self._group = GroupClient(self._cluster, group_id) if group_id is not None else None
        self._positions = Positions(
            self._cluster, self._assignment, self._group, reset, committed_only
        )
        self._commits = AutoCommit(self._group, self._assignment, settings)
        self._membership: Membership | None = None
        self._pattern: re.Pattern[str] | None = None
        self._manual = False
        self._subscribed = False
        self._connecting: set[int] = set()
        self._polled: deque[ConsumerRecord] = deque()
        # What iteration has polled but not handed out yet counts as not consumed.
        self._commits.hold_back = self._polled
        self._finding = False
        self._found_out: KafkaError | None = None
        self._cluster.on_change = self._layout_changed

    # What to read

    def subscribe(
        self,
        topics: Iterable[str] | str | re.Pattern[str],
        listener: RebalanceListener | None = None,
    ) -> None:
        """Read a share of these topics as a member of the group.

        A compiled pattern stands for all topics whose whole name it matches, now or later.
        Takes effect with the next poll. Raises KafkaError without a group.id.
        """
        if self._manual:
            raise _mixed()
        membership = self._member()
        membership.listener = listener
        self._subscribed = True
        if isinstance(topics, re.Pattern):
            self._pattern = topics
            self._cluster.follow_all()
            self._match_pattern()
            return
        names = [topics] if isinstance(topics, str) else list(topics)
        self._pattern = None
        self._cluster.follow_only(
            names, allow_creation=self._config.flag("allow.auto.create.topics")
        )
        membership.subscribe(names)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these partitions, without a group's help."""
        if self._subscribed:
            raise _mixed()
        self._manual = True
        wanted = [TopicPartition(*target) for target in partitions]
        self._assignment.replace(wanted)
        self._cluster.follow_only(
            {target.topic for target in wanted},
            allow_creation=self._config.flag("allow.auto.create.topics"),
        )

    async def unsubscribe(self) -> None:
        """Read nothing any more; a member leaves its group."""
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
        """The topics whose partitions the group shares out to this member."""
        return self._membership.topics if self._membership is not None else frozenset()

    # Reading

    async def poll(
        self, timeout_s: float = _POLL_S, *, max_records: int | None = None
    ) -> list[ConsumerRecord]:
        """The next records, as soon as there are any; none when the time is over.

        Raises KafkaError for what no retry cures, and LogTruncated, NoOffset.
        """
        if not self._subscribed and not self._manual:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, "the consumer reads nothing: subscribe or assign first"
            )
        if self._polled:
            return self._take_polled(max_records or self._limit)
        if self._membership is not None:
            self._membership.polling(True)
        try:
            with trio.move_on_after(max(0.0, timeout_s)):
                return await self._next_records(max_records or self._limit)
            await trio.lowlevel.checkpoint()
            return []
        finally:
            if self._membership is not None:
                self._membership.polling(False)

    def __aiter__(self) -> AsyncIterator[ConsumerRecord]:
        """Every record from here on, without an end."""
        return self

    async def __anext__(self) -> ConsumerRecord:
        if self._polled:
            # Many records are at hand: let other tasks go on now and then, not each time.
            if len(self._polled) % _RECORDS_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()
            return self._polled.popleft()
        while not (records := await self.poll()):
            continue
        self._polled.extend(records)
        return self._polled.popleft()

    # Positions

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from `offset`."""
        self._drop_polled(partition)
        self._assignment.seek(TopicPartition(*partition), offset)

    def seek_to_beginning(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """Read on from the start; all assigned partitions when none are named."""
        self._reset(partitions, EARLIEST)

    def seek_to_end(self, partitions: Iterable[TopicPartition] = ()) -> None:
        """Read only what comes from now on; all assigned partitions when none are named."""
        self._reset(partitions, LATEST)

    async def position(self, partition: TopicPartition) -> int:
        """The offset of the next record. Raises KafkaError when it cannot be found out in time."""
        target = TopicPartition(*partition)
        with trio.move_on_after(self._api_timeout_s):
            while (found := self._assignment.state(target).position) is None:
                self._find_positions()
                self._raise_failures()
                await self._fetcher.news.wait(self._pause())
            held = [r.offset for r in self._polled if (r.topic, r.partition) == target]
            return min([found.offset, *held])
        raise self._late(f"the position in {target}")

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Fetch and return nothing of these until `resume`."""
        for target in partitions:
            self._assignment.state(target).paused = True

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        for target in partitions:
            self._assignment.state(target).paused = False

    @property
    def paused(self) -> list[TopicPartition]:
        return [state.target for state in self._assignment.states if state.paused]

    def high_watermark(self, partition: TopicPartition) -> int:
        """The end of what may be read, as of the last answer; -1 before the first."""
        return self._assignment.state(partition).high_watermark

    # Commits

    async def commit(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None
    ) -> None:
        """Store the positions of all partitions, or `offsets`, for the group.

        Raises KafkaError: RebalanceInProgress when a poll must come first, CommitFailed when the
        group went on without this member.
        """
        group = self._require_group()
        if self._membership is not None and self._membership.joining:
            raise RebalanceInProgress
        chosen = self._commits.consumed() if offsets is None else _with_metadata(offsets)
        if not chosen:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(self._api_timeout_s):
            await group.commit(chosen)
            return
        raise self._late("the commit")

    def commit_soon(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None
    ) -> None:
        """Store positions without waiting; a failure is only logged."""
        self._require_group()
        if self._membership is not None and self._membership.joining:
            log.warning("no commit: %s", RebalanceInProgress())
            return
        self._commits.send(self._commits.consumed() if offsets is None else _with_metadata(offsets))

    async def committed(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the group has committed; partitions without a commit are left out."""
        group = self._require_group()
        with trio.move_on_after(self._api_timeout_s):
            return await group.committed([TopicPartition(*target) for target in partitions])
        raise self._late("the committed offsets")

    # Questions

    async def offsets_for_times(
        self, timestamps_ms: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record at or after each timestamp; None where there is none."""
        answers = await self._list_offsets(timestamps_ms)
        return {t: found if found.offset >= 0 else None for t, found in answers.items()}

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        answers = await self._list_offsets(dict.fromkeys(partitions, EARLIEST))
        return {target: found.offset for target, found in answers.items()}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record will get (or the last stable one, read_committed)."""
        answers = await self._list_offsets(dict.fromkeys(partitions, LATEST))
        return {target: found.offset for target, found in answers.items()}

    async def partitions_for(self, topic: str) -> list[TopicPartition]:
        """All partitions of a topic. Raises KafkaError when it is not there."""
        self._cluster.follow([topic], allow_creation=False)
        with trio.move_on_after(self._api_timeout_s):
            while True:
                view = self._cluster.view
                if topic in view.topics:
                    return [TopicPartition(topic, index) for index in view.topics[topic].partitions]
                if topic in view.errors:
                    raise KafkaError(ErrorCode(view.errors[topic]), f"no topic {topic}")
                await self._cluster.refreshed(view.version)
        raise self._late(f"the layout of {topic}")

    # Ending

    async def close(self) -> None:
        """Commit if that is automatic, give up the partitions, and leave the group."""
        with trio.move_on_after(_CLOSE_S):
            try:
                if self._membership is not None:
                    await self._membership.revoke_all()
                    await self._membership.leave("the consumer is being closed")
                else:
                    await self._commits.now()
            except (KafkaError, BrokenConnection) as error:
                log.warning("closing: %s", error)
        self._subscribed = self._manual = False

    def _start(self, nursery: trio.Nursery) -> None:
        self._tasks = nursery

    # How a poll goes

    async def _next_records(self, limit: int) -> list[ConsumerRecord]:
        while True:
            if self._membership is not None:
                await self._membership.ensure_active()
            self._find_positions()
            self._commits.maybe_send(self._clock.monotonic())
            self._raise_failures()
            records = self._fetcher.take(limit)
            self._send_fetches()
            if records:
                # Not to be lost to a timeout that is over by now.
                await trio.lowlevel.cancel_shielded_checkpoint()
                return records
            await self._fetcher.news.wait(self._pause())

    def _pause(self) -> float | None:
        """How long there is nothing to do but wait for answers."""
        now = self._clock.monotonic()
        moments = [self._commits.due_at]
        moments += [state.retry_at for state in self._assignment.states if state.retry_at > now]
        if not self._finding and not self._positions.complete:
            moments.append(self._positions.retry_at)
        first = min(moments)
        return None if first == float("inf") else max(0.0, first - now)

    def _find_positions(self) -> None:
        """Look for missing positions in a task of its own: a short poll must not undo the work."""
        if self._finding or self._positions.complete:
            return
        if self._positions.retry_at <= self._clock.monotonic():
            self._finding = True
            self._tasks.start_soon(self._update_positions)

    async def _update_positions(self) -> None:
        try:
            await self._positions.update()
        except KafkaError as error:
            self._found_out = error
        finally:
            self._finding = False
            self._fetcher.news.set()

    def _send_fetches(self) -> None:
        wanted: set[int] = set()
        self._fetcher.send(wanted)
        for node in sorted(wanted - self._connecting):
            self._connecting.add(node)
            self._tasks.start_soon(self._connect, node)

    async def _connect(self, node: int) -> None:
        self._fetcher.forget(node)
        try:
            await self._cluster.channel_to(node, LANE)
        except BrokenConnection as error:
            log.info("broker %d cannot be reached: %s", node, error)
        finally:
            self._connecting.discard(node)
            self._fetcher.news.set()

    def _raise_failures(self) -> None:
        failures = self._fetcher.failures
        if self._found_out is not None:
            found_out, self._found_out = self._found_out, None
            raise found_out
        while failures:
            _, error = failures.popitem()
            raise error

    def _take_polled(self, limit: int) -> list[ConsumerRecord]:
        count = min(limit, len(self._polled))
        return [self._polled.popleft() for _ in range(count)]

    def _drop_polled(self, target: TopicPartition) -> None:
        kept = [r for r in self._polled if (r.topic, r.partition) != tuple(target)]
        self._polled.clear()
        self._polled.extend(kept)

    def _reset(self, partitions: Iterable[TopicPartition], timestamp: int) -> None:
        for target in list(partitions) or self._assignment.partitions:
            self._drop_polled(target)
            self._assignment.reset(TopicPartition(*target), timestamp)

    async def _list_offsets(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp]:
        wanted = {TopicPartition(*target): when for target, when in timestamps.items()}
        answers = await list_offsets_for(
            self._cluster, wanted, self._api_timeout_s, committed_only=self._committed_only
        )
        found: dict[TopicPartition, OffsetAndTimestamp] = {}
        for target, answer in answers.items():
            if isinstance(answer, KafkaError):
                raise answer
            found[target] = answer
        return found

    # The group

    def _member(self) -> Membership:
        if self._membership is None:
            self._membership = Membership(
                self._cluster,
                self._require_group(),
                self._assignment,
                self._config,
                self._commits.now,
                self._fetcher.news,
            )
            self._tasks.start_soon(
                keep_alive, self._cluster, self._require_group(), self._membership, self._config
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
        self._fetcher.news.set()

    def _match_pattern(self) -> None:
        assert self._pattern is not None and self._membership is not None
        hide_internal = self._config.flag("exclude.internal.topics")
        self._membership.subscribe(
            name
            for name, view in sorted(self._cluster.view.topics.items())
            if self._pattern.fullmatch(name) and not (hide_internal and view.internal)
        )

    def _late(self, what: str) -> KafkaError:
        if self._cluster.last_error is not None:
            return self._cluster.unreachable()
        return KafkaError(
            ErrorCode.REQUEST_TIMED_OUT, f"{what}: no answer within {self._api_timeout_s:g} s"
        )


def _with_metadata(
    offsets: Mapping[TopicPartition, OffsetAndMetadata | int],
) -> dict[TopicPartition, OffsetAndMetadata]:
    return {
        TopicPartition(*target): OffsetAndMetadata(item) if isinstance(item, int) else item
        for target, item in offsets.items()
    }


def _mixed() -> KafkaError:
    return KafkaError(
        ErrorCode.INVALID_REQUEST,
        "a consumer either subscribes to topics or is assigned partitions, not both",
    )
