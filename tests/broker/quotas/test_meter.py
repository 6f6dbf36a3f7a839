"""The time that requests take from a node, as the dispatcher measures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from raftka.broker.quotas.client_rates import ClientRates
from raftka.broker.quotas.meter import Metering
from raftka.broker.quotas.rates import Windows
from raftka.kraft.sections.client_quotas import QuotaEntity
from raftka.model.access import PER_RESOURCE, Cluster
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from raftka.net.protocol.messages.update_features import (
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from raftka.net.router import Context, Pending, Returned, Router
from raftka.net.session import Session
from raftka.simulations.machines.clock import SimClock
from tests.support.asking import Answer, ask

WINDOWS = Windows(11, 1000)
REQUESTS = "request_percentage"


class Worked(SimClock):
    """A clock that advances when a handler reports work."""

    def __init__(self) -> None:
        super().__init__()
        self.worked_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.worked_s


class World:
    """A dispatcher whose handlers take 0.6 s of the node's time each, and a quota of 5 %."""

    def __init__(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> None:
        self.clock = Worked()
        self.produce = ClientRates("producer_byte_rate", WINDOWS)
        self.fetch = ClientRates("consumer_byte_rate", WINDOWS)
        self.request = ClientRates(REQUESTS, WINDOWS, longest_ms=1000)
        self.request.follow(quotas)
        self.is_active = bool(quotas)
        self.pending = Pending()
        router: Router[Any] = Router()

        @router.handles(HeartbeatRequest, versions=(0, 4), access=PER_RESOURCE)
        def at_once(_context: Context[Any], request: HeartbeatRequest) -> Returned:
            self.clock.worked_s += 0.6
            return self.pending if request.group_id == "later" else HeartbeatResponse()

        @router.handles(ListGroupsRequest, versions=(0, 5), access=PER_RESOURCE)
        async def waits(_context: Context[Any], _request: ListGroupsRequest) -> ListGroupsResponse:
            self.clock.worked_s += 0.3
            await trio.sleep(100)
            self.clock.worked_s += 0.3
            return ListGroupsResponse()

        @router.handles(UpdateFeaturesRequest, versions=(0, 2), access=Cluster.CLUSTER_ACTION)
        def of_the_cluster(_context: Context[Any], _request: object) -> UpdateFeaturesResponse:
            self.clock.worked_s += 0.6
            return UpdateFeaturesResponse()

        self.dispatcher = Dispatcher(None, router.routes("broker"), meter=self)
        self.session = Session("h:1", "PLAINTEXT")

    def begin(self, context: Context[Any], *, is_exempt: bool) -> Metering:
        return Metering(self, self.clock, context, times=not is_exempt)

    def ask(self, request: Any, version: int) -> tuple[Answer[Any], Any]:
        return ask(self.dispatcher, self.session, request, version)


FIVE_PERCENT: Mapping[QuotaEntity, Mapping[str, float]] = {
    (("client-id", "test"),): {REQUESTS: 5.0}
}
THROTTLE_MS = 1_000
"""0.6 s are 6 % of ten; two seconds without requests suffice, and a window is the most."""


async def test_a_request_is_measured_until_it_is_answered() -> None:
    world = World(FIVE_PERCENT)
    answer, _ = world.ask(HeartbeatRequest(group_id="g"), 4)
    assert answer.message.throttle_time == THROTTLE_MS
    assert 0.9 < answer.muted_until_s - world.clock.monotonic() <= 1


async def test_without_quotas_nothing_is_measured() -> None:
    world = World({})
    answer, _ = world.ask(HeartbeatRequest(group_id="g"), 4)
    assert (answer.message.throttle_time, answer.muted_until_s) == (0, 0)
    assert len(world.request._rates) == 0


async def test_requests_of_the_cluster_are_exempt() -> None:
    world = World(FIVE_PERCENT)
    answer, _ = world.ask(UpdateFeaturesRequest(), 1)
    assert (answer.message.throttle_time, answer.muted_until_s) == (0, 0)


async def test_an_answer_that_comes_later_says_it_then() -> None:
    world = World(FIVE_PERCENT)
    answer, _ = world.ask(HeartbeatRequest(group_id="later"), 4)
    assert answer.is_waiting
    assert not answer.muted_until_s
    world.pending.resolve(HeartbeatResponse())
    assert answer.message.throttle_time == THROTTLE_MS
    assert answer.muted_until_s


async def test_time_that_a_handler_waits_is_not_the_clients(autojump_clock: object) -> None:
    world = World(FIVE_PERCENT)
    answer, waiting = world.ask(ListGroupsRequest(), 4)
    await waiting
    assert answer.message.throttle_time == THROTTLE_MS
    world = World({(("client-id", "test"),): {REQUESTS: 7.0}})
    answer, waiting = world.ask(ListGroupsRequest(), 4)
    await waiting
    assert answer.message.throttle_time == 0, "it worked for 6 % of the time, whatever it waited"
