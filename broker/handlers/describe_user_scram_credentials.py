"""DescribeUserScramCredentials (key 50): the mechanisms for which users have passwords (KIP-554).

Any node answers from its metadata image; the credentials themselves are never returned.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.scram import describe_scram
from raftka.model.access import Cluster
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)


@handles(
    DescribeUserScramCredentialsRequest,
    versions=(0, 0),
    access=Cluster.DESCRIBE,
    listeners="both",
)
def describe_user_scram_credentials(
    context: Context, request: DescribeUserScramCredentialsRequest
) -> DescribeUserScramCredentialsResponse:
    users = None if request.users is None else [each.name for each in request.users]
    results = []
    for user, found in describe_scram(context.node.image, users):
        if isinstance(found, KafkaError):
            result = DescribeUserScramCredentialsResult(
                user=user, error_code=int(found.code), error_message=found.message
            )
        else:
            infos = [
                CredentialInfo(mechanism=mechanism, iterations=credential.iterations)
                for mechanism, credential in found.items()
            ]
            result = DescribeUserScramCredentialsResult(user=user, credential_infos=infos)
        results.append(result)
    return DescribeUserScramCredentialsResponse(results=results)
