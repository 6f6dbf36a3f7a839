"""CreateAcls (key 30): creates ACLs, each independently of the others (KIP-140, KIP-290).

Version notes: 1 brought prefixed patterns.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.acls import create_acls
from raftka.kraft.image import Acl
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.create_acls import (
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)


def refusal(request: CreateAclsRequest, error: KafkaError) -> CreateAclsResponse:
    """Repeat an error of the whole request for each ACL that it names."""
    return CreateAclsResponse(results=[_result(error) for _ in request.creations])


@handles(CreateAclsRequest, versions=(1, 3), access=Cluster.ALTER, forward=True, refusal=refusal)
async def handle_create_acls(context: Context, request: CreateAclsRequest) -> CreateAclsResponse:
    controller = context.node.controller
    if context.node.authorizer is None:
        raise KafkaError(ErrorCode.SECURITY_DISABLED, "No Authorizer is configured.")
    wishes = [
        Acl(
            each.resource_type,
            each.resource_name,
            each.resource_pattern_type,
            each.principal,
            each.host,
            each.operation,
            each.permission_type,
        )
        for each in request.creations
    ]
    answers = await controller.submit(lambda image: create_acls(image, controller.dice, wishes))
    return CreateAclsResponse(results=[_result(failure) for failure in answers])


def _result(failure: KafkaError | None) -> AclCreationResult:
    if failure is None:
        return AclCreationResult(error_code=int(ErrorCode.NONE), error_message=None)
    return AclCreationResult(error_code=int(failure.code), error_message=failure.message)
