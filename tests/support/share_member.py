"""A member of a share group, over a plain connection to a simulated node."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from raftka.model.records import iter_records
from raftka.net.protocol.messages import share_acknowledge as acknowledging
from raftka.net.protocol.messages import share_fetch as fetching
from raftka.net.protocol.messages.find_coordinator import FindCoordinatorRequest
from raftka.net.protocol.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from tests.support.raw_client import RawClient

Range = tuple[int, int, int]


class Member:
    """A member of a group on a topic, controlled by a test."""

    def __init__(
        self, client: RawClient, name: str = "m", group: str = "g", topic: str = "t"
    ) -> None:
        self.client = client
        self.name = name
        self.group = group
        self.epoch = 0
        self.session = 0
        self.assigned: dict[bytes, list[int]] = {}
        self._topic = topic

    async def heartbeat(self) -> ShareGroupHeartbeatResponse:
        joins = self.epoch == 0
        answer = await self.client.ask(
            ShareGroupHeartbeatRequest(
                group_id=self.group,
                member_id=self.name,
                member_epoch=self.epoch,
                subscribed_topic_names=[self._topic] if joins else None,
            ),
            1,
        )
        if not answer.error_code:
            self.epoch = answer.member_epoch
            if answer.assignment is not None:
                self.assigned = {
                    bytes(each.topic_id): list(each.partitions)
                    for each in answer.assignment.topic_partitions
                }
        return answer

    async def find_coordinator(self) -> None:
        """Until the group has one."""
        keys = FindCoordinatorRequest(key_type=0, coordinator_keys=[self.group])
        while (await self.client.ask(keys, 6)).coordinators[0].error_code:  # noqa: ASYNC110
            await trio.sleep(0.1)

    async def join(self) -> None:
        """Wait until it has partitions."""
        keys = FindCoordinatorRequest(key_type=0, coordinator_keys=[self.group])
        await self.client.ask(keys, 6)
        for _ in range(100):
            answer = await self.heartbeat()
            if self.assigned:
                return
            assert answer.error_code in (0, 14, 15, 16), answer
            await trio.sleep(0.1)
        raise AssertionError("no partitions")

    async def leave(self) -> None:
        """Release its records, and leave the group."""
        if self.session:
            await self.client.ask(
                acknowledging.ShareAcknowledgeRequest(
                    group_id=self.group, member_id=self.name, share_session_epoch=-1
                ),
                2,
            )
        self.epoch, self.session, self.assigned = -1, 0, {}
        await self.heartbeat()
        self.epoch = 0

    async def fetch(
        self,
        *,
        max_wait_ms: int = 500,
        records: int = 100,
        said: Sequence[tuple[int, int, int]] = (),
        mode: int = 0,
        epoch: int | None = None,
    ) -> fetching.ShareFetchResponse:
        session = self.session if epoch is None else epoch
        topics = [
            fetching.FetchTopic(
                topic_id=topic_id,
                partitions=[
                    fetching.FetchPartition(
                        partition_index=index,
                        acknowledgement_batches=[
                            fetching.AcknowledgementBatch(
                                first_offset=first, last_offset=last, acknowledge_types=[kind]
                            )
                            for first, last, kind in said
                        ],
                    )
                    for index in some
                ],
            )
            for topic_id, some in self.assigned.items()
        ]
        answer = await self.client.ask(
            fetching.ShareFetchRequest(
                group_id=self.group,
                member_id=self.name,
                share_session_epoch=session,
                max_wait=max_wait_ms,
                min_bytes=1,
                max_bytes=1 << 20,
                max_records=records,
                batch_size=records,
                share_acquire_mode=mode,
                topics=topics if session == 0 or said else [],
            ),
            2,
        )
        if not answer.error_code:
            self.session = session + 1 if session >= 0 else 0
        return answer

    async def take(self, **named: int) -> list[Range]:
        """What it has acquired of its one partition."""
        answer = await self.fetch(**named)  # type: ignore[arg-type]
        assert answer.error_code == 0, answer
        return acquired(answer)

    async def acknowledge(
        self, first: int, last: int, kind: int = 1, *, final: bool = False
    ) -> acknowledging.ShareAcknowledgeResponse:
        (topic_id, some), *_ = self.assigned.items()
        batch = acknowledging.AcknowledgementBatch(
            first_offset=first, last_offset=last, acknowledge_types=[kind]
        )
        answer = await self.client.ask(
            acknowledging.ShareAcknowledgeRequest(
                group_id=self.group,
                member_id=self.name,
                share_session_epoch=-1 if final else self.session,
                topics=[
                    acknowledging.AcknowledgeTopic(
                        topic_id=topic_id,
                        partitions=[
                            acknowledging.AcknowledgePartition(
                                partition_index=some[0], acknowledgement_batches=[batch]
                            )
                        ],
                    )
                ],
            ),
            2,
        )
        self.session = 0 if final else self.session + 1
        return answer


def acquired(answer: fetching.ShareFetchResponse) -> list[Range]:
    """(first, last, deliveries) of an answer with one partition; its records are there."""
    found: list[Range] = []
    for topic in answer.responses:
        for part in topic.partitions:
            assert part.error_code == 0, part
            assert isinstance(part.records, bytes | bytearray | memoryview)
            offsets = set()
            data = bytes(part.records)
            while data:
                size = int.from_bytes(data[8:12], "big") + 12
                offsets |= {record.offset for record in iter_records(data[:size])}
                data = data[size:]
            for each in part.acquired_records:
                found.append((each.first_offset, each.last_offset, each.delivery_count))
                assert set(range(each.first_offset, each.last_offset + 1)) <= offsets
    return found
