"""A member of a share group at its coordinator: heartbeats, and the assignments they bring."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable

from raftka.client.cluster import Cluster
from raftka.client.coordinator import COORDINATOR_MOVED, GROUP, Coordinator
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)

log = logging.getLogger("raftka.consumer")

_JOINS = 0
_LEAVES = -1
_SOON_S = 0.2
"""The heartbeat interval of a member without partitions, whose state is being initialized."""
_SOON_TIMES = 25
_AGAIN = frozenset({ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH})
_WAIT = COORDINATOR_MOVED | {ErrorCode.COORDINATOR_LOAD_IN_PROGRESS}


class ShareMembership:
    """Sends heartbeats from `run`; `assigned` has this member's partitions."""

    def __init__(
        self, cluster: Cluster, group_id: str, rack: str | None, changed: Callable[[], None]
    ) -> None:
        """`changed` is called with each new assignment, and with a failure."""
        raw = cluster.dice.randbytes(16)
        self.member_id = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        self.assigned: dict[bytes, tuple[int, ...]] = {}
        self.failure: KafkaError | None = None
        """The error for which the group will not accept this member; None without one."""
        self._cluster = cluster
        self._group_id = group_id
        self._rack = rack
        self._changed = changed
        self._coordinator = Coordinator(cluster, group_id, GROUP)
        self._topics: list[str] = []
        self._tells_topics = False
        self._epoch = _JOINS
        self._quick = 0
        self._alarm = cluster.clock.alarm()

    def subscribe(self, topics: list[str]) -> None:
        """Change the subscription; empty to leave."""
        self._topics = topics
        self._tells_topics = True
        self._quick = 0
        self._alarm.ring()

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        clock = self._cluster.clock
        failures = 0
        while True:
            if not self._topics:
                await self._alarm.wait(float("inf"))
                continue
            try:
                pause_s = await self._beat()
                failures = 0
            except (BrokenConnection, KafkaError) as error:
                if isinstance(error, KafkaError) and not self._may_retry(error):
                    self.failure = error
                    self._changed()
                    return
                failures += 1
                pause_s = self._cluster.retry_backoff.pause(failures)
            await self._alarm.wait(clock.monotonic() + pause_s)

    async def leave(self) -> None:
        """Leave: others get this member's partitions. Raises KafkaError, BrokenConnection."""
        if self._epoch > _JOINS:
            self._epoch = _LEAVES
            await self._ask()

    def _may_retry(self, error: KafkaError) -> bool:
        if error.code in _AGAIN:
            log.info("share group %s no longer knows member %s", self._group_id, error)
            self._epoch = _JOINS
            self._take({})
            return True
        if error.code in COORDINATOR_MOVED:
            self._coordinator.lost(str(error))
        return error.code in _WAIT

    async def _beat(self) -> float:
        """Send a heartbeat; returns seconds until the next. Raises KafkaError, BrokenConnection."""
        answer = await self._ask()
        if answer.error_code != ErrorCode.NONE:
            raise KafkaError(ErrorCode(answer.error_code), answer.error_message)
        self._epoch = answer.member_epoch
        if answer.assignment is not None:
            self._take(
                {
                    bytes(each.topic_id): tuple(each.partitions)
                    for each in answer.assignment.topic_partitions
                }
            )
        if not self.assigned and self._quick < _SOON_TIMES:
            self._quick += 1
            return _SOON_S
        return answer.heartbeat_interval / 1000

    async def _ask(self) -> ShareGroupHeartbeatResponse:
        says = self._tells_topics or self._epoch == _JOINS
        self._tells_topics = False
        request = ShareGroupHeartbeatRequest(
            group_id=self._group_id,
            member_id=self.member_id,
            member_epoch=self._epoch,
            rack_id=self._rack if says else None,
            subscribed_topic_names=self._topics if says else None,
        )
        channel = await self._coordinator.channel()
        try:
            return await self._cluster.ask(channel, request)
        except BrokenConnection as error:
            self._coordinator.lost(str(error))
            raise

    def _take(self, assigned: dict[bytes, tuple[int, ...]]) -> None:
        if assigned != self.assigned:
            self.assigned = assigned
            self._changed()
