"""SaslHandshake (key 17): the start of an authentication, where a listener has any.

No listener has: their protocol is PLAINTEXT, and a client that is configured otherwise hears so.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.sasl_handshake import (
    SaslHandshakeRequest,
    SaslHandshakeResponse,
)


@handles(SaslHandshakeRequest, versions=(0, 1), access=NOTHING, listeners="both")
def sasl_handshake(context: Context, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    return SaslHandshakeResponse(error_code=int(ErrorCode.ILLEGAL_SASL_STATE))
