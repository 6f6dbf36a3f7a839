"""The verbs of scenarios and of a session's script. Each writes an event, which is the cause of its
effects. An impossible action is refused before anything has changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from raftka.client.admin import Admin
from raftka.client.admin.configs import Alteration, Resource, ResourceType
from raftka.client.admin.partitions import ElectionType
from raftka.model.ids import TopicPartition
from raftka.simulations.load.workload import CLIENT_ERRORS, HandProducer, make_admin
from raftka.simulations.machines.machine import Machine
from raftka.simulations.machines.outside import CONNECTIONS_MAX
from raftka.simulations.machines.virtual_clock import Impossible
from raftka.simulations.plan import ProducerPlan
from raftka.simulations.runs.run import heal
from raftka.simulations.world import World

Way = tuple[str, str]
"""(source, target)"""


class Hands:
    """The verbs, on one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    # Processes.

    def kill(self, machine: Machine) -> None:
        """SIGKILL."""
        self.world.cluster.kill(machine)

    def lose_power(self, machine: Machine) -> None:
        """The machine stops, and loses what was not synced."""
        self.world.cluster.lose_power(machine)

    def pause(self, machine: Machine) -> None:
        """SIGSTOP."""
        self.world.cluster.pause(machine)

    def resume(self, machine: Machine) -> None:
        """SIGCONT."""
        self.world.resume(machine)

    def restart(self, machine: Machine) -> None:
        """Start a process on a machine that has none."""
        self.world.start(machine)

    def stop(self, machine: Machine) -> None:
        """SIGTERM: a controlled shutdown begins."""
        self._begin(lambda: self.world.cluster.stop(machine))

    def jump_clock(self, machine: Machine, ms: int) -> None:
        """Set the wall clock forward or back."""
        self.world.trace.event("clock-jump", node=machine.host, ms=ms)
        machine.jump(ms)

    # Links.

    def cut(self, ways: Iterable[Way]) -> None:
        """Cut these directions."""
        self.world.cut(ways)

    def heal_links(self, ways: Iterable[Way]) -> None:
        """Undo the cuts of these directions."""
        self.world.heal(ways)

    def heal(self) -> None:
        """Undo everything: network, disks, paused and dead processes."""
        heal(self.world)

    # Disks.

    def wipe(self, machine: Machine) -> None:
        """Replace the disk with the logs of a machine that is down."""
        if machine.process is not None:
            raise Impossible(
                f"{machine.host} runs: kill or stop it first, only the disk of a machine without a"
                " process can be replaced",
                "runs",
                node=machine.host,
            )
        self.world.wipe(machine)

    def fill_disk(self, machine: Machine, *, full: bool = True) -> None:
        """Fill the disk, or free its space again."""
        self.world.trace.event("full-disk" if full else "disk-freed", node=machine.host)
        machine.medium.faults.full = full
        machine.suspect = True

    def fail_directory(self, machine: Machine, path: str) -> None:
        """Make one disk of several fail: all its reads and writes fail."""
        self.world.trace.event("directory-failed", node=machine.host, path=path)
        machine.medium.faults.dead = path
        machine.suspect = True

    def slow_disk(self, machine: Machine, seconds: float) -> None:
        """Make each sync take between half of that time and all of it."""
        self.world.trace.event("slow-disk", node=machine.host, seconds=seconds)
        machine.medium.faults.sync_latency_s = (seconds / 2, seconds)

    # Clients.

    def produce(self, topic: str, records: int, acks: int) -> None:
        """Send records by a new producer."""
        name = f"hand{len(self.world.producers)}"
        settings: dict[str, int | str] = {"linger.ms": 0, "request.timeout.ms": 2000}
        plan = ProducerPlan(name, topic, acks, acks == -1, records, 1.0, settings)
        task = HandProducer(self.world, plan)
        self.world.producers.append(task)
        self._begin(task.run)

    def hear_from_outside(
        self, machine: Machine, connection: int, data: bytes, *, end: bool
    ) -> None:
        """Send a real client's bytes on its connection to a node, which the first ones open."""
        world = self.world
        known = world.outside.connections
        if connection not in known and len(known) >= CONNECTIONS_MAX:
            raise Impossible(f"a run has at most {CONNECTIONS_MAX} connections from outside")
        if not world.plan.bridge_port:
            raise Impossible("nodes listen for clients from outside in sessions with 'bridge' only")
        port = world.plan.bridge_port + machine.node_id - 1
        assert world.nursery is not None
        world.outside.take(world.nursery, connection, machine.host, port, data, end=end)

    def elect(self, target: TopicPartition | None, *, unclean: bool) -> None:
        """Request an election, in one partition or in all."""
        kind = ElectionType.UNCLEAN if unclean else ElectionType.PREFERRED
        wanted = None if target is None else [target]

        async def ask(admin: Admin) -> None:
            await admin.elect_leaders(kind, wanted)

        where = "all partitions" if target is None else str(target)
        self._ask("elect", f"elect {kind.name.lower()} {where}", ask)

    def alter_topic(self, topic: str, settings: Mapping[str, str | None]) -> None:
        """Set a topic's settings; None removes one."""
        resource = Resource(ResourceType.TOPIC, topic)
        for name, value in settings.items():
            self._alter(resource, name, value, topic)

    def alter_nodes(self, node_id: int | None, settings: Mapping[str, str | None]) -> None:
        """Set dynamic settings of a broker, or of all."""
        resource = Resource(ResourceType.BROKER, "" if node_id is None else str(node_id))
        for name, value in settings.items():
            self._alter(resource, name, value, None)

    def _alter(self, resource: Resource, name: str, value: str | None, topic: str | None) -> None:
        change = Alteration(name) if value is None else Alteration(name, value)

        async def ask(admin: Admin) -> None:
            if topic is None or value is None:
                await admin.incremental_alter_configs({resource: [change]})
                return
            with self.world.ledger.change(("setting", topic, name), value):
                await admin.incremental_alter_configs({resource: [change]})

        whose = f"{resource.type.name.lower()} {resource.name or 'default'}"
        self._ask("alter-config", f"{name}={'' if value is None else value} of {whose}", ask)

    def _ask(self, kind: str, name: str, ask: Callable[[Admin], Awaitable[None]]) -> None:
        """Have an administrator perform an operation, which is the cause of its requests."""
        world = self.world
        cause = world.trace.event("operation", operation=kind, name=name)

        async def work() -> None:
            try:
                async with make_admin(world, "hand", cause) as admin:
                    await ask(admin)
            except CLIENT_ERRORS as error:
                world.trace.event("refused", cause=cause, error=str(error))
            else:
                if world.trace.detail is not None:
                    world.trace.detail.outcome(cause, name)

        self._begin(work)

    def _begin(self, work: Callable[[], Awaitable[object]]) -> None:
        assert self.world.nursery is not None
        self.world.nursery.start_soon(work)
