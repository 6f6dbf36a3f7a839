"""The bank on one partition, over a log in memory, and its customers."""

from __future__ import annotations

import trio
import trio.testing

from raftka.broker.coordinators.host import CoordinatorHost, PendingAnswer
from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.runtime import ShardRuntime
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage, PartitionImage, TopicImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.simulations.machines.clock import SimClock
from tests.support.bank import BANK, BANK_TOPIC, BankShard, Statement
from tests.support.offsets_log import MemoryOffsetsLog

ALONE = PartitionImage(replicas=(1,), isr=(1,), leader=1)
TOPIC = TopicImage(BANK_TOPIC, bytes(15) + b"\x01", [ALONE])
OTHER = TopicImage("savings", bytes(15) + b"\x02", [ALONE])
IMAGE = MetadataImage(topics={each.name: each for each in (TOPIC, OTHER)})
PRODUCER = Producer(7, 3)


class Bank:
    """A bank on one partition, over a log in memory, with its answers and effects."""

    def __init__(self, log: MemoryOffsetsLog, nursery: trio.Nursery) -> None:
        self.log = log
        self.sent: list[Statement] = []
        self.runtimes: list[ShardRuntime[BankShard]] = []
        """That of each effect."""
        self.host = CoordinatorHost[BankShard](
            BANK,
            log,
            SimClock(),
            make_shard=lambda _partition, epoch: BankShard(epoch),
            perform=self._perform,
            key="account",
            invalid_key=ErrorCode.INVALID_REQUEST,
        )
        self.host.publish(IMAGE, MetadataDelta(EMPTY_IMAGE))
        nursery.start_soon(self.host.run)

    def _perform(self, runtime: ShardRuntime[BankShard], effect: object) -> None:
        assert isinstance(effect, Statement)
        self.sent.append(effect)
        self.runtimes.append(runtime)

    async def lead(self, epoch: int = 1) -> None:
        self.host.on_partition_elected(0, epoch)
        await trio.testing.wait_all_tasks_blocked()

    @property
    def runtime(self) -> ShardRuntime[BankShard]:
        return self.host.runtime_of("any")

    @property
    def shard(self) -> BankShard:
        return self.runtime.shard

    def deposit(self, account: str, amount: int, *, statement: bool = False) -> Answer:
        def operation(runtime: ShardRuntime[BankShard]) -> None:
            runtime.shard.deposit(account, amount, answer.pending, runtime.now())
            if statement:
                runtime.shard.statement(account)

        answer = Answer()
        self.host.answer_later(answer.pending, account, operation)
        return answer

    def transfer(self, source: str, target: str, amount: int) -> Answer:
        answer = Answer()
        self.host.answer_later(
            answer.pending,
            source,
            lambda runtime: runtime.shard.transfer(source, target, amount, answer.pending),
        )
        return answer

    def reserve(self, *deposits: tuple[str, int], producer: Producer = PRODUCER) -> Answer:
        answer = Answer()
        batch = self.shard.reserve(producer, *deposits)
        self.runtime.append_for_producer(batch, answer.done)
        return answer

    def end(self, *, commit: bool, producer: Producer = PRODUCER) -> Answer:
        answer = Answer()
        marker = EndMarker(producer.id, producer.epoch, commit, 9)
        self.runtime.end_transaction(marker, answer.done)
        return answer


class Answer:
    """A caller's answer: a value, or an error's code; None before that."""

    def __init__(self) -> None:
        self.pending = PendingAnswer(ErrorCode)
        self.value: object = None
        self.pending.on_resolved(self._resolved)

    def _resolved(self, value: object) -> None:
        self.value = value

    def done(self, error: KafkaError | None) -> None:
        assert self.value is None, "called twice"
        self.value = ErrorCode.NONE if error is None else error.code
