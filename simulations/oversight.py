"""Every observer and every checker of one run, and how they are wired.

Observers see what nodes write to their disks and send; checkers compare. Machines and network are
passed in; nothing here acts on a node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import trio

from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.simulations.checkers.agreement import AgreementChecker
from raftka.simulations.checkers.history import History
from raftka.simulations.checkers.in_sync import EpochStarts
from raftka.simulations.checkers.ledger import Ledger
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.metadata import MetadataChecker
from raftka.simulations.checkers.raft import RaftChecker
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.checkers.snapshots import SnapshotFile
from raftka.simulations.checkers.witnesses import Witnesses
from raftka.simulations.machines.cluster import Cluster
from raftka.simulations.machines.machine import CONTROLLER_PORT, METADATA, Machine
from raftka.simulations.machines.medium import Watcher
from raftka.simulations.machines.network import Fabric
from raftka.simulations.machines.stream import Flow, Taps, both
from raftka.simulations.machines.tls_records import clear
from raftka.simulations.observers import situations, topic_id
from raftka.simulations.observers.leadership_history import LeadershipHistory
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key, PartitionLogs
from raftka.simulations.observers.registrations import Registrations
from raftka.simulations.observers.voters import Member, Voters, voters_of
from raftka.simulations.plan import Plan
from raftka.simulations.trace import Trace
from raftka.simulations.violation import Report


class Oversight:
    """A cluster as seen from outside, compared with its guarantees."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        fabric: Fabric,
        trace: Trace,
        report: Report,
        note: Callable[[str], None],
    ) -> None:
        """`report` takes violations, `note` rare situations. The machines of the plan must be in
        the cluster already, and to have no process yet."""
        self._trace = trace
        self._note = note
        self._no_excuses = plan.no_excuses
        self.ledger = Ledger()
        self.metadata = ObservedMetadata(trace)
        self.logs = PartitionLogs()
        self.registrations = self._of_brokers(cluster, note)
        election_s = int(plan.settings["controller.quorum.election.timeout.ms"]) / 1000
        self.raft = self._of_quorum(cluster, election_s, report)
        self.leadership = LeadershipHistory(
            cluster.machines, fabric, self.raft, self.metadata, election_s
        )
        self.raft.on_elected = self.leadership.controller_elected
        self.metadata_checker = MetadataChecker(report)
        self.replicas = ReplicaChecker(
            self.metadata,
            self.logs,
            trace,
            report,
            is_current=self.registrations.is_current,
            min_isr=self.min_isr,
            allows_loss=self._allows_loss,
        )
        self.agreement = AgreementChecker(self.metadata, self.logs, self.replicas, report)
        self.history = History(report, self.replicas.told, strict_acks_1=plan.strict_acks_1)
        self.history.excused = self.replicas.promises_nothing
        self.witnesses = Witnesses(
            cluster.machines,
            self.registrations,
            self.metadata,
            self.logs,
            self.replicas,
            self.agreement,
            self.history,
            report,
            note=note,
            at=fabric.at,
            min_isr=self.min_isr,
            resumed_at=lambda host: self.raft.excused.get(host, 0.0),
            settings=plan.settings,
        )
        self.epoch_starts = self._of_epochs(report)
        self.history.may_pass = self.witnesses.may_pass
        self.history.may_be_gone = self.witnesses.compaction.may_be_gone
        self.ledger.listen(self.witnesses.watched)
        self.metadata.on_change += [
            self.metadata_checker.partition_changed,
            self.replicas.partition_changed,
            self._partition_changed,
            self.leadership.partition_changed,
        ]
        self.metadata.on_image += [
            self.metadata_checker.image_committed,
            self.witnesses.image_committed,
            self.epoch_starts.image_committed,
            self.registrations.image_committed,
        ]

    def _of_brokers(self, cluster: Cluster, note: Callable[[str], None]) -> Registrations:
        return Registrations(
            cluster.machines,
            self.metadata,
            note,
            on_new_disk=self._lost_unseen,
            on_registered=self._registered,
        )

    def _of_epochs(self, report: Report) -> EpochStarts:
        def is_excused(key: Key, broker_id: int) -> bool:
            lost = broker_id in self.replicas.truth(key).losers
            runs = self.registrations.is_current(broker_id)
            return lost or not runs or self.replicas.promises_nothing(key)

        watched, looks = self.witnesses.watched, self.witnesses.answers.looks
        return EpochStarts(watched, self.metadata, self.logs, report, looks, is_excused=is_excused)

    def _of_quorum(self, cluster: Cluster, election_s: float, report: Report) -> RaftChecker:
        voters = frozenset(Member(machine.host, b"") for machine in cluster.controllers)
        if cluster.first_voters:
            voters = voters_of(cluster.first_voters)
        return RaftChecker(
            voters,
            self._trace,
            report,
            self.metadata.committed,
            lease_limit_s=3 * election_s + 0.5,
            fixed_voters=not cluster.first_voters,
            on_voters=self._voters_changed,
        )

    @property
    def checks(self) -> int:
        """How many comparisons were made."""
        return sum(looks.checks for looks in self._looks().values())

    def looks(self) -> dict[str, int]:
        """The number of comparisons by checker; docs/simulation.md has the rules of each."""
        return {name: looks.checks for name, looks in self._looks().items()}

    def rules(self) -> dict[str, int]:
        """How often each violation was checked for, by its name."""
        found: Counter[str] = Counter()
        for looks in self._looks().values():
            found.update(looks)
        return found

    def _looks(self) -> dict[str, Looks]:
        return {
            "quorum": self.raft.looks,
            "metadata": self.metadata_checker.looks,
            "replicas": self.replicas.looks,
            "agreement": self.agreement.looks,
            "history": self.history.looks,
            **self.witnesses.looks(),
        }

    def min_isr(self, topic: str) -> int:
        """The topic's min.insync.replicas."""
        return int(self.metadata.image.topic_config(topic).get("min.insync.replicas", "1"))

    def _allows_loss(self, topic: str) -> bool:
        config = self.metadata.image.topic_config(topic)
        unclean = config.get("unclean.leader.election.enable") == "true"
        return unclean and not self._no_excuses

    # Events of machines and network.

    def delivered(self, source: str, target: str, size: int) -> None:
        """Bytes arrived."""
        self._trace.message(source, target, size)
        self.raft.arrived(source, target)

    def watch_link(self, client: str, server: str, port: int, flow: Flow) -> Taps:
        """The taps of a new connection; `flow` is the client's side of it."""
        talk = self.witnesses.conversation(client, server, flow)
        if port != CONTROLLER_PORT or not client.startswith("n"):
            return clear(talk.asks), clear(talk.answers)
        asks, answers = self.raft.taps(client, server)
        return clear(both(asks, talk.asks)), clear(both(answers, talk.answers))

    def watch_file(self, host: str, path: str) -> Watcher | None:
        """The watcher of a new file, if an observer wants one."""
        if path.startswith(METADATA):
            if path.endswith(".journal"):
                return self.raft.mirror(host).watch(path)
            if path.endswith(".checkpoint.tmp"):
                checker = self.metadata_checker
                return SnapshotFile(host, self.raft, self.metadata, checker, self._note)
            return None
        watched = self.logs.watch(host, path) or self.agreement.watch(host, path)
        return watched or topic_id.watch(self.replicas.lost_disk, host, path)

    def formatted(self, machine: Machine, directory: bytes) -> None:
        """A process is about to start; `directory` is the id of its metadata log's directory."""
        self.raft.voter_sets.directories[machine.host] = directory

    def disk_failed(self, host: str, path: str) -> None:
        """A disk has refused a write or a sync."""
        self.witnesses.writes.failed(host, path)

    def started(self, machine: Machine) -> None:
        """A process is about to start."""
        self.registrations.started(machine.node_id, self.raft.commit_index)
        self.raft.excused[machine.host] = trio.current_time()
        self.witnesses.writes.started(machine.host)

    def ended_unclean(self, machine: Machine) -> None:
        """A process ended without a shutdown."""
        self.replicas.ended_unclean(machine.host)
        partitions = self.metadata.image.partitions()
        if any(partition.is_reassigning for _, _, partition in partitions):
            self._note("crash in mid-reassignment")

    def ended_clean(self, machine: Machine) -> None:
        """A process has shut down."""
        # A process that ends before it was registered may not have read its logs.
        if self.registrations.was_registered(machine.node_id):
            self.witnesses.stopped(machine)

    def disk_replaced(self, machine: Machine) -> None:
        """The disk with a machine's logs, whose process is down, is about to be replaced."""
        host = machine.host
        self.registrations.disk_replaced(machine.node_id)
        for mirror in self.logs.on(host):
            self.replicas.lost_disk(host, mirror.key, len(mirror.batches()))
        for topic, index, partition in self.metadata.image.partitions():
            key = (topic.name, index)
            counted = machine.node_id in (*partition.isr, *partition.elr)
            if counted and self.logs.replica(host, key) is None:
                self.replicas.lost_disk(host, key, 0)

    def logged(self, node: str, level: str, words: str, details: dict[str, Any]) -> None:
        """A line of a node's log, or of a client's."""
        self._trace.event("log", node=node, level=level, words=words, **details)
        for situation in situations.of_log_line(words, self._is_leaderless):
            self._note(situation)

    def _is_leaderless(self) -> bool:
        return any(not each.has_leader for _, _, each in self.metadata.image.partitions())

    # Events of the metadata.

    def _voters_changed(self, before: Voters, after: Voters, leader: str) -> None:
        added, removed = sorted(after - before), sorted(before - after)
        gained, lost = list(map(str, added)), list(map(str, removed))
        self._trace.event("voters-changed", node=leader, added=gained, removed=lost)
        if added:
            self._note("voter added")
        if removed:
            self._note("voter removed")
        if any(member.host == leader for member in removed):
            self._note("leader removed itself")

    def _lost_unseen(self, image: MetadataImage, broker_id: int) -> None:
        """Partitions that were assigned to a broker between the replacement of its disk and its
        next registration are on a disk that is gone.
        """
        for topic, index, partition in image.partitions():
            if broker_id in partition.replicas:
                self.replicas.lost_disk(f"n{broker_id}", (topic.name, index), 0)

    def _registered(self, broker_id: int) -> None:
        self.replicas.broker_registered(broker_id)
        self.witnesses.broker_registered(broker_id)

    def _partition_changed(
        self, key: Key, before: PartitionImage | None, after: PartitionImage
    ) -> None:
        for situation in situations.of_partition(before, after) if before is not None else ():
            self._note(situation)
