"""A group coordinator over a log in memory, and a client of it."""

from __future__ import annotations

import random
from typing import Any

import trio
import trio.testing

from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.join import Client
from raftka.broker.coordinators.group.service import GroupCoordinatorService
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage, PartitionImage, TopicImage
from raftka.model.errors import ErrorCode
from raftka.model.ids import OFFSETS_TOPIC
from raftka.model.key_hash import partition_of_key
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from raftka.net.protocol.messages.sync_group import SyncGroupRequest
from raftka.net.router import Pending
from raftka.simulations.machines.clock import SimClock
from tests.support.offsets_log import MemoryOffsetsLog

ALONE = PartitionImage(replicas=(1,), isr=(1,), leader=1)
ACCESS = TopicImage("access", bytes(15) + b"\x0a", [ALONE, ALONE])
OFFSETS = TopicImage(OFFSETS_TOPIC, bytes(15) + b"\x01", [ALONE, ALONE])
IMAGE = MetadataImage(topics={each.name: each for each in (ACCESS, OFFSETS)})
GROUP = "payroll"
PARTITION = partition_of_key(GROUP, 2)


class Answers:
    """The answers to pending requests."""

    def __init__(self, pending: Pending) -> None:
        self.answer: Any = None
        pending.on_resolved(self._resolved)

    def _resolved(self, answer: object) -> None:
        self.answer = answer

    @property
    def done(self) -> bool:
        return self.answer is not None

    @property
    def code(self) -> ErrorCode:
        return ErrorCode(self.answer.error_code)


class Coordinator:
    """A service that leads both offsets partitions, and a client of it."""

    def __init__(self, log: MemoryOffsetsLog, nursery: trio.Nursery, **settings: Any) -> None:
        self.log = log
        config = GroupConfig(initial_rebalance_delay_ms=0, **settings)
        self.service = GroupCoordinatorService(config, log, SimClock(), random.Random(1))
        self.service.publish(IMAGE, MetadataDelta(EMPTY_IMAGE))
        nursery.start_soon(self.service.run)

    async def lead(self) -> None:
        for partition in (0, 1):
            self.service.on_partition_elected(partition, 1)
        await trio.testing.wait_all_tasks_blocked()

    def commit(self, offset: int, partition: int = 0) -> Answers:
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
        request = OffsetCommitRequest(
            group_id=GROUP,
            topics=[OffsetCommitRequestTopic(name="access", partitions=[wanted])],
        )
        return Answers(self.service.commit_offsets(request, 9))

    def join(self, member_id: str = "", version: int = 9) -> Answers:
        request = JoinGroupRequest(
            group_id=GROUP,
            session_timeout=10_000,
            rebalance_timeout=60_000,
            member_id=member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"\x00\x01")],
        )
        return Answers(self.service.join_group(request, Client("c", "/h", version)))

    def sync(self, member_id: str, generation: int) -> Answers:
        request = SyncGroupRequest(group_id=GROUP, generation_id=generation, member_id=member_id)
        return Answers(self.service.sync_group(request))

    async def committed(self, partition: int = 0) -> int:
        (found,) = await self.service.fetch_offsets(GROUP, [("access", [partition])])
        return found.partitions[0].committed_offset

    async def member(self) -> tuple[str, int]:
        """One member in a stable group: its id and generation."""
        told = self.join()
        await trio.testing.wait_all_tasks_blocked()
        joined = self.join(told.answer.member_id)
        await trio.testing.wait_all_tasks_blocked()
        member_id, generation = joined.answer.member_id, joined.answer.generation_id
        synced = self.sync(member_id, generation)
        await trio.testing.wait_all_tasks_blocked()
        assert synced.code is ErrorCode.NONE
        return member_id, generation
