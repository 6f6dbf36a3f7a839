"""A broker's data plane without network and quorum: tests call handlers and pass metadata in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import trio

from raftka.broker.disk_room import DiskRoom
from raftka.broker.replication.data_plane import DataPlane
from raftka.broker.replication.follower_session import FollowerSession
from raftka.broker.replication.following import Following
from raftka.broker.replication.joining import Codes, Question
from raftka.broker.replication.partition import IsrProposal
from raftka.broker.replication.replica import Replica
from raftka.broker.replication.verifier import Verifier
from raftka.broker.routes import routes
from raftka.kraft.delta import everything
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLUSTER_DEFAULT,
    TOPIC_RESOURCE,
    BrokerImage,
    ConfigResource,
    ListenerEndpoint,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition, Uuid
from raftka.model.ports import Alarm
from raftka.model.records import Record, encode_batch, iter_batches, iter_records
from raftka.model.settings import read_config
from raftka.net.answers import Turn
from raftka.net.clock import TrioAlarm
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.message import Records, Request, Response
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
    ReplicaState,
)
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from raftka.net.session import Session
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium
from raftka.storage.cleaning.cleaner import Cleaner
from raftka.storage.log_manager import LogManager
from tests.support.asking import Answer, ask

R = TypeVar("R", bound=Response)


class FakeClock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.now_ms = 1_800_000_000_000

    def monotonic(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def within(self, seconds: float) -> trio.CancelScope:
        return trio.move_on_after(max(0.0, seconds))

    def alarm(self) -> Alarm:
        return TrioAlarm(self.monotonic)

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        self.now_ms += int(seconds * 1000)


def topic_id(name: str) -> Uuid:
    """Ids for tests: readable, and different for different names."""
    return Uuid(name.encode()[:16].rjust(16, b"."))


@dataclass
class World:
    """The metadata for all brokers of a test."""

    topics: dict[str, TopicImage] = field(default_factory=dict)
    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    brokers: dict[int, BrokerImage] = field(default_factory=dict)
    broker_configs: dict[str, str] = field(default_factory=dict)
    """Dynamic settings of all brokers."""
    offset: int = 0

    def add_broker(self, broker_id: int, **changes: Any) -> None:
        endpoint = ListenerEndpoint("PLAINTEXT", f"host{broker_id}", 9090 + broker_id, 0)
        image = BrokerImage(
            broker_id, bytes(16), 100 + broker_id, (endpoint,), rack=f"r{broker_id}", fenced=False
        )
        self.brokers[broker_id] = replace(image, **changes)

    def add_topic(
        self, name: str, *partitions: PartitionImage, id_: Any = None, **config: str
    ) -> None:
        views = list(partitions) or [PartitionImage((1,), (1,), 1)]
        self.topics[name] = TopicImage(name, id_ or topic_id(name), views)
        if config:
            self.configs[name] = {key.replace("_", "."): value for key, value in config.items()}

    def change(self, name: str, index: int = 0, **changes: Any) -> PartitionImage:
        """Another view of a partition; a new leader raises its leader epoch."""
        topic = self.topics[name]
        old = topic.partitions[index]
        if "leader" in changes:
            changes.setdefault("leader_epoch", old.leader_epoch + 1)
        new = replace(old, partition_epoch=old.partition_epoch + 1, **changes)
        partitions = list(topic.partitions)
        partitions[index] = new
        self.topics[name] = replace(topic, partitions=partitions)
        return new

    def image(self) -> MetadataImage:
        self.offset += 1
        return MetadataImage(
            offset=self.offset,
            topics=dict(self.topics),
            topic_names={topic.topic_id: topic.name for topic in self.topics.values()},
            configs={
                **{
                    ConfigResource(TOPIC_RESOURCE, name): settings
                    for name, settings in self.configs.items()
                },
                ConfigResource(BROKER_RESOURCE, CLUSTER_DEFAULT): self.broker_configs,
            },
            brokers=dict(self.brokers),
        )


class ScriptedCoordinator:
    """Stands for the coordinator of every transaction: tests answer what partitions ask."""

    def __init__(self) -> None:
        self.asked: list[tuple[Question, Callable[[Codes], None]]] = []
        self.code: ErrorCode | None = ErrorCode.NONE
        """The immediate answer to every question; None to let them wait."""

    def ask(self, question: Question, answered: Callable[[Codes], None]) -> None:
        self.asked.append((question, answered))
        if self.code is not None:
            answered(dict.fromkeys(question.partitions, self.code))

    def answer(self, code: ErrorCode = ErrorCode.NONE) -> Question:
        """Answer the oldest question."""
        question, answered = self.asked.pop(0)
        answered(dict.fromkeys(question.partitions, code))
        return question


class Broker:
    """One broker's data plane over a disk in memory."""

    def __init__(
        self,
        world: World,
        broker_id: int = 1,
        *,
        medium: Any = None,
        clock: Any = None,
        **settings: str,
    ) -> None:
        self.world = world
        self.id = broker_id
        self.clock: FakeClock = clock or FakeClock()
        self.medium = medium or Medium(random.Random(broker_id))
        self.disk = SimDisk(self.medium)
        self.config = read_config(
            {
                "node.id": str(broker_id),
                "process.roles": "broker",
                "controller.quorum.voters": "9@localhost:9093",
                "controller.listener.names": "CONTROLLER",
                "listeners": "PLAINTEXT://:9092",
                "log.dirs": "/data",
                **{key.replace("_", "."): value for key, value in settings.items()},
            }
        )
        self.logs = LogManager(
            self.disk,
            list(self.config.names("log.dirs")),
            self.clock,
            random.Random(broker_id),
            take_locks=False,
        )
        trio.run(self.logs.load)
        self.disk_room = DiskRoom(self.disk, lambda: 0)
        self.cleaner = Cleaner(self.logs, self.disk, self.clock)
        self.defaults = self.logs.defaults
        self.turn = Turn()
        if broker_id not in world.brokers:
            world.add_broker(broker_id)
        self.data_plane = DataPlane(
            self.config,
            self.logs,
            cast(Any, None),
            clock=self.clock,
            dice=random.Random(broker_id),
            network=cast(Any, None),
            turn=self.turn,
            endpoint=lambda _: None,
            broker_epoch=lambda: world.brokers[broker_id].epoch,
            log_defaults=lambda: self.defaults,
        )
        self.replicas = self.data_plane.replicas
        self.joining = ScriptedCoordinator()
        self.verifier = Verifier(
            cast(Any, self.joining), self.replicas.index, self.clock, self.turn, lambda: True
        )
        self.proposals: list[tuple[Replica, IsrProposal]] = []
        self.replicas.isr.proposals = self
        self.replicas.fetching = self
        self.sessions: dict[int, FollowerSession] = {}
        self.response_max_bytes = 10 << 20
        """replica.fetch.response.max.bytes"""
        self._followed: dict[TopicPartition, int] = {}
        self.dispatcher = Dispatcher(cast(Any, self), routes("broker"))
        self._session = Session("10.0.0.7:1234", "PLAINTEXT")

    # A node's interface for handlers.

    @property
    def node_id(self) -> int:
        return self.id

    @property
    def image(self) -> MetadataImage:
        return self.replicas.index.image

    @property
    def deadlines(self) -> Any:
        return self.data_plane.deadlines

    @property
    def fetch_reader(self) -> Any:
        return self.data_plane.fetch_reader

    @property
    def fetch_sessions(self) -> Any:
        return self.data_plane.fetch_sessions

    @property
    def fetch_max_bytes(self) -> int:
        return self.data_plane.fetch_max_bytes

    # Ports of the replica manager.

    def submit(self, replica: Replica, proposal: IsrProposal) -> None:
        self.proposals.append((replica, proposal))

    def follow(self, replica: Replica) -> None:
        self.leave(replica.topic_partition)
        leader = replica.state.view.leader
        if leader < 0:
            return
        if leader not in self.sessions:
            self.sessions[leader] = FollowerSession(self._new_fetch, 1 << 20)
            self.sessions[leader].restart()
        self._followed[replica.topic_partition] = leader
        self.sessions[leader].add(Following(replica, frozenset(), 1.0))

    def leave(self, topic_partition: TopicPartition) -> None:
        leader = self._followed.pop(topic_partition, None)
        if leader is not None:
            self.sessions[leader].remove(topic_partition)

    def log_start_moved(self, topic_partition: TopicPartition) -> None:
        if topic_partition in self._followed:
            self.sessions[self._followed[topic_partition]].tell_again(topic_partition)

    def brokers_changed(self) -> None: ...

    def _new_fetch(self) -> FetchRequest:
        return FetchRequest(
            replica_state=ReplicaState(
                replica_id=self.id, replica_epoch=self.world.brokers[self.id].epoch
            ),
            max_wait=500,
            min_bytes=1,
            max_bytes=self.response_max_bytes,
        )

    # Metadata, time and requests.

    def publish(self) -> None:
        """Publish the whole present metadata to the broker as one change."""
        image = self.world.image()
        delta = everything(image, before=self.image)
        self.replicas.publish(image, delta)

    def expire(self, seconds: float) -> None:
        """Let time pass, so that waiting requests expire."""
        self.clock.advance(seconds)
        self.turn.begin()
        self.deadlines.expire_through(int(self.clock.now_s * 200))
        self.turn.end()

    def ask(self, request: Request[R], version: int) -> Answer[R]:
        """Call the handler as the server would, in a turn of its own."""
        self.turn.begin()
        try:
            answer, waiting = ask(self.dispatcher, self._session, request, version)
        finally:
            self.turn.end()
        assert waiting is None, "the data plane's handlers are not async"
        return answer

    def disconnect(self) -> None:
        self._session.closed()
        self._session = Session("10.0.0.7:1235", "PLAINTEXT")

    def replica(self, topic: str, index: int = 0) -> Replica:
        return self.replicas.find((topic, index))

    def produce(
        self, topic: str, *values: bytes, acks: int = 1, version: int = 9, **batch: Any
    ) -> Answer[ProduceResponse]:
        return self.produce_batch(topic, make_batch(*values, **batch), acks=acks, version=version)

    def produce_batch(
        self,
        topic: str,
        records: Records,
        *,
        index: int = 0,
        acks: int = 1,
        version: int = 9,
        transactional_id: str | None = None,
    ) -> Answer[ProduceResponse]:
        data = TopicProduceData(
            name=topic,
            topic_id=topic_id(topic),
            partition_data=[PartitionProduceData(index=index, records=records)],
        )
        request = ProduceRequest(
            transactional_id=transactional_id, acks=acks, timeout=1500, topic_data=[data]
        )
        return self.ask(request, version)

    def fetch(
        self, topic: str, offset: int, *, version: int = 12, **changes: Any
    ) -> Answer[FetchResponse]:
        return self.ask(fetch_request(topic, offset, **changes), version)

    def copy(self, leader: Broker, *, rounds: int = 1) -> None:
        """Fetch from the leader as its follower, `rounds` times."""
        session = self.sessions[leader.id]
        for _ in range(rounds):
            session.retry(self.clock.now_s)
            request = session.request()
            if request is None:
                return
            answer = leader.ask(request, 17)
            if answer.is_waiting:
                leader.expire(0.6)
            session.answered(answer.message, self.clock.now_s, self.clock.now_ms)


def make_batch(*values: bytes, timestamp: int = 1_700_000_000_000, **batch: Any) -> bytes:
    """A record batch as a producer sends it."""
    return encode_batch(
        [Record(0, timestamp + i, None, value) for i, value in enumerate(values)], **batch
    )


def fetch_request(
    topic: str,
    offset: int,
    *,
    index: int = 0,
    max_wait: int = 500,
    min_bytes: int = 1,
    partition_max_bytes: int = 1 << 20,
    epoch: int = -1,
    last_epoch: int = -1,
    **changes: Any,
) -> FetchRequest:
    """A fetch of one partition."""
    partition = FetchPartition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=partition_max_bytes,
        current_leader_epoch=epoch,
        last_fetched_epoch=last_epoch,
        log_start_offset=0,
    )
    return FetchRequest(
        max_wait=max_wait,
        min_bytes=min_bytes,
        topics=[FetchTopic(topic=topic, topic_id=topic_id(topic), partitions=[partition])],
        **changes,
    )


def only(response: FetchResponse) -> PartitionData:
    """The one partition of a fetch's answer."""
    assert response.error_code == 0
    (topic,) = response.responses
    (partition,) = topic.partitions
    return partition


def produced(response: ProduceResponse) -> PartitionProduceResponse:
    """The one partition of a produce's answer."""
    (topic,) = response.responses
    (partition,) = topic.partition_responses
    return partition


def values(partition: PartitionData) -> list[bytes | None]:
    """The values of the records that were fetched."""
    records = partition.records
    assert records is not None
    assert not isinstance(records, list)
    return [record.value for _, batch in iter_batches(records) for record in iter_records(batch)]
