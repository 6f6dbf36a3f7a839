"""Envelope (key 58): a request that a broker forwards for a client (KIP-590).

The active controller handles the inner request as if the client had sent it, with the client's
principal and address, and wraps the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn, cast

from raftka.broker.forwarding import forwarded_session
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Piece
from raftka.model.rules import Rule
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages.envelope import EnvelopeRequest, EnvelopeResponse
from raftka.net.router import CloseConnection


@handles(
    EnvelopeRequest,
    versions=(0, 0),
    access=Cluster.CLUSTER_ACTION,
    listeners="controller",
    concurrent=True,
    carries_records=True,
)
async def envelope(context: Context, request: EnvelopeRequest) -> EnvelopeResponse:
    node = context.node
    if not node.is_active_controller:
        return EnvelopeResponse(error_code=int(ErrorCode.NOT_CONTROLLER))
    wrapped = WrappedAnswer()
    try:
        session = forwarded_session(request, context.session)
        if Rule.PRINCIPAL_IS_FORWARDED in node.rules_off:
            session.principal = context.principal
        waiting = node.forwarded.dispatch(memoryview(request.request_data), session, wrapped)
        if waiting is not None:
            await waiting
    except KafkaError as error:
        return EnvelopeResponse(error_code=int(error.code))
    except (CloseConnection, MalformedMessage):
        return EnvelopeResponse(error_code=int(ErrorCode.INVALID_REQUEST))
    if not node.is_active_controller:
        # This controller was deposed meanwhile: the broker asks the next controller, which may find
        # that the decision was committed after all.
        return EnvelopeResponse(error_code=int(ErrorCode.NOT_CONTROLLER))
    return EnvelopeResponse(response_data=wrapped.frame[4:], error_code=int(ErrorCode.NONE))


class WrappedAnswer:
    """Takes the place of a connection: receives the one answer that goes into the envelope."""

    def __init__(self) -> None:
        self.frame = b""

    def put(self, pieces: list[Piece]) -> None:
        """Store the answer. Controllers never answer with regions of files."""
        self.frame = b"".join(cast(list[bytes], pieces))

    def reserve(self) -> NoReturn:
        """Never called: net/router.py refuses forwarded routes with deferred answers."""
        raise NotImplementedError

    def start(self, work: Callable[[], Awaitable[None]]) -> NoReturn:
        """Never called, for the same reason."""
        raise NotImplementedError

    def mute(self, until_s: float) -> None:
        """Do nothing: the client's broker mutes the connection, by the answer's throttle time."""

    def close(self) -> None:
        """An answer could not be written."""
