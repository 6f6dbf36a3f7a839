"""Consumer groups with random members: partitions have one owner, and groups become stable."""

from __future__ import annotations

import random

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule, RulesOff
from tests.support.consumer_groups import Client, ConsumerWorld, settle

_FENCED = (
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.FENCED_MEMBER_EPOCH,
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.GROUP_ID_NOT_FOUND,
)


class Story:
    """A few independent members: some heartbeats and answers are lost."""

    def __init__(self, seed: int, rules_off: RulesOff) -> None:
        self.dice = random.Random(seed)
        topics = {f"t{i}": self.dice.randrange(1, 9) for i in range(3)}
        self.world = ConsumerWorld(topics, rules_off=rules_off)
        self.clients: list[Client] = []
        self.made = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
            self.check_owners()
        while self.clients and self.dice.random() < 0.2:
            self.clients.pop()  # It crashes for good.
        self.world.advance(130_000)
        for client in self.clients:
            client.fenced()
        if self.clients:
            settle(*self.clients, rounds=30)
            owned = {place for client in self.clients for place in client.places}
            subscribed = {name for client in self.clients for name in client.topics}
            topics = self.world.image.topics
            expected = {
                (name, index)
                for name in subscribed
                if name in topics
                for index in range(len(topics[name].partitions))
            }
            assert owned == expected
            assert self.world.described().group_state == "Stable"
        self.world.log_is_true()

    def step(self) -> None:
        dice = self.dice
        choice = dice.random()
        if choice < 0.12 and len(self.clients) < 6:
            self.made += 1
            names = dice.sample(["t0", "t1", "t2"], dice.randrange(1, 4))
            self.clients.append(Client(self.world, f"m{self.made}", names))
        elif choice < 0.2:
            self.world.advance(dice.choice((100, 1_000, 5_000, 50_000)))
            self.world.log_is_true()
        elif choice < 0.23:
            self.world.fail_over()
        elif choice < 0.26:
            name = f"t{dice.randrange(3)}"
            if name in self.world.image.topics:
                count = len(self.world.image.topics[name].partitions)
                self.world.grow_topic(name, min(count + 1, 10))
        elif self.clients:
            self.act(dice.choice(self.clients))

    def act(self, client: Client) -> None:
        choice = self.dice.random()
        try:
            if choice < 0.06 and client.epoch:
                client.leave()
            elif choice < 0.1:
                self.clients.remove(client)  # It crashes; it owns its partitions until removed.
                client.owned = {}
            elif choice < 0.16:
                client.topics = self.dice.sample(["t0", "t1", "t2"], self.dice.randrange(1, 4))
                client.beat()
            elif choice < 0.3:
                epoch, owned = client.epoch, client.owned
                client.beat()
                client.epoch, client.owned = epoch, owned  # The answer was lost.
            else:
                client.beat(full=self.dice.random() < 0.6)
        except KafkaError as error:
            assert error.code in _FENCED, error
            client.fenced()

    def check_owners(self) -> None:
        """From the answers that each member received: it reads only while in the group's epoch."""
        owners: dict[tuple[str, int], str] = {}
        members = self.world.shard.core.groups.get("payroll")
        alive = {} if members is None else self.world.group().members
        for client in self.clients:
            if client.member_id not in alive:
                continue  # The coordinator will fence it, and refuses its commits meanwhile.
            for place in client.places:
                other = owners.setdefault(place, client.member_id)
                assert other == client.member_id, f"{place} has two owners"


@pytest.mark.parametrize("seed", range(60))
def test_each_partition_has_one_owner(seed: int) -> None:
    Story(seed, frozenset()).run(120)


@pytest.mark.parametrize("rule", [Rule.ONE_OWNER_PER_PARTITION, Rule.REVOKED_IS_CONFIRMED])
def test_it_would_be_noticed(rule: Rule) -> None:
    with pytest.raises(AssertionError, match="two owners"):
        for seed in range(40):
            Story(seed, frozenset({rule})).run(120)
