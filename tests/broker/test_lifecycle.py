"""A broker's way out: one wish to stop, which nothing takes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from raftka.broker.lifecycle import Identity, Lifecycle, State
from raftka.model.ids import Endpoint, Uuid
from raftka.net.protocol.messages.broker_heartbeat import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
)
from raftka.net.protocol.messages.broker_registration import BrokerRegistrationResponse
from raftka.simulations.machines.clock import SimClock

UNFENCED = BrokerHeartbeatResponse(is_caught_up=True, is_fenced=False)


class Controller:
    """Registers whoever comes; heartbeats are answered as the test says."""

    def __init__(self, answer: Callable[[BrokerHeartbeatRequest], Any]) -> None:
        self.beats: list[BrokerHeartbeatRequest] = []
        self._answer = answer

    async def to_controller(self, request: Any, *, lane: str = "", timeout_s: float = 0) -> Any:
        await trio.lowlevel.checkpoint()
        if not isinstance(request, BrokerHeartbeatRequest):
            return BrokerRegistrationResponse(broker_epoch=7)
        self.beats.append(request)
        return self._answer(request)


def lifecycle(controller: Any) -> Lifecycle:
    identity = Identity(
        broker_id=1,
        cluster_id="c",
        incarnation_id=Uuid(bytes(16)),
        listeners=(("PLAINTEXT", Endpoint("h", 1)),),
        rack=None,
        log_dirs=(),
        features=(),
        previous_broker_epoch=-1,
    )
    return Lifecycle(
        identity,
        controller,
        SimClock(),
        interval_s=0.001,
        registration_timeout_s=1.0,
        metadata_offset=lambda: 7,
        offline_log_dirs=list,
        heard=lambda _: None,
    )


async def test_no_heartbeat_follows_the_leave_to_stop() -> None:
    # It would ask to be unfenced again, and get partitions to lead on its way out.
    def answer(beat: BrokerHeartbeatRequest) -> BrokerHeartbeatResponse:
        if beat.want_shut_down:
            return BrokerHeartbeatResponse(is_fenced=True, should_shut_down=True)
        return UNFENCED

    controller = Controller(answer)
    broker = lifecycle(controller)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broker.run)
            await broker.unfenced()
            assert await broker.controlled_shutdown(5.0)
        # The nursery ended: so did the heartbeats.
    assert controller.beats[-1].want_shut_down
    assert broker.state is State.SHUTTING_DOWN


async def test_an_answer_on_its_way_does_not_take_the_wish_to_stop_back() -> None:
    asked: list[Lifecycle] = []

    def answer(beat: BrokerHeartbeatRequest) -> BrokerHeartbeatResponse:
        if beat.want_shut_down:
            return BrokerHeartbeatResponse(is_fenced=True, should_shut_down=True)
        if asked[0].state is State.RUNNING:
            # Told to stop just now, while this answer to an ordinary heartbeat is on its way.
            asked[0].state = State.PENDING_CONTROLLED_SHUTDOWN
        return UNFENCED

    broker = lifecycle(Controller(answer))
    asked.append(broker)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broker.run)
            await broker.unfenced()
    assert broker.state is State.SHUTTING_DOWN
