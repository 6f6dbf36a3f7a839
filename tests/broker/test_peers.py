"""Requests to other brokers: one connection per lane, the peer's versions, failures."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
import trio

from raftka.broker.peers import Peers
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)
from raftka.net.protocol.messages.end_txn import EndTxnRequest
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.router import Context, Router
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric


class World:
    """Brokers on a simulated network that answer Heartbeat up to version 2, and one that asks."""

    def __init__(self, fabric: Fabric, nursery: trio.Nursery) -> None:
        self.fabric = fabric
        self.nursery = nursery
        self.clock = SimClock()
        self.endpoints: dict[int, Endpoint] = {}
        self.connections = 0
        self.peers = Peers(
            node_id=1,
            network=fabric.host("n1"),
            clock=self.clock,
            endpoint=lambda broker_id: self.endpoints.get(broker_id),
        )
        nursery.start_soon(self.peers.run)

    async def start(self, broker_id: int) -> trio.CancelScope:
        router: Router[None] = Router()

        @router.handles(ApiVersionsRequest, versions=(0, 4), access=NOTHING)
        def api_versions(_: Context[None], request: ApiVersionsRequest) -> ApiVersionsResponse:
            self.connections += 1
            known = ApiVersion(api_key=HeartbeatRequest.API_KEY, min_version=0, max_version=2)
            return ApiVersionsResponse(api_keys=[known])

        @router.handles(HeartbeatRequest, versions=(0, 2), access=NOTHING)
        def heartbeat(context: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
            return HeartbeatResponse(error_code=context.api_version)

        name = f"n{broker_id}"
        server = Server(
            Dispatcher(None, router.routes("broker")),
            name="PLAINTEXT",
            turn=Turn(),
            clock=self.clock,
            max_frame_bytes=100_000,
            max_idle_s=600,
        )
        listener = await self.fabric.host(name).listen(name, 9092)
        self.endpoints[broker_id] = Endpoint(name, 9092)
        scope = trio.CancelScope()

        async def serve() -> None:
            with scope:
                await server.run(listener)

        self.nursery.start_soon(serve)
        return scope

    async def ask(self, broker_id: int, lane: str = "") -> tuple[int, int]:
        answer, version = await self.peers.ask(
            broker_id, HeartbeatRequest(group_id="g"), lane=lane, timeout_s=5.0
        )
        return answer.error_code, version


def with_world(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        fabric = Fabric(random.Random(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            await scenario(World(fabric, nursery))
            nursery.cancel_scope.cancel()

    run(main, 1)


def test_a_lane_shares_a_connection_and_speaks_what_the_other_side_knows() -> None:
    async def scenario(world: World) -> None:
        await world.start(2)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(world.ask, 2)
        assert world.connections == 1
        assert await world.ask(2) == (2, 2), "asked in version 2, and answered in it"
        await world.ask(2, lane="other")
        assert world.connections == 2
        with pytest.raises(KafkaError, match="does not serve EndTxn") as refused:
            await world.peers.ask(2, EndTxnRequest(), lane="", timeout_s=5.0)
        assert refused.value.code is ErrorCode.UNSUPPORTED_VERSION

    with_world(scenario)


def test_a_broker_that_died_is_asked_again_over_a_new_connection() -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(BrokenConnection, match="broker 2 is not registered"):
            await world.ask(2)
        first = await world.start(2)
        await world.ask(2)
        first.cancel()
        await world.clock.sleep(0.1)
        with pytest.raises(BrokenConnection):
            await world.ask(2)
        await world.start(2)
        assert await world.ask(2) == (2, 2)
        assert world.connections == 2

    with_world(scenario)
