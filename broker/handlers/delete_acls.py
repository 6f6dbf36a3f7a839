"""DeleteAcls (key 31): deletes the ACLs that filters match (KIP-140, KIP-290).

Version notes: 1 brought prefixed patterns.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.acls import AclFilter, Deleted, delete_acls
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.delete_acls import (
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)


def refusal(request: DeleteAclsRequest, error: KafkaError) -> DeleteAclsResponse:
    """Repeat an error of the whole request for each filter."""
    return DeleteAclsResponse(filter_results=[_result(error) for _ in request.filters])


@handles(DeleteAclsRequest, versions=(1, 3), access=Cluster.ALTER, forward=True, refusal=refusal)
async def handle_delete_acls(context: Context, request: DeleteAclsRequest) -> DeleteAclsResponse:
    if context.node.authorizer is None:
        raise KafkaError(ErrorCode.SECURITY_DISABLED, "No Authorizer is configured.")
    filters = [
        AclFilter(
            each.resource_type_filter,
            each.resource_name_filter,
            each.pattern_type_filter,
            each.principal_filter,
            each.host_filter,
            each.operation,
            each.permission_type,
        )
        for each in request.filters
    ]
    answers = await context.node.controller.submit(lambda image: delete_acls(image, filters))
    return DeleteAclsResponse(filter_results=[_result(outcome) for outcome in answers])


def _result(outcome: Deleted) -> DeleteAclsFilterResult:
    if isinstance(outcome, KafkaError):
        return DeleteAclsFilterResult(
            error_code=int(outcome.code), error_message=outcome.message, matching_acls=[]
        )
    return DeleteAclsFilterResult(
        error_code=int(ErrorCode.NONE),
        error_message=None,
        matching_acls=[
            DeleteAclsMatchingAcl(
                error_code=int(ErrorCode.NONE),
                error_message=None,
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                pattern_type=acl.pattern_type,
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission,
            )
            for acl in outcome
        ],
    )
