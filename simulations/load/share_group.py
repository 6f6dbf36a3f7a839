"""A share group of the workload: its members acquire records, and accept, release, reject and renew
them, let locks expire, pause, leave and die.
"""

from __future__ import annotations

from random import Random
from typing import Final

import trio

from raftka.client.share.acknowledgements import AcknowledgeType
from raftka.client.share.consumer import ShareConsumer, ShareRecord
from raftka.model.errors import KafkaError
from raftka.model.ids import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TopicPartition
from raftka.simulations.checkers.shares import Where
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports
from raftka.simulations.machines.life import current_node
from raftka.simulations.plan import GroupPlan
from raftka.simulations.world import World

DEAD_LETTERS: Final = "errors.deadletterqueue.topic.name"
"""The setting of a group that names its queue."""
_KINDS: Final = (
    *(AcknowledgeType.ACCEPT,) * 12,
    *(AcknowledgeType.RELEASE,) * 4,
    AcknowledgeType.REJECT,
    AcknowledgeType.RENEW,
)
_POLLS_PER_LIFE: Final = (4, 40)
_DIES: Final = 0.4
_STANDS_STILL: Final = 0.06
_SHOWN: Final = 5
RETRY_S: Final = 0.5


class ShareGroupLoad:
    """One share group; implements world.Working. Its deliveries and acknowledgements are checked on
    the wire (checkers/share_groups.py).
    """

    def __init__(self, world: World, plan: GroupPlan) -> None:
        self.world = world
        self.plan = plan
        self._present: dict[int, ShareConsumer] = {}
        settings = world.plan.settings
        self._lock_s = int(settings.get("group.share.record.lock.duration.ms", "30000")) / 1000
        self._session_s = int(settings.get("group.share.session.timeout.ms", "45000")) / 1000

    def start(self) -> None:
        """Start its members."""
        assert self.world.nursery is not None
        for number in range(self.plan.members):
            self.world.nursery.start_soon(self._member, number)

    def abandon(self) -> None:
        """Let every member vanish."""
        for member in self._present.values():
            member.abandon()

    async def _member(self, number: int) -> None:
        """Run a member's lives, one after the other."""
        place = f"{self.plan.name}{number}"
        current_node.set(place)
        dice = Random(f"{self.world.plan.seed} member {place}")
        lives = 0
        while not self.world.ended.is_set():
            name = f"{place}.{lives}" if lives else place
            try:
                await self._live(number, name, dice)
            except CLIENT_ERRORS as error:
                self.world.trace.event("member-failed", node=place, error=str(error))
            lives += 1
            await trio.sleep(RETRY_S)

    async def _live(self, number: int, name: str, dice: Random) -> None:
        world = self.world
        config = {
            "bootstrap.servers": ",".join(world.cluster.bootstrap),
            "client.id": name,
            "group.id": self.plan.name,
            "share.acknowledgement.mode": "explicit",
            "max.poll.records": dice.choice([1, 5, 50]),
            "request.timeout.ms": 4000,
        }
        polls = dice.randint(*_POLLS_PER_LIFE)
        async with ShareConsumer(config, **client_ports(world, name)) as consumer:
            self._present[number] = consumer
            consumer.subscribe(self.plan.topics)
            while not world.ended.is_set() and (polls > 0 or world.quiet.is_set()):
                polls -= 1
                await self._work(consumer, await consumer.poll(1.0), dice)
            if dice.random() < _DIES:
                consumer.abandon()

    async def _work(
        self, consumer: ShareConsumer, records: list[ShareRecord], dice: Random
    ) -> None:
        """Process the records of a poll for a while, and acknowledge each."""
        if not self.world.quiet.is_set():
            pause_s = dice.random() * 0.2
            if dice.random() < _STANDS_STILL:
                # Slightly longer than its lock: another member has the record by then.
                late_s = self._lock_s * dice.uniform(1.0, 1.1)
                pause_s = dice.choice([late_s, 1.3 * self._lock_s, 1.3 * self._session_s])
            await trio.sleep(pause_s)
        longer = [each for each in records if self._say(consumer, each, dice)]
        await consumer.commit()
        if longer:
            await trio.sleep(self._lock_s * dice.random())
            for each in longer:
                _say(consumer, each, AcknowledgeType.ACCEPT)
            await consumer.commit()

    def _say(self, consumer: ShareConsumer, record: ShareRecord, dice: Random) -> bool:
        """Acknowledge a record in some way; returns whether the member renewed it."""
        kind = AcknowledgeType.ACCEPT
        if not self.world.quiet.is_set():
            kind = dice.choice(_KINDS)
        return _say(consumer, record, kind) and kind is AcknowledgeType.RENEW

    # After all has healed.

    def waits_for(self) -> str | None:
        """The records that must still be delivered."""
        world = self.world
        witnesses = world.witnesses
        if witnesses.groups_lost(OFFSETS_TOPIC, SHARE_STATE_TOPIC):
            return None
        missing = witnesses.shares.of(self.plan.name).missing(
            Where(TopicPartition(*key), offset)
            for key, history in world.history.partitions.items()
            if key[0] in self.plan.topics and not world.history.excused(key)
            for offset in history.acked
            if offset >= history.start and not world.history.may_be_gone(key, offset)
        )
        if not missing:
            return None
        shown = ", ".join(map(str, missing[:_SHOWN]))
        more = ", ..." if len(missing) > _SHOWN else ""
        return f"share group {self.plan.name} has still to be given {shown}{more}"


def _say(consumer: ShareConsumer, record: ShareRecord, kind: AcknowledgeType) -> bool:
    """Whether the member holds the record: a new leader of its partition knows of no holder."""
    try:
        consumer.acknowledge(record, kind)
    except KafkaError:
        return False
    return True
