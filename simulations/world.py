"""Everything of one run: machines, network, clients, observers, checkers, and how they are wired.

Faults, scenarios and checkers reach what they need through a `World`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

import trio

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.model.ids import TopicPartition
from raftka.simulations.checkers.agreement import AgreementChecker
from raftka.simulations.checkers.history import History
from raftka.simulations.checkers.ledger import Ledger
from raftka.simulations.checkers.metadata import MetadataChecker
from raftka.simulations.checkers.raft import RaftChecker
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.load.plan import Plan
from raftka.simulations.machines.cluster import (
    CONTROLLER_PORT,
    DATA,
    METADATA,
    Cluster,
    Machine,
    describe,
    is_gone,
    is_refusal,
)
from raftka.simulations.machines.determinism import current_clock, sleep
from raftka.simulations.machines.medium import Watcher
from raftka.simulations.machines.network import Fabric, Tap
from raftka.simulations.mutations import Mutant
from raftka.simulations.observers import topic_id
from raftka.simulations.observers.leadership_history import Reigns
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key, PartitionLogs
from raftka.simulations.observers.voters import Member, Voters, voters_of
from raftka.simulations.observers.witnesses import SnapshotFile, Witnesses, both
from raftka.simulations.runs import situations
from raftka.simulations.trace import Trace
from raftka.simulations.violation import NOTHING, About, Exit, Stopped, Violation

if TYPE_CHECKING:
    from raftka.simulations.load.workload import ConsumerTask, ProducerTask


class World:
    """One run of one plan."""

    def __init__(self, plan: Plan, trace: Trace, mutant: Mutant | None = None) -> None:
        self.plan = plan
        self.trace = trace
        if trace.detail is not None:
            trace.detail.attach(self)
        self.violation: Violation | None = None
        self.on_violation: list[Callable[[], None]] = []
        """Called when there is one, before anything ends."""
        self.voters_settled_at = 0.0
        """When no change of the voters is under way any more; infinity while one is asked for."""
        self.faults_fired: dict[str, int] = {}
        self.last_id = max((node.node_id for node in plan.nodes), default=0)
        """Machines that join later get the ids after this one."""
        self.producers: list[ProducerTask] = []
        self.consumers: list[ConsumerTask] = []
        self.ledger = Ledger()
        self.reached: dict[str, int] = {}
        """Rare situations, and how often they came up."""
        self.quiet = trio.Event()
        """Set when producers shall send no more."""
        self.unregistering: set[int] = set()
        """Brokers whose unregistration was asked for; the request may arrive late."""
        self.ended = trio.Event()
        self.scope = trio.CancelScope()
        self.nursery: trio.Nursery | None = None
        self.invariants: dict[str, Callable[[], str | None]] = {}
        """A user's own, by name: called now and then and at the end, a string is a violation."""
        self.fabric = Fabric(
            Random(f"{plan.seed} network"),
            observe=self._delivered,
            watch=self._watch_link,
            at=current_clock().at,
        )
        self.fabric.faults.delay_s = plan.network_delay_s
        self.fabric.faults.split_rate = plan.split_rate
        self.cluster = Cluster(
            Random(f"{plan.seed} cluster"),
            self.fabric,
            trace,
            settings=plan.settings,
            mutations=mutant.composition if mutant is not None else frozenset(),
            watch=self._watch_file,
            on_crash=self._crashed,
            on_unclean_end=self._ended_unclean,
            on_formatted=self._formatted,
            on_clean_end=self._ended_clean,
        )
        for node in plan.nodes:
            machine = self.cluster.add(node.node_id, node.roles)
            machine.rack = node.rack
            machine.clock_rate = plan.drift.get(machine.host, 1.0)
        if plan.quorum != "static":
            self.cluster.found_quorum(plan.quorum, Random(f"{plan.seed} founders"))
        self._compose_checkers()

    def _compose_checkers(self) -> None:
        self.metadata = ObservedMetadata(self.trace)
        self.logs = PartitionLogs()
        voters = frozenset(Member(machine.host, b"") for machine in self.cluster.controllers)
        if self.cluster.first_voters:
            voters = voters_of(self.cluster.first_voters)
        election_s = int(self.plan.settings["controller.quorum.election.timeout.ms"]) / 1000
        self.raft = RaftChecker(
            voters,
            self.trace,
            self.report,
            self._committed,
            lease_limit_s=3 * election_s + 0.5,
            fixed_voters=not self.cluster.first_voters,
            on_voters=self._voters_changed,
        )
        self.reigns = Reigns(self, election_s)
        self.raft.on_elected = self.reigns.controller_elected
        self.metadata_checker = MetadataChecker(self.report)
        self.replicas = ReplicaChecker(
            self.metadata,
            self.logs,
            self.trace,
            self.report,
            is_current=self.is_current,
            min_isr=self.min_isr,
            allows_loss=self.allows_loss,
        )
        self.agreement = AgreementChecker(self.metadata, self.logs, self.replicas, self.report)
        self.history = History(
            self.report, self.replicas.told, strict_acks_1=self.plan.strict_acks_1
        )
        self.history.excused = self.replicas.promises_nothing
        self.witnesses = Witnesses(self)
        self.metadata.on_image.append(self.metadata_checker.image_committed)
        self.metadata.on_change.append(self.metadata_checker.partition_changed)
        self.metadata.on_change.append(self.replicas.partition_changed)
        self.metadata.on_change.append(self._notice)
        self.metadata.on_change.append(self.reigns.partition_changed)
        self.metadata.on_image.append(self._registrations)
        self._registered_after: dict[int, int] = {}
        self._founders = {machine.node_id for machine in self.cluster.brokers}
        self._wiped: set[int] = set()
        """Brokers that have not registered since their disk was replaced."""

    # What observers see.

    def _delivered(self, source: str, target: str, size: int) -> None:
        self.trace.message(source, target, size)
        self.raft.arrived(source, target)

    def _watch_link(self, client: str, server: str, port: int) -> tuple[Tap | None, Tap | None]:
        talk = self.witnesses.conversation(client, server)
        if port != CONTROLLER_PORT or not client.startswith("n"):
            return talk.asks, talk.answers
        asks, answers = self.raft.taps(client, server)
        return both(asks, talk.asks), both(answers, talk.answers)

    def _watch_file(self, host: str, path: str) -> Watcher | None:
        if path.startswith(METADATA):
            if path.endswith(".journal"):
                return self.raft.mirror(host).watch(path)
            if path.endswith(".checkpoint.tmp"):
                return SnapshotFile(self, host)
            return None
        watched = self.logs.watch(host, path) or self.agreement.watch(host, path)
        return watched or topic_id.watch(self.replicas, host, path)

    def _committed(self, offset: int, epoch: int, payload: bytes) -> None:
        self.metadata.committed(offset, epoch, payload)

    def _formatted(self, machine: Machine, directory: bytes) -> None:
        self.raft.voter_sets.directories[machine.host] = directory

    def _voters_changed(self, before: Voters, after: Voters, leader: str) -> None:
        added, removed = sorted(after - before), sorted(before - after)
        gained, lost = list(map(str, added)), list(map(str, removed))
        self.trace.event("voters-changed", node=leader, added=gained, removed=lost)
        if added:
            self.note("voter added")
        if removed:
            self.note("voter removed")
        if any(member.host == leader for member in removed):
            self.note("leader removed itself")

    def _registrations(
        self, before: MetadataImage, image: MetadataImage, delta: MetadataDelta
    ) -> None:
        for topic in delta.topics.deleted:
            self.witnesses.forget(topic.name)
        for broker_id in delta.brokers.changed:
            old, new = before.brokers.get(broker_id), image.brokers.get(broker_id)
            if old is None and broker_id not in self._founders:
                self.note("broker joined")
            elif new is None:
                self.note("broker left")
                self._founders.discard(broker_id)
            if new is None or (old is not None and old.epoch == new.epoch):
                continue
            if broker_id in self._wiped:
                self._wiped.discard(broker_id)
                self._lost_unseen(image, broker_id)
            if old is not None:
                self.replicas.broker_registered(broker_id)

    def _lost_unseen(self, image: MetadataImage, broker_id: int) -> None:
        """Partitions that were given to a broker after its disk was replaced, and before it could
        say so, are on a disk that is no more."""
        for topic, index, partition in image.partitions():
            if broker_id in partition.replicas:
                self.replicas.lost_disk(f"n{broker_id}", (topic.name, index), 0)

    def _notice(self, key: Key, before: PartitionImage | None, after: PartitionImage) -> None:
        if before is None:
            return
        for situation in situations.of_partition(before, after):
            self.note(situation)

    def be_quiet(self) -> None:
        """Producers shall send no more."""
        self.quiet.set()
        for producer in self.producers:
            producer.stir()

    def note(self, situation: str) -> None:
        self.reached[situation] = self.reached.get(situation, 0) + 1

    # What ends a run.

    def report(
        self, name: str, story: str, exit: Exit = Exit.SAFETY, *, about: About = NOTHING
    ) -> None:
        """An invariant does not hold: the run ends."""
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
        """A process ended by itself. When its world let it down, that is no defect."""
        if is_refusal(error):
            self.note("node gave up")
            if self.quiet.is_set() and machine.node_id in self.unregistering and is_gone(error):
                # A late order to forget it found it healed: whoever gave it starts it again.
                self.start(machine)
            return
        import traceback

        lines = "".join(traceback.format_exception(error))
        story = f"{machine.host}: {describe(error)}\n{lines}"
        self.report("node-crashed", story, Exit.CRASHED, about=About(node=machine.host))

    def _ended_unclean(self, machine: Machine) -> None:
        self.replicas.ended_unclean(machine.host)
        if any(partition.is_reassigning for _, _, partition in self.image.partitions()):
            self.note("crash in mid-reassignment")

    def _ended_clean(self, machine: Machine) -> None:
        broker = self.image.brokers.get(machine.node_id)
        # Who ends before it was registered may not have read its logs.
        if broker is None or broker.epoch <= self._registered_after.get(machine.node_id, 0):
            return
        self.witnesses.stopped(machine)

    def logged(self, node: str, level: str, words: str, details: dict[str, Any]) -> None:
        """A line of a node's log, or of a client's."""
        exception = details.pop("exception", None)
        self.trace.event("log", node=node, level=level, words=words, **details)
        for situation in situations.of_log_line(words, self._is_leaderless):
            self.note(situation)
        if exception is not None:
            story = f"{node}: {words}\n{exception}"
            self.report("defect-logged", story, Exit.CRASHED, about=About(node=node))

    def _is_leaderless(self) -> bool:
        return any(not partition.has_leader for _, _, partition in self.image.partitions())

    # Questions that checkers, faults and scenarios ask.

    @property
    def image(self) -> MetadataImage:
        return self.metadata.image

    def is_current(self, broker_id: int) -> bool:
        """Whether a broker runs and is registered with its present life."""
        machine = self.cluster.machines.get(broker_id)
        broker = self.image.brokers.get(broker_id)
        if machine is None or broker is None or machine.process is None:
            return False
        return broker.epoch > self._registered_after.get(broker_id, 0)

    def min_isr(self, topic: str) -> int:
        return int(self.image.topic_config(topic).get("min.insync.replicas", "1"))

    def allows_loss(self, topic: str) -> bool:
        config = self.image.topic_config(topic)
        unclean = config.get("unclean.leader.election.enable") == "true"
        return unclean and not self.plan.no_excuses

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
        """The hosts that the workload's clients are on."""
        names = [producer.name for producer in self.plan.producers]
        return names + [consumer.name for consumer in self.plan.consumers]

    def targets(self) -> list[TopicPartition]:
        """The partitions of the workload."""
        return [
            TopicPartition(topic.name, index)
            for topic in self.plan.topics
            for index in range(topic.partitions)
        ]

    def hosts(self) -> list[str]:
        return [machine.host for machine in self.cluster.machines.values()]

    # What faults and scenarios do to machines, with what observers have to know of it.

    def start(self, machine: Machine, cause: int | None = None) -> None:
        in_use = self.cluster.machines.get(machine.node_id) is machine
        if machine.process is None and not machine.broken and in_use:
            self._registered_after[machine.node_id] = self.raft.commit_index
            self.raft.excused[machine.host] = trio.current_time()
            self.cluster.start(machine, cause)

    def resume(self, machine: Machine, cause: int | None = None) -> None:
        self.raft.excused[machine.host] = trio.current_time()
        self.cluster.resume(machine, cause)

    def wipe(self, machine: Machine, cause: int | None = None) -> None:
        """A new disk for the logs of a machine whose process is down."""
        assert machine.process is None
        self.trace.event("wipe", node=machine.host, cause=cause)
        self._wiped.add(machine.node_id)
        for mirror in self.logs.on(machine.host):
            self.replicas.lost_disk(machine.host, mirror.key, len(mirror.batches()))
        for topic, index, partition in self.image.partitions():
            key = (topic.name, index)
            counted = machine.node_id in (*partition.isr, *partition.elr)
            if counted and self.logs.replica(machine.host, key) is None:
                self.replicas.lost_disk(machine.host, key, 0)
        machine.medium.wipe(DATA)

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until observers see that something is so; whether it came in time."""
        with trio.move_on_after(within_s):
            while not condition():
                await sleep(0.02)
            return True
        return False

    def cut(self, pairs: Iterable[tuple[str, str]]) -> None:
        for source, target in pairs:
            self.fabric.cut(source, target)

    def heal(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take back what `cut` did."""
        for source, target in pairs:
            self.fabric.heal(source, target)

    def ways_of(self, host: str) -> list[tuple[str, str]]:
        """Both ways between a node and each of the others."""
        others = [other for other in self.hosts() if other != host]
        return [way for other in others for way in ((host, other), (other, host))]

    def heal_network(self) -> None:
        self.fabric.heal()
