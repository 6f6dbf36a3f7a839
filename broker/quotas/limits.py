"""Finds the quota of a client: the most specific one for its user and client id. Pure.

The order is Kafka's (documentation, "Quotas"): (user, client-id), (user, any client-id), user, (any
user, client-id), (any user, any client-id), any user, client-id, any client-id. Clients with the
same user-level quota share it, whatever their ids; so do clients with the same id under a quota for
that id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.kraft.sections.client_quotas import CLIENT_ID, USER, QuotaEntity
from raftka.model.named_tuple import NamedTuple

_ANY: Final = None


class Share(NamedTuple):
    """The clients that share a quota: those of a user, of a client id, or of a pair of both."""

    user: str
    client_id: str


class Limit(NamedTuple):
    """A quota that applies to a share."""

    share: Share
    value: float


class Limits:
    """The quotas of one kind, by user and client id."""

    def __init__(self, quotas: Mapping[QuotaEntity, Mapping[str, float]], key: str) -> None:
        self._values = {entity: values[key] for entity, values in quotas.items() if key in values}

    def __bool__(self) -> bool:
        return bool(self._values)

    def find(self, user: str, client_id: str) -> Limit | None:
        """The quota of a client of that user, if any. An empty client id has no client-id quota."""
        values = self._values
        both, of_user, of_client = Share(user, client_id), Share(user, ""), Share("", client_id)
        for entity, share in (
            (((CLIENT_ID, client_id), (USER, user)), both),
            (((CLIENT_ID, _ANY), (USER, user)), both),
            (((USER, user),), of_user),
            (((CLIENT_ID, client_id), (USER, _ANY)), both),
            (((CLIENT_ID, _ANY), (USER, _ANY)), both),
            (((USER, _ANY),), of_user),
            (((CLIENT_ID, client_id),), of_client),
            (((CLIENT_ID, _ANY),), of_client),
        ):
            value = values.get(entity)
            if value is not None and (client_id or share is of_user):
                return Limit(share, value)
        return None
