"""Requests that only the active controller can answer, sent on to it (KIP-590).

The request travels as it came, inside an Envelope, and its answer comes back the same way: neither
is decoded here. The answer to the envelope tells apart "this is not the controller" (ask the next
one) from whatever the controller said about the request itself.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.messages.envelope import EnvelopeRequest, EnvelopeResponse
from raftka.net.router import (
    CloseConnection,
    ConnectionState,
    Context,
    call,
    encode_answer,
    handles,
    routes,
)

if TYPE_CHECKING:
    from raftka.broker.channels import Channels

_FORWARD_TIMEOUT_S = 30.0
_SIZE = struct.Struct(">i")


async def forward(channels: Channels, context: Context) -> list[Piece]:
    """The whole frame that answers a forwarded request.

    Raises KafkaError (BROKER_NOT_AVAILABLE) when no controller answers in time.
    """
    envelope = EnvelopeRequest(
        request_data=context.frame,
        request_principal=b"",
        client_host_address=context.peer.rpartition(":")[0].encode(),
    )
    try:
        answer = await channels.to_controller(envelope, timeout_s=_FORWARD_TIMEOUT_S)
    except BrokenConnection as error:
        raise KafkaError(ErrorCode.BROKER_NOT_AVAILABLE, str(error)) from error
    if answer.error_code != ErrorCode.NONE or answer.response_data is None:
        raise KafkaError(ErrorCode(answer.error_code), "the controller refused the request")
    data = answer.response_data
    return [_SIZE.pack(len(data)), data]


@handles(EnvelopeRequest, versions=(0, 0), listeners="controller", concurrent=True)
async def envelope(context: Context, request: EnvelopeRequest) -> EnvelopeResponse:
    """The active controller's side: handle the request inside and wrap its answer."""
    if not context.node.is_active_controller:
        return EnvelopeResponse(error_code=int(ErrorCode.NOT_CONTROLLER))
    frame = memoryview(request.request_data)
    header = codec.decode_request_header(frame)
    route = routes("controller").get(header.api_key)
    if route is None or not route.forward:
        raise CloseConnection(f"API key {header.api_key} is not one that is forwarded")
    inner = Context(
        node=context.node,
        api_version=header.api_version,
        correlation_id=header.correlation_id,
        client_id=header.client_id,
        peer=context.peer,
        listener=context.listener,
        connection=ConnectionState(peer=context.peer, listener=context.listener),
        frame=frame,
    )
    message = codec.decode_request(route.request, header.api_version, frame, header.body_offset)
    answer = await call(inner, route, message)
    if not context.node.is_active_controller:
        # Deposed while it was decided: the asker tries the next one, and decisions that were
        # committed after all are found there.
        return EnvelopeResponse(error_code=int(ErrorCode.NOT_CONTROLLER))
    pieces = cast(list[bytes], encode_answer(inner, answer))
    return EnvelopeResponse(response_data=b"".join(pieces)[4:], error_code=int(ErrorCode.NONE))
