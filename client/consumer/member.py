"""The interface of a membership for a consumer and its poll loop, for either group protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from raftka.client.consumer.listener import RebalanceListener
from raftka.model.errors import KafkaError


class SubscriptionPattern(NamedTuple):
    """A regular expression that the coordinator resolves, in RE2's syntax (KIP-848).

    Needs group.protocol=consumer. It matches whole names of topics, now or later.
    """

    pattern: str


class GroupMember(Protocol):
    """A member of a group."""

    listener: RebalanceListener | None
    topics: frozenset[str]
    fatal: KafkaError | None

    @property
    def joining(self) -> bool:
        """Whether a rebalance is in progress during which commits are impossible."""
        ...

    def polling(self, yes: bool) -> None:
        """The caller enters or leaves poll: max.poll.interval.ms counts from here."""
        ...

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to exactly these topics."""
        ...

    def ready(self) -> bool:
        """Whether `ensure_active` has nothing to do. Raises KafkaError when it never will."""
        ...

    async def ensure_active(self) -> None:
        """Become a member with partitions. May be cancelled, and continues at the next call."""
        ...

    async def revoke_all(self) -> None:
        """Commit, and notify the listener that all partitions are revoked, as on close."""
        ...

    async def leave(self, reason: str, timeout_s: float = ...) -> None:
        """Leave the group at once."""
        ...
