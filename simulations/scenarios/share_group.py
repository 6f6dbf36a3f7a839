"""Members of a share group come, work, forget and die, while the leaders of their partitions and of
their state are killed. What is acknowledged is never delivered again; what is not, is."""

from __future__ import annotations

from random import Random

import trio

from raftka.client.share.acknowledgements import AcknowledgeType
from raftka.client.share.consumer import ShareConsumer, ShareRecord
from raftka.model.errors import KafkaError
from raftka.model.ids import SHARE_STATE_TOPIC, TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.simulations.checkers.shares import ShareChecker, Where
from raftka.simulations.load.workload import client_ports
from raftka.simulations.scenarios.stage import Stage

_GROUP = "workers"
_LIMIT = 4
_LOCK_S = 3.0
_PARTITIONS = 2
_ROUNDS = 4
_MEMBERS = 3
_PATIENCE_S = 60

SETTINGS = {
    "group.share.delivery.count.limit": str(_LIMIT),
    "group.share.min.record.lock.duration.ms": "1000",
    "group.share.record.lock.duration.ms": str(int(_LOCK_S * 1000)),
    "group.share.min.heartbeat.interval.ms": "500",
    "group.share.heartbeat.interval.ms": "1000",
    "group.share.min.session.timeout.ms": "3000",
    "group.share.session.timeout.ms": "6000",
    "share.coordinator.snapshot.update.records.per.snapshot": "7",
    "share.coordinator.state.topic.num.partitions": "1",
}


class _Work:
    """The members' common task."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.dice = Random(f"{stage.world.plan.seed} share group")
        self.checker = ShareChecker(_LIMIT, _LOCK_S, self._report)
        self.is_over = False
        self.draining = False
        self.started = 0

    def _report(self, name: str, story: str) -> None:
        self.stage.world.report(name, story)

    async def member(self) -> None:
        """Run a member's lives, one after the other."""
        while not self.is_over:
            self.started += 1
            name = f"worker{self.started}"
            lives = self.dice.randint(5, 40)
            try:
                await self._live(name, lives)
            except (KafkaError, BrokenConnection) as error:
                self.stage.world.trace.event("member-failed", node=name, error=str(error))
            self.checker.all_let_go(name)

    async def _live(self, name: str, lives: int) -> None:
        config = {
            "bootstrap.servers": ",".join(self.stage.world.cluster.bootstrap),
            "client.id": name,
            "group.id": _GROUP,
            "share.acknowledgement.mode": "explicit",
            "max.poll.records": 5,
            "request.timeout.ms": 4000,
        }
        async with ShareConsumer(config, **client_ports(self.stage.world, name)) as consumer:
            consumer.subscribe(["t"])
            while not self.is_over and (lives > 0 or self.draining):
                lives -= 1
                asked_s = self.stage.now
                records = await consumer.poll(1.0)
                for record in records:
                    self._note(name, record, asked_s)
                await trio.sleep(self.dice.random() * 0.2)
                await self._commit(consumer, self._say(name, consumer, records))
            if self.dice.random() < 0.3:
                consumer.abandon()

    def _note(self, name: str, record: ShareRecord, asked_s: float) -> None:
        found = self.stage.world.image.partition(*record.place)
        assert found is not None
        self.checker.delivered(
            name,
            Where(record.place, record.record.offset),
            record.delivery_count,
            found.leader_epoch,
            asked_s,
            self.stage.now,
        )

    def _say(
        self, name: str, consumer: ShareConsumer, records: list[ShareRecord]
    ) -> list[ShareRecord]:
        """The records that the member reports as done."""
        accepted = []
        for record in records:
            kind = AcknowledgeType.ACCEPT
            if not self.draining and self.dice.random() < 0.3:
                kind = AcknowledgeType.RELEASE
            if kind is AcknowledgeType.RELEASE:
                self.checker.let_go(name, Where(record.place, record.record.offset))
            consumer.acknowledge(record, kind)
            if kind is AcknowledgeType.ACCEPT:
                accepted.append(record)
        return accepted

    async def _commit(self, consumer: ShareConsumer, accepted: list[ShareRecord]) -> None:
        for record in accepted:
            self.checker.in_doubt(Where(record.place, record.record.offset))
        outcomes = await consumer.commit()
        for record in accepted:
            where = Where(record.place, record.record.offset)
            if record.place in outcomes and outcomes[record.place] is None:
                self.checker.acknowledged(where, self.stage.now)


async def scenario(stage: Stage) -> None:
    await stage.topic("t", partitions=_PARTITIONS)
    work = _Work(stage)
    for _ in range(_MEMBERS):
        stage.start(lambda _stage: work.member())
    await stage.until(lambda: SHARE_STATE_TOPIC in stage.world.image.topics)
    await stage.run(seconds=2)
    stage.produce("t", pause_s=0.05)
    for number in range(_ROUNDS):
        await stage.run(seconds=3)
        victim = stage.leader_of(SHARE_STATE_TOPIC if number == 1 else "t")
        if number == _ROUNDS - 1:
            # The members' acknowledgements cannot reach a coordinator now.
            for other in stage.nodes:
                if other is not victim:
                    stage.cut(victim, other)
                    stage.cut(other, victim)
            await stage.run(seconds=1)
        stage.kill(victim)
        stage.heal_links()
        await stage.run(seconds=4)
        stage.restart(victim)
        await stage.until(lambda: stage.isr("t", 0) == stage.isr("t", 1) == [1, 2, 3])
        await stage.until(lambda: stage.isr(SHARE_STATE_TOPIC, 0) == [1, 2, 3])
    stage.world.be_quiet()
    work.draining = True
    await stage.run(seconds=3)
    written = [
        Where(TopicPartition("t", partition), offset)
        for partition in range(_PARTITIONS)
        for offset in range(len(await stage.read("t", partition)))
    ]
    for _ in range(_PATIENCE_S):
        if not (missing := work.checker.missing(written)):
            break
        await stage.run(seconds=1)
    assert not missing, f"{len(missing)} are still to come: {', '.join(map(str, missing[:9]))}"
    work.is_over = True
    await stage.run(seconds=2)
    assert work.checker.over_count > len(written) / 2
    await stage.settle()
