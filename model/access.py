"""Principals, operations and resources: the vocabulary of authorization (KIP-11).

The numbers are those of Kafka's protocol and metadata records (AclOperation, ResourceType). The
permissions of each API are declared at its route (`@handles(access=...)`), by the table "Operations
and Resources on Protocols" of Kafka's documentation.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Protocol

from raftka.model.errors import ErrorCode
from raftka.model.named_tuple import NamedTuple


class Principal(NamedTuple):
    """The authenticated identity behind a connection (KIP-189)."""

    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"


ANONYMOUS: Final = Principal("User", "ANONYMOUS")
"""A client of a listener without authentication."""


class Operation(enum.IntEnum):
    """An operation on a resource, as an ACL names it."""

    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class ResourceType(enum.IntEnum):
    """The types of resources that ACLs protect."""

    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(enum.IntEnum):
    """How the name in an ACL, or in an ACL filter, matches resources (KIP-290)."""

    ANY = 1
    """In filters: every pattern type."""
    MATCH = 2
    """In filters: every pattern that matches the resource of that name."""
    LITERAL = 3
    """The resource of that name; with the name * every resource."""
    PREFIXED = 4
    """Every resource whose name has that prefix."""


class Permission(enum.IntEnum):
    """Whether an ACL allows or denies its operation."""

    ANY = 1
    """In filters: both."""
    DENY = 2
    ALLOW = 3


def bits(*operations: Operation) -> int:
    """Encode a set of operations as the bit field in responses (KIP-430)."""
    return sum(1 << operation for operation in operations)


TOPIC_OPERATIONS: Final = bits(
    *(Operation.READ, Operation.WRITE, Operation.CREATE, Operation.DELETE, Operation.ALTER),
    *(Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS),
)
"""The operations on a topic: 3576 on the wire."""
CLUSTER_OPERATIONS: Final = bits(
    *(Operation.CREATE, Operation.ALTER, Operation.DESCRIBE, Operation.CLUSTER_ACTION),
    *(Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS, Operation.IDEMPOTENT_WRITE),
)
"""The operations on the cluster: 8096."""
GROUP_OPERATIONS: Final = bits(
    *(Operation.READ, Operation.DELETE, Operation.DESCRIBE),
    *(Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS),
)
"""The operations on a group: 3400."""

OPERATIONS: Final[Mapping[ResourceType, int]] = {
    ResourceType.TOPIC: TOPIC_OPERATIONS,
    ResourceType.CLUSTER: CLUSTER_OPERATIONS,
    ResourceType.GROUP: GROUP_OPERATIONS,
    ResourceType.TRANSACTIONAL_ID: bits(
        Operation.DESCRIBE, Operation.WRITE, Operation.TWO_PHASE_COMMIT
    ),
    ResourceType.DELEGATION_TOKEN: bits(Operation.DESCRIBE),
    ResourceType.USER: bits(Operation.CREATE_TOKENS, Operation.DESCRIBE_TOKENS),
}
"""The operations on a resource, by its type."""

REFUSALS: Final[Mapping[ResourceType, ErrorCode]] = {
    ResourceType.TOPIC: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ResourceType.GROUP: ErrorCode.GROUP_AUTHORIZATION_FAILED,
    ResourceType.CLUSTER: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    ResourceType.TRANSACTIONAL_ID: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ResourceType.DELEGATION_TOKEN: ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED,
    ResourceType.USER: ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED,
}
"""The error for a client without permission, by the type of the resource."""

NOT_ASKED: Final = -(2**31)
"""In a response's field for operations, if the request did not ask for them."""

WILDCARD: Final = "*"
"""In an ACL, every host, or as a literal name every resource."""
EVERYBODY: Final = "User:*"
"""In an ACL, every principal."""

CLUSTER_NAME: Final = "kafka-cluster"
"""The name of the one resource of type CLUSTER."""


class Authorizer(Protocol):
    """Decides whether a principal may perform an operation (KIP-11)."""

    def allows(
        self,
        principal: Principal,
        host: str,
        operation: Operation,
        resource_type: ResourceType,
        name: str,
    ) -> bool:
        """Whether the principal may perform the operation on the resource, from that address."""
        ...

    def allows_somewhere(
        self, principal: Principal, host: str, operation: Operation, resource_type: ResourceType
    ) -> bool:
        """Whether the principal may perform the operation on any resource of that type."""
        ...


class Cluster(enum.Enum):
    """An operation on the cluster resource that the request needs as a whole."""

    ALTER = Operation.ALTER
    ALTER_CONFIGS = Operation.ALTER_CONFIGS
    CLUSTER_ACTION = Operation.CLUSTER_ACTION
    DESCRIBE = Operation.DESCRIBE
    DESCRIBE_CONFIGS = Operation.DESCRIBE_CONFIGS


class Scope(enum.Enum):
    """For requests that no single operation covers."""

    PER_RESOURCE = "the handler checks each topic, group or other resource that is named"
    NOTHING = "any client may ask"


PER_RESOURCE: Final = Scope.PER_RESOURCE
NOTHING: Final = Scope.NOTHING

Access = Cluster | Scope
"""The permission that a route declares."""
