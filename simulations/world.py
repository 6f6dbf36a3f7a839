"""Everything in one run: machines, network, observers, checkers, and how they are wired.

Load, faults, scenarios and the checks after the faults use a run through its `World`, which knows
none of them.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, NoReturn, Protocol

import trio

from raftka.kraft.image import MetadataImage
from raftka.model.ids import TopicPartition
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.simulations.machines.cluster import Cluster
from raftka.simulations.machines.determinism import current_clock, sleep
from raftka.simulations.machines.endings import describe, is_refusal
from raftka.simulations.machines.machine import DATA, Machine
from raftka.simulations.machines.network import Fabric
from raftka.simulations.machines.outside import Outside
from raftka.simulations.oversight import Oversight
from raftka.simulations.plan import ConsumerPlan, GroupPlan, Plan, ProducerPlan
from raftka.simulations.trace import Trace
from raftka.simulations.violation import NOTHING, About, Exit, Stopped, Violation


class Producing(Protocol):
    """A producer of the workload, as other rooms see it (load/workload.py)."""

    plan: ProducerPlan
    open: int
    """The number of records that wait for an answer."""
    done: trio.Event
    """Set when it has ended, every answer received."""

    def stir(self) -> None:
        """End its pause: it sends the next burst now, or ends."""
        ...

    def abandon(self) -> None:
        """Vanish, as if its process were killed."""
        ...


class Consuming(Protocol):
    """A consumer of the workload, as other rooms see it (load/workload.py)."""

    plan: ConsumerPlan
    last: dict[TopicPartition, int]
    """The newest offset that it received from each partition."""

    def end(self) -> None:
        """Stop it, so that it leaves its group, and start it as another member."""
        ...

    def abandon(self) -> None:
        """Vanish, as if its process were killed."""
        ...


class Working(Protocol):
    """The members of a group that load/groups.py makes."""

    plan: GroupPlan

    def start(self) -> None:
        """Start its members."""
        ...

    def abandon(self) -> None:
        """Make every member vanish, as if its process were killed."""
        ...

    def waits_for(self) -> str | None:
        """After all has healed: the records or tasks that the group still lacks; None for none."""
        ...


class World:
    """One run of one plan."""

    def __init__(self, plan: Plan, trace: Trace, rules_off: RulesOff = ALL_HOLD) -> None:
        self.plan = plan
        self.trace = trace
        self.violation: Violation | None = None
        self.on_violation: list[Callable[[], None]] = []
        """Called when there is a violation, before anything ends."""
        self.voters_settled_at = 0.0
        """When the last change of voters ended; infinity while one is in progress."""
        self.faults_fired: dict[str, int] = {}
        self.last_id = max((node.node_id for node in plan.nodes), default=0)
        """Machines that join later get the ids after this one."""
        self.producers: list[Producing] = []
        self.consumers: list[Consuming] = []
        self.groups: list[Working] = []
        self.reached: dict[str, int] = {}
        """Rare situations, and how often they came up."""
        self.quiet = trio.Event()
        """Set when producers must stop sending."""
        self.unregistering: set[int] = set()
        """Brokers that were asked to unregister; the request may arrive late."""
        self.ended = trio.Event()
        self.scope = trio.CancelScope()
        self.nursery: trio.Nursery | None = None
        self.invariants: dict[str, Callable[[], str | None]] = {}
        """A user's invariants by name: called regularly and at the end; a string is a violation."""
        self.fabric = Fabric(
            Random(f"{plan.seed} network"),
            at=current_clock().at,
        )
        self.fabric.faults.delay_s = plan.network_delay_s
        self.fabric.faults.split_rate = plan.split_rate
        self.cluster = Cluster(
            Random(f"{plan.seed} cluster"),
            self.fabric,
            trace,
            settings=plan.settings,
            rules_off=rules_off,
            on_crash=self._crashed,
        )
        self.cluster.bridge_port = plan.bridge_port
        self.outside = Outside(self.fabric)
        for node in plan.nodes:
            machine = self.cluster.add(node.node_id, node.roles)
            machine.rack = node.rack
            machine.clock_rate = plan.drift.get(machine.host, 1.0)
        if plan.quorum != "static":
            self.cluster.found_quorum(plan.quorum, Random(f"{plan.seed} founders"))
        self._watch(Oversight(plan, self.cluster, self.fabric, trace, self.report, self.note))
        if trace.detail is not None:
            trace.detail.topic_name = lambda topic_id: self.image.topic_names.get(topic_id)
            trace.detail.high_watermark = self.cluster.high_watermark
            trace.detail.looks = self.oversight.looks
            trace.detail.rules = self.oversight.rules

    def _watch(self, oversight: Oversight) -> None:
        """Connect the observers to machines and network."""
        self.fabric.observe, self.fabric.watch = oversight.delivered, oversight.watch_link
        self.cluster.watch = oversight.watch_file
        self.cluster.on_formatted = oversight.formatted
        self.cluster.on_clean_end = oversight.ended_clean
        self.cluster.on_disk_error = oversight.disk_failed
        self.cluster.on_unclean_end = oversight.ended_unclean
        self.oversight = oversight
        self.ledger = oversight.ledger
        self.history = oversight.history
        self.logs = oversight.logs
        self.metadata = oversight.metadata
        self.raft = oversight.raft
        self.registrations = oversight.registrations
        self.replicas = oversight.replicas
        self.witnesses = oversight.witnesses

    def be_quiet(self) -> None:
        """Stop the producers."""
        self.quiet.set()
        for producer in self.producers:
            producer.stir()

    def stir(self, topic: str) -> None:
        """Make every producer of a topic send now."""
        for producer in self.producers:
            if producer.plan.topic == topic:
                producer.stir()

    def note(self, situation: str) -> None:
        self.reached[situation] = self.reached.get(situation, 0) + 1

    # What ends a run.

    def report(
        self, name: str, story: str, exit: Exit = Exit.SAFETY, *, about: About = NOTHING
    ) -> None:
        """End the run, since an invariant does not hold."""
        if self.violation is not None:
            return
        now = trio.current_time()
        self.trace.event("violation", name=name, story=story)
        self.violation = Violation(name, story, exit, now, self.trace.last_events(), about)
        for told in self.on_violation:
            told()
        self.scope.cancel()

    def stop(self, name: str, story: str, exit: Exit, *, about: About = NOTHING) -> NoReturn:
        self.report(name, story, exit, about=about)
        raise Stopped(name)

    def _crashed(self, machine: Machine, error: BaseException) -> None:
        """A process ended by itself, which is no defect after a fault around it."""
        if is_refusal(error):
            self.note("node gave up")
            return
        lines = "".join(traceback.format_exception(error))
        story = f"{machine.host}: {describe(error)}\n{lines}"
        self.report("node-crashed", story, Exit.CRASHED, about=About(node=machine.host))

    def logged(self, node: str, level: str, words: str, details: dict[str, Any]) -> None:
        """A line of a node's log, or of a client's."""
        exception = details.pop("exception", None)
        self.oversight.logged(node, level, words, details)
        if exception is not None:
            story = f"{node}: {words}\n{exception}"
            self.report("defect-logged", story, Exit.CRASHED, about=About(node=node))

    # Questions that checkers, faults and scenarios ask.

    @property
    def image(self) -> MetadataImage:
        return self.metadata.image

    def is_current(self, broker_id: int) -> bool:
        """Whether a broker runs and its current process is registered."""
        return self.registrations.is_current(broker_id)

    def min_isr(self, topic: str) -> int:
        return self.oversight.min_isr(topic)

    def compacts(self, topic: str) -> bool:
        """Whether a topic is compacted."""
        return self.witnesses.compaction.compacts(topic)

    def leader_of(self, topic: str, partition: int) -> Machine | None:
        found = self.image.partition(topic, partition)
        return self.cluster.machines.get(found.leader) if found is not None else None

    @property
    def controller(self) -> Machine | None:
        """The active controller, as far as the wire shows."""
        host = self.raft.leader
        return self.cluster.machines.get(int(host[1:])) if host is not None else None

    def machines(self, *, running: bool = True, brokers: bool = False) -> list[Machine]:
        return [
            machine
            for machine in self.cluster.machines.values()
            if (machine.is_running or not running) and (machine.is_broker or not brokers)
        ]

    def client_names(self) -> list[str]:
        """The hosts of the workload's clients."""
        names = [producer.name for producer in self.plan.producers]
        names += [consumer.name for consumer in self.plan.consumers]
        return names + [
            f"{group.name}{number}" for group in self.plan.groups for number in range(group.members)
        ]

    def targets(self) -> list[TopicPartition]:
        """The partitions of the workload."""
        return [
            TopicPartition(topic.name, index)
            for topic in self.plan.topics
            for index in range(topic.partitions)
        ]

    def hosts(self) -> list[str]:
        return [machine.host for machine in self.cluster.machines.values()]

    # Faults and scenarios change machines here; observers are notified.

    def start(self, machine: Machine, cause: int | None = None) -> None:
        in_use = self.cluster.machines.get(machine.node_id) is machine
        if machine.process is None and not machine.broken and in_use:
            self.oversight.started(machine)
            self.cluster.start(machine, cause)

    def resume(self, machine: Machine, cause: int | None = None) -> None:
        self.raft.excused[machine.host] = trio.current_time()
        self.cluster.resume(machine, cause)

    def wipe(self, machine: Machine, cause: int | None = None) -> None:
        """A new disk for the logs of a machine whose process is down."""
        assert machine.process is None
        self.trace.event("wipe", node=machine.host, cause=cause)
        self.oversight.disk_replaced(machine)
        machine.medium.wipe(DATA)

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until observers see that a condition holds; returns whether it did in time."""
        with trio.move_on_after(within_s):
            while not condition():
                await sleep(0.02)
            return True
        return False

    def cut(self, ways: Iterable[tuple[str, str]], cause: int | None = None) -> None:
        """Cut these directions, each (source, target)."""
        for source, target in ways:
            self.trace.event("cut", cause=cause, source=source, target=target)
            self.fabric.cut(source, target)

    def heal(self, ways: Iterable[tuple[str, str]], cause: int | None = None) -> None:
        """Undo `cut`."""
        for source, target in ways:
            if not self.fabric.passes(source, target):
                self.trace.event("link-healed", cause=cause, source=source, target=target)
            self.fabric.heal(source, target)

    def ways_of(self, host: str) -> list[tuple[str, str]]:
        """The directions between a node and each of the others, both ways."""
        others = [other for other in self.hosts() if other != host]
        return [way for other in others for way in ((host, other), (other, host))]

    def heal_network(self) -> None:
        """Undo every cut, clog and delay of links."""
        self.heal(sorted(self.fabric.cuts))
        self.fabric.heal()
