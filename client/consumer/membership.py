"""A member of a consumer group: it joins, is assigned partitions, sends heartbeats, and leaves.

Theory of operation. `ensure_active` is called by each poll and takes the member through JoinGroup
and SyncGroup. A poll may end while a response is outstanding: the future stays, and the next poll
continues there. A background task sends heartbeats; it only notes a rebalance or a lost membership,
and the next poll acts on it, so that partitions never change owners unnoticed by the caller.

Sources: the group membership protocol of Kafka's documentation; KIP-62 (heartbeats between polls),
394 (member ids), 345 (static members), 429 (cooperative rebalances), 800 (reasons), 814 (skipped
assignment).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from raftka.client.cluster import Cluster
from raftka.client.consumer.assignors import assignors
from raftka.client.consumer.group_client import LEAVING_LANE, GroupClient
from raftka.client.consumer.group_messages import (
    PROTOCOL_TYPE,
    decode_assignment,
    encode_subscription,
)
from raftka.client.consumer.leader_assignment import divide
from raftka.client.consumer.listener import RebalanceListener
from raftka.client.consumer.state import Assignment
from raftka.client.coordinator import COORDINATOR_MOVED, LANE
from raftka.client.settings import ClientConfig
from raftka.client.shielding import delayed_cancellation
from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Alarm, BrokenConnection
from raftka.net.futures import Future
from raftka.net.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from raftka.net.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

log = logging.getLogger("raftka.consumer")

_UNKNOWN_GENERATION = -1
_JOIN_GRACE_S = 5.0
"""How much longer than the rebalance timeout the answer to JoinGroup may take."""
_HAND_OVER_S = 5.0
"""How long a cancelled member may still take to revoke partitions: a commit, which waits for the
coordinator, and the listener, which may wait for anything.
"""
LEAVE_S = 5.0
"""How long to try to leave: without it, the session expires."""


class Membership:
    """The membership of one consumer in its group."""

    def __init__(
        self,
        cluster: Cluster,
        group: GroupClient,
        assignment: Assignment,
        config: ClientConfig,
        before_revoke: Callable[[], Awaitable[None]],
        news: Alarm,
    ) -> None:
        """`before_revoke` commits the consumed offsets; `news` wakes a waiting poll."""
        self.listener: RebalanceListener | None = None
        self.topics: frozenset[str] = frozenset()
        self.fatal: KafkaError | None = None
        self._cluster = cluster
        self._clock = cluster.clock
        self._group = group
        self._assignment = assignment
        self._before_revoke = before_revoke
        self._news = news
        self._session_ms = config.number("session.timeout.ms")
        self._rebalance_ms = config.number("max.poll.interval.ms")
        self._rack = config.text("client.rack")
        self._assignors = assignors(config.names("partition.assignment.strategy"))
        self._cooperative = all(item.cooperative for item in self._assignors)
        group.instance_id = config.optional_text("group.instance.id")
        self._rejoin: str | None = None
        self._joining: Future[JoinGroupResponse] | None = None
        self._syncing: Future[SyncGroupResponse] | None = None
        self._joined: JoinGroupResponse | None = None
        self._prepared = False
        self._counts: dict[str, int] | None = None
        """How many partitions each topic had when this member, as leader, divided them."""
        self._previous: list[TopicPartition] = []
        self._previous_generation = _UNKNOWN_GENERATION
        self._last_poll = self._clock.monotonic()
        self._polling = False

    @property
    def stable(self) -> bool:
        """Whether the member has its partitions and no reason to rejoin."""
        return self._group.generation >= 0 and self._rejoin is None and not self.joining

    @property
    def joining(self) -> bool:
        """Whether JoinGroup or SyncGroup is in flight."""
        return self._joining is not None or self._joined is not None

    @property
    def poll_due_at(self) -> float:
        """When the caller must poll again at the latest; never while it is in poll."""
        return float("inf") if self._polling else self._last_poll + self._rebalance_ms / 1000

    def polling(self, yes: bool) -> None:
        """The caller enters or leaves poll: max.poll.interval.ms counts from here."""
        self._polling = yes
        self._last_poll = self._clock.monotonic()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to these topics; rejoins when they differ from the present ones."""
        wanted = frozenset(topics)
        if wanted != self.topics:
            self.topics = wanted
            self.request_rejoin("the subscription changed")

    def request_rejoin(self, reason: str) -> None:
        if self._rejoin is None:
            self._rejoin = reason
            self._news.ring()

    def ready(self) -> bool:
        """Whether `ensure_active` has nothing to do. Raises KafkaError when it never will."""
        if self.fatal is not None:
            raise self.fatal
        self._watch_partition_counts()
        return self.stable

    async def ensure_active(self) -> None:
        """Become a member with partitions. May be cancelled, and continues at the next call."""
        failures = 0
        while not self.stable:
            try:
                if self._group.generation < 0 and not self._prepared and len(self._assignment):
                    await self._lose_all()
                await self._advance()
                failures = 0
                continue
            except BrokenConnection as error:
                self._start_over(str(error))
                self._group.lost(str(error))
            except KafkaError as error:
                await self._refused(error)
            failures += 1
            await self._clock.sleep(self._cluster.retry_backoff.pause(failures))

    async def leave(self, reason: str, timeout_s: float = LEAVE_S) -> None:
        """Leave at once; a static member stays until its session times out (KIP-345)."""
        group = self._group
        with self._clock.within(timeout_s) as waiting:
            try:
                await self._learn_id()
                if group.member_id and group.instance_id is None:
                    self._go_around_held_answers()
                    await group.leave(reason)
            except KafkaError as error:
                log.warning("group %s: leaving was refused: %s", group.group_id, error)
        if waiting.cancelled_caught:
            log.warning(
                "group %s: leaving was not confirmed within %g s: the group counts this member"
                " until its session ends",
                group.group_id,
                timeout_s,
            )
        group.coordinator.lane = LANE
        self.forget_place(keep_id=False)

    def forget_place(self, *, keep_id: bool) -> None:
        """The coordinator no longer knows this member's generation, or not even its id."""
        self._group.generation = _UNKNOWN_GENERATION
        if not keep_id:
            self._group.member_id = ""
        self._start_over("the place in the group was lost")

    async def revoke_all(self) -> None:
        """Commit, and notify the listener that all partitions are revoked, as on close."""
        if len(self._assignment):
            self._go_around_held_answers()
            await self._revoke(self._assignment.partitions, remaining=[])

    async def _learn_id(self) -> None:
        """The answer to the first JoinGroup assigns the member its id (KIP-394)."""
        joining = self._joining
        if joining is not None and not self._group.member_id:
            await joining.wait()
            if joining.error is None:
                self._group.member_id = joining.result().member_id

    def _go_around_held_answers(self) -> None:
        """While the coordinator withholds an answer to a join, use another connection."""
        if self.joining:
            self._group.coordinator.lane = LEAVING_LANE

    # Joining

    async def _advance(self) -> None:
        """Take one step towards a stable membership."""
        if self._joined is None and self._joining is None:
            await self._prepare()
            self._joining = await self._send_join()
        if self._joined is None:
            assert self._joining is not None
            await self._joining.wait()
            joining, self._joining = self._joining, None
            self._take_join(joining.result())
            return
        if self._syncing is None:
            self._syncing = await self._send_sync(self._joined)
        await self._syncing.wait()
        synced = self._syncing
        self._syncing = self._joined = None
        code = ErrorCode(synced.result().error_code)
        if code != ErrorCode.NONE:
            raise KafkaError(code)
        await self._complete(decode_assignment(synced.result().assignment))

    async def _prepare(self) -> None:
        """Before JoinGroup, an eager member revokes everything."""
        if self._prepared:
            return
        async with delayed_cancellation(self._clock, _HAND_OVER_S):
            if self._cooperative:
                await self._before_revoke()
            elif len(self._assignment):
                await self._revoke(self._assignment.partitions, remaining=[])
            self._prepared = True

    async def _send_join(self) -> Future[JoinGroupResponse]:
        group = self._group
        channel = await group.channel()
        reason, self._rejoin = self._rejoin, None
        request = JoinGroupRequest(
            group_id=group.group_id,
            session_timeout=self._session_ms,
            rebalance_timeout=self._rebalance_ms,
            member_id=group.member_id,
            group_instance_id=group.instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocols=[
                JoinGroupRequestProtocol(
                    name=assignor.name,
                    metadata=encode_subscription(
                        assignor,
                        self.topics,
                        self._assignment.partitions,
                        self._previous,
                        self._previous_generation,
                        self._rack,
                    ),
                )
                for assignor in self._assignors
            ],
            reason=reason,
        )
        return group.send(channel, request, wait_s=self._rebalance_ms / 1000 + _JOIN_GRACE_S)

    def _take_join(self, answer: JoinGroupResponse) -> None:
        group = self._group
        code = ErrorCode(answer.error_code)
        if code == ErrorCode.MEMBER_ID_REQUIRED:
            group.member_id = answer.member_id
            return
        if code != ErrorCode.NONE:
            raise KafkaError(code)
        group.member_id = answer.member_id
        group.generation = answer.generation_id
        self._joined = answer
        log.info(
            "group %s: %s joined generation %d as %s",
            group.group_id,
            group.member_id,
            group.generation,
            "leader" if answer.leader == group.member_id else "follower",
        )

    async def _send_sync(self, joined: JoinGroupResponse) -> Future[SyncGroupResponse]:
        group = self._group
        shares: list[SyncGroupRequestAssignment] = []
        self._counts = None
        if joined.leader == group.member_id:
            self._counts, shares = await divide(self._cluster, joined)
        channel = await group.channel()
        request = SyncGroupRequest(
            group_id=group.group_id,
            generation_id=group.generation,
            member_id=group.member_id,
            group_instance_id=group.instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocol_name=joined.protocol_name,
            assignments=shares,
        )
        return group.send(channel, request, wait_s=self._rebalance_ms / 1000)

    async def _complete(self, partitions: list[TopicPartition]) -> None:
        """The assignment has arrived: notify the listener of assigned and revoked partitions."""
        async with delayed_cancellation(self._clock, _HAND_OVER_S):
            self._prepared = False
            self._previous = partitions
            self._previous_generation = self._group.generation
            owned = self._assignment.partitions
            going = [target for target in owned if target not in partitions]
            if going:
                await self._revoke(going, [target for target in owned if target in partitions])
                self.request_rejoin("partitions were given up for others")
            self._assignment.replace(partitions)
            coming = [target for target in partitions if target not in owned]
            log.info(
                "group %s: reads %s", self._group.group_id, ", ".join(map(str, partitions)) or "-"
            )
            if self.listener is not None:
                await self.listener.on_assigned(coming)

    async def _revoke(
        self, going: Sequence[TopicPartition], remaining: Sequence[TopicPartition]
    ) -> None:
        await self._before_revoke()
        if self.listener is not None:
            await self.listener.on_revoked(going)
        self._assignment.replace(remaining)

    async def _lose_all(self) -> None:
        async with delayed_cancellation(self._clock, _HAND_OVER_S):
            lost = self._assignment.partitions
            self._assignment.replace([])
            if self.listener is not None:
                await self.listener.on_lost(lost)

    # Errors

    def _start_over(self, reason: str) -> None:
        """Drop whatever was in progress: join again."""
        self._joining = self._syncing = self._joined = None
        self.request_rejoin(reason)

    async def _refused(self, error: KafkaError) -> None:
        """Handle an error response. Raises it when no retry helps."""
        self._start_over(error.code.name)
        if error.code in COORDINATOR_MOVED:
            self._group.lost(error.code.name)
        elif error.code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.forget_place(keep_id=False)
        elif error.code == ErrorCode.ILLEGAL_GENERATION:
            self.forget_place(keep_id=True)
        elif error.code not in RETRIABLE and error.code != ErrorCode.REBALANCE_IN_PROGRESS:
            if error.code == ErrorCode.FENCED_INSTANCE_ID:
                self.fatal = fenced(self._group.instance_id)
                raise self.fatal
            raise error

    def _watch_partition_counts(self) -> None:
        """The leader reassigns when a topic grew or was created."""
        if self._counts is None or not self.stable:
            return
        topics = self._cluster.view.topics
        for topic, count in self._counts.items():
            view = topics.get(topic)
            if (0 if view is None else len(view.partitions)) != count:
                self.request_rejoin(f"topic {topic} has another number of partitions")
                return


def fenced(instance_id: str | None) -> KafkaError:
    return KafkaError(
        ErrorCode.FENCED_INSTANCE_ID,
        f"another consumer joined with group.instance.id = {instance_id}: it must be unique",
    )
