"""A broker's shutdown: one request to stop, which nothing cancels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
import trio.lowlevel

from raftka.broker.lifecycle import Identity, Lifecycle, State
from raftka.model import logs
from raftka.model.errors import ErrorCode
from raftka.model.ids import Endpoint, Uuid
from raftka.net.protocol.messages.broker_heartbeat import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
)
from raftka.net.protocol.messages.broker_registration import BrokerRegistrationResponse
from raftka.simulations.machines.clock import SimClock

UNFENCED = BrokerHeartbeatResponse(is_caught_up=True, is_fenced=False)


class Controller:
    """Registers every broker; heartbeats are answered as the test says."""

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
        cordoned_log_dirs=list,
        heard=lambda _: None,
    )


async def test_no_heartbeat_follows_the_leave_to_stop() -> None:
    # It would ask to be unfenced again, and get partitions to lead during its shutdown.
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
            # The stop comes now, while this answer to an ordinary heartbeat is on its way.
            asked[0].state = State.PENDING_CONTROLLED_SHUTDOWN
        return UNFENCED

    broker = lifecycle(Controller(answer))
    asked.append(broker)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broker.run)
            await broker.unfenced()
    assert broker.state is State.SHUTTING_DOWN


async def test_a_broker_that_was_unregistered_lives_on_and_says_so_once() -> None:
    def answer(beat: BrokerHeartbeatRequest) -> BrokerHeartbeatResponse:
        if len(controller.beats) < 3:
            return UNFENCED
        return BrokerHeartbeatResponse(error_code=int(ErrorCode.BROKER_ID_NOT_REGISTERED))

    controller = Controller(answer)
    broker = lifecycle(controller)
    with logs.captured() as lines, trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broker.run)
            await broker.unfenced()
            while len(controller.beats) < 6:
                await trio.lowlevel.checkpoint()
            assert await broker.controlled_shutdown(5.0), "nothing holds it back"
    errors = [line.words for line in lines if line.level == "error"]
    assert len(errors) == 1 and "broker 1 was unregistered while it runs" in errors[0]


async def test_the_first_refusal_of_a_second_node_with_the_same_id_is_warned_of() -> None:
    class Occupied(Controller):
        refusals = 3

        async def to_controller(self, request: Any, *, lane: str = "", timeout_s: float = 0) -> Any:
            if isinstance(request, BrokerHeartbeatRequest) or not self.refusals:
                return await super().to_controller(request, lane=lane, timeout_s=timeout_s)
            await trio.lowlevel.checkpoint()
            self.refusals -= 1
            code = int(ErrorCode.DUPLICATE_BROKER_REGISTRATION)
            return BrokerRegistrationResponse(error_code=code)

    broker = lifecycle(Occupied(lambda _: UNFENCED))
    with logs.captured() as lines, trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broker.run)
            assert await broker.registered() == 7
            nursery.cancel_scope.cancel()
    warnings = [line.words for line in lines if line.level == "warning"]
    assert len(warnings) == 1 and "another broker with node.id 1 is alive" in warnings[0]
