"""DescribeAcls (key 29): the ACLs that a filter matches, by resource (KIP-140, KIP-290).

Any node answers from its metadata image. Version notes: 1 brought prefixed patterns.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.acls import AclFilter, find_acls
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)


@handles(DescribeAclsRequest, versions=(1, 3), access=Cluster.DESCRIBE, listeners="both")
def describe_acls(context: Context, request: DescribeAclsRequest) -> DescribeAclsResponse:
    node = context.node
    if node.authorizer is None:
        words = "No Authorizer is configured on the broker"
        raise KafkaError(ErrorCode.SECURITY_DISABLED, words)
    wanted = AclFilter(
        request.resource_type_filter,
        request.resource_name_filter,
        request.pattern_type_filter,
        request.principal_filter,
        request.host_filter,
        request.operation,
        request.permission_type,
    )
    resources: dict[tuple[int, str, int], DescribeAclsResource] = {}
    for _, acl in find_acls(node.image, wanted):
        key = (acl.resource_type, acl.resource_name, acl.pattern_type)
        if key not in resources:
            resources[key] = DescribeAclsResource(
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                pattern_type=acl.pattern_type,
            )
        resources[key].acls.append(
            AclDescription(
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission,
            )
        )
    return DescribeAclsResponse(resources=list(resources.values()))
