"""The tools of a scenario: a cluster, and a few verbs.

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        old = stage.leader_of("t", 0)
        stage.isolate(old)
        await stage.run(seconds=5)
        assert stage.leader_of("t", 0) is not old
        stage.heal()
        await stage.settle()

All checkers run meanwhile. A workload of your own is any async function given to `stage.start`, an
invariant of your own any function given to `stage.always`.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import trio

from raftka.client.admin import Admin
from raftka.client.admin.topics import NewTopic
from raftka.client.producer.producer import Producer
from raftka.model.ids import TopicPartition
from raftka.simulations.aftermath import liveness
from raftka.simulations.load.workload import (
    CLIENT_ERRORS,
    ConsumerTask,
    ProducerTask,
    client_ports,
    make_admin,
)
from raftka.simulations.machines.machine import Machine
from raftka.simulations.plan import ConsumerPlan, NodePlan, Plan, ProducerPlan, TopicPlan
from raftka.simulations.runs.run import Outcome, check_invariants, run_plan
from raftka.simulations.scenarios.hands import Hands
from raftka.simulations.trace_file import Sink
from raftka.simulations.violation import Exit
from raftka.simulations.world import World

SETTINGS = {
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "replica.lag.time.max.ms": "2000",
    "controller.quorum.election.timeout.ms": "1000",
    "group.min.session.timeout.ms": "1000",
    "leader.imbalance.check.interval.seconds": "300",
}
_PATIENCE_S = 30.0


class Stage:
    """One scenario in progress."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hands = Hands(world)

    # The cluster.

    async def topic(
        self, name: str, partitions: int = 1, replicas: int = 3, **configs: str
    ) -> None:
        """Create a topic; `min_insync_replicas="2"` stands for min.insync.replicas=2."""
        settings = {"min.insync.replicas": "2"}
        settings |= {key.replace("_", "."): value for key, value in configs.items()}
        plan = TopicPlan(name, partitions, replicas, settings)
        self.world.plan = replace(self.world.plan, topics=(*self.world.plan.topics, plan))
        await self.until(lambda: len(self.world.image.alive_brokers()) >= replicas)
        async with self.admin() as admin:
            await admin.create_topics([NewTopic(name, partitions, replicas, dict(settings))])

    def admin(self) -> Admin:
        return make_admin(self.world, "stage-admin")

    def node(self, node_id: int) -> Machine:
        return self.world.cluster.machines[node_id]

    @property
    def nodes(self) -> list[Machine]:
        return list(self.world.cluster.machines.values())

    def leader_of(self, topic: str, partition: int = 0) -> Machine:
        """The machine that leads a partition; an assertion fails when there is none."""
        machine = self.world.leader_of(topic, partition)
        assert machine is not None, f"{topic}-{partition} has no leader"
        return machine

    def has_leader(self, topic: str, partition: int = 0) -> bool:
        return self.world.leader_of(topic, partition) is not None

    def followers_of(self, topic: str, partition: int = 0) -> list[Machine]:
        found = self.world.image.partition(topic, partition)
        assert found is not None
        return [self.node(broker) for broker in found.replicas if broker != found.leader]

    def isr(self, topic: str, partition: int = 0) -> list[int]:
        found = self.world.image.partition(topic, partition)
        return sorted(found.isr) if found is not None else []

    @property
    def controller(self) -> Machine:
        machine = self.world.controller
        assert machine is not None, "there is no controller"
        return machine

    # Clients.

    def produce(
        self,
        topic: str,
        *,
        acks: int = -1,
        idempotent: bool = True,
        pause_s: float = 0.05,
        request_timeout_s: float = 2.0,
    ) -> ProducerTask:
        """Start a producer that writes to a topic until `settle`."""
        name = f"producer{len(self.world.producers)}"
        timeout_ms = round(request_timeout_s * 1000)
        settings: dict[str, int | str] = {"linger.ms": 0, "request.timeout.ms": timeout_ms}
        idempotent = idempotent and acks == -1
        plan = ProducerPlan(name, topic, acks, idempotent, 2, pause_s, settings)
        task = ProducerTask(self.world, plan)
        self.world.producers.append(task)
        self._nursery.start_soon(task.run)
        return task

    def consume(
        self, *topics: str, group: str | None = None, request_timeout_s: float = 5.0
    ) -> ConsumerTask:
        """Start a consumer, alone or in a group."""
        name = f"consumer{len(self.world.consumers)}"
        settings: dict[str, int | str] = {"session.timeout.ms": 3000}
        settings |= {"heartbeat.interval.ms": 1000, "max.poll.interval.ms": 20_000}
        settings["request.timeout.ms"] = round(request_timeout_s * 1000)
        task = ConsumerTask(self.world, ConsumerPlan(name, topics, group, settings))
        self.world.consumers.append(task)
        self._nursery.start_soon(task.run)
        return task

    def transactional(self, name: str, id: str) -> Producer:
        """A producer of your own on a host of that name, with a transactional.id."""
        config = {
            "bootstrap.servers": ",".join(self.world.cluster.bootstrap),
            "client.id": name,
            "transactional.id": id,
            "request.timeout.ms": 2000,
            "linger.ms": 0,
        }
        return Producer(config, **client_ports(self.world, name))

    @contextmanager
    def hearing(self, api: str, told: Callable[[str], None]) -> Iterator[None]:
        """Call `told` with the host that each request of an API is sent to."""
        with self.world.witnesses.hearing(api, lambda client, server, request: told(server)):
            yield

    def start(self, workload: Callable[[Stage], Awaitable[None]]) -> None:
        """Run a workload of your own beside the scenario."""
        self._nursery.start_soon(workload, self)

    def always(self, invariant: Callable[[Stage], str | None]) -> None:
        """Check an invariant of your own: it returns how it is violated, or None."""
        name = getattr(invariant, "__name__", "invariant")
        self.world.invariants[name] = lambda: invariant(self)

    @property
    def _nursery(self) -> trio.Nursery:
        assert self.world.nursery is not None
        return self.world.nursery

    @property
    def acked(self) -> int:
        """Records acknowledged so far."""
        return self.world.history.acked

    # Faults: the verbs of simulations/scenarios/hands.py.

    def isolate(self, machine: Machine, *, from_clients: bool = False) -> None:
        """Cut a machine off from all others."""
        hosts = [other.host for other in self.nodes if other is not machine]
        if from_clients:
            hosts += [task.plan.name for task in self.world.producers]
            hosts += [task.plan.name for task in self.world.consumers]
        for host in hosts:
            self.hands.cut([(machine.host, host), (host, machine.host)])

    def cut_off(self, client: str) -> None:
        """Cut a client off from all machines."""
        for machine in self.nodes:
            self.hands.cut([(client, machine.host), (machine.host, client)])

    def cut(self, source: str | Machine, target: str | Machine) -> None:
        """Cut the direction from one host to another."""
        self.hands.cut([(_host(source), _host(target))])

    def kill(self, machine: Machine) -> None:
        self.hands.kill(machine)

    def lose_power(self, *machines: Machine) -> None:
        for machine in machines:
            self.hands.lose_power(machine)

    def wipe(self, machine: Machine) -> None:
        """Replace the disk with the logs of a machine that is down."""
        self.hands.wipe(machine)

    def pause(self, machine: Machine) -> None:
        self.hands.pause(machine)

    def resume(self, machine: Machine) -> None:
        self.hands.resume(machine)

    async def stop(self, machine: Machine) -> bool:
        """A controlled shutdown; whether it ended by itself."""
        return await self.world.cluster.stop(machine)

    def restart(self, *machines: Machine) -> None:
        """Start machines that are down."""
        for machine in machines:
            self.hands.restart(machine)

    def fill_disk(self, machine: Machine, *, full: bool = True) -> None:
        self.hands.fill_disk(machine, full=full)

    def directory_of(self, machine: Machine, topic: str, partition: int = 0) -> str:
        """The log directory of a machine that a replica is in; an assertion fails without one."""
        name = f"/{topic}-{partition}"
        found = [path for path in machine.medium.directories if path.endswith(name)]
        assert found, f"{machine.host} has no {topic}-{partition}"
        return found[0].removesuffix(name)

    def has_moved(self, machine: Machine, target: TopicPartition, path: str) -> bool:
        """Whether a replica is in that log directory, and in no other."""
        name = f"/{target}"
        homes = [each for each in machine.medium.directories if each.endswith(name)]
        return homes == [path + name]

    def fail_directory(self, machine: Machine, path: str) -> None:
        """Make one disk of several fail: all its reads and writes fail."""
        self.hands.fail_directory(machine, path)

    def slow_disk(self, machine: Machine, seconds: float) -> None:
        self.hands.slow_disk(machine, seconds)

    def heal_links(self) -> None:
        """Undo all cuts, and nothing else."""
        self.world.heal_network()

    def heal(self) -> None:
        """Undo everything: network, disks, paused and dead processes."""
        self.hands.heal()

    # Time.

    @property
    def now(self) -> float:
        """Seconds since the start, virtual."""
        return trio.current_time()

    async def run(self, seconds: float) -> None:
        """Let the cluster run."""
        await trio.sleep(seconds)
        check_invariants(self.world)

    async def until(self, condition: Callable[[], bool], within_s: float = _PATIENCE_S) -> None:
        """Run until a condition holds, whose docstring names it.

        Raises AssertionError after `within_s` virtual seconds.
        """
        if await self.world.until(condition, within_s):
            return
        awaited = condition.__doc__ or "a condition of the scenario"
        raise AssertionError(f"waited {within_s:g} s in vain for {awaited}")

    async def settle(self) -> None:
        """Heal, end the load, and check all of the cluster's guarantees."""
        self.heal()
        self.world.be_quiet()
        await liveness.check(self.world)
        self.world.replicas.compare_all(self.world.image)
        self.world.raft.compare_all()
        self.world.witnesses.look()
        check_invariants(self.world)

    async def read(
        self, topic: str, partition: int = 0, *, committed_only: bool = False
    ) -> list[bytes]:
        """All values of a partition, as a new consumer sees them."""
        found = await liveness.read_partition(
            self.world, TopicPartition(topic, partition), committed_only=committed_only
        )
        return [found[offset] for offset in sorted(found)]


def _host(place: str | Machine) -> str:
    return place if isinstance(place, str) else place.host


def load(name: str) -> ModuleType:
    """A scenario that ships. Raises ModuleNotFoundError."""
    return importlib.import_module(f"raftka.simulations.scenarios.{name}")


def run_scenario(
    scenario: Callable[[Stage], Awaitable[None]],
    *,
    seed: int = 1,
    nodes: int = 3,
    settings: Mapping[str, str] | None = None,
    sink: Sink | None = None,
    watch: Callable[[World], None] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run a scenario; a failed assertion is a safety violation with the assertion's message."""
    plan = scenario_plan(seed=seed, nodes=nodes, settings=settings, changes=changes)

    async def story(world: World) -> None:
        await told_as_violations(Stage(world), scenario, "scenario")

    if watch is not None:
        return run_plan(plan, sink=sink, story=story, watch=watch)
    return run_plan(plan, sink=sink, story=story)


def scenario_plan(
    *,
    seed: int,
    nodes: int = 3,
    settings: Mapping[str, str] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of a scenario's run: machines and settings, and nothing else."""
    return Plan(
        seed=seed,
        nodes=tuple(NodePlan(i) for i in range(1, nodes + 1)),
        settings={**SETTINGS, **(settings or {})},
        **(changes or {}),
    )


async def told_as_violations(
    stage: Stage, function: Callable[[Stage], Awaitable[None]], name: str
) -> None:
    """Run a user's function: a failing assertion is a violation of safety, a failing client call
    one of liveness."""
    try:
        await function(stage)
    except (AssertionError, *CLIENT_ERRORS) as error:
        told(stage.world, name, error)


def told(world: World, name: str, error: Exception) -> None:
    """Report the error that ended a user's function."""
    if isinstance(error, AssertionError):
        world.report(name, str(error) or repr(error), Exit.SAFETY)
    else:
        world.report(name, f"a client's call failed: {error}", Exit.LIVENESS)
