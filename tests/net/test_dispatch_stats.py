"""The dispatcher's counts of a request are the same, however its answer comes."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.answers import Turn
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.request_stats import ApiStats, RequestStats
from raftka.net.router import Context, LastAnswer, Pending, Router
from raftka.net.session import Session
from tests.support.asking import ask

SESSION = Session(peer="client:1", listener="PLAINTEXT")
REQUEST = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")


def with_stats(router: Router[None]) -> tuple[Dispatcher[None], ApiStats, Turn]:
    turn = Turn()
    stats = RequestStats(lambda: 1.0, turn)
    return Dispatcher(None, router.all(), stats=stats), stats.of("Heartbeat"), turn


def test_an_answer_at_once_and_one_that_is_pending() -> None:
    router: Router[None] = Router()
    answers: list[Any] = [HeartbeatResponse(error_code=25), pending := Pending()]

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    def heartbeat(_: Context[None], request: HeartbeatRequest) -> HeartbeatResponse | Pending:
        found: HeartbeatResponse | Pending = answers.pop(0)
        return found

    dispatcher, api, turn = with_stats(router)
    turn.begin()
    assert ask(dispatcher, SESSION, REQUEST, 4)[0].message.error_code == 25
    answer, _ = ask(dispatcher, SESSION, REQUEST, 4)
    turn.end()
    assert (answer.is_waiting, api.total.count, api.remote.count) == (True, 1, 0)
    pending.resolve(HeartbeatResponse())
    assert answer.message.error_code == 0
    assert (api.total.count, api.remote.count, api.local.count) == (2, 1, 2)
    assert api.errors == {25: 1}
    assert api.versions == {4: 2}


def test_what_an_async_handler_raises_is_counted_as_its_error() -> None:
    router: Router[None] = Router()

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    async def heartbeat(_: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        await trio.lowlevel.checkpoint()
        raise KafkaError(ErrorCode.NOT_COORDINATOR)

    dispatcher, api, turn = with_stats(router)

    async def main() -> None:
        turn.begin()
        answer, waiting = ask(dispatcher, SESSION, REQUEST, 4)
        turn.end()
        assert waiting is not None
        await waiting
        assert answer.message.error_code == ErrorCode.NOT_COORDINATOR

    trio.run(main)
    assert api.errors == {ErrorCode.NOT_COORDINATOR: 1}
    assert (api.total.count, api.remote.count) == (1, 1)


def test_an_answer_that_ends_its_connection_is_counted_as_its_error() -> None:
    router: Router[None] = Router()

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    async def heartbeat(_: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        await trio.lowlevel.checkpoint()
        code = int(ErrorCode.SASL_AUTHENTICATION_FAILED)
        raise LastAnswer(HeartbeatResponse(error_code=code), "a wrong password")

    dispatcher, api, turn = with_stats(router)

    async def main() -> None:
        turn.begin()
        answer, waiting = ask(dispatcher, SESSION, REQUEST, 4)
        turn.end()
        assert waiting is not None
        with pytest.raises(LastAnswer):
            await waiting
        assert answer.message.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED

    trio.run(main)
    assert api.errors == {ErrorCode.SASL_AUTHENTICATION_FAILED: 1}
    assert (api.total.count, api.remote.count) == (1, 1)


def test_a_version_that_is_not_promised_is_counted_as_its_error() -> None:
    router: Router[None] = Router()

    def refuse(_: Context[None]) -> HeartbeatResponse:
        return HeartbeatResponse(error_code=int(ErrorCode.UNSUPPORTED_VERSION))

    @router.handles(HeartbeatRequest, versions=(0, 3), access=NOTHING, other_versions=refuse)
    def heartbeat(_: Context[None], request: HeartbeatRequest) -> HeartbeatResponse:
        raise AssertionError

    dispatcher, api, turn = with_stats(router)
    turn.begin()
    ask(dispatcher, SESSION, REQUEST, 4)
    turn.end()
    assert api.errors == {ErrorCode.UNSUPPORTED_VERSION: 1}
    assert (api.versions, api.total.count) == ({4: 1}, 1)
