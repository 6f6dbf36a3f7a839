"""AlterUserScramCredentials (key 51): sets and deletes passwords of users (KIP-554).

The client salts and hashes the password; neither a broker nor the metadata ever sees it.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.scram import ScramDeletion, ScramUpsertion, ScramWish, alter_scram
from raftka.model.access import Cluster
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
)


def refusal(
    request: AlterUserScramCredentialsRequest, error: KafkaError
) -> AlterUserScramCredentialsResponse:
    """Repeat an error of the whole request for each user that it names."""
    names = dict.fromkeys(
        [each.name for each in request.deletions] + [each.name for each in request.upsertions]
    )
    return AlterUserScramCredentialsResponse(results=[_result(name, error) for name in names])


@handles(
    AlterUserScramCredentialsRequest,
    versions=(0, 0),
    access=Cluster.ALTER,
    forward=True,
    refusal=refusal,
)
async def handle_alter_user_scram_credentials(
    context: Context, request: AlterUserScramCredentialsRequest
) -> AlterUserScramCredentialsResponse:
    wishes: list[ScramWish] = [
        ScramDeletion(each.name, each.mechanism) for each in request.deletions
    ]
    wishes += [
        ScramUpsertion(
            each.name,
            each.mechanism,
            each.iterations,
            bytes(each.salt),
            bytes(each.salted_password),
        )
        for each in request.upsertions
    ]
    answers = await context.node.controller.submit(lambda image: alter_scram(image, wishes))
    return AlterUserScramCredentialsResponse(
        results=[_result(user, failure) for user, failure in answers.items()]
    )


def _result(user: str, failure: KafkaError | None) -> AlterUserScramCredentialsResult:
    if failure is None:
        return AlterUserScramCredentialsResult(user=user, error_code=0, error_message=None)
    return AlterUserScramCredentialsResult(
        user=user, error_code=int(failure.code), error_message=failure.message
    )
