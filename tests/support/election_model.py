"""A cluster reduced to elections: which broker has which records, and which may lead.

One partition. Brokers die (cleanly, or losing what they had not synced, or with their disk),
restart, catch up; leaders commit records when enough replicas are in sync, and ask for other ISRs;
replicas are moved. The controller is the real one. After each step the promise is checked:

    a record that was acknowledged is on every member of the ISR, and so on any elected leader, as
    long as fewer than min.insync.replicas of its holders went through an unclean shutdown.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from raftka.kraft.controller import leaders
from raftka.kraft.controller.configs import Alteration, Op, alter_incrementally
from raftka.kraft.controller.election import Election
from raftka.kraft.controller.in_sync_replicas import IsrWish, alter_partitions
from raftka.kraft.controller.reassignments import Move, alter_reassignments
from raftka.kraft.controller.result import Rules
from raftka.kraft.image import TOPIC_RESOURCE, ConfigResource, PartitionImage
from raftka.kraft.records import NO_LEADER
from raftka.model.ids import TopicPartition
from tests.support.controller import ControllerOnPaper

TOPIC = "t"


class PromiseBroken(AssertionError):
    """The guarantee was violated; the message has the story."""


@dataclass
class ModelBroker:
    """One machine: its disk, and maybe a process."""

    broker_id: int
    alive: bool = True
    log: list[int] = field(default_factory=list)
    synced: int = 0
    disk: int = 0
    clean_epoch: int = -1


@dataclass
class Promise:
    """An acknowledged record."""

    record: int
    bears: int
    """How many of its holders may be lost: the smallest min.insync.replicas since."""
    distrusted: set[int] = field(default_factory=set)
    """Brokers that had it, crashed, and have not been in the ISR since."""
    void: bool = False


class ElectionModel:
    """Draws steps from `dice`, and records them in `story`."""

    def __init__(
        self, dice: random.Random, rules: Rules | None = None, *, deaths: float = 0.0
    ) -> None:
        """`deaths`: the probability that a controller dies between two batches of one operation."""
        self.dice = dice
        self.controller = ControllerOnPaper(dice, rules)
        self.brokers = {each: ModelBroker(each) for each in range(1, dice.randrange(4, 7))}
        self.story: list[str] = []
        self.promises: list[Promise] = []
        self.joins: list[IsrWish] = []
        self.records = 0
        for broker_id in self.brokers:
            self.controller.register(broker_id, disk=self._disk(broker_id))
            self.controller.unfence(broker_id)
        replicas = sorted(self.brokers)[: dice.randrange(1, 4)]
        self.min_isr = dice.randrange(1, len(replicas) + 1)
        self.controller.create_with(TOPIC, *replicas, min_isr=self.min_isr)
        self.story.append(f"replicas {replicas}, min.insync.replicas {self.min_isr}")
        if deaths:
            self.controller.dies = lambda: dice.random() < deaths

    @property
    def partition(self) -> PartitionImage:
        return self.controller.partition(TOPIC)

    def _required(self) -> int:
        return min(self.min_isr, len(self.partition.replicas))

    def _disk(self, broker_id: int) -> bytes:
        return bytes([broker_id, self.brokers[broker_id].disk]) * 8

    def step(self) -> None:
        """Take one step."""
        action = self.dice.choices(
            (
                self.produce,
                self.catch_up,
                self.ask_for_isr,
                self.lag,
                self.crash,
                self.bounce,
                self.shut_down,
                self.fence,
                self.restart,
                self.unfence,
                self.move,
                self.change_minimum,
                self.rebalance,
                self.elect_uncleanly,
            ),
            weights=(12, 12, 10, 2, 3, 3, 1, 3, 12, 14, 1, 0.5, 1, 0.5),
        )[0]
        before = self.partition
        action()
        self.check(before)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def heal(self) -> None:
        """All brokers come back and catch up, under a running controller."""
        self.controller.dies = lambda: False
        for _ in range(4):
            for broker_id in self.brokers:
                self.restart(broker_id)
                self.unfence(broker_id)
            for broker_id in self.brokers:
                self.catch_up(broker_id)
                self.ask_for_isr()

    # ---- actions of leaders and followers

    def leader(self) -> ModelBroker | None:
        leader = self.brokers.get(self.partition.leader)
        return leader if leader is not None and leader.alive else None

    def produce(self) -> None:
        leader = self.leader()
        if leader is None:
            return
        partition = self.partition
        self.records += 1
        enough = len(partition.isr) >= self._required()
        members = [self.brokers[each] for each in self._maximal_isr()]
        reachable = [each for each in members if each.alive]
        holders = reachable if enough else [leader]
        if self.dice.random() < 0.3:
            holders = [each for each in holders if each is leader or self.dice.random() < 0.5]
        for each in holders:
            self._fetch(each, leader)
            each.log.append(self.records)
        if enough and holders == members:
            self.promises.append(Promise(self.records, self._required()))
            ids = sorted(each.broker_id for each in members)
            self.story.append(f"record {self.records} is acknowledged by {ids}")

    def _in_flight(self) -> list[IsrWish]:
        """Requests that the controller may still grant."""
        now = (self.partition.leader_epoch, self.partition.partition_epoch)
        return [each for each in self.joins if (each.leader_epoch, each.partition_epoch) == now]

    def _maximal_isr(self) -> list[int]:
        """The ISR, and the replicas that the controller may have let in already."""
        pending = [member for wish in self._in_flight() for member, _ in wish.isr]
        return list(dict.fromkeys([*self.partition.isr, *pending]))

    def _fetch(self, follower: ModelBroker, leader: ModelBroker) -> None:
        """Truncate to what both have and take the rest, as a follower does."""
        if follower is not leader:
            same = 0
            for mine, theirs in zip(follower.log, leader.log, strict=False):
                if mine != theirs:
                    break
                same += 1
            follower.log = list(leader.log)
            follower.synced = min(follower.synced, same)

    def catch_up(self, broker_id: int | None = None) -> None:
        """A follower has all that the leader has; the leader will ask to let it in."""
        leader = self.leader()
        partition = self.partition
        follower = self.brokers[broker_id or self._any(self.brokers)]
        if leader is None or not follower.alive or follower.broker_id not in partition.replicas:
            return
        self._fetch(follower, leader)
        if follower.broker_id not in partition.isr:
            members = (*partition.isr, follower.broker_id)
            self.joins.append(self._wish(members))

    def _wish(self, members: tuple[int, ...]) -> IsrWish:
        image, partition = self.controller.image, self.partition
        return IsrWish(
            image.topics[TOPIC].topic_id,
            0,
            partition.leader_epoch,
            partition.partition_epoch,
            tuple((each, image.brokers[each].epoch) for each in members),
        )

    def ask_for_isr(self) -> None:
        """An AlterPartition of some moments ago reaches the controller."""
        if not self.joins or self.leader() is None:
            return
        if self.dice.random() < 0.8:
            self.joins = self._in_flight() or self.joins
        wish = self.joins.pop(self.dice.randrange(len(self.joins)))
        self._alter(wish)

    def lag(self) -> None:
        """The leader drops a follower from the ISR."""
        partition = self.partition
        followers = [each for each in partition.isr if each != partition.leader]
        if self.leader() is not None and followers:
            gone = self._any(followers)
            self._alter(self._wish(tuple(each for each in partition.isr if each != gone)))

    def _alter(self, wish: IsrWish) -> None:
        controller = self.controller
        leader = self.partition.leader
        epoch = controller.image.brokers[leader].epoch
        ((_, outcome),) = controller.commit(
            alter_partitions(controller.image, controller.rules, leader, epoch, [wish])
        )
        members = [each for each, _ in wish.isr]
        if isinstance(outcome, PartitionImage):
            self.story.append(f"{leader} has the ISR {members}")
        else:
            self.story.append(f"{leader} is refused the ISR {members}: {outcome.code.name}")

    # ---- faults of brokers

    def crash(self, broker_id: int | None = None) -> None:
        """kill -9, loss of power, or loss of the disk."""
        broker = self.brokers[broker_id or self._any(self.brokers)]
        if not broker.alive:
            return
        broker.alive, broker.clean_epoch = False, -1
        if broker.broker_id in (*self._maximal_isr(), *self.partition.elr):
            for promise in self.promises:
                promise.distrusted.add(broker.broker_id)
        kind = self.dice.random()
        if kind < 0.1:
            broker.log, broker.synced = [], 0
            broker.disk += 1
            self.story.append(f"{broker.broker_id} crashes and loses its disk")
        elif kind < 0.5:
            broker.synced = max(broker.synced, self.dice.randrange(len(broker.log) + 1))
            broker.log = broker.log[: broker.synced]
            self.story.append(f"{broker.broker_id} crashes and keeps {len(broker.log)} records")
        else:
            self.story.append(f"{broker.broker_id} is killed")

    def bounce(self) -> None:
        """A crash and a restart that are over before any other node notices."""
        joining = set(self._maximal_isr()) - set(self.partition.isr)
        broker_id = self._any(joining or self.brokers)
        if self.controller.image.is_active(broker_id):
            self.crash(broker_id)
            self.restart(broker_id)
            self.unfence(broker_id)

    def shut_down(self) -> None:
        broker = self.brokers[self._any(self.brokers)]
        if broker.alive and self.controller.image.is_active(broker.broker_id):
            self.controller.shut_down(broker.broker_id)
            broker.alive, broker.synced = False, len(broker.log)
            broker.clean_epoch = self.controller.image.brokers[broker.broker_id].epoch
            self.story.append(f"{broker.broker_id} shuts down")

    def fence(self) -> None:
        """A session ends; mostly that of a dead broker, but a slow one may be hit as well."""
        image = self.controller.image
        broker = self.brokers[self._any(self.brokers)]
        if image.brokers[broker.broker_id].fenced:
            return
        if not broker.alive or self.dice.random() < 0.2:
            self.controller.fence(broker.broker_id)
            self.story.append(f"{broker.broker_id} is fenced")

    def restart(self, broker_id: int | None = None) -> None:
        broker = self.brokers[broker_id or self._any(self.brokers)]
        if not broker.alive:
            former = self.controller.image.brokers[broker.broker_id]
            self.controller.register(
                broker.broker_id,
                clean_epoch=broker.clean_epoch,
                disk=self._disk(broker.broker_id),
            )
            if self.controller.image.brokers[broker.broker_id] is former:
                self.story.append(f"{broker.broker_id} tries to register")
                return
            broker.alive = True
            self.story.append(f"{broker.broker_id} restarts")

    def unfence(self, broker_id: int | None = None) -> None:
        broker = self.brokers[broker_id or self._any(self.brokers)]
        registered = self.controller.image.brokers[broker.broker_id]
        if broker.alive and registered.fenced:
            self.controller.unfence(broker.broker_id)
            self.story.append(f"{broker.broker_id} is unfenced")

    # ---- actions of operators

    def move(self) -> None:
        chosen: tuple[int, ...] | None = None
        if self.dice.random() < 0.7:
            count = self.dice.randrange(1, 4)
            chosen = tuple(self.dice.sample(sorted(self.brokers), count))
        moves = [Move(TopicPartition(TOPIC, 0), chosen)]
        controller = self.controller
        ((_, failure),) = controller.commit(
            alter_reassignments(controller.image, controller.rules, moves)
        )
        if failure is None:
            self.story.append(f"the replicas shall be {chosen}")

    def change_minimum(self) -> None:
        self.min_isr = self.dice.randrange(1, 4)
        alteration = Alteration("min.insync.replicas", Op.SET, str(self.min_isr))
        wishes = [(ConfigResource(TOPIC_RESOURCE, TOPIC), [alteration])]
        controller = self.controller
        controller.commit(
            alter_incrementally(controller.image, controller.rules, controller.schema, wishes)
        )
        self.story.append(f"min.insync.replicas is {self.min_isr}")

    def elect_uncleanly(self) -> None:
        """The operator gives up the records that only dead brokers have."""
        if not self.partition.has_leader:
            for promise in self.promises:
                promise.void = True
            self.controller.elect(Election.UNCLEAN, TOPIC)
            self.story.append(f"unclean election: {self.partition.leader}")

    def rebalance(self) -> None:
        controller = self.controller
        controller.commit(leaders.rebalance_preferred(controller.image, controller.rules))

    def _any(self, ids: object) -> int:
        return self.dice.choice(sorted(ids))  # type: ignore[call-overload, no-any-return]

    # ---- invariants

    def check(self, before: PartitionImage) -> None:
        """Raises PromiseBroken unless all invariants hold."""
        after, image = self.partition, self.controller.image
        isr, elr = set(after.isr), set(after.elr)
        required = self._required()
        rules = {
            "ISR and ELR are disjoint": not isr & elr,
            "both are within the replicas": isr | elr <= set(after.replicas),
            "nobody is in the ISR who is fenced or leaving": all(map(image.is_active, isr)),
            "the leader is in the ISR": after.leader == NO_LEADER or after.leader in isr,
            "there is no ELR beside a sufficient ISR": len(isr) < required or not elr,
            "leader epochs rise": after.leader_epoch >= before.leader_epoch,
            "a new leader has a new epoch": after.leader == before.leader
            or after.leader_epoch > before.leader_epoch,
            "partition epochs rise": after == before
            or after.partition_epoch > before.partition_epoch,
            "every leader has a reason": bool(after.reason),
        }
        for rule, holds in rules.items():
            if not holds:
                raise self._broken(rule)
        joined = isr - set(before.isr)
        for promise in self.promises:
            promise.bears = min(promise.bears, required)
            promise.void = promise.void or len(promise.distrusted) >= promise.bears
            promise.distrusted -= {each for each in joined if self.brokers[each].alive}
        if after.leader_epoch != before.leader_epoch and after.leader != NO_LEADER:
            self._forget_what_is_gone(self.brokers[after.leader])
        for member in sorted(isr):
            self._check_member(self.brokers[member])

    def _forget_what_is_gone(self, leader: ModelBroker) -> None:
        """Records that a new leader lacks are lost, if too many of their holders were."""
        if leader.alive:
            log = set(leader.log)
            self.promises = [each for each in self.promises if not each.void or each.record in log]

    def _check_member(self, broker: ModelBroker) -> None:
        """A running member of the ISR has everything that was acknowledged."""
        if not broker.alive:
            return  # It will have to register again, and leaves the ISR by that.
        log = set(broker.log)
        for promise in self.promises:
            if promise.record not in log and not promise.void:
                raise self._broken(
                    f"record {promise.record} is not on {broker.broker_id}, which is in the ISR,"
                    f" although only {sorted(promise.distrusted)} of those who had it were lost"
                )

    def _broken(self, rule: str) -> PromiseBroken:
        story = "\n".join(self.story[-60:])
        return PromiseBroken(f"{rule}: {self.partition}\n{story}")
