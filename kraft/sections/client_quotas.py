"""Quotas of users, clients and addresses (KIP-13, KIP-546, KIP-612)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from raftka.kraft.records import ClientQuotaRecord, MetadataRecord
from raftka.kraft.sections.section import Section

USER: Final = "user"
CLIENT_ID: Final = "client-id"
IP: Final = "ip"
"""Kafka's names of quota entity types."""

QuotaEntity = tuple[tuple[str, str | None], ...]
"""The owner of a quota: (type, name) pairs in the order of their types, at most one of each.

A name of None is the default for all that have no quota of their own.
"""

_DEFAULT_NAME: Final = "<default>"


class ClientQuotas(Section):
    """The section of quotas."""

    FIELDS = ("client_quotas",)
    __slots__ = (*FIELDS, "changed")

    client_quotas: Mapping[QuotaEntity, Mapping[str, float]]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[QuotaEntity, None] = {}

    def records(self) -> Iterator[MetadataRecord]:
        for entity, values in self.client_quotas.items():
            for key, value in values.items():
                yield ClientQuotaRecord(entity, key, value)

    def note_gone(self, before: ClientQuotas) -> None:
        for entity in before.client_quotas:
            self.changed.setdefault(entity)

    def view(self) -> Mapping[str, Any]:
        return {entity_text(entity): values for entity, values in self.client_quotas.items()}

    def _altered(self, record: ClientQuotaRecord, _offset: int) -> None:
        quotas = self.own("client_quotas")
        entity: QuotaEntity = tuple((kind, name) for kind, name in record.entity)
        values = dict(quotas.get(entity, {}))
        if record.value is None:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
        if values:
            quotas[entity] = values
        else:
            quotas.pop(entity, None)
        self.changed[entity] = None

    REPLAYS: ClassVar = {ClientQuotaRecord: _altered}


def entity_text(entity: QuotaEntity) -> str:
    """An entity for people: "user alice, client-id <default>"."""
    return ", ".join(f"{kind} {_DEFAULT_NAME if name is None else name}" for kind, name in entity)
