"""Authorizes by the ACLs in the metadata: Kafka's StandardAuthorizer (KIP-801). Pure.

An ACL applies to a request if its resource (literal, prefixed, or * for all of a type), principal,
host and operation match. A DENY overrides every ALLOW. If a resource has ACLs but none applies, the
request is denied; if it has none, allow.everyone.if.no.acl.found decides. Super users may do
everything, and until a node knows the ACLs, other principals may do nothing there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterator
from typing import Final

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.kraft.sections.acls import Acl
from raftka.model.access import (
    EVERYBODY,
    WILDCARD,
    Operation,
    PatternType,
    Permission,
    Principal,
    ResourceType,
)
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.model.settings import Config
from raftka.model.settings.listeners import super_users

_IMPLYING: Final = {
    Operation.DESCRIBE: frozenset(
        {
            Operation.DESCRIBE,
            Operation.READ,
            Operation.WRITE,
            Operation.DELETE,
            Operation.ALTER,
        }
    ),
    Operation.DESCRIBE_CONFIGS: frozenset({Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS}),
}
"""The operations that an ALLOW of other operations implies."""


class StandardAuthorizer:
    """Authorizes by the ACLs of the last call of `published`."""

    def __init__(
        self,
        super_users: Collection[str] = (),
        *,
        allow_without_acls: bool,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`super_users`: principals as type:name."""
        self._deny_outweighs = Rule.DENY_OUTWEIGHS_ALLOW not in rules_off
        self.knows_acls = False
        """Whether all ACLs are known: until then only super users may do anything."""
        enforces = Rule.ACLS_ARE_ENFORCED not in rules_off
        self._super_users: Container[str] = frozenset(super_users) if enforces else _Everybody()
        self._allow_without_acls = allow_without_acls
        self._known: dict[bytes, Acl] = {}
        self._by_pattern: dict[tuple[int, int, str], dict[bytes, Acl]] = {}
        """By resource type, pattern type and name."""
        self._prefixes: dict[int, Counter[int]] = {}
        """By resource type: the lengths of prefixes, and the number of ACLs with each length."""

    def published(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: apply added and removed ACLs."""
        for acl_id in delta.acls.changed:
            self._forget(acl_id)
            acl = image.acls.get(acl_id)
            if acl is not None:
                self._add(acl_id, acl)

    def allows(
        self,
        principal: Principal,
        host: str,
        operation: Operation,
        resource_type: ResourceType,
        name: str,
    ) -> bool:
        """Whether the principal may perform the operation on the resource, from that address."""
        if str(principal) in self._super_users:
            return True
        if not self.knows_acls:
            return False
        principals = (str(principal), EVERYBODY)
        has_acls = allowed = False
        for acl in self._concerning(resource_type, name):
            has_acls = True
            if acl.principal not in principals or acl.host not in (host, WILDCARD):
                continue
            if acl.permission == Permission.ALLOW:
                allowed = allowed or _allows(acl.operation, operation)
            elif acl.operation in (operation, Operation.ALL) and self._deny_outweighs:
                return False
        return allowed or (self._allow_without_acls and not has_acls)

    def allows_somewhere(
        self, principal: Principal, host: str, operation: Operation, resource_type: ResourceType
    ) -> bool:
        """Whether there is a resource of that type on which the principal may perform the
        operation.

        An ALLOW is sufficient unless a DENY covers its whole pattern (KIP-679).
        """
        if str(principal) in self._super_users:
            return True
        if not self.knows_acls:
            return False
        principals = (str(principal), EVERYBODY)
        allowed: list[Acl] = []
        denied: list[Acl] = []
        for acl in self._known.values():
            if (
                acl.resource_type == resource_type
                and acl.principal in principals
                and acl.host in (host, WILDCARD)
                and acl.operation in (operation, Operation.ALL)
            ):
                (allowed if acl.permission == Permission.ALLOW else denied).append(acl)
        if self._allow_without_acls and not any(map(_is_about_all, denied)):
            return True
        return any(not any(_covers(no, yes) for no in denied) for yes in allowed)

    def _concerning(self, resource_type: int, name: str) -> Iterator[Acl]:
        """All ACLs that apply to that resource."""
        literal, prefixed = PatternType.LITERAL, PatternType.PREFIXED
        keys = [(resource_type, literal, name), (resource_type, literal, WILDCARD)]
        keys += [
            (resource_type, prefixed, name[:length])
            for length in self._prefixes.get(resource_type, ())
            if length <= len(name)
        ]
        for key in dict.fromkeys(keys):
            yield from self._by_pattern.get(key, {}).values()

    def _add(self, acl_id: bytes, acl: Acl) -> None:
        self._known[acl_id] = acl
        key = (acl.resource_type, acl.pattern_type, acl.resource_name)
        self._by_pattern.setdefault(key, {})[acl_id] = acl
        if acl.pattern_type == PatternType.PREFIXED:
            lengths = self._prefixes.setdefault(acl.resource_type, Counter())
            lengths[len(acl.resource_name)] += 1

    def _forget(self, acl_id: bytes) -> None:
        acl = self._known.pop(acl_id, None)
        if acl is None:
            return
        key = (acl.resource_type, acl.pattern_type, acl.resource_name)
        del self._by_pattern[key][acl_id]
        if not self._by_pattern[key]:
            del self._by_pattern[key]
        if acl.pattern_type == PatternType.PREFIXED:
            lengths, length = self._prefixes[acl.resource_type], len(acl.resource_name)
            lengths[length] -= 1
            if not lengths[length]:
                del lengths[length]


class _Everybody:
    """All principals."""

    def __contains__(self, _: object) -> bool:
        return True


def authorizer_of(config: Config, rules_off: RulesOff = ALL_HOLD) -> StandardAuthorizer | None:
    """The authorizer that authorizer.class.name selects; None without one."""
    if not config.text("authorizer.class.name"):
        return None
    return StandardAuthorizer(
        super_users(config),
        allow_without_acls=config.flag("allow.everyone.if.no.acl.found"),
        rules_off=rules_off,
    )


def _allows(granted: int, wanted: Operation) -> bool:
    """Whether an ALLOW of one operation implies another."""
    if granted == Operation.ALL:
        return True
    return granted in _IMPLYING.get(wanted, (wanted,))


def _is_about_all(acl: Acl) -> bool:
    """Whether an ACL covers every resource of its type."""
    return acl.pattern_type == PatternType.LITERAL and acl.resource_name == WILDCARD


def _covers(wide: Acl, narrow: Acl) -> bool:
    """Whether one ACL covers every resource that another covers."""
    if _is_about_all(wide):
        return True
    if _is_about_all(narrow):
        return False
    if wide.pattern_type == PatternType.PREFIXED:
        return narrow.resource_name.startswith(wide.resource_name)
    return narrow.pattern_type == PatternType.LITERAL and narrow.resource_name == wide.resource_name
