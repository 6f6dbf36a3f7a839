"""The coordinators of transactions and of groups on one node, as far as handlers see them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import trio
import trio.testing

from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.service import TransactionCoordinatorService
from raftka.broker.handlers.init_producer_id import init_producer_id
from raftka.broker.node import Node
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.router import Context
from raftka.net.session import Session
from raftka.simulations.machines.clock import SimClock
from raftka.storage.verification import Guard
from tests.support.group_service import ACCESS, Answers, Coordinator
from tests.support.group_service import IMAGE as GROUP_IMAGE
from tests.support.offsets_log import MemoryOffsetsLog
from tests.support.transactions import NAME, TOPICS

OK = ErrorCode.NONE
IMAGE = MetadataImage(
    topics={**TOPICS, **GROUP_IMAGE.topics},
    topic_names={ACCESS.topic_id: ACCESS.name},
    features={"transaction.version": 2},
)


class World:
    """Both coordinators on one node, and the transaction coordinator's answers to the other."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.groups = Coordinator(MemoryOffsetsLog(), nursery)
        self.ids = 1000
        self.joined: list[Any] = []
        self.code = OK
        self.state = SimpleNamespace(is_leader=True)
        """The state of the replica of __consumer_offsets that this world simulates."""
        self.is_open = False
        """Whether the producer's transaction already has offsets of the group."""
        self.transactions = TransactionCoordinatorService(
            TransactionConfig(),
            MemoryOffsetsLog(),
            SimClock(),
            new_producer_id=self._new_id,
            send_markers=lambda wish: None,
        )
        self.transactions.publish(IMAGE, MetadataDelta(EMPTY_IMAGE))
        nursery.start_soon(self.transactions.run)
        self.node = SimpleNamespace(
            image=IMAGE,
            groups=self.groups.service,
            transactions=self.transactions,
            joining=SimpleNamespace(ask=self._ask),
            replicas=SimpleNamespace(get=lambda topic, index: self),
            clock=SimClock(),
        )

    async def _new_id(self) -> int:
        self.ids += 1
        return self.ids

    def _ask(self, question: Any, answered: Any) -> None:
        self.joined.append(question)
        answered(dict.fromkeys(question.partitions, self.code))

    def verify(self, *_: object, **__: object) -> Guard | None:
        """As a replica of __consumer_offsets."""
        return None if self.is_open else Guard()

    async def lead(self) -> None:
        await self.groups.lead()
        for partition in range(3):
            self.transactions.on_partition_elected(partition, 1)
        await trio.testing.wait_all_tasks_blocked()

    def context(self, version: int) -> Context[Node]:
        session = Session("127.0.0.1:5000", "PLAIN")
        return Context(cast(Node, self.node), session, version, 1, "c", memoryview(b""))

    async def begin(self, name: str = NAME) -> tuple[int, int]:
        request = InitProducerIdRequest(transactional_id=name, transaction_timeout=60_000)
        answer = await init_producer_id(self.context(5), request)
        assert answer.error_code == OK
        return answer.producer_id, answer.producer_epoch

    async def answered(self, pending: Any) -> Any:
        answers = Answers(pending)
        await trio.testing.wait_all_tasks_blocked()
        return answers.answer
