"""Sends the ISR changes of all partitions to the controller, many in one request (KIP-497).

One request is in flight at a time; proposals made meanwhile go into the next one. A proposal
without an answer is resent until it is answered, or newer metadata supersedes it: until then the
leader counts with both ISRs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Protocol, TypeVar

import trio

from raftka.broker.replication.partition import IsrProposal
from raftka.broker.replication.replica import Replica
from raftka.model.errors import ErrorCode
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.alter_partition import (
    AlterPartitionRequest,
    BrokerState,
    RequestPartitionData,
    RequestTopicData,
    ResponsePartitionData,
)

log = get_logger(__name__)

R = TypeVar("R", bound=Response)

_RETRY_S = 0.05
_MOST_AT_ONCE = 2000
"""Partitions per request: the controller decides them without a pause, in one batch of metadata."""


class ToController(Protocol):
    """The connection to the active controller, whichever node that is."""

    async def to_controller(self, request: Request[R], *, lane: str = "") -> R: ...


class AlterPartitionSender:
    """The proposals of one broker that the controller has not answered."""

    def __init__(
        self,
        node_id: int,
        channels: ToController,
        clock: Clock,
        broker_epoch: Callable[[], int],
    ) -> None:
        self._node_id = node_id
        self._channels = channels
        self._clock = clock
        self._broker_epoch = broker_epoch
        self._waiting: dict[tuple[bytes, int], tuple[Replica, IsrProposal]] = {}
        self._wake = trio.Event()
        self.shrink_count = 0
        """The number of proposals that removed members from an ISR."""
        self.expand_count = 0

    def submit(self, replica: Replica, proposal: IsrProposal) -> None:
        """Send it with the next request; it replaces an older one of the same partition."""
        self._waiting[replica.topic_id, replica.index] = (replica, proposal)
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            if not self._waiting:
                await self._wake.wait()
            self._wake = trio.Event()
            sent = dict(islice(self._take(), _MOST_AT_ONCE))
            if not sent:
                continue
            retry = await self._exchange(sent)
            for key, value in retry.items():
                self._waiting.setdefault(key, value)
            if retry:
                await self._clock.sleep(_RETRY_S)

    def _take(self) -> Iterator[tuple[tuple[bytes, int], tuple[Replica, IsrProposal]]]:
        """Take the pending proposals one after another, oldest first, and drop superseded ones."""
        for key in list(self._waiting):
            replica, proposal = self._waiting.pop(key)
            if replica.state.pending is proposal:
                yield key, (replica, proposal)

    async def _exchange(
        self, sent: dict[tuple[bytes, int], tuple[Replica, IsrProposal]]
    ) -> dict[tuple[bytes, int], tuple[Replica, IsrProposal]]:
        """Send one request; return the proposals that must be resent."""
        try:
            answer = await self._channels.to_controller(self._request(sent), lane="alter-partition")
        except BrokenConnection as error:
            log.info(f"ISR changes of {len(sent)} partitions wait for a controller: {error}")
            return sent
        if answer.error_code != ErrorCode.NONE:
            # STALE_BROKER_EPOCH: this broker is registering again, and sends its new epoch then.
            log.info(
                f"ISR changes of {len(sent)} partitions are refused for now: "
                f"{ErrorCode(answer.error_code).name}"
            )
            return sent
        unanswered = dict(sent)
        retry = {}
        for topic in answer.topics:
            for part in topic.partitions:
                key = (bytes(topic.topic_id), part.partition_index)
                if key not in unanswered:
                    continue
                replica, proposal = unanswered.pop(key)
                if self._answered(replica, proposal, part):
                    retry[key] = (replica, proposal)
        return retry | unanswered

    def _request(
        self, sent: dict[tuple[bytes, int], tuple[Replica, IsrProposal]]
    ) -> AlterPartitionRequest:
        topics: dict[bytes, RequestTopicData] = {}
        for (topic_id, index), (_, proposal) in sent.items():
            topic = topics.setdefault(topic_id, RequestTopicData(topic_id=topic_id))
            topic.partitions.append(
                RequestPartitionData(
                    partition_index=index,
                    leader_epoch=proposal.leader_epoch,
                    new_isr_with_epochs=[
                        BrokerState(broker_id=broker_id, broker_epoch=epoch)
                        for broker_id, epoch in proposal.isr
                    ],
                    partition_epoch=proposal.partition_epoch,
                )
            )
        return AlterPartitionRequest(
            broker_id=self._node_id,
            broker_epoch=self._broker_epoch(),
            topics=list(topics.values()),
        )

    def _answered(
        self, replica: Replica, proposal: IsrProposal, part: ResponsePartitionData
    ) -> bool:
        """Process one partition's answer; return whether to resend the proposal."""
        state = replica.state
        code = ErrorCode(part.error_code)
        if code is not ErrorCode.NONE:
            log.info(
                f"{replica.topic_partition}: the ISR {list(proposal.members)} is refused: "
                f"{code.name}",
                leader_epoch=proposal.leader_epoch,
                partition_epoch=proposal.partition_epoch,
            )
            return state.proposal_refused(proposal, code)
        view = replace(state.view, isr=tuple(part.isr), partition_epoch=part.partition_epoch)
        if part.leader_epoch != state.view.leader_epoch:
            return False
        isr_size = len(state.view.isr)
        moved = state.proposal_accepted(proposal, view, self._clock.monotonic())
        if state.view is view:
            self.shrink_count += len(view.isr) < isr_size
            self.expand_count += len(view.isr) > isr_size
            log.info(
                f"{replica.topic_partition}: the ISR is {list(view.isr)} now",
                leader_epoch=view.leader_epoch,
                partition_epoch=view.partition_epoch,
            )
        if moved:
            replica.high_watermark_moved()
        return False
