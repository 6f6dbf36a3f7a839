"""SaslAuthenticate (key 36): out of place, as no listener authenticates (sasl_handshake.py)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.sasl_authenticate import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)


@handles(SaslAuthenticateRequest, versions=(0, 2), access=NOTHING, listeners="both")
def sasl_authenticate(
    context: Context, request: SaslAuthenticateRequest
) -> SaslAuthenticateResponse:
    return SaslAuthenticateResponse(
        error_code=int(ErrorCode.ILLEGAL_SASL_STATE),
        error_message=f"The listener {context.listener} has no SASL: nothing to authenticate.",
    )
