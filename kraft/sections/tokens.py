"""Delegation tokens (KIP-48, KIP-900), by which clients temporarily authenticate as a user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from raftka.kraft.records import (
    DelegationTokenRecord,
    MetadataRecord,
    RemoveDelegationTokenRecord,
)
from raftka.kraft.sections.section import ReplayError, Section
from raftka.model.access import Principal
from raftka.model.delegation import DelegationToken


class Tokens(Section):
    """The section of delegation tokens."""

    FIELDS = ("tokens",)
    __slots__ = (*FIELDS, "changed")

    tokens: Mapping[str, DelegationToken]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[str, None] = {}
        """The ids of added, changed or removed tokens."""

    def records(self) -> Iterator[MetadataRecord]:
        for token_id, token in self.tokens.items():
            yield record_of(token_id, token)

    def note_gone(self, before: Tokens) -> None:
        for token_id in before.tokens:
            self.changed.setdefault(token_id)

    def view(self) -> Mapping[str, Any]:
        return {
            token_id: f"owner={token.owner} requester={token.requester} expires={token.expires_ms}"
            for token_id, token in self.tokens.items()
        }

    def _set(self, record: DelegationTokenRecord, _offset: int) -> None:
        self.own("tokens")[record.token_id] = DelegationToken(
            Principal(*record.owner),
            Principal(*record.requester),
            tuple(Principal(*each) for each in record.renewers),
            record.issued_ms,
            record.expires_ms,
            record.max_ms,
        )
        self.changed[record.token_id] = None

    def _removed(self, record: RemoveDelegationTokenRecord, _offset: int) -> None:
        if record.token_id not in self.tokens:
            raise ReplayError(f"the token {record.token_id} is removed, but there is none")
        del self.own("tokens")[record.token_id]
        self.changed[record.token_id] = None

    REPLAYS: ClassVar = {
        DelegationTokenRecord: _set,
        RemoveDelegationTokenRecord: _removed,
    }


def record_of(token_id: str, token: DelegationToken) -> DelegationTokenRecord:
    """The record that stores a token in the metadata."""
    return DelegationTokenRecord(
        token_id,
        tuple(token.owner),
        tuple(token.requester),
        tuple(tuple(each) for each in token.renewers),
        token.issued_ms,
        token.expires_ms,
        token.max_ms,
    )
