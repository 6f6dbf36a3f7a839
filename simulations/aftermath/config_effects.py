"""Checks that a changed setting takes effect, and loses its effect when it is removed.

A broker may report a setting and not act on it. One request to the leader shows whether
`max.message.bytes` is in force.
"""

from __future__ import annotations

from typing import Final

from raftka.client.admin import Admin
from raftka.client.admin.configs import Alteration, AlterOp, Resource, ResourceType
from raftka.client.producer.producer import Producer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.simulations.checkers.history import value_of
from raftka.simulations.load.contents import contents
from raftka.simulations.load.workload import client_ports
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.world import World

_NAME: Final = "max.message.bytes"
_SMALL: Final = "100"
_RECORD_BYTES: Final = 300


class Effect:
    """A topic whose limit is lowered until a record is too large, and raised again."""

    def __init__(self, world: World, admin: Admin, topic: str) -> None:
        self._world = world
        self._admin = admin
        self._topic = topic
        self._sent = 0

    async def set(self) -> None:
        """Lower the limit."""
        await self._alter(Alteration(_NAME, _SMALL))

    async def take_back(self) -> None:
        """Remove the setting."""
        await self._alter(Alteration(_NAME, op=AlterOp.DELETE))

    async def _alter(self, alteration: Alteration) -> None:
        resource = Resource(ResourceType.TOPIC, self._topic)
        await self._admin.incremental_alter_configs({resource: [alteration]})

    async def not_refused(self) -> str | None:
        """A description of a large record being accepted; None when it is refused."""
        if await self._is_taken():
            return f"a record of {_RECORD_BYTES} bytes is taken for {self._topic}, {self._words}"
        return None

    async def not_taken(self) -> str | None:
        """A description of a large record being refused; None when it is accepted."""
        if not await self._is_taken():
            return f"a record of {_RECORD_BYTES} bytes is refused for {self._topic}, {self._words}"
        return None

    @property
    def _words(self) -> str:
        there = self._world.image.topic_config(self._topic).get(_NAME)
        return f"whose {_NAME} is {there or 'no longer given'}"

    def _leader_ms(self) -> int:
        """The leader's own time: clocks may be hours apart, and the leader refuses a record from
        too far in the future (message.timestamp.after.max.ms).
        """
        partition = self._world.image.partition(self._topic, 0)
        machine = self._world.cluster.machines.get(partition.leader) if partition else None
        process = machine.process if machine is not None else None
        return (process.clock if process is not None else SimClock()).wall_ms()

    async def _is_taken(self) -> bool:
        config = {
            "bootstrap.servers": ",".join(self._world.cluster.bootstrap),
            "client.id": "effector",
            "enable.idempotence": False,
            "request.timeout.ms": 2000,
            "delivery.timeout.ms": 10_000,
            "max.block.ms": 10_000,
        }
        number, at_ms = self._sent, self._leader_ms()
        self._sent += 1
        what = value_of("effector", number, False, _RECORD_BYTES, at_ms)
        made = contents(what, number, compacted=self._world.compacts(self._topic))
        async with Producer(config, **client_ports(self._world, "effector")) as producer:
            sent = await producer.send(
                self._topic,
                made.value,
                made.key,
                partition=0,
                headers=made.headers,
                timestamp_ms=at_ms,
            )
            try:
                await sent
            except KafkaError as error:
                if error.code is ErrorCode.MESSAGE_TOO_LARGE:
                    return False
                raise
        return True
