"""A member of a group of the consumer protocol (KIP-848): the coordinator assigns.

Theory of operation. A background task sends ConsumerGroupHeartbeat at the coordinator's interval,
and at once when the subscription or the owned partitions change. An answer may bring a new
assignment; the next poll revokes and adds partitions (`ensure_active`), and only then a heartbeat
confirms that, so that no other member gets a partition before this one has committed and revoked
it. Partitions that stay are read all the time.

A fenced member drops everything (`on_lost`) and joins again. After a lost answer, the next
heartbeat has all fields.
"""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence

from raftka.client.cluster import Cluster
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.listener import RebalanceListener
from raftka.client.consumer.membership import LEAVE_S, fenced
from raftka.client.consumer.state import Assignment
from raftka.client.coordinator import COORDINATOR_MOVED
from raftka.client.settings import ClientConfig
from raftka.client.shielding import delayed_cancellation
from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Alarm, BrokenConnection
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

log = logging.getLogger("raftka.consumer")

_JOIN_EPOCH = 0
_LEAVE_EPOCH = -1
_STATIC_LEAVE_EPOCH = -2
_NO_EPOCH = -1
_HAND_OVER_S = 5.0
"""How long a cancelled member may still take to revoke partitions."""
_FENCED = (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID)


class CoordinatedMember:
    """Implements member.GroupMember."""

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
        self._due = self._clock.alarm()
        self._rebalance_ms = config.number("max.poll.interval.ms")
        self._rack = config.text("client.rack") or None
        self._assignor = config.optional_text("group.remote.assignor")
        group.instance_id = config.optional_text("group.instance.id")
        group.generation = _NO_EPOCH
        self._regex: str | None = None
        self._active = False
        """Whether the consumer is subscribed: a member, or about to be."""
        self._full = True
        """Whether the next heartbeat has all fields."""
        self._confirm = False
        """Whether the next heartbeat lists the owned partitions."""
        self._wanted: list[tuple[bytes, list[int]]] | None = None
        """The assignment that no poll has applied yet."""
        self._is_lost = False
        """Whether the member was fenced: the next poll drops everything."""
        self._interval_s = 0.0
        self._next_beat_s = 0.0
        self._last_poll = self._clock.monotonic()
        self._polling = False

    # For the consumer.

    @property
    def joining(self) -> bool:
        """Never: commits are fenced by the member's epoch, not by a rebalance."""
        return False

    def polling(self, yes: bool) -> None:
        """The caller enters or leaves poll: max.poll.interval.ms counts from here."""
        self._polling = yes
        self._last_poll = self._clock.monotonic()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to exactly these topics, and to no expression."""
        self._subscribe(frozenset(topics), None)

    def subscribe_by(self, regex: str) -> None:
        """Subscribe to the topics that the coordinator finds to match."""
        self._subscribe(frozenset(), regex)

    def _subscribe(self, topics: frozenset[str], regex: str | None) -> None:
        changed = (topics, regex) != (self.topics, self._regex) or not self._active
        self.topics, self._regex, self._active = topics, regex, True
        if changed:
            self._beat_now(full=True)

    def ready(self) -> bool:
        """Whether a poll has no assignment to apply. Raises KafkaError when it never will."""
        if self.fatal is not None:
            raise self.fatal
        return self._group.generation > 0 and self._wanted is None and not self._is_lost

    async def ensure_active(self) -> None:
        """Apply the coordinator's assignment, or wait for the first one."""
        while not self.ready():
            if self._is_lost:
                await self._lose_all()
            elif self._wanted is not None and (partitions := self._named(self._wanted)) is not None:
                await self._take_over(partitions)
            elif self._wanted is not None:
                version = self._cluster.view.version
                self._cluster.refresh_soon()
                await self._cluster.refreshed(version)
            else:
                await self._news.wait(float("inf"))

    async def revoke_all(self) -> None:
        """Commit, and notify the listener that all partitions are revoked, as on close."""
        if len(self._assignment):
            await self._revoke(self._assignment.partitions, remaining=[])

    async def leave(self, reason: str, timeout_s: float = LEAVE_S) -> None:
        """Leave at once; a static member may return within its session (KIP-345)."""
        group = self._group
        was_member, self._active = group.generation > 0, False
        group.generation = _NO_EPOCH
        if was_member:
            log.info("group %s: %s leaves: %s", group.group_id, group.member_id, reason)
            with self._clock.within(timeout_s) as waiting:
                await self._say_goodbye()
            if waiting.cancelled_caught:
                log.warning(
                    "group %s: leaving was not confirmed within %g s: the group counts this member"
                    " until its session ends",
                    group.group_id,
                    timeout_s,
                )
        self._wanted = None

    async def _say_goodbye(self) -> None:
        group = self._group
        epoch = _LEAVE_EPOCH if group.instance_id is None else _STATIC_LEAVE_EPOCH
        request = ConsumerGroupHeartbeatRequest(
            group_id=group.group_id,
            member_id=group.member_id,
            member_epoch=epoch,
            instance_id=group.instance_id,
        )
        failures = 0
        while True:
            try:
                answer = await group.send(await group.channel(), request)
                code = ErrorCode(answer.error_code)
                if code in COORDINATOR_MOVED:
                    group.lost(code.name)
                elif code not in RETRIABLE:
                    return
            except BrokenConnection as error:
                group.lost(str(error))
            except KafkaError as error:
                log.warning("group %s: leaving was refused: %s", group.group_id, error)
                return
            failures += 1
            await self._clock.sleep(self._cluster.retry_backoff.pause(failures))

    # Partitions, within a poll.

    def _named(self, wanted: list[tuple[bytes, list[int]]]) -> list[TopicPartition] | None:
        """The partitions by name; None while the client does not know one of the topics."""
        names = {view.id: name for name, view in self._cluster.view.topics.items()}
        if not all(topic_id in names for topic_id, _ in wanted):
            return None
        return [TopicPartition(names[topic_id], i) for topic_id, found in wanted for i in found]

    async def _take_over(self, partitions: list[TopicPartition]) -> None:
        """Revoke and add partitions as assigned, and confirm that.

        The poll may be cancelled at any point, so each step sets all its consequences itself.
        """
        taken = self._wanted
        async with delayed_cancellation(self._clock, _HAND_OVER_S):
            owned = self._assignment.partitions
            going = [target for target in owned if target not in partitions]
            coming = [target for target in partitions if target not in owned]
            if going:
                await self._revoke(going, [target for target in owned if target in partitions])
            if self._wanted is taken:
                # Otherwise another assignment came while the listener ran.
                self._wanted = None
            self._assignment.replace(partitions)
            self._confirm = True
            self._beat_now(full=False)
            log.info(
                "group %s: reads %s", self._group.group_id, ", ".join(map(str, partitions)) or "-"
            )
            if self.listener is not None and (coming or not going):
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
            self._wanted = None
            self._is_lost = False
            self._beat_now(full=True)
            if self.listener is not None and lost:
                await self.listener.on_lost(lost)

    # Heartbeats.

    def _beat_now(self, *, full: bool) -> None:
        self._full = self._full or full
        self._next_beat_s = 0.0
        self._due.ring()

    async def run(self) -> None:
        """Send heartbeats while there is a membership to keep; until cancelled."""
        failures = 0
        while True:
            now = self._clock.monotonic()
            if not self._active or self._is_lost or self.fatal is not None:
                await self._due.wait(float("inf"))
                continue
            if self._poll_is_late(now):
                await self._give_up_for_silence()
                continue
            if now < self._next_beat_s:
                await self._due.wait(min(self._next_beat_s, self._poll_due_s()))
                continue
            if await self._beat():
                failures = 0
            else:
                failures += 1
                pause_s = self._cluster.retry_backoff.pause(failures)
                self._next_beat_s = self._clock.monotonic() + pause_s

    def _poll_due_s(self) -> float:
        return float("inf") if self._polling else self._last_poll + self._rebalance_ms / 1000

    def _poll_is_late(self, now: float) -> bool:
        return self._group.generation > 0 and now >= self._poll_due_s()

    async def _give_up_for_silence(self) -> None:
        log.warning(
            "group %s: leaving, since the last poll was more than max.poll.interval.ms ago:"
            " raise it, or lower max.poll.records",
            self._group.group_id,
        )
        await self.leave("consumer poll timeout has expired.")
        self._active = self._is_lost = self._full = True

    async def _beat(self) -> bool:
        """Send one heartbeat; returns whether it was answered."""
        group = self._group
        if not group.member_id:
            bits = self._cluster.dice.getrandbits(128).to_bytes(16, "big")
            group.member_id = urlsafe_b64encode(bits).decode().rstrip("=")
        request = self._request()
        epoch = group.generation
        full, self._full = self._full, False
        confirm, self._confirm = self._confirm, False
        try:
            answer = await group.send(await group.channel(), request)
        except BrokenConnection as error:
            group.lost(str(error))
            self._full = True
            return False
        except KafkaError as error:
            self._refused(error.code, error)
            return False
        if not self._active or group.generation != epoch:
            return True  # The consumer has left meanwhile.
        if answer.error_code == ErrorCode.NONE:
            self._heed(answer)
            return True
        self._full, self._confirm = full or self._full, confirm or self._confirm
        code = ErrorCode(answer.error_code)
        self._refused(code, KafkaError(code, answer.error_message or code.name))
        return False

    def _request(self) -> ConsumerGroupHeartbeatRequest:
        group = self._group
        joins = group.generation <= 0
        full = joins or self._full
        request = ConsumerGroupHeartbeatRequest(
            group_id=group.group_id,
            member_id=group.member_id,
            member_epoch=_JOIN_EPOCH if joins else group.generation,
            instance_id=group.instance_id,
        )
        if full:
            request.rack_id = self._rack
            request.rebalance_timeout = self._rebalance_ms
            request.subscribed_topic_names = sorted(self.topics)
            # Without an expression, an earlier one must be withdrawn.
            request.subscribed_topic_regex = "" if self._regex is None else self._regex
            request.server_assignor = self._assignor
        if joins:
            request.topic_partitions = []
        elif full or self._confirm:
            request.topic_partitions = self._owned()
        return request

    def _owned(self) -> list[TopicPartitions]:
        topics = self._cluster.view.topics
        found: dict[str, list[int]] = {}
        for target in self._assignment.partitions:
            found.setdefault(target.topic, []).append(target.partition)
        # A deleted topic has no id, and its partitions are not waited for.
        return [
            TopicPartitions(topic_id=topics[name].id, partitions=indexes)
            for name, indexes in found.items()
            if name in topics
        ]

    def _heed(self, answer: ConsumerGroupHeartbeatResponse) -> None:
        group = self._group
        if group.generation <= 0:
            log.info("group %s: %s joined", group.group_id, group.member_id)
        group.generation = answer.member_epoch
        self._interval_s = answer.heartbeat_interval / 1000
        if self._next_beat_s <= self._clock.monotonic():
            again = self._full or self._confirm
            self._next_beat_s = 0.0 if again else self._clock.monotonic() + self._interval_s
        if answer.assignment is not None:
            wanted = [(t.topic_id, t.partitions) for t in answer.assignment.topic_partitions]
            self._wanted = wanted
        self._news.ring()

    def _refused(self, code: ErrorCode, error: KafkaError) -> None:
        """Handle an error of a heartbeat: try again, join again, or give up with it."""
        group = self._group
        if code in COORDINATOR_MOVED:
            group.lost(code.name)
            self._full = True
        elif code in _FENCED:
            log.info("group %s: %s was fenced: %s", group.group_id, group.member_id, error)
            group.generation = _NO_EPOCH
            self._is_lost = self._full = True
            self._news.ring()
        elif code in RETRIABLE:
            self._full = True
        else:
            in_use = (ErrorCode.FENCED_INSTANCE_ID, ErrorCode.UNRELEASED_INSTANCE_ID)
            self.fatal = fenced(group.instance_id) if code in in_use else error
            self._news.ring()
