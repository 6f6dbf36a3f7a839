"""The checkers of brokers' responses and of the files on their disks, composed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import trio

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.model.ids import SHARE_STATE_TOPIC, TRANSACTION_TOPIC
from raftka.simulations.checkers.agreement import AgreementChecker
from raftka.simulations.checkers.answers import AnswerChecker
from raftka.simulations.checkers.atomicity import Atomicity
from raftka.simulations.checkers.compaction import CompactionChecker
from raftka.simulations.checkers.coordinated import CoordinatedGroups
from raftka.simulations.checkers.coordination import CoordinationChecker
from raftka.simulations.checkers.fetching import FetchChecker
from raftka.simulations.checkers.files import FileChecker
from raftka.simulations.checkers.groups import GroupChecker
from raftka.simulations.checkers.history import History
from raftka.simulations.checkers.identities import ProducerIds
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.lookups import LookUps
from raftka.simulations.checkers.offsets import CommittedOffsets, java_hash
from raftka.simulations.checkers.produced import ProducedOffsets
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.checkers.retention import RetentionChecker
from raftka.simulations.checkers.share_groups import ShareGroups
from raftka.simulations.checkers.transactions import TransactionChecker
from raftka.simulations.checkers.writes import FailedWrites
from raftka.simulations.machines.machine import Machine
from raftka.simulations.machines.stream import Flow
from raftka.simulations.observers.kafka_wire import Conversation, OnRequest, Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import (
    Batch,
    Key,
    PartitionLogs,
    ReplicaMirror,
)
from raftka.simulations.observers.registrations import Registrations
from raftka.simulations.observers.share_states import ShareStates
from raftka.simulations.violation import About, Report

_OFFSETS_TOPIC: Final = "__consumer_offsets"
_LATER_S: Final = 0.005


class Witnesses:
    """The checkers of responses, groups and files, and what each of them observes."""

    def __init__(
        self,
        machines: Mapping[int, Machine],
        registrations: Registrations,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        replicas: ReplicaChecker,
        agreement: AgreementChecker,
        history: History,
        report: Report,
        *,
        note: Callable[[str], None],
        at: Callable[[float, Callable[[], None]], None],
        min_isr: Callable[[str], int],
        resumed_at: Callable[[str], float],
        settings: Mapping[str, str],
    ) -> None:
        """`note` takes rare situations, `at` calls back later; `min_isr` is a topic's."""
        self.watched = Watched()
        self._machines = machines
        self._registrations = registrations
        self._metadata = metadata
        self._logs = logs
        self._replicas = replicas
        self._agreement = agreement
        self._history = history
        self._report = report
        self._resumed_at = resumed_at
        self.answers = AnswerChecker(
            self.watched,
            metadata,
            logs,
            report,
            life_of=registrations.life_of,
            is_excused=self._may_lack,
            claimed=agreement.claimed,
            note=note,
            later=lambda check: at(trio.current_time() + _LATER_S, check),
            min_isr=min_isr,
            may_begin_at=lambda key: replicas.truth(key).start,
        )
        self.compaction = self._of_compaction(note)
        self.transactions, self.atomicity = self._of_transactions(report)
        self.coordination = self._of_coordination(report, settings)
        self.fetches = self._fetches()
        self.produced = ProducedOffsets(
            self.watched, metadata, logs, report, is_excused=replicas.promises_nothing, note=note
        )
        self.retention = RetentionChecker(
            metadata,
            logs,
            replicas,
            report,
            wall_ms=lambda host: machines[int(host[1:])].latest_wall_ms(),
            min_isr=min_isr,
            may_begin_at=self._may_begin_at,
        )
        self.lookups = LookUps(self.watched, metadata, logs, replicas, self.answers, report)
        self.groups = GroupChecker(self.watched, report, is_excused=self._may_be_lost)
        self.coordinated = CoordinatedGroups(
            self.watched, report, is_excused=self._may_be_lost, topic_id=self._topic_id
        )
        self.offsets = self._of_offsets(report)
        self.shares, self.task_looks = self._of_share_groups(report, settings), Looks()
        self.producer_ids = ProducerIds(self.watched, report, is_excused=self.coordinators_lost)
        self.files, self.writes = FileChecker(logs, report), FailedWrites(logs, report)
        metadata.on_change.append(self._members_changed)
        logs.on_corrupt = self._corrupt_batch_written
        logs.on_unreadable = self._unreadable_batch_written

    def _of_transactions(self, report: Report) -> tuple[TransactionChecker, Atomicity]:
        replicas = self._replicas
        in_logs = TransactionChecker(
            self.watched,
            self._metadata,
            self._logs,
            report,
            is_excused=replicas.promises_nothing,
            coordinators_lost=self.coordinators_lost,
        )
        seen = Atomicity(
            report,
            is_excused=lambda key: replicas.promises_nothing(key) or self.coordinators_lost(),
            may_be_gone=self._may_be_gone,
        )
        return in_logs, seen

    def _of_coordination(self, report: Report, settings: Mapping[str, str]) -> CoordinationChecker:
        return CoordinationChecker(
            self.watched,
            self._metadata,
            self._logs,
            self.transactions.logs,
            report,
            is_excused=self._replicas.promises_nothing,
            is_lost=self.coordinators_lost,
            offsets_log=self._offsets_log,
            verifies=settings.get("transaction.partition.verification.enable") != "false",
        )

    def _of_compaction(self, note: Callable[[str], None]) -> CompactionChecker:
        machines, replicas = self._machines, self._replicas
        return CompactionChecker(
            self._metadata,
            self._logs,
            self.answers,
            self._report,
            note=note,
            highest_wall_ms=lambda host: machines[int(host[1:])].highest_wall_ms(),
            may_begin_at=lambda key: replicas.truth(key).start,
            is_excused=lambda key, host: self._may_lack(key, int(host[1:])),
        )

    def _topic_id(self, name: str) -> bytes | None:
        topic = self._metadata.image.topics.get(name)
        return None if topic is None else topic.topic_id

    def _of_offsets(self, report: Report) -> CommittedOffsets:
        return CommittedOffsets(
            self.watched,
            report,
            is_excused=self._may_be_lost,
            log_end=self._offsets_end,
            check_stored=self._check_stored,
        )

    def _of_share_groups(self, report: Report, settings: Mapping[str, str]) -> ShareGroups:
        shares = ShareGroups(
            self.watched,
            report,
            limit=int(settings.get("group.share.delivery.count.limit", "5")),
            lock_s=int(settings.get("group.share.record.lock.duration.ms", "30000")) / 1000,
            topic_name=lambda topic_id: self._metadata.image.topic_names.get(topic_id),
            leader=self._leader_of,
            is_excused=lambda key: (
                self._replicas.promises_nothing(key)
                or self.groups_lost(SHARE_STATE_TOPIC, _OFFSETS_TOPIC)
            ),
            was_deleted=lambda key, offset: offset < self._replicas.truth(key).start,
        )
        ShareStates(self._logs, self._may_begin_at, shares.state_follows)
        return shares

    def _may_be_gone(self, key: Key, offset: int) -> bool:
        start = self._replicas.truth(key).start
        return offset < start or self.compaction.may_be_gone(key, offset)

    def _leader_of(self, key: Key) -> tuple[str, int] | None:
        found = self._metadata.image.partition(*key)
        return None if found is None else (f"n{found.leader}", found.leader_epoch)

    def _fetches(self) -> FetchChecker:
        return FetchChecker(
            self.watched,
            self._metadata,
            self._logs,
            self._report,
            high_watermark=self.answers.told_high_watermark,
            runs_since=self._runs_since,
        )

    def looks(self) -> dict[str, Looks]:
        """How often each of them has compared something."""
        return {
            "answers": self.answers.looks,
            "compaction": self.compaction.looks,
            "transactions": self.transactions.looks,
            "atomicity": self.atomicity.looks,
            "coordination": self.coordination.looks,
            "fetches": self.fetches.looks,
            "produced": self.produced.looks,
            "look-ups": self.lookups.looks,
            "retention": self.retention.looks,
            "groups": self.groups.looks,
            "coordinated groups": self.coordinated.looks,
            "offsets": self.offsets.looks,
            "share groups": self.shares.looks,
            "tasks": self.task_looks,
            "producer-ids": self.producer_ids.looks,
            "files": self.files.looks,
            "writes": self.writes.looks,
        }

    def conversation(self, client: str, server: str, flow: Flow) -> Conversation:
        """Watch a new connection; `flow` is the client's side of it."""
        return Conversation(client, server, self.watched, flow)

    @contextmanager
    def hearing(self, api: str, told: OnRequest) -> Iterator[None]:
        """Notify a fault of each request of an API that is sent while this context lasts."""
        self.watched.request(api, told)
        try:
            yield
        finally:
            self.watched.leave(api, told)

    def image_committed(
        self, before: MetadataImage, image: MetadataImage, delta: MetadataDelta
    ) -> None:
        """The metadata has changed. A deleted topic shares nothing with its successor."""
        for topic in delta.topics.deleted:
            self._replicas.forget(topic.name)
            self._history.forget(topic.name)
            self._agreement.forget(topic.name)
            self._logs.forget(topic.name)
            for checker in (
                self.answers,
                self.coordination,
                self.offsets,
                self.retention,
                self.transactions,
            ):
                checker.forget(topic.name)

    def may_pass(self, key: Key, start: int, end: int) -> bool:
        """Whether a consumer may find no record between two offsets: only markers, or cleaned
        records.
        """
        is_marker, may_be_gone = self.transactions.is_marker, self.compaction.may_be_gone
        return all(is_marker(key, at) or may_be_gone(key, at) for at in range(start, end))

    def _may_begin_at(self, key: Key, offset: int) -> None:
        """Records before `offset` may be gone from now on, on purpose."""
        self._replicas.may_begin_at(key, offset)
        self._history.may_begin_at(key, offset)

    def look(self) -> None:
        """Compare the disks of running brokers."""
        for machine in self._machines.values():
            runs = machine.is_running and machine.is_broker and not machine.suspect
            if runs and self._registrations.is_current(machine.node_id):
                self.files.check_running(machine.host, machine.medium.files)
                for mirror in self._logs.on(machine.host):
                    self.compaction.check_replica(mirror, machine.medium.files)

    def broker_registered(self, broker_id: int) -> None:
        """A broker is back after its recovery: its in-sync replicas must be whole."""
        for topic, index, partition in self._metadata.image.partitions():
            if broker_id in partition.isr:
                self._check_batches((topic.name, index), broker_id)

    def check_members(self) -> None:
        """Every replica in an ISR is whole."""
        for topic, index, partition in self._metadata.image.partitions():
            for broker_id in partition.isr:
                self._check_batches((topic.name, index), broker_id)

    def _members_changed(
        self, key: Key, before: PartitionImage | None, after: PartitionImage
    ) -> None:
        for broker_id in after.isr if before is not None else ():
            if before is not None and broker_id not in before.isr:
                self._check_batches(key, broker_id)

    def _check_batches(self, key: Key, broker_id: int) -> None:
        machine, host = self._machines.get(broker_id), f"n{broker_id}"
        mirror = self._logs.replica(host, key)
        current = self._registrations.is_current(broker_id)
        if machine is None or mirror is None or machine.suspect or not current:
            return
        self.files.check_batches(mirror, machine.medium.files)

    def stopped(self, machine: Machine) -> None:
        """A broker that served has ended with a clean shutdown."""
        # After a power loss the indexes of segments that were not read may be as it left them.
        if not machine.suspect and not machine.medium.was_interrupted:
            self.files.check_stopped(machine.host, machine.medium.files)

    def _corrupt_batch_written(self, mirror: ReplicaMirror, batches: list[Batch]) -> None:
        self._report(
            "corrupt-batch-written",
            f"{mirror.host} writes a batch of {mirror.name} from offset {batches[0].base_offset} on"
            " whose CRC is not what its header says",
            about=About(mirror.key, batches[0].base_offset, node=mirror.host),
        )

    def _unreadable_batch_written(self, mirror: ReplicaMirror, batch: Batch, words: str) -> None:
        self._report(
            "unreadable-batch-written",
            f"{mirror.host} writes a batch of {mirror.name} from offset {batch.base_offset} on that"
            f" no consumer can read: {words}",
            about=About(mirror.key, batch.base_offset, node=mirror.host),
        )

    def _runs_since(self, host: str) -> float:
        """When a host's process was started or resumed; infinity while it is paused or not
        registered."""
        machine = self._machines[int(host[1:])]
        if self._registrations.life_of(host) is None or not machine.is_running:
            return float("inf")
        return self._resumed_at(host)

    def _may_lack(self, key: Key, broker_id: int) -> bool:
        truth = self._replicas.truth(key)
        return broker_id in truth.losers | truth.unclean or self._replicas.promises_nothing(key)

    def coordinators_lost(self) -> bool:
        """Whether the coordinators' state of transactions may be lost with their disks."""
        truths = self._replicas.truths
        return any(truths[key].excused_at >= 0 for key in truths if key[0] == TRANSACTION_TOPIC)

    def _may_be_lost(self, group: str) -> bool:
        """Whether the logs of groups' offsets may have lost records of this group."""
        return self.groups_lost(_OFFSETS_TOPIC)

    def groups_lost(self, *topics: str) -> bool:
        """Whether logs of these coordinators' topics may have lost records with their disks."""
        truths = self._replicas.truths
        return any(truths[key].excused_at >= 0 for key in truths if key[0] in topics)

    # The logs of __consumer_offsets.

    def _offsets_log(self, group: str) -> Key | None:
        topic = self._metadata.image.topics.get(_OFFSETS_TOPIC)
        if topic is None:
            return None
        return _OFFSETS_TOPIC, abs(java_hash(group)) % len(topic.partitions)

    def _offsets_end(self, group: str, host: str) -> int:
        key = self._offsets_log(group)
        mirror = self._logs.replica(host, key) if key is not None else None
        return mirror.end_offset if mirror is not None else 0

    def _check_stored(self, group: str, host: str, end: int) -> None:
        """An acknowledged commit has a committed record after `end` in the coordinator's log."""
        key = self._offsets_log(group)
        partition = self._metadata.image.partition(*key) if key is not None else None
        if key is None or partition is None or f"n{partition.leader}" != host:
            return
        self.offsets.looks.at("commit-not-stored")
        if self._offsets_end(group, host) <= end:
            self._report(
                "commit-not-stored",
                f"{host} acknowledged offsets of group {group}, and has added nothing to its log of"
                f" {_OFFSETS_TOPIC}-{key[1]}, which ends at {end}",
            )
        what = f"acknowledged offsets of group {group} that are at {end} or beyond"
        self.answers.check_committed(key, partition, host, end + 1, what)
