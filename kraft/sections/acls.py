"""Access control lists (KIP-11): operations on resources that principals may perform, by host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from raftka.kraft.records import (
    AccessControlEntryRecord,
    MetadataRecord,
    RemoveAccessControlEntryRecord,
)
from raftka.kraft.sections.section import ReplayError, Section
from raftka.model.access import Operation, PatternType, Permission, ResourceType
from raftka.model.named_tuple import NamedTuple

N = TypeVar("N", Operation, PatternType, Permission, ResourceType)


class Acl(NamedTuple):
    """One ACL, with the numbers of model/access.py."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    """type:name; User:* is every user."""
    host: str
    """An IP address; * is every host."""
    operation: int
    permission: int

    def __str__(self) -> str:
        return (
            f"{_named(Permission, self.permission)} {self.principal} from {self.host}"
            f" {_named(Operation, self.operation)} {_named(ResourceType, self.resource_type)}"
            f" {_named(PatternType, self.pattern_type)} {self.resource_name}"
        )


def _named(kind: type[N], number: int) -> str:
    """A number of a newer release has no name here."""
    return kind(number).name if number in kind._value2member_map_ else str(number)


class Acls(Section):
    """The section of ACLs."""

    FIELDS = ("acls",)
    __slots__ = (*FIELDS, "changed")

    acls: Mapping[bytes, Acl]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[bytes, None] = {}
        """The ids of added or removed ACLs."""

    def records(self) -> Iterator[MetadataRecord]:
        for acl_id, acl in self.acls.items():
            yield AccessControlEntryRecord(acl_id, *acl)

    def note_gone(self, before: Acls) -> None:
        for acl_id in before.acls:
            self.changed.setdefault(acl_id)

    def view(self) -> Mapping[str, Any]:
        return {acl_id.hex(): str(acl) for acl_id, acl in self.acls.items()}

    def _added(self, record: AccessControlEntryRecord, _offset: int) -> None:
        self.own("acls")[record.acl_id] = Acl(
            record.resource_type,
            record.resource_name,
            record.pattern_type,
            record.principal,
            record.host,
            record.operation,
            record.permission_type,
        )
        self.changed[record.acl_id] = None

    def _removed(self, record: RemoveAccessControlEntryRecord, _offset: int) -> None:
        if record.acl_id not in self.acls:
            raise ReplayError(f"ACL {record.acl_id.hex()} is removed, but there is none")
        del self.own("acls")[record.acl_id]
        self.changed[record.acl_id] = None

    REPLAYS: ClassVar = {
        AccessControlEntryRecord: _added,
        RemoveAccessControlEntryRecord: _removed,
    }
