"""SaslAuthenticate (key 36): carries the chosen mechanism's tokens (KIP-152).

A failed attempt is answered after a delay, and closes the connection. Version notes: 1 has the
session's lifetime (KIP-368).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.sasl_authenticate import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)
from raftka.net.router import LastAnswer


@handles(SaslAuthenticateRequest, versions=(0, 2), access=NOTHING, listeners="both")
async def sasl_authenticate(
    context: Context, request: SaslAuthenticateRequest
) -> SaslAuthenticateResponse:
    session = context.session
    authentication = session.authentication
    if authentication is None:
        return SaslAuthenticateResponse(
            error_code=int(ErrorCode.ILLEGAL_SASL_STATE),
            error_message=f"The listener {context.listener} has no SASL: nothing to authenticate.",
        )
    message = bytes(request.auth_bytes)
    try:
        await authentication.prepare(message)
        token, lasts_ms = authentication.authenticate(message)
    except KafkaError as error:
        await authentication.pause()
        answer = SaslAuthenticateResponse(error_code=int(error.code), error_message=error.message)
        raise LastAnswer(answer, error.message) from error
    if authentication.principal is not None:
        session.principal, session.by_token = authentication.principal, authentication.by_token
    return SaslAuthenticateResponse(auth_bytes=token, session_lifetime=lasts_ms)
