"""A consumer group whose members keep revoked partitions for long, or for ever (KIP-848).

They send heartbeats and read nothing. The coordinator may wait for such a member for its rebalance
timeout and no longer: then its partitions go to others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

import trio

from raftka.client.admin import Admin
from raftka.client.consumer.group_client import GroupClient
from raftka.client.coordinator import COORDINATOR_MOVED
from raftka.model.errors import ErrorCode
from raftka.model.ids import OFFSETS_TOPIC
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from raftka.simulations.load.workload import CLIENT_ERRORS, make_admin
from raftka.simulations.machines.life import current_node
from raftka.simulations.plan import GroupPlan
from raftka.simulations.world import World

Place = tuple[bytes, int]
"""Topic id, partition."""
REBALANCE_S: Final = 4.0
_BEAT_S: Final = 0.5
_LIFE_S: Final = (5.0, 30.0)
_KEEPS: Final = 0.5
_FENCED: Final = (
    ErrorCode.FENCED_MEMBER_EPOCH,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.GROUP_ID_NOT_FOUND,
)


class Reluctant:
    """One member as a state machine. Pure."""

    def __init__(self, group_id: str, member_id: str, topics: Iterable[str]) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.topics = list(topics)
        self.epoch = 0
        self.owned: set[Place] = set()
        self.keeps = False
        """Whether it never gives a partition back."""

    def request(self) -> ConsumerGroupHeartbeatRequest:
        """The next heartbeat, with all fields."""
        topics: dict[bytes, list[int]] = {}
        for topic_id, index in sorted(self.owned):
            topics.setdefault(topic_id, []).append(index)
        return ConsumerGroupHeartbeatRequest(
            group_id=self.group_id,
            member_id=self.member_id,
            member_epoch=self.epoch,
            rebalance_timeout=int(REBALANCE_S * 1000),
            subscribed_topic_names=self.topics,
            topic_partitions=[
                TopicPartitions(topic_id=topic_id, partitions=indexes)
                for topic_id, indexes in topics.items()
            ],
        )

    def leaving(self) -> ConsumerGroupHeartbeatRequest:
        """The last heartbeat, which leaves the group."""
        return ConsumerGroupHeartbeatRequest(
            group_id=self.group_id, member_id=self.member_id, member_epoch=-1
        )

    def answered(self, response: ConsumerGroupHeartbeatResponse) -> None:
        """Follow the coordinator's answer, as far as this member does."""
        if response.error_code in _FENCED:
            self.epoch = 0
            self.owned.clear()
        if response.error_code:
            return
        self.epoch = response.member_epoch
        if response.assignment is None:
            return
        wanted = {
            (bytes(topic.topic_id), index)
            for topic in response.assignment.topic_partitions
            for index in topic.partitions
        }
        if not self.keeps:
            self.owned &= wanted
        self.owned |= wanted


class ReluctantLoad:
    """One group of them; implements world.Working."""

    def __init__(self, world: World, plan: GroupPlan) -> None:
        self.world = world
        self.plan = plan
        self.members: dict[int, Reluctant] = {}
        self._present: dict[int, Admin] = {}
        self._last_joined_s: float | None = None
        """When the last member joined, after all had healed: the others must make room for it."""

    def start(self) -> None:
        """Start its members."""
        assert self.world.nursery is not None
        for number in range(self.plan.members):
            self.world.nursery.start_soon(self._place, number)

    def abandon(self) -> None:
        """Let every member vanish."""
        for client in self._present.values():
            client.abandon()

    async def _place(self, number: int) -> None:
        place = f"{self.plan.name}{number}"
        current_node.set(place)
        dice = Random(f"{self.world.plan.seed} member {place}")
        lives = 0
        while not self.world.ended.is_set():
            member = Reluctant(self.plan.name, f"{place}.{lives}", self.plan.topics)
            member.keeps = dice.random() < _KEEPS
            lives += 1
            try:
                await self._live(number, member, dice)
            except CLIENT_ERRORS as error:
                self.world.trace.event("member-failed", node=place, error=str(error))
            await trio.sleep(_BEAT_S)

    async def _live(self, number: int, member: Reluctant, dice: Random) -> None:
        world = self.world
        is_last_life = world.quiet.is_set()
        until_s = trio.current_time() + dice.uniform(*_LIFE_S)
        async with make_admin(world, member.member_id) as client:
            self._present[number] = client
            group = GroupClient(client.cluster, member.group_id, patient=False)
            if is_last_life:
                # All members but the last one keep their partitions, and the last one waits for its
                # share.
                member.keeps = number < self.plan.members - 1
                while not member.keeps and not any(self._kept()):  # noqa: ASYNC110
                    await trio.sleep(_BEAT_S)
                if not member.keeps:
                    self._last_joined_s = trio.current_time()
            self.members[number] = member
            while not world.ended.is_set():
                await self._beat(group, member.request(), member)
                await trio.sleep(_BEAT_S)
                ends = world.quiet.is_set() or trio.current_time() > until_s
                if ends and not is_last_life:
                    break
            await self._beat(group, member.leaving(), None)
            member.owned.clear()

    async def _beat(
        self,
        group: GroupClient,
        request: ConsumerGroupHeartbeatRequest,
        member: Reluctant | None,
    ) -> None:
        try:
            channel = await group.channel()
            answer: ConsumerGroupHeartbeatResponse = await group.send(channel, request)
        except CLIENT_ERRORS as error:
            group.lost(str(error))
            return
        if ErrorCode(answer.error_code) in COORDINATOR_MOVED:
            group.lost(ErrorCode(answer.error_code).name)
        elif member is not None:
            member.answered(answer)

    # After all has healed.

    def waits_for(self) -> str | None:
        """The member that joined last has its share, whatever the others keep."""
        if self.world.witnesses.groups_lost(OFFSETS_TOPIC):
            return None
        last = self.members.get(self.plan.members - 1)
        if self._last_joined_s is None or last is None:
            return f"no member of group {self.plan.name} has a partition that the last could want"
        if last.owned:
            return None
        waits_s = trio.current_time() - self._last_joined_s
        kept = sum(1 for _ in self._kept())
        return (
            f"member {last.member_id} of group {self.plan.name} has waited {waits_s:.1f} s for a"
            f" partition; the others keep {kept}, and have {REBALANCE_S:g} s to give some back"
        )

    def _kept(self) -> Iterator[Place]:
        for member in self.members.values():
            yield from member.owned
