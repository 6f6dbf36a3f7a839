"""Random transactional producers: they crash, freeze, come back and lose answers,
coordinators die at any moment, and markers of dead coordinators come late.

Partitions are modelled by the rules that the real ones follow. What must hold in each story: all
records of a transaction have one outcome, which is the answer to its producer; a batch of one
transaction never joins another; no id and epoch is given to two producers; the log alone gives the
same state; and once all producers follow the protocol, no transaction stays open anywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import pytest

from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.transaction.core import WriteMarkers
from raftka.broker.coordinators.transaction.state import IDLE, PREPARED
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from tests.support.transactions import A, B, C, TransactionWorld

PARTITIONS = (A, B, C)
NAMES = ("n0", "n1", "n2")
TIMEOUT_MS = 20_000
OK = ErrorCode.NONE
LOST = ErrorCode.COORDINATOR_NOT_AVAILABLE
RETRIED = (ErrorCode.CONCURRENT_TRANSACTIONS, LOST)
T = TypeVar("T")
Batch = tuple[str, int]
"""(producer, number of its transaction)"""


@dataclass
class Known:
    """A partition's state of a producer id."""

    epoch: int
    coordinator_epoch: int = -1
    open: list[Batch] = field(default_factory=list)


class PartitionModel:
    """A partition, reduced to transactions (KIP-98, KIP-890)."""

    def __init__(self) -> None:
        self.producers: dict[int, Known] = {}
        self.outcomes: list[tuple[Batch, bool]] = []

    def append(self, producer: Producer, batch: Batch) -> ErrorCode:
        known = self.producers.setdefault(producer.id, Known(producer.epoch))
        if producer.epoch < known.epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        assert producer.epoch == known.epoch or not known.open, "nobody has ended the one before"
        known.epoch = producer.epoch
        known.open.append(batch)
        assert len(set(known.open)) == 1, f"two transactions in one: {known.open}"
        return OK

    def end(self, marker: EndMarker) -> ErrorCode:
        known = self.producers.setdefault(marker.producer_id, Known(marker.producer_epoch))
        if marker.producer_epoch < known.epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        if marker.coordinator_epoch < known.coordinator_epoch:
            return ErrorCode.TRANSACTION_COORDINATOR_FENCED
        known.epoch = marker.producer_epoch
        known.coordinator_epoch = marker.coordinator_epoch
        self.outcomes += [(batch, marker.commit) for batch in known.open]
        known.open.clear()
        return OK


class Client:
    """A producer that follows the protocol; `alive` and `frozen` are what may go wrong."""

    def __init__(self, story: Story, name: str, number: int) -> None:
        self.story = story
        self.name = name
        self.label = f"{name}#{number}"
        self.producer: Producer | None = None
        self.number = 0
        self.alive = True
        self.frozen = False
        self.steps = self._live()

    def turn(self) -> None:
        next(self.steps, None)

    def _live(self) -> Generator[None, None, None]:
        """One request per step, so that anything may happen between two of them."""
        while self.alive:
            code = self._init()
            while code in RETRIED:
                yield
                code = self._init()
            if code is not OK:
                self.alive = False
                return
            while (yield from self._transaction()):
                yield

    def _init(self) -> ErrorCode:
        call = self.story.ask(
            lambda: self.story.world.init(self.producer, name=self.name, timeout_ms=TIMEOUT_MS)
        )
        if call is None:
            return LOST
        assert call.error is not None
        if call.error is OK:
            self.producer = Producer(call.answer.producer_id, call.answer.producer_epoch)
            self.story.owns(self)
        return call.error

    def _transaction(self) -> Generator[None, None, bool]:
        """Whether to continue; otherwise the producer must start over."""
        producer = self.producer
        assert producer is not None
        world, dice = self.story.world, self.story.dice
        self.number += 1
        batch = (self.label, self.number)
        for partition in dice.sample(PARTITIONS, dice.randrange(1, 4)):
            for _ in range(dice.randrange(1, 3)):
                add = partial(world.add, producer, partition, name=self.name)
                added = self.story.ask(add)
                while added is None or added in RETRIED:
                    yield
                    added = self.story.ask(add)
                if added is not OK:
                    return False
                if self.story.late_batches and dice.random() < 0.1:
                    self.story.on_its_way.append((partition, producer, batch))
                elif self.story.partitions[partition].append(producer, batch) is not OK:
                    return False
                yield
        commit = dice.random() < 0.7
        end = partial(world.end, producer, commit=commit, name=self.name)
        call = self.story.ask(end)
        while call is None or call.error in RETRIED:
            if call is not None and call.error is ErrorCode.CONCURRENT_TRANSACTIONS:
                self.story.told[batch] = commit
            yield
            call = self.story.ask(end)
        if call.error is not OK:
            return False
        self.story.told[batch] = commit
        if world.version >= 2:
            self.producer = Producer(call.answer.producer_id, call.answer.producer_epoch)
            self.story.owns(self)
        return True


class Story:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = TransactionWorld(version=self.dice.choice((0, 1, 2, 2)))
        self.late_batches = self.world.version >= 2
        self.partitions = {each: PartitionModel() for each in PARTITIONS}
        self.clients: list[Client] = []
        self.count = 0
        self.owners: dict[Producer, str] = {}
        self.told: dict[Batch, bool] = {}
        self.on_its_way: list[tuple[TopicPartition, Producer, Batch]] = []
        """Batches that their producers have given up."""
        self.stale: list[WriteMarkers] = []
        """Markers of former coordinators that are still on their way."""
        self.faults = self.dice.choice((0.0, 0.05, 0.15))

    def owns(self, client: Client) -> None:
        assert client.producer is not None
        assert client.producer.epoch < 32_767
        owner = self.owners.setdefault(client.producer, client.label)
        assert owner == client.label, f"{owner} and {client.label} are {client.producer}"

    def ask(self, request: Callable[[], T]) -> T | None:
        """The answer of the coordinator; None when it was lost, with the coordinator or alone."""
        roll = self.dice.random()
        if roll < self.faults / 3:
            return None
        if roll < self.faults / 2:
            self.world.commits = False
            request()
            self.world.commits = True
            self._fail_over()
            return None
        answer = request()
        return None if roll < self.faults else answer

    def _fail_over(self) -> None:
        self.stale += self.world.wanted
        self.world.fail_over()

    def run(self) -> None:
        for _ in range(500):
            self._mischief()
            self._turn()
        self.faults = 0.0
        for client in self.clients:
            client.alive = client.frozen = False
        self.world.advance(TIMEOUT_MS + 1)
        while self.world.wanted or self.stale:
            self._write_markers()
        self._check_at_the_end()

    def _mischief(self) -> None:
        roll = self.dice.random()
        crowd = [client for client in self.clients if client.alive]
        if len(crowd) < 2 or roll < 0.02:
            self.count += 1
            self.clients.append(Client(self, self.dice.choice(NAMES), self.count))
        elif roll < 0.02 + self.faults / 5:
            chosen = self.dice.choice(crowd)
            chosen.frozen = not chosen.frozen
        elif roll < 0.02 + self.faults / 4:
            self.dice.choice(crowd).alive = False
        elif roll < 0.02 + self.faults / 2:
            self._fail_over()
        if self.on_its_way and self.dice.random() < 0.2:
            partition, producer, batch = self.on_its_way.pop(0)
            self.partitions[partition].append(producer, batch)

    def _turn(self) -> None:
        for client in self.dice.sample(self.clients, len(self.clients)):
            if client.alive and not client.frozen:
                client.turn()
        if self.dice.random() < 0.5:
            self._write_markers()
        self.world.advance(self.dice.choice((1, 10, 500)))
        self._check_log()

    def _write_markers(self) -> None:
        """One marker request, in some of its partitions, and maybe an old one that comes late."""
        world = self.world
        if self.stale and (not world.wanted or self.dice.random() < 0.3):
            old = self.stale.pop(0)
            for partition in old.partitions:
                self.partitions[partition].end(old.marker)
            world.shard.markers_written(old.transactional_id, old.marker, old.partitions, world.now)
            world.settle()
        if not world.wanted:
            return
        wish = world.wanted.pop(0)
        count = self.dice.randrange(len(wish.partitions) + 1)
        done = frozenset(self.dice.sample(sorted(wish.partitions), count))
        for partition in done:
            assert self.partitions[partition].end(wish.marker) is OK
        left = wish.partitions - done
        if left:
            world.wanted.append(replace(wish, partitions=left))
        world.shard.markers_written(wish.transactional_id, wish.marker, done, world.now)
        world.settle()

    def _check_log(self) -> None:
        found, replayed = self.world.shard.contents(), self.world.mirror.contents()
        assert found.keys() == replayed.keys()
        for name, transaction in self.world.shard.transactions().items():
            if transaction.state not in PREPARED and self.world.version:
                assert found[name] == replayed[name]
            else:
                assert found[name].transaction_status == replayed[name].transaction_status

    def _check_at_the_end(self) -> None:
        for name, transaction in self.world.shard.transactions().items():
            assert transaction.state in IDLE, f"{name} is left in {transaction.state.label}"
        for model in self.partitions.values():
            for producer_id, known in model.producers.items():
                assert not known.open, f"{producer_id} has left a transaction open"
        outcomes: dict[Batch, set[bool]] = {}
        for model in self.partitions.values():
            for batch, commit in model.outcomes:
                outcomes.setdefault(batch, set()).add(commit)
        for batch, seen in outcomes.items():
            assert len(seen) == 1, f"the transaction {batch} is torn"
            if batch in self.told:
                assert seen == {self.told[batch]}, f"{batch} was told otherwise"
        assert sum(True in seen for seen in outcomes.values()) > 0, "nothing was committed"


@pytest.mark.parametrize("first_seed", range(0, 100, 10))
def test_every_story_ends_well(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 10):
        Story(seed).run()
