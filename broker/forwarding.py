"""Forwards requests that only the active controller can answer (KIP-590).

The request is sent unchanged inside an Envelope, with the client's principal and address, and its
answer returns the same way: a broker decodes neither. The error of the envelope says whether the
other node is not the controller (ask the next one) or refused the envelope; errors of the request
itself are in the inner answer.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeVar

from raftka.model.access import Principal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Buffer, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.messages.default_principal_data import DefaultPrincipalData
from raftka.net.protocol.messages.envelope import EnvelopeRequest
from raftka.net.session import Session

if TYPE_CHECKING:
    from raftka.broker.channels import Channels
    from raftka.net.router import Context

N = TypeVar("N")
"""The node type, which this module does not import."""

_FORWARD_TIMEOUT_S: Final = 25.0
"""Less than clients' request.timeout.ms=30000, so that they get the error."""
_PATIENCE_S: Final = 10.0
"""How long no controller may be reachable before a request fails; an election takes less."""
_SIZE = struct.Struct(">i")
_LONGEST_ADDRESS: Final = 16


async def forward(
    channels: Channels, context: Context[N], why_not: Callable[[], Awaitable[str]]
) -> list[Piece]:
    """The complete frame that answers a forwarded request.

    Raises KafkaError: REQUEST_TIMED_OUT if no controller answers in time, with the explanation of
    `why_not`; UNKNOWN_SERVER_ERROR if the controller refuses the envelope.
    """
    envelope = EnvelopeRequest(
        request_data=context.frame,
        request_principal=principal_bytes(context.principal, by_token=context.session.by_token),
        client_host_address=address_bytes(context.client_address),
    )
    try:
        answer = await channels.to_controller(
            envelope, timeout_s=_FORWARD_TIMEOUT_S, patience_s=_PATIENCE_S
        )
    except BrokenConnection as error:
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, await why_not()) from error
    if answer.error_code != ErrorCode.NONE or answer.response_data is None:
        name = ErrorCode(answer.error_code).name
        words = f"the controller did not take the request from this broker: {name}"
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, words)
    data = answer.response_data
    return [_SIZE.pack(len(data)), data]


def forwarded_session(request: EnvelopeRequest, by: Session) -> Session:
    """The client whose request is in an envelope from the session `by`.

    Raises KafkaError: PRINCIPAL_DESERIALIZATION_FAILURE, INVALID_REQUEST for a malformed address.
    """
    principal, by_token = principal_of(request.request_principal)
    host = address_of(request.client_host_address)
    return Session(
        f"{host} by way of {by.peer}",
        by.listener,
        principal,
        by_token=by_token,
        client_address=host,
    )


def principal_bytes(principal: Principal, *, by_token: bool = False) -> bytes:
    """Encode a principal as Kafka's own serializer does (DefaultPrincipalData, preceded by its
    version).

    `by_token`: the client was authenticated by a delegation token.
    """
    data = DefaultPrincipalData(
        type=principal.type, name=principal.name, token_authenticated=by_token
    )
    return codec.encode_versioned(data, 0)


def principal_of(data: Buffer | None) -> tuple[Principal, bool]:
    """Decode the output of `principal_bytes`.

    Raises KafkaError PRINCIPAL_DESERIALIZATION_FAILURE.
    """
    try:
        found = codec.decode_versioned(DefaultPrincipalData, data or b"")
    except codec.MalformedMessage as error:
        words = f"the envelope's principal cannot be read: {error}"
        raise KafkaError(ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE, words) from error
    return Principal(found.type, found.name), found.token_authenticated


def address_bytes(host: str) -> bytes:
    """An IP address as 4 or 16 bytes.

    Simulated hosts have names instead; those are sent as text, and are longer than an address.
    """
    try:
        return ip_address(host).packed
    except ValueError:
        return host.encode().ljust(_LONGEST_ADDRESS + 1, b"\0")


def address_of(data: Buffer) -> str:
    """Decode the output of `address_bytes`. Raises KafkaError INVALID_REQUEST."""
    raw = bytes(data)
    try:
        if len(raw) > _LONGEST_ADDRESS:
            return raw.rstrip(b"\0").decode()
        return str(ip_address(raw))
    except ValueError as error:
        words = f"the envelope's client address cannot be read: {error}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, words) from error
