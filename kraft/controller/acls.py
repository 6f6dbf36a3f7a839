"""Creating, finding and deleting ACLs (KIP-140, KIP-290). Pure decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from raftka.kraft.controller.result import Result
from raftka.kraft.image import MetadataImage
from raftka.kraft.records import (
    AccessControlEntryRecord,
    MetadataRecord,
    RemoveAccessControlEntryRecord,
)
from raftka.kraft.sections.acls import Acl
from raftka.model.access import (
    CLUSTER_NAME,
    WILDCARD,
    Operation,
    PatternType,
    Permission,
    ResourceType,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Dice

Deleted = list[Acl] | KafkaError


class AclFilter(NamedTuple):
    """A filter of ACLs; None, or the protocol's number for any, matches every value."""

    resource_type: int = ResourceType.ANY
    resource_name: str | None = None
    pattern_type: int = PatternType.ANY
    principal: str | None = None
    host: str | None = None
    operation: int = Operation.ANY
    permission: int = Permission.ANY

    def matches(self, acl: Acl) -> bool:
        """Whether an ACL matches the filter."""
        return (
            self.resource_type in (ResourceType.ANY, acl.resource_type)
            and self._matches_pattern(acl)
            and self.principal in (None, acl.principal)
            and self.host in (None, acl.host)
            and self.operation in (Operation.ANY, acl.operation)
            and self.permission in (Permission.ANY, acl.permission)
        )

    def _matches_pattern(self, acl: Acl) -> bool:
        if self.pattern_type not in (PatternType.ANY, PatternType.MATCH, acl.pattern_type):
            return False
        name = self.resource_name
        if name is None or name == acl.resource_name:
            return True
        if self.pattern_type != PatternType.MATCH:
            return False
        if acl.pattern_type == PatternType.PREFIXED:
            return name.startswith(acl.resource_name)
        return acl.resource_name == WILDCARD


def find_acls(image: MetadataImage, wanted: AclFilter) -> Iterator[tuple[bytes, Acl]]:
    """The ACLs that match a filter, with their ids. Raises KafkaError INVALID_REQUEST."""
    for number, kind in (
        (wanted.resource_type, ResourceType),
        (wanted.pattern_type, PatternType),
        (wanted.operation, Operation),
        (wanted.permission, Permission),
    ):
        if number not in list(kind):
            words = f"The filter names a {kind.__name__} {number} that is unknown."
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    return ((acl_id, acl) for acl_id, acl in image.acls.items() if wanted.matches(acl))


def create_acls(
    image: MetadataImage, dice: Dice, wishes: Sequence[Acl]
) -> Result[list[KafkaError | None]]:
    """Add ACLs, each independently; an existing one stays unchanged. One result for each."""
    present = set(image.acls.values())
    records: list[MetadataRecord] = []
    answers: list[KafkaError | None] = []
    for acl in wishes:
        failure = _flaw(acl)
        answers.append(failure)
        if failure is None and acl not in present:
            present.add(acl)
            records.append(AccessControlEntryRecord(dice.randbytes(16), *acl))
    return Result(records, answers)


def delete_acls(image: MetadataImage, filters: Sequence[AclFilter]) -> Result[list[Deleted]]:
    """Remove the ACLs that match each filter; one that matches two filters is in both results."""
    records: dict[bytes, MetadataRecord] = {}
    answers: list[Deleted] = []
    for wanted in filters:
        try:
            found = list(find_acls(image, wanted))
        except KafkaError as error:
            answers.append(error)
            continue
        for acl_id, _ in found:
            records[acl_id] = RemoveAccessControlEntryRecord(acl_id)
        answers.append([acl for _, acl in found])
    return Result(list(records.values()), answers)


def _flaw(acl: Acl) -> KafkaError | None:
    """Why an ACL is invalid; the texts are Kafka's."""
    if acl.resource_type == ResourceType.CLUSTER and acl.resource_name != CLUSTER_NAME:
        words = f"The only valid name for the CLUSTER resource is {CLUSTER_NAME}"
    elif not acl.resource_name:
        words = "Invalid empty resource name"
    elif acl.resource_type not in list(ResourceType)[1:]:
        words = f"Invalid resourceType {acl.resource_type}"
    elif acl.pattern_type not in (PatternType.LITERAL, PatternType.PREFIXED):
        words = f"Invalid patternType {acl.pattern_type}"
    elif acl.operation not in list(Operation)[1:]:
        words = f"Invalid operation {acl.operation}"
    elif acl.permission not in (Permission.DENY, Permission.ALLOW):
        words = f"Invalid permissionType {acl.permission}"
    elif ":" not in acl.principal:
        words = (
            f"Could not parse principal from `{acl.principal}` (no colon is present separating the"
            " principal type from the principal name)"
        )
    else:
        return None
    return KafkaError(ErrorCode.INVALID_REQUEST, words)
