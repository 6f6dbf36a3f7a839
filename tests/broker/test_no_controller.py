"""While no controller is active: how long a request waits, and its answer."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from raftka.broker.channels import Channels, ControllerUnavailable
from raftka.broker.no_controller import NoController
from raftka.model.access import NOTHING
from raftka.model.ids import Endpoint
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from raftka.net.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
)
from raftka.net.router import Context, Router
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric


class Voters:
    """Controllers on a simulated network, as many as a test keeps alive."""

    def __init__(self, fabric: Fabric, nursery: trio.Nursery) -> None:
        self.fabric = fabric
        self.nursery = nursery
        self.clock = SimClock()
        self.asked = 0
        self.takes_s = 0.0
        router: Router[None] = Router()

        @router.handles(ApiVersionsRequest, versions=(0, 4), access=NOTHING)
        def api_versions(_: Context[None], request: ApiVersionsRequest) -> ApiVersionsResponse:
            self.asked += 1
            return ApiVersionsResponse()

        @router.handles(DescribeQuorumRequest, versions=(0, 2), access=NOTHING)
        async def describe(
            context: Context[None], request: DescribeQuorumRequest
        ) -> DescribeQuorumResponse:
            await self.clock.sleep(self.takes_s)
            return DescribeQuorumResponse()

        self.routes = router.routes("broker")

    async def run(self, voter_id: int) -> Endpoint:
        host = f"n{voter_id}"
        server = Server(
            Dispatcher(None, self.routes),
            name="CONTROLLER",
            turn=Turn(),
            clock=self.clock,
            max_frame_bytes=100_000,
            max_idle_s=600,
        )
        listener = await self.fabric.host(host).listen(host, 9093)
        self.nursery.start_soon(server.run, listener)
        return Endpoint(host, 9093)

    async def hang(self, voter_id: int) -> Endpoint:
        """A stopped process: its kernel accepts connections, and nothing answers."""
        host = f"n{voter_id}"
        await self.fabric.host(host).listen(host, 9093)
        return Endpoint(host, 9093)

    def dead(self, voter_id: int) -> Endpoint:
        self.fabric.host(f"n{voter_id}")
        return Endpoint(f"n{voter_id}", 9093)

    def asker(self, voters: dict[int, Endpoint], node_id: int = 1) -> NoController:
        network = self.fabric.host(f"n{node_id}")
        return NoController(node_id, network, self.clock, lambda: voters)


def with_voters(scenario: Callable[[Voters], Awaitable[None]]) -> None:
    async def main() -> None:
        fabric = Fabric(random.Random(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            await scenario(Voters(fabric, nursery))
            nursery.cancel_scope.cancel()

    run(main, 1)


def test_voters_that_do_not_answer_are_named() -> None:
    async def scenario(voters: Voters) -> None:
        known = {
            1: voters.dead(1),  # The node that asks knows that it runs itself.
            2: voters.dead(2),
            3: await voters.hang(3),
            4: await voters.run(4),
        }
        began = trio.current_time()
        assert await voters.asker(known).why() == (
            "no controller is active: voters 2 (n2:9093) and 3 (n3:9093) do not answer; start"
            " enough of them: a majority of 1, 2, 3 and 4 has to run"
        )
        assert trio.current_time() - began < 1.1
        del known[3]
        assert (await voters.asker(known).why()).startswith(
            "no controller is active: voter 2 (n2:9093) does not answer; start"
        )
        del known[2]
        assert await voters.asker(known).why() == (
            "no controller is active: voters 1 and 4 answer, but have elected none yet"
        )
        assert await voters.asker({}).why() == "no controller is active, and no voter is known"

    with_voters(scenario)


def test_many_who_ask_share_an_answer() -> None:
    async def scenario(voters: Voters) -> None:
        asker = voters.asker({2: await voters.run(2)}, node_id=9)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(asker.why)
        assert voters.asked == 1
        await voters.clock.sleep(2)
        await asker.why()
        assert voters.asked == 2

    with_voters(scenario)


@contextmanager
def took(seconds: float) -> Iterator[None]:
    began = trio.current_time()
    yield
    assert trio.current_time() - began == pytest.approx(seconds, abs=0.3)


def test_a_request_waits_for_an_election_and_not_for_ever() -> None:
    async def scenario(voters: Voters) -> None:
        leader: list[tuple[int, Endpoint]] = []
        channels = Channels(
            node_id=1,
            network=voters.fabric.host("n1"),
            clock=voters.clock,
            controller=lambda: leader[0] if leader else None,
        )
        voters.nursery.start_soon(channels.run)

        async def ask() -> Any:
            request = DescribeQuorumRequest()
            return await channels.to_controller(request, timeout_s=25.0, patience_s=10.0)

        with took(10), pytest.raises(ControllerUnavailable, match="no controller is elected"):
            await ask()
        leader.append((2, voters.dead(2)))
        with took(10), pytest.raises(ControllerUnavailable, match="n2:9093"):
            await ask()
        # A controller has the request and works on it, longer than a broker waits for a new one.
        leader[0] = (3, await voters.run(3))
        voters.takes_s = 15.0
        with took(15):
            assert isinstance(await ask(), DescribeQuorumResponse)
        voters.takes_s = 60.0
        with took(25), pytest.raises(ControllerUnavailable, match="within its time"):
            await ask()

    with_voters(scenario)
