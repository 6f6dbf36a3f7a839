"""Random requests that break the protocol: the shard may refuse them, and stays consistent.

test_group_model.py plays clients that follow the protocol; here no client does.
"""

from __future__ import annotations

import random

import pytest

from raftka.broker.coordinators.group.group import Group, GroupState
from tests.support.groups import Call, ShardWorld

GROUPS = ("payroll", "other")
INSTANCES = (None, None, None, "till-1", "till-2")
NAMES = ("range", "sticky", "robin")


class Mob:
    """One seed of it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = ShardWorld(
            max_size=self.dice.choice((2, 5, 100)),
            max_record_bytes=self.dice.choice((700, 100_000)),
            initial_rebalance_delay_ms=self.dice.choice((0, 3000)),
        )
        self.ids = ["", "stranger"]
        self.calls: list[Call] = []

    def act(self) -> None:
        dice = self.dice
        actions = (self.join, self.join, self.join, self.sync, self.sync, self.beat, self.leave)
        dice.choice((*actions, self.commit, self.wait, self.forget, self.fail_over))()

    def some_id(self) -> str:
        return self.dice.choice(self.ids[:2] + self.ids[-8:])

    def some_generation(self) -> int:
        """Mostly the newest that a member has received."""
        newest = max((getattr(c.answer, "generation_id", -1) for c in self.calls), default=-1)
        return newest - max(self.dice.randrange(-3, 3), 0)

    def join(self) -> None:
        dice = self.dice
        names = [dice.choice(NAMES) for _ in range(dice.randrange(5))]
        call = self.world.join(
            self.some_id(),
            group=dice.choice(GROUPS),
            instance=dice.choice(INSTANCES),
            protocols=[(name, dice.randbytes(dice.randrange(20))) for name in names],
            session_ms=dice.choice((6000, 10_000, 60_000)),
            rebalance_ms=dice.choice((0, 1, 20_000)),
            version=dice.randrange(10),
            protocol_type=dice.choice(("consumer",) * 8 + ("connect", "")),
        )
        self.calls.append(call)
        for each in self.calls:
            member_id = getattr(each.answer, "member_id", "")
            if member_id and member_id not in self.ids:
                self.ids.append(member_id)

    def sync(self) -> None:
        shares = {m: self.dice.randbytes(self.dice.choice((3, 300))) for m in self.ids[-4:]}
        for group in GROUPS:
            call = self.world.sync(
                self.some_id(),
                self.some_generation(),
                shares,
                group=group,
                instance=self.dice.choice(INSTANCES),
                protocol=self.dice.choice((*NAMES, None, None, None)),
            )
            self.calls.append(call)

    def beat(self) -> None:
        self.world.heartbeat(
            self.some_id(),
            self.some_generation(),
            group=self.dice.choice(GROUPS),
            instance=self.dice.choice(INSTANCES),
        )

    def leave(self) -> None:
        self.world.leave(
            self.some_id(),
            instance=self.dice.choice(INSTANCES),
            group=self.dice.choice(GROUPS),
        )

    def commit(self) -> None:
        self.world.commit(
            self.dice.randrange(100),
            partition=self.dice.randrange(6),
            member_id=self.some_id(),
            generation=self.some_generation(),
            instance=self.dice.choice(INSTANCES),
            group=self.dice.choice(GROUPS),
        )

    def wait(self) -> None:
        self.world.advance(self.dice.choice((1, 1, 500, 3000, 3000, 9000, 70_000)))

    def forget(self) -> None:
        self.world.delete_offset(partition=self.dice.randrange(4), group=self.dice.choice(GROUPS))
        self.world.shard.topic_deleted(self.dice.choice(("errors", "nowhere")))
        self.world.settle()

    def fail_over(self) -> None:
        if self.dice.random() < 0.1:
            self.world.shard.abandon()
            self.world.fail_over()

    def check(self) -> None:
        for group in self.world.shard.groups():
            assert isinstance(group, Group)
            check_group(group)
        assert self.world.mirror.contents()[1] == self.world.shard.contents()[1]


def check_group(group: Group) -> None:
    members = group.members
    assert all(member_id == member.member_id for member_id, member in members.items())
    statics = {m.instance_id: m.member_id for m in members.values() if m.instance_id is not None}
    assert group.static_members == statics
    assert group.awaiting_join == sum(m.join_ticket is not None for m in members.values())
    assert (group.leader_id in members) if members else group.leader_id is None
    assert not set(group.pending_joins) & set(members)
    assert set(group.pending_syncs) <= set(members)
    if members:
        assert group.state is not GroupState.EMPTY
        assert group.select_protocol(), "all members share one"
    else:
        assert group.state in (GroupState.EMPTY, GroupState.PREPARING_REBALANCE)
    for member in members.values():
        assert member.join_ticket is None or group.state is GroupState.PREPARING_REBALANCE
        assert member.sync_ticket is None or group.state is GroupState.COMPLETING_REBALANCE


@pytest.mark.parametrize("first_seed", range(0, 100, 20))
def test_the_shard_stays_consistent(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 20):
        mob = Mob(seed)
        for _ in range(150):
            mob.act()
            mob.check()
