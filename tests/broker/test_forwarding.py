"""Envelopes: the client's principal and address on the other side, as Kafka writes them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from raftka.broker.forwarding import (
    address_bytes,
    address_of,
    forward,
    principal_bytes,
    principal_of,
)
from raftka.broker.request import Context
from raftka.broker.routes import routes
from raftka.model.access import ANONYMOUS, PER_RESOURCE, Principal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Piece
from raftka.model.rules import ALL_HOLD
from raftka.net import router
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from raftka.net.protocol.messages.envelope import EnvelopeRequest, EnvelopeResponse
from raftka.net.session import Session
from tests.support.asking import answered
from tests.support.wire import joined

ALICE = Principal("User", "alice")
CLIENT = Session("[2001:db8::7]:1234", "PLAINTEXT", ALICE)
BROKER = Session("10.0.0.2:9999", "CONTROLLER")


class ToController:
    """Stands for the channels of a broker: passes an envelope to the controller's listener."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.sent: list[EnvelopeRequest] = []

    async def to_controller(self, request: EnvelopeRequest, **_: float) -> Any:
        self.sent.append(request)
        return await self.controller.ask(request)


class Controller:
    """A controller with one API, which remembers who asked."""

    def __init__(self) -> None:
        self.contexts: list[Any] = []
        self.is_active_controller = True
        self.rules_off = ALL_HOLD
        table: router.Router[Any] = router.Router()

        @table.handles(CreateTopicsRequest, versions=(2, 7), access=PER_RESOURCE, forward=True)
        async def create(context: Any, request: CreateTopicsRequest) -> CreateTopicsResponse:
            self.contexts.append(context)
            if request.timeout == 13:
                self.is_active_controller = False
            return CreateTopicsResponse(throttle_time=request.timeout)

        self.forwarded: Dispatcher[Any] = Dispatcher(self, table.forwarded())
        self.listener: Dispatcher[Any] = Dispatcher(self, {58: routes("controller")[58]})

    async def ask(self, request: EnvelopeRequest) -> EnvelopeResponse:
        return await answered(self.listener, BROKER, request, 0)


async def why() -> str:
    return "no controller is active: voter 2 does not answer"


def context_of(request: CreateTopicsRequest, session: Session = CLIENT) -> Context:
    frame = joined(codec.encode_request(request, 7, 77, "console"))[4:]
    return router.Context(cast(Any, None), session, 7, 77, "console", memoryview(frame))


async def test_the_controller_sees_the_client_and_not_the_forwarder() -> None:
    controller = Controller()
    channels: Any = ToController(controller)
    pieces: list[Piece] = await forward(channels, context_of(CreateTopicsRequest(timeout=5)), why)
    frame = joined(pieces)
    correlation_id, answer = codec.decode_response(CreateTopicsResponse, 7, frame[4:])
    assert (correlation_id, answer.throttle_time) == (77, 5)
    (seen,) = controller.contexts
    assert (seen.principal, seen.client_address) == (ALICE, "2001:db8::7")
    assert (seen.client_id, seen.listener, seen.api_version) == ("console", "CONTROLLER", 7)
    (sent,) = channels.sent
    assert len(sent.client_host_address) == 16


async def test_a_controller_that_is_deposed_meanwhile_is_not_believed() -> None:
    controller = Controller()
    channels: Any = ToController(controller)
    with pytest.raises(KafkaError, match=r"did not take the request.*NOT_CONTROLLER"):
        await forward(channels, context_of(CreateTopicsRequest(timeout=13)), why)
    assert len(controller.contexts) == 1
    with pytest.raises(KafkaError):
        await forward(channels, context_of(CreateTopicsRequest(timeout=5)), why)
    assert len(controller.contexts) == 1


async def test_no_controller_in_time() -> None:
    class Broken:
        async def to_controller(self, request: Any, **_: float) -> Any:
            raise BrokenConnection("no controller is elected")

    channels: Any = Broken()
    with pytest.raises(KafkaError, match="voter 2 does not answer") as raised:
        await forward(channels, context_of(CreateTopicsRequest()), why)
    assert raised.value.code is ErrorCode.REQUEST_TIMED_OUT


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"request_principal": b"\0\1abc"}, ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE),
        ({"request_principal": b""}, ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE),
        ({"request_principal": None}, ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE),
        ({"client_host_address": b"\1\2\3"}, ErrorCode.INVALID_REQUEST),
        ({"client_host_address": b"\xff" * 20}, ErrorCode.INVALID_REQUEST),
        ({"request_data": b""}, ErrorCode.INVALID_REQUEST),
        ({"request_data": b"\0\0\0\x09\0\0\0\1\xff\xff"}, ErrorCode.INVALID_REQUEST),
        ({"request_data": b"\0\x13\0\x63\0\0\0\1\xff\xff"}, ErrorCode.INVALID_REQUEST),
    ],
)
async def test_an_envelope_that_cannot_be_read_is_refused(
    changes: dict[str, Any], code: ErrorCode
) -> None:
    controller = Controller()
    request = EnvelopeRequest(
        request_data=bytes(context_of(CreateTopicsRequest()).frame),
        request_principal=principal_bytes(ALICE),
        client_host_address=b"\x0a\0\0\7",
    )
    for name, value in changes.items():
        setattr(request, name, value)
    assert (await controller.ask(request)).error_code == code
    assert controller.contexts == []


def test_a_principal_as_kafka_writes_it() -> None:
    """DefaultKafkaPrincipalBuilder: the version, then compact strings and a flag."""
    assert principal_bytes(ANONYMOUS) == b"\0\0\x05User\x0aANONYMOUS\0\0"
    assert principal_of(principal_bytes(ALICE)) == (ALICE, False)
    assert principal_of(principal_bytes(ALICE, by_token=True)) == (ALICE, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2001:db8::7", "a", "broker-of-16-byte"])
def test_addresses_there_and_back(host: str) -> None:
    assert address_of(address_bytes(host)) == host


def test_addresses_are_those_of_the_internet() -> None:
    assert address_bytes("10.0.0.7") == b"\x0a\0\0\x07"
    assert len(address_bytes("::1")) == 16
