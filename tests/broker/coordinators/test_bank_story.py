"""The bank on real replicas in virtual time: two brokers, random requests, and failovers.

What must hold in each story: an answered operation is never lost, money is neither made nor lost by
a transfer, a statement shows only what is committed, a producer's deposits take effect together,
and the log alone gives the same state.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from raftka.broker.coordinators.host import CoordinatorHost, PendingAnswer
from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.replicated_log import ReplicatedLog
from raftka.broker.coordinators.runtime import ShardRuntime
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, PartitionImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.simulations.machines.clock import SimClock
from tests.support.bank import BANK, BANK_TOPIC, BankShard, Statement
from tests.support.data_plane import Broker, World

TOPIC = replace(BANK, commit_timeout_ms=500)
ACCOUNTS = ("ann", "bob", "eve")


class Branch:
    """A broker with its part of the bank."""

    def __init__(self, story: Story, broker: Broker) -> None:
        self.broker = broker
        self.story = story
        self.host = CoordinatorHost[BankShard](
            TOPIC,
            ReplicatedLog(BANK_TOPIC, broker.replicas, broker.clock),
            SimClock(),
            make_shard=lambda _partition, epoch: BankShard(epoch),
            perform=self._send,
            key="account",
            invalid_key=ErrorCode.INVALID_REQUEST,
        )
        broker.replicas.role_listeners.append(self.host)

    def publish(self) -> None:
        self.broker.publish()
        image = self.broker.world.image()
        self.host.publish(image, MetadataDelta(EMPTY_IMAGE))

    def _send(self, _runtime: ShardRuntime[BankShard], effect: object) -> None:
        assert isinstance(effect, Statement)
        self.story.statements.append((self, effect))


class Story:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World()
        self.world.add_topic(BANK_TOPIC, PartitionImage((1, 2), (1, 2), 1))
        self.branches = [Branch(self, Broker(self.world, broker_id)) for broker_id in (1, 2)]
        self.statements: list[tuple[Branch, Statement]] = []
        self.deposited = 0
        """The sum of answered deposits."""
        self.perhaps = 0
        """The sum of deposits with unknown outcome."""
        self.open: dict[Producer, int] = {}
        """The sum reserved by transactions that have not ended."""
        self.numbers = 0
        self.failovers = 0

    @property
    def leader(self) -> Branch:
        return self.branches[self.world.topics[BANK_TOPIC].partitions[0].leader - 1]

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for branch in self.branches:
                nursery.start_soon(branch.host.run)
                branch.publish()
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(150):
                self._happen()
                await trio.sleep(self.dice.choice((0, 0.01, 0.3)))
            await self._check_in_the_end()
            nursery.cancel_scope.cancel()

    def _happen(self) -> None:
        roll = self.dice.random()
        account, other = self.dice.sample(ACCOUNTS, 2)
        if roll < 0.04:
            self._fail_over()
        elif roll < 0.4:
            self._copy()
        elif roll < 0.7:
            self._deposit(account)
        elif roll < 0.8:
            self._transfer(account, other)
        elif roll < 0.9:
            self._reserve()
        else:
            self._end()

    def _copy(self) -> None:
        first, second = self.branches
        leader, follower = (first, second) if self.leader is first else (second, first)
        follower.broker.copy(leader.broker, rounds=2)

    def _fail_over(self) -> None:
        """The other broker is in sync, so it may lead; records that it lacks are lost."""
        self.failovers += 1
        leader = 3 - self.world.topics[BANK_TOPIC].partitions[0].leader
        self.world.change(BANK_TOPIC, leader=leader)
        for branch in self.branches:
            branch.publish()

    def _deposit(self, account: str) -> None:
        amount = self.dice.randrange(1, 100)

        def resolved(value: object) -> None:
            if isinstance(value, int) and not isinstance(value, ErrorCode):
                self.deposited += amount
            else:
                self.perhaps += amount

        def operation(runtime: ShardRuntime[BankShard]) -> None:
            runtime.shard.deposit(account, amount, answer, runtime.now())
            runtime.shard.statement(account)

        answer = PendingAnswer(ErrorCode)
        answer.on_resolved(resolved)
        self.leader.host.answer_later(answer, account, operation)

    def _transfer(self, source: str, target: str) -> None:
        answer = PendingAnswer(ErrorCode)
        amount = self.dice.randrange(1, 50)
        self.leader.host.answer_later(
            answer, source, lambda runtime: runtime.shard.transfer(source, target, amount, answer)
        )

    def _reserve(self) -> None:
        self.numbers += 1
        producer = Producer(self.numbers, 0)
        amount = self.dice.randrange(1, 100)

        def done(error: KafkaError | None) -> None:
            if error is None:
                self.open[producer] = 2 * amount

        try:
            runtime = self.leader.host.runtime_of("ann")
        except KafkaError:
            return
        batch = runtime.shard.reserve(producer, ("ann", amount), ("bob", amount))
        runtime.append_for_producer(batch, done)

    def _end(self) -> None:
        if not self.open:
            return
        producer = self.dice.choice(sorted(self.open))
        amount = self.open.pop(producer)
        commit = self.dice.random() < 0.7

        def done(error: KafkaError | None) -> None:
            if error is None:
                self.deposited += amount * commit
            elif commit:
                self.perhaps += amount

        try:
            runtime = self.leader.host.runtime_of("ann")
        except KafkaError:
            self.open[producer] = amount
            return
        runtime.end_transaction(EndMarker(producer.id, 0, commit, runtime.shard.epoch), done)

    async def _check_in_the_end(self) -> None:
        for _ in range(30):
            self._copy()
            await trio.sleep(0.1)
        shard = self.leader.host.runtime_of("ann").shard
        total = sum(shard.accounts.values())
        assert self.deposited <= total <= self.deposited + self.perhaps
        pending = {identity: sum(a for _, a in found) for identity, found in shard.pending.items()}
        for producer, amount in self.open.items():
            assert pending.get(producer.id) == amount, "answered, and not ended"
        for branch in self.branches:
            if branch is not self.leader:
                self._fail_over()
                break
        await trio.sleep(1)
        successor = self.leader.host.runtime_of("ann").shard
        assert successor is not shard
        assert successor.contents == shard.contents


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Story:
    return Story(request.param)


@pytest.mark.parametrize("story", range(24), indirect=True)
async def test_every_story_ends_well(story: Story, autojump_clock: MockClock) -> None:
    await story.run()
    assert story.failovers > 1
    assert story.deposited > 0
    assert story.statements


@pytest.mark.parametrize("story", [1], indirect=True)
async def test_a_statement_shows_what_both_replicas_have(
    story: Story, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    for branch in story.branches:
        nursery.start_soon(branch.host.run)
        branch.publish()
    await trio.testing.wait_all_tasks_blocked()
    story._deposit("ann")
    await trio.testing.wait_all_tasks_blocked()
    assert story.statements == []
    story._copy()
    ((sender, statement),) = story.statements
    assert sender is story.leader
    assert statement.balance == story.deposited > 0
    story._fail_over()
    await trio.sleep(1)
    assert story.leader is not sender
    assert story.leader.host.runtime_of("ann").shard.accounts == {"ann": statement.balance}
