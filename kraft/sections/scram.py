"""SCRAM credentials of users (KIP-900), by which brokers verify passwords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from raftka.kraft.records import (
    MetadataRecord,
    RemoveUserScramCredentialRecord,
    UserScramCredentialRecord,
)
from raftka.kraft.sections.section import ReplayError, Section
from raftka.model.scram import NUMBERS, ScramCredential

ScramKey = tuple[str, int]
"""(user, the number of the mechanism)"""
Credentials = Mapping[ScramKey, ScramCredential]
NO_CREDENTIALS: Final[Credentials] = {}


class Scram(Section):
    """The section of SCRAM credentials."""

    FIELDS = ("scram",)
    __slots__ = (*FIELDS, "changed")

    scram: Mapping[ScramKey, ScramCredential]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[ScramKey, None] = {}
        """The changed or removed credentials."""

    def records(self) -> Iterator[MetadataRecord]:
        for (user, mechanism), credential in self.scram.items():
            yield UserScramCredentialRecord(user, mechanism, *credential)

    def note_gone(self, before: Scram) -> None:
        for key in before.scram:
            self.changed.setdefault(key)

    def view(self) -> Mapping[str, Any]:
        """Without the keys: many people may see a node's metadata."""
        return {
            f"{user} {NUMBERS.get(mechanism, mechanism)}": f"iterations={credential.iterations}"
            for (user, mechanism), credential in self.scram.items()
        }

    def _set(self, record: UserScramCredentialRecord, _offset: int) -> None:
        key = (record.user, record.mechanism)
        self.own("scram")[key] = ScramCredential(
            record.salt, record.stored_key, record.server_key, record.iterations
        )
        self.changed[key] = None

    def _removed(self, record: RemoveUserScramCredentialRecord, _offset: int) -> None:
        key = (record.user, record.mechanism)
        if key not in self.scram:
            raise ReplayError(f"a credential of {record.user} is removed, but there is none")
        del self.own("scram")[key]
        self.changed[key] = None

    REPLAYS: ClassVar = {
        UserScramCredentialRecord: _set,
        RemoveUserScramCredentialRecord: _removed,
    }
