"""A group with random members: they join, leave, crash, freeze and come back, and the coordinator
fails over; time is virtual and every seed is another history.

What must hold in each: within a generation every partition has one owner; a generation that was
assigned is never assigned again; an answered commit is never lost; the log alone gives the same
state; and once all members follow the protocol, they share the partitions.
"""

from __future__ import annotations

import random

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from tests.support.groups import Call, ShardWorld, subscription

PARTITIONS = 4
SESSION_MS = 10_000
REBALANCE_MS = 20_000
HEARTBEAT_MS = 3_000
PROTOCOLS = [("range", subscription("access"))]


class Consumer:
    """A client that follows the protocol; `alive` and `frozen` are what may go wrong."""

    def __init__(self, story: Story, name: str, *, static: bool, version: int) -> None:
        self.story = story
        self.name = name
        self.instance = name if static else None
        self.version = version
        self.member_id = ""
        self.generation = -1
        self.owned: tuple[int, ...] = ()
        self.call: Call | None = None
        self.is_syncing = False
        self.alive = True
        self.frozen = False

    @property
    def identity(self) -> str:
        return self.instance or self.member_id

    def turn(self) -> None:
        if self.call is not None:
            if self.call.done:
                call, self.call = self.call, None
                self._synced(call) if self.is_syncing else self._joined(call)
        elif self.generation < 0:
            self._join()
        else:
            self._heartbeat()

    def _join(self) -> None:
        self.is_syncing = False
        self.call = self.story.world.join(
            self.member_id,
            instance=self.instance,
            protocols=PROTOCOLS,
            session_ms=SESSION_MS,
            rebalance_ms=REBALANCE_MS,
            version=self.version,
        )

    def _joined(self, call: Call) -> None:
        if call.error is ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = call.answer.member_id
        elif call.error is ErrorCode.NONE:
            self._sync(call)
        else:
            self._lost(call.error)

    def _sync(self, call: Call) -> None:
        joined = call.joined
        self.member_id = joined.member_id
        self.generation = joined.generation_id
        shares: dict[str, bytes] = {}
        if joined.leader == self.member_id and not joined.skip_assignment:
            members = [member.member_id for member in joined.members]
            shares = {m: bytes(range(i, PARTITIONS, len(members))) for i, m in enumerate(members)}
        self.is_syncing = True
        self.call = self.story.world.sync(
            self.member_id, self.generation, shares, instance=self.instance
        )

    def _synced(self, call: Call) -> None:
        if call.error is not ErrorCode.NONE:
            self._lost(call.error)
            return
        self.owned = tuple(call.assignment)
        for partition in self.owned:
            self.story.owns(self.generation, partition, self.identity)

    def _heartbeat(self) -> None:
        code = self.story.world.heartbeat(self.member_id, self.generation, instance=self.instance)
        if code is not ErrorCode.NONE:
            self._lost(code)
            return
        for partition in self.owned:
            self.story.commit(self, partition)

    def _lost(self, code: ErrorCode | None) -> None:
        if code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION):
            self.member_id = ""
        elif code is ErrorCode.FENCED_INSTANCE_ID:
            self.alive = False
        else:
            assert code in (
                ErrorCode.REBALANCE_IN_PROGRESS,
                ErrorCode.NOT_COORDINATOR,
                ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            ), code
        self.generation = -1
        self.owned = ()

    def leave(self) -> None:
        if self.member_id and self.instance is None:
            self.story.world.leave(self.member_id)
        self.alive = False


class Story:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = ShardWorld()
        self.consumers: list[Consumer] = []
        self.owners: dict[tuple[int, int], str] = {}
        self.committed: dict[int, int] = {}
        self.offset = 0
        self.newest_stable = 0
        self.faults = self.dice.choice((0.0, 0.02, 0.1))

    def owns(self, generation: int, partition: int, identity: str) -> None:
        owner = self.owners.setdefault((generation, partition), identity)
        assert owner == identity, f"{owner} and {identity} own {partition} in {generation}"

    def commit(self, consumer: Consumer, partition: int) -> None:
        self.offset += 1
        code = self.world.commit(
            self.offset,
            partition=partition,
            member_id=consumer.member_id,
            generation=consumer.generation,
            instance=consumer.instance,
        )
        if code is ErrorCode.NONE:
            self.committed[partition] = self.offset

    def run(self) -> None:
        for _ in range(200):
            self._mischief()
            self._pass_time()
        self.faults = 0.0
        for consumer in self.consumers:
            consumer.frozen = False
        if not self._alive():
            self._arrive()
        for _ in range(100):
            self._pass_time()
        self._check_shared()

    def _alive(self) -> list[Consumer]:
        return [consumer for consumer in self.consumers if consumer.alive]

    def _arrive(self) -> None:
        name = f"c{self.dice.randrange(6)}"
        static = self.dice.random() < 0.3
        if static:
            # One process by that name: the one before has gone.
            for consumer in self._alive():
                consumer.alive = consumer.alive and consumer.instance != name
        version = self.dice.choice((2, 5, 9)) if not static else self.dice.choice((5, 9))
        self.consumers.append(Consumer(self, name, static=static, version=version))

    def _mischief(self) -> None:
        alive = self._alive()
        roll = self.dice.random()
        if len(alive) < 2 or (roll < 0.1 and len(alive) < 7):
            self._arrive()
        elif roll < 0.14:
            self.dice.choice(alive).leave()
        elif roll < 0.14 + self.faults:
            self.dice.choice(alive).alive = False
        elif roll < 0.14 + 2 * self.faults:
            chosen = self.dice.choice(alive)
            chosen.frozen = not chosen.frozen
        elif roll < 0.14 + 2.5 * self.faults:
            self._fail_over()

    def _fail_over(self) -> None:
        for ticket in self.world.shard.abandon():
            ticket.fail(KafkaError(ErrorCode.NOT_COORDINATOR))
        self.world.fail_over()

    def _pass_time(self) -> None:
        for consumer in self.dice.sample(self.consumers, len(self.consumers)):
            if consumer.alive and not consumer.frozen:
                consumer.turn()
        self._check()
        self.world.advance(self.dice.randrange(HEARTBEAT_MS // 3, HEARTBEAT_MS))
        self._check()

    def _check(self) -> None:
        groups, offsets = self.world.shard.contents()
        replayed_groups, replayed_offsets = self.world.mirror.contents()
        assert offsets == replayed_offsets
        for partition, offset in self.committed.items():
            assert self.world.committed(partition=partition)[0] == offset
        state = self.world.state()
        if state in ("Stable", "Empty"):
            assert groups == replayed_groups
        if state == "Stable":
            generation = groups["payroll"].generation
            assert generation >= self.newest_stable
            self.newest_stable = generation

    def _check_shared(self) -> None:
        assert self.world.replayed().contents() == self.world.shard.contents()
        assert self.world.state() == "Stable"
        alive = self._alive()
        generations = {consumer.generation for consumer in alive}
        assert len(generations) == 1
        owned = sorted(partition for consumer in alive for partition in consumer.owned)
        assert owned == list(range(PARTITIONS))


@pytest.mark.parametrize("first_seed", range(0, 60, 10))
def test_every_story_ends_well(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 10):
        Story(seed).run()
