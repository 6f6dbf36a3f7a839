"""SaslHandshake (key 17): the client chooses a mechanism, if the listener requires SASL (KIP-43).

Version notes: after version 0 tokens are sent without headers, after 1 in SaslAuthenticate
(KIP-152).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.sasl_handshake import (
    SaslHandshakeRequest,
    SaslHandshakeResponse,
)
from raftka.net.router import LastAnswer


@handles(SaslHandshakeRequest, versions=(0, 1), access=NOTHING, listeners="both")
async def sasl_handshake(context: Context, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    authentication = context.session.authentication
    if authentication is None:
        return SaslHandshakeResponse(error_code=int(ErrorCode.ILLEGAL_SASL_STATE))
    offered = authentication.mechanisms
    try:
        authentication.handshake(request.mechanism, raw=context.api_version == 0)
    except KafkaError as error:
        answer = SaslHandshakeResponse(error_code=int(error.code), mechanisms=offered)
        raise LastAnswer(answer, error.message) from error
    return SaslHandshakeResponse(mechanisms=offered)
