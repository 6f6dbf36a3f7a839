"""Clients of consumer groups (KIP-848) in one shard, in a world where time is a number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.consumer.describe import describe
from raftka.broker.coordinators.group.consumer.group import ConsumerGroup
from raftka.broker.coordinators.group.consumer.heartbeat import Caller, heartbeat
from raftka.broker.coordinators.group.kinds import import_kinds
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import ConfigRecord, PartitionRecord, RemoveTopicRecord, TopicRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.protocol.messages.consumer_group_describe import DescribedGroup
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from tests.support.groups import GROUP, ShardWorld

import_kinds()

Place = tuple[str, int]


def topic(name: str, partitions: int, replicas: Sequence[tuple[int, ...]] = ((1,),)) -> TopicImage:
    """A topic whose id is its name; its partitions take the replicas in turns."""
    placed = [replicas[i % len(replicas)] for i in range(partitions)]
    return TopicImage(
        name, topic_id(name), [PartitionImage(replicas=r, isr=r, leader=r[0]) for r in placed]
    )


def topic_id(name: str) -> bytes:
    return name.encode().rjust(16, b"\0")


class ConsumerWorld(ShardWorld):
    """A shard with topics; heartbeats are sent by hand or by `Client`s."""

    def __init__(
        self,
        topics: Mapping[str, int] | None = None,
        *,
        rules_off: RulesOff = ALL_HOLD,
        **settings: Any,
    ) -> None:
        self.rules_off = rules_off
        super().__init__(**settings)
        self.may_describe = lambda topic: True
        images = [topic(name, n) for name, n in (topics or {"t": 6}).items()]
        self.show(images)

    def _new_shard(self) -> GroupShard:
        def new_uuid() -> str:
            self.ids += 1
            return f"{self.ids:04}"

        return GroupShard(self.config, new_uuid, self.rules_off)

    def fail_over(self) -> None:
        """Another node takes over from the log."""
        image = self.image
        self.shard = self.replayed()
        self.shard.metadata_changed(image, None, self.now)
        self.shard.loaded(self.now)
        self.settle()

    # ---- metadata

    @property
    def image(self) -> MetadataImage:
        return self.shard.core.image

    def show(self, topics: Collection[TopicImage], brokers: Sequence[BrokerImage] = ()) -> None:
        """The metadata as a whole, as after a load."""
        image = MetadataImage(
            offset=self.image.offset + 1,
            topics={each.name: each for each in topics},
            topic_names={each.topic_id: each.name for each in topics},
            brokers={each.broker_id: each for each in brokers},
            features={"group.version": 1},
        )
        self.shard.metadata_changed(image, None, self.now)
        self.settle()

    def change(self, *records: Any) -> None:
        """A batch of metadata records."""
        delta = MetadataDelta(self.image)
        offset = self.image.offset + 1
        delta.replay_all(records, offset)
        self.shard.metadata_changed(delta.finish(offset, 1), delta, self.now)
        self.settle()

    def create_topic(self, name: str, partitions: int) -> None:
        self.change(
            TopicRecord(name, topic_id(name)),
            *(self._partition(name, index) for index in range(partitions)),
        )

    def grow_topic(self, name: str, partitions: int) -> None:
        before = len(self.image.topics[name].partitions)
        self.change(*(self._partition(name, index) for index in range(before, partitions)))

    def delete_topic(self, name: str) -> None:
        self.change(RemoveTopicRecord(self.image.topics[name].topic_id))

    def configure(self, name: str, value: str, group: str = GROUP) -> None:
        """Set a setting of the group."""
        self.change(ConfigRecord(32, group, name, value))

    def _partition(self, name: str, index: int) -> PartitionRecord:
        return PartitionRecord(topic_id(name), index, (1,), (1,), 1)

    # ---- requests

    def beat(
        self,
        member_id: str = "m1",
        epoch: int = 0,
        topics: Sequence[str] | None = None,
        owned: Mapping[str, Collection[int]] | None = None,
        *,
        version: int = 1,
        group: str = GROUP,
        client_id: str = "c",
        **fields: Any,
    ) -> ConsumerGroupHeartbeatResponse:
        """Send a heartbeat, with all fields if it joins. Raises KafkaError."""
        if epoch == 0:
            owned = owned or {}
            topics = ("t",) if topics is None and "subscribed_topic_regex" not in fields else topics
            fields.setdefault("rebalance_timeout", 60_000)
        request = ConsumerGroupHeartbeatRequest(
            group_id=group,
            member_id=member_id,
            member_epoch=epoch,
            subscribed_topic_names=None if topics is None else list(topics),
            topic_partitions=None
            if owned is None
            else [
                TopicPartitions(topic_id=topic_id(name), partitions=sorted(indexes))
                for name, indexes in owned.items()
            ],
            **fields,
        )
        caller = Caller(client_id, "/127.0.0.1", version, self.may_describe)
        try:
            return heartbeat(self.shard.core, request, caller, self.now)
        finally:
            self.settle()

    def refusal(self, *args: Any, **fields: Any) -> ErrorCode:
        """The error of a heartbeat that must be refused."""
        try:
            self.beat(*args, **fields)
        except KafkaError as error:
            assert error.message
            return error.code
        raise AssertionError("the heartbeat was accepted")

    # ---- state

    def group(self, name: str = GROUP) -> ConsumerGroup:
        found = self.shard.core.groups[name]
        assert isinstance(found, ConsumerGroup)
        return found

    def described(self, name: str = GROUP) -> DescribedGroup:
        return describe(self.shard.core, name)

    def target(self, member_id: str) -> dict[str, set[int]]:
        """A member's share of the target, by names."""
        names = self.image.topic_names
        shares = self.group().targets.get(member_id, {})
        return {names[topic_id]: set(indexes) for topic_id, indexes in shares.items()}

    def log_is_true(self) -> None:
        """Another coordinator would read this one's state from the log."""
        for shard in (self.mirror, self.replayed()):
            assert _contents(shard) == _contents(self.shard)


def _contents(shard: GroupShard) -> dict[str, object]:
    return {
        group.group_id: (
            group.epoch,
            group.metadata_hash,
            group.assignment_epoch,
            group.assigned_at_ms,
            group.static_members,
            {m: dict(share) for m, share in group.targets.items() if m in group.members},
            {regex: found.topics for regex, found in group.regexes.items()},
            {
                m.member_id: (m.says, m.epoch, m.previous_epoch, m.state, m.assigned, m.revoking)
                for m in group.members.values()
            },
        )
        for group in shard.core.groups.values()
        if isinstance(group, ConsumerGroup)
    }


@dataclass
class Client:
    """A member like real clients: it revokes at once, and confirms with its next heartbeat."""

    world: ConsumerWorld
    member_id: str
    topics: Sequence[str] = ("t",)
    fields: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    owned: dict[str, set[int]] = field(default_factory=dict)
    interval_ms: int = 0

    def beat(self, *, full: bool = True) -> ConsumerGroupHeartbeatResponse:
        """Send a heartbeat, and take the answer's assignment."""
        joins = self.epoch == 0
        answer = self.world.beat(
            self.member_id,
            self.epoch,
            self.topics if full or joins else None,
            self.owned if full or joins else None,
            **({"rebalance_timeout": 60_000} | self.fields if full or joins else {}),
        )
        self.epoch = answer.member_epoch
        self.interval_ms = answer.heartbeat_interval
        if answer.assignment is not None:
            names = self.world.image.topic_names
            self.owned = {
                names[each.topic_id]: set(each.partitions)
                for each in answer.assignment.topic_partitions
                if each.topic_id in names
            }
        return answer

    @property
    def places(self) -> set[Place]:
        return {(name, index) for name, indexes in self.owned.items() for index in indexes}

    def fenced(self) -> None:
        """It was fenced: it drops everything and joins again."""
        self.epoch, self.owned = 0, {}

    def leave(self, epoch: int = -1) -> None:
        self.world.beat(self.member_id, epoch, **self.fields)
        self.fenced()


def settle(*clients: Client, rounds: int = 10) -> int:
    """Let all clients send heartbeats in turn until nothing changes; the number of rounds."""
    for done in range(rounds):
        before = [(c.epoch, dict(c.owned)) for c in clients]
        for client in clients:
            client.beat()
            owners = [place for c in clients for place in c.places]
            assert len(owners) == len(set(owners)), "a partition has two owners"
        client.world.advance(1000)
        if before == [(c.epoch, dict(c.owned)) for c in clients] and all(
            c.epoch == client.world.group().epoch for c in clients
        ):
            return done
    raise AssertionError("the group does not settle")


def config(**consumer: Any) -> dict[str, Any]:
    """Settings for a world, of group.consumer.*."""
    return {"consumer": replace(GroupConfig().consumer, **consumer)}
