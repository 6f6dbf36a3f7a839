"""Quotas of users, clients and addresses (KIP-546, KIP-612)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of, raise_for
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    EntityData,
    EntryData,
    OpData,
)
from raftka.net.protocol.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
)


class QuotaType(enum.StrEnum):
    """The entities that may have a quota: a user, a client id, both together, or an address."""

    USER = "user"
    CLIENT_ID = "client-id"
    IP = "ip"


QuotaEntity = tuple[tuple[QuotaType, str | None], ...]
"""The entity of a quota: (type, name) pairs, ordered by type; a name of None is the default."""


class QuotaMatch(enum.IntEnum):
    """How a filter matches names, by the protocol's numbers."""

    EXACT = 0
    DEFAULT = 1
    ANY = 2


class QuotaFilter(NamedTuple):
    """A filter of the entities of one type; `name` is for EXACT only."""

    type: QuotaType
    match: QuotaMatch = QuotaMatch.ANY
    name: str | None = None


async def describe_client_quotas(
    admin: Calls, filters: Iterable[QuotaFilter] = (), *, strict: bool = False
) -> dict[QuotaEntity, dict[str, float]]:
    """The quotas that all filters match; with `strict`, only of entities of no other type.

    Raises KafkaError.
    """
    request = DescribeClientQuotasRequest(
        components=[
            ComponentData(entity_type=each.type, match_type=each.match, match=each.name)
            for each in filters
        ],
        strict=strict,
    )
    answer = await admin.ask(request)
    raise_for(answer.error_code, answer.error_message)
    return {
        tuple(sorted((QuotaType(part.entity_type), part.entity_name) for part in entry.entity)): {
            value.key: value.value for value in entry.values
        }
        for entry in answer.entries or ()
    }


async def alter_client_quotas(
    admin: Calls,
    changes: Mapping[QuotaEntity, Mapping[str, float | None]],
    *,
    validate_only: bool = False,
) -> None:
    """Set quotas by entity and name; a value of None removes one. Raises SomeFailed."""
    request = AlterClientQuotasRequest(
        entries=[
            EntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                ops=[
                    OpData(key=key, value=0.0 if value is None else value, remove=value is None)
                    for key, value in values.items()
                ],
            )
            for entity, values in changes.items()
        ],
        validate_only=validate_only,
    )
    answer = await admin.ask(request)
    outcomes: dict[QuotaEntity, KafkaError | None] = {}
    for entry in answer.entries:
        entity = tuple(
            sorted((QuotaType(part.entity_type), part.entity_name) for part in entry.entity)
        )
        outcomes[entity] = error_of(entry.error_code, entry.error_message)
    checked(outcomes)
