"""DescribeClientQuotas (key 48): the quotas that a filter matches (KIP-546, KIP-612).

Any node answers from its metadata image.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.client_quotas import Component, find_client_quotas
from raftka.model.access import Cluster
from raftka.net.protocol.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)


@handles(
    DescribeClientQuotasRequest,
    versions=(0, 1),
    access=Cluster.DESCRIBE_CONFIGS,
    refusal=lambda _, error: DescribeClientQuotasResponse(
        error_code=int(error.code), error_message=error.message, entries=None
    ),
)
def describe_client_quotas(
    context: Context, request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    found = find_client_quotas(
        context.node.image,
        [Component(each.entity_type, each.match_type, each.match) for each in request.components],
        strict=request.strict,
    )
    return DescribeClientQuotasResponse(
        entries=[
            EntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                values=[ValueData(key=key, value=value) for key, value in values.items()],
            )
            for entity, values in found
        ],
    )
