"""What the dispatcher counts of a request: in the same way, however its answer comes."""

from __future__ import annotations

from typing import Any

import trio

from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.request_stats import ApiStats, RequestStats
from raftka.net.router import Context, Pending, Router
from raftka.net.session import Session
from tests.support.asking import answered, ask

SESSION = Session(peer="client:1", listener="PLAINTEXT")
REQUEST = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")


def with_stats(router: Router[None]) -> tuple[Dispatcher[None], ApiStats]:
    stats = RequestStats(lambda: 1.0)
    return Dispatcher(None, router.all(), stats=stats), stats.of("Heartbeat")


def test_an_answer_at_once_and_one_that_is_pending() -> None:
    router: Router[None] = Router()
    answers: list[Any] = [HeartbeatResponse(error_code=25), pending := Pending()]

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    def heartbeat(_: Context[None], request: HeartbeatRequest) -> HeartbeatResponse | Pending:
        found: HeartbeatResponse | Pending = answers.pop(0)
        return found

    dispatcher, api = with_stats(router)
    assert ask(dispatcher, SESSION, REQUEST, 4)[0].message.error_code == 25
    assert (api.at_once.count, api.waited.count) == (1, 0)
    answer, _ = ask(dispatcher, SESSION, REQUEST, 4)
    assert (answer.is_waiting, api.waited.count) == (True, 0)
    pending.resolve(HeartbeatResponse())
    assert answer.message.error_code == 0
    assert (api.at_once.count, api.waited.count) == (1, 1)
    assert api.errors == {25: 1}
    assert api.versions == {4: 2}


def test_what_an_async_handler_raises_is_counted_as_its_error() -> None:
    router: Router[None] = Router()

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    async def heartbeat(_: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        await trio.lowlevel.checkpoint()
        raise KafkaError(ErrorCode.NOT_COORDINATOR)

    dispatcher, api = with_stats(router)

    async def main() -> None:
        answer = await answered(dispatcher, SESSION, REQUEST, 4)
        assert answer.error_code == ErrorCode.NOT_COORDINATOR

    trio.run(main)
    assert api.errors == {ErrorCode.NOT_COORDINATOR: 1}
    assert (api.at_once.count, api.waited.count, api.remote.count) == (0, 1, 1)
