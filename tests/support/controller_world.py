"""An active controller on a paper quorum, and brokers as far as a controller sees them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from raftka.broker.controller.service import ControllerService
from raftka.broker.metadata_loader import MetadataLoader
from raftka.kraft.controller.brokers import Heartbeat, HeartbeatAnswer, Registration
from raftka.kraft.controller.features import supported_features
from raftka.kraft.controller.topics import NewTopic, create_topics
from raftka.kraft.image import ListenerEndpoint, MetadataImage, PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings import read_config
from raftka.net.session import Session
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric
from tests.support.quorum import PaperQuorum

CLUSTER = "cluster"


class World:
    """One controller, and brokers as far as they can be seen on the network."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.fabric = Fabric(random.Random(1))
        self.quorum = PaperQuorum()
        self.clock = SimClock()
        self.incarnations = 0
        self.epochs: dict[int, int] = {}
        self.connections: dict[int, Session] = {}
        config = read_config(
            {
                "process.roles": "controller",
                "node.id": "1",
                "listeners": "CONTROLLER://:9093",
                "controller.listener.names": "CONTROLLER",
                "controller.quorum.voters": "1@localhost:9093",
                "log.dirs": "/data",
                "leader.imbalance.check.interval.seconds": "5",
            }
        )
        self.controller = ControllerService(
            node_id=1,
            cluster_id=CLUSTER,
            config=config,
            quorum=self.quorum,
            clock=self.clock,
            dice=random.Random(1),
            network=self.fabric.host("controller"),
        )
        self.loader = MetadataLoader(self.controller.leader_changed)
        self.loader.add(self.controller.published)
        self.quorum.listener = self.loader

    @property
    def image(self) -> MetadataImage:
        return self.loader.image

    def partition(self, topic: str = "t") -> PartitionImage:
        return self.image.topics[topic].partitions[0]

    async def listen(self, broker_id: int) -> None:
        """The broker's port is open."""
        host = f"host{broker_id}"
        listener = await self.fabric.host(host).listen(host, 9092)

        async def accept() -> None:
            with listener_closed():
                while True:
                    await listener.accept()

        self.nursery.start_soon(accept)

    async def register(self, broker_id: int, *, host: str | None = None) -> int:
        """A new process of the broker."""
        self.incarnations += 1
        connection = Session(peer=f"host{broker_id}", listener="CONTROLLER")
        where = host or f"host{broker_id}"
        request = Registration(
            broker_id=broker_id,
            incarnation_id=self.incarnations.to_bytes(16, "big"),
            endpoints=(ListenerEndpoint("PLAINTEXT", where, 9092, 0),),
            features=supported_features(),
            log_dirs=(broker_id.to_bytes(16, "big"),),
        )
        epoch = await self.controller.register_broker(request, CLUSTER, connection)
        self.epochs[broker_id] = epoch
        self.connections[broker_id] = connection
        return epoch

    async def beat(
        self, broker_id: int, *, connected: bool = True, stop: bool = False
    ) -> HeartbeatAnswer:
        heartbeat = Heartbeat(
            broker_id, self.epochs[broker_id], self.image.offset, want_shut_down=stop
        )
        connection = self.connections[broker_id] if connected else None
        return await self.controller.broker_heartbeat(heartbeat, connection)

    async def start(self, *broker_ids: int) -> None:
        for broker_id in broker_ids:
            await self.listen(broker_id)
            await self.register(broker_id)
            await self.beat(broker_id)

    async def keep_beating(self, *broker_ids: int) -> None:
        while True:
            for broker_id in broker_ids:
                try:
                    await self.beat(broker_id)
                except KafkaError as error:
                    assert error.code is ErrorCode.NOT_CONTROLLER, error
            await trio.sleep(1)

    def break_connection(self, broker_id: int) -> None:
        self.connections[broker_id].closed()
        self.connections[broker_id] = Session(peer="again", listener="CONTROLLER")

    def kill(self, broker_id: int) -> None:
        """kill -9: its connections break and its port refuses."""
        self.fabric.kill(f"host{broker_id}")
        self.break_connection(broker_id)

    async def create(self, *replicas: int, name: str = "t") -> None:
        await create(self.controller, NewTopic(name, assignments={0: replicas}))


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        made = World(nursery)
        nursery.start_soon(made.fabric.run)
        await nursery.start(made.controller.run)
        made.quorum.elect(1)
        await trio.sleep(0.001)
        yield made
        nursery.cancel_scope.cancel()


class listener_closed:
    """Killing a host closes its listeners."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and not issubclass(kind, trio.Cancelled)


async def create(controller: ControllerService, *wishes: NewTopic) -> None:
    made = await controller.submit(
        lambda image: create_topics(
            image, controller.rules, controller.schema, controller.dice, wishes
        )
    )
    for outcome in made.values():
        if isinstance(outcome, KafkaError):
            raise outcome


def in_a_world(test: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
    """Run the test under virtual time, with an active controller and brokers 2, 3 and 4."""

    async def main() -> None:
        async with world() as one:
            await one.start(2, 3, 4)
            await test(one)

    def run_it() -> None:
        run(main, 1)

    return run_it
