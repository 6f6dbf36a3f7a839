"""Operations at the coordinator of a group or of a transactional id, whichever broker it is now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from raftka.client.admin.calls import Calls
from raftka.client.consumer.group_client import GroupClient
from raftka.client.coordinator import COORDINATOR_MOVED, Coordinator
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection

T = TypeVar("T")


async def with_group(
    admin: Calls, group_id: str, attempt: Callable[[GroupClient], Awaitable[T]]
) -> T:
    """Attempt an operation at the group's coordinator, with retries. Raises KafkaError."""
    group = GroupClient(admin.cluster, group_id, patient=False)
    return await at_coordinator(admin, group.coordinator, lambda: attempt(group))


async def at_coordinator(
    admin: Calls, coordinator: Coordinator, attempt: Callable[[], Awaitable[T]]
) -> T:
    """The same for any coordinator, which is looked up again after it has moved or disconnected."""

    async def once() -> T:
        try:
            return await attempt()
        except BrokenConnection as error:
            coordinator.lost(str(error))
            raise
        except KafkaError as error:
            if error.code in COORDINATOR_MOVED:
                coordinator.lost(error.code.name)
            raise

    return await admin.retrying(once)
