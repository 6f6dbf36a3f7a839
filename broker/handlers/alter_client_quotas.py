"""AlterClientQuotas (key 49): quotas of users, clients and addresses (KIP-546, KIP-612).

Each entity is altered completely, or refused. Quotas of addresses accept only addresses: a host
name may resolve differently on each broker and over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from raftka.broker.request import Context, handles
from raftka.kraft.controller.client_quotas import (
    QuotaAlteration,
    QuotaChange,
    alter_client_quotas,
    quota_entity,
)
from raftka.kraft.image import QuotaEntity
from raftka.model.access import Cluster
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlteredEntity,
    AlteredEntry,
    EntryData,
)


def refusal(request: AlterClientQuotasRequest, error: KafkaError) -> AlterClientQuotasResponse:
    """Repeat an error of the whole request for each entity that it names."""
    return _response({_wish(each).entity: error for each in request.entries})


@handles(
    AlterClientQuotasRequest,
    versions=(0, 1),
    access=Cluster.ALTER_CONFIGS,
    forward=True,
    refusal=refusal,
)
async def handle_alter_client_quotas(
    context: Context, request: AlterClientQuotasRequest
) -> AlterClientQuotasResponse:
    wishes = [_wish(each) for each in request.entries]
    answers = await context.node.controller.submit(
        lambda image: alter_client_quotas(image, wishes, is_address=is_address),
        validate_only=request.validate_only,
    )
    return _response(answers)


def is_address(text: str) -> bool:
    """Whether that is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _wish(entry: EntryData) -> QuotaAlteration:
    return QuotaAlteration(
        quota_entity((part.entity_type, part.entity_name) for part in entry.entity),
        tuple(QuotaChange(op.key, None if op.remove else op.value) for op in entry.ops),
    )


def _response(answers: Mapping[QuotaEntity, KafkaError | None]) -> AlterClientQuotasResponse:
    return AlterClientQuotasResponse(
        entries=[
            AlteredEntry(
                error_code=0 if failure is None else int(failure.code),
                error_message=None if failure is None else failure.message,
                entity=[AlteredEntity(entity_type=kind, entity_name=name) for kind, name in entity],
            )
            for entity, failure in answers.items()
        ]
    )
