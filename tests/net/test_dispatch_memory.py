"""While an answer waits, the dispatcher does not keep the buffer of its request."""

from __future__ import annotations

from typing import Any, cast

from raftka.model.access import NOTHING, Operation, ResourceType
from raftka.model.logs import captured
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.codec import encode_request
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.router import Context, Pending, Router
from raftka.net.session import Session
from tests.support.asking import Answer
from tests.support.wire import joined


def test_an_answer_that_waits_does_not_hold_the_receive_buffer() -> None:
    """The buffer may have 100 MB, and a client may have many of them wait."""
    router: Router[None] = Router()
    pending = Pending()

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    def heartbeat(_: Context[None], request: HeartbeatRequest) -> Pending:
        return pending

    request = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    buffer = bytearray(joined(encode_request(request, 4, 7, "c"))[4:])
    outlet: Answer[HeartbeatResponse] = Answer(HeartbeatResponse, 4)
    session = Session(peer="client:1", listener="PLAINTEXT")
    Dispatcher(None, router.all()).dispatch(memoryview(buffer), session, outlet)
    buffer.append(0)  # BufferError where there is a view of it.
    pending.resolve(HeartbeatResponse())
    assert outlet.message.error_code == 0


def test_a_denial_after_a_wait_names_the_api_that_was_asked() -> None:
    router: Router[None] = Router()
    contexts = []

    @router.handles(HeartbeatRequest, versions=(0, 4), access=NOTHING)
    def heartbeat(context: Context[None], request: HeartbeatRequest) -> Pending:
        contexts.append(context)
        return Pending()

    class Nobody:
        def allows(self, *_: object) -> bool:
            return False

    request = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    buffer = bytearray(joined(encode_request(request, 4, 7, "c"))[4:])
    outlet: Answer[HeartbeatResponse] = Answer(HeartbeatResponse, 4)
    session = Session(peer="client:1", listener="PLAINTEXT")
    dispatcher = Dispatcher(None, router.all(), authorizer=cast(Any, Nobody()))
    dispatcher.dispatch(memoryview(buffer), session, outlet)
    with captured() as lines:
        assert not contexts[0].may(Operation.READ, ResourceType.GROUP, "g")
    assert [line.words.rpartition(" for ")[2] for line in lines] == ["Heartbeat"]
