"""Topics and their partitions: replicas, leaders, ISRs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

from raftka.kraft.records import (
    NO_LEADER,
    RECOVERED,
    RECOVERING,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from raftka.kraft.sections.section import ReplayError, Section
from raftka.model.dataclass import dataclass
from raftka.model.ids import UNASSIGNED_DIRECTORY
from raftka.model.reasons import NO_REASON, Packed


@dataclass(frozen=True, slots=True)
class PartitionImage:
    """The controller's state of one partition."""

    replicas: tuple[int, ...]
    """Preferred leader first."""
    isr: tuple[int, ...]
    leader: int
    """NO_LEADER (-1) while no replica may lead it."""
    leader_epoch: int = 0
    partition_epoch: int = 0
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    leader_recovery_state: int = RECOVERED
    reason: str = ""
    """Why this leader was elected, in words."""
    directories: tuple[bytes, ...] = ()
    """The log directory of each replica; empty until a broker has reported one."""
    why: Packed = NO_REASON
    """`reason` as a code with parameters (model/reasons.py)."""
    why_changed: Packed = NO_REASON
    """Why ISR, ELR or replicas changed last."""

    def directory_of(self, replica: int) -> bytes:
        """The log directory of a replica, or UNASSIGNED_DIRECTORY."""
        if not self.directories or replica not in self.replicas:
            return UNASSIGNED_DIRECTORY
        return self.directories[self.replicas.index(replica)]

    @property
    def has_leader(self) -> bool:
        return self.leader != NO_LEADER

    @property
    def preferred_leader(self) -> int:
        return self.replicas[0]

    @property
    def is_reassigning(self) -> bool:
        return bool(self.removing_replicas or self.adding_replicas)


@dataclass(frozen=True, slots=True)
class TopicImage:
    """A topic and its partitions; a partition's number is its index in `partitions`."""

    name: str
    topic_id: bytes
    partitions: Sequence[PartitionImage]

    def partition(self, index: int) -> PartitionImage | None:
        """The partition of that number, or None if there is none."""
        return self.partitions[index] if 0 <= index < len(self.partitions) else None


@dataclass(frozen=True, slots=True)
class ElectionOutcome:
    """A partition got another leader, or the same one with a new epoch; and the reason."""

    topic: str
    partition: int
    old_leader: int
    new_leader: int
    leader_epoch: int
    old_isr: tuple[int, ...]
    new_isr: tuple[int, ...]
    reason: str
    is_unclean: bool = False
    """Whether the new leader was outside of the ISR and the ELR: records may be lost (KIP-106)."""


class Topics(Section):
    """The section of topics. `on_deleted` is called with the name of each deleted topic."""

    FIELDS = ("topics", "topic_names")
    __slots__ = (
        *FIELDS,
        "_base_ids",
        "_lists",
        "_on_deleted",
        "changed",
        "deleted",
        "elections",
    )

    topics: Mapping[str, TopicImage]
    topic_names: Mapping[bytes, str]

    def __init__(self, base: object, on_deleted: Callable[[str], None]) -> None:
        super().__init__(base)
        self.changed: dict[str, dict[int, None]] = {}
        """New or changed partition numbers by topic name, in order of their first change."""
        self.deleted: list[TopicImage] = []
        """Deleted topics of the base, in their last state; the names may be in use again."""
        self.elections: list[ElectionOutcome] = []
        self._base_ids = self.topic_names
        self._lists: dict[str, list[PartitionImage]] = {}
        self._on_deleted = on_deleted

    @property
    def size(self) -> int:
        """The number of changed or deleted partitions."""
        deleted = sum(len(topic.partitions) for topic in self.deleted)
        return deleted + sum(map(len, self.changed.values()))

    def records(self) -> Iterator[MetadataRecord]:
        for topic in self.topics.values():
            yield TopicRecord(topic.name, topic.topic_id)
            for index, partition in enumerate(topic.partitions):
                values = {name: getattr(partition, name) for name in _PARTITION_FIELDS}
                yield PartitionRecord(topic.topic_id, index, **values)

    def take(self, other: Any) -> None:
        """Have all topics of another image, or section, as if their records had been replayed."""
        self.topics, self.topic_names = other.topics, other.topic_names
        self.changed = {
            name: dict.fromkeys(range(len(topic.partitions)))
            for name, topic in other.topics.items()
        }
        self.has_new_fields = True

    def note_gone(self, before: Topics) -> None:
        self.deleted += [
            topic for topic in before.topics.values() if topic.topic_id not in self.topic_names
        ]

    def view(self) -> Mapping[str, Any]:
        return {
            topic.name: {
                "id": topic.topic_id,
                "partitions": {
                    index: {name: getattr(partition, name) for name in _PARTITION_FIELDS}
                    for index, partition in enumerate(topic.partitions)
                },
            }
            for topic in self.topics.values()
        }

    def _name_of(self, topic_id: bytes) -> str:
        name = self.topic_names.get(topic_id)
        if name is None:
            raise ReplayError(f"a record names topic id {topic_id.hex()}, which does not exist")
        return name

    def _own_partitions(self, name: str) -> list[PartitionImage]:
        """The topic's partitions as a list that may be changed."""
        partitions = self._lists.get(name)
        if partitions is None:
            topics = self.own("topics")
            topic = topics[name]
            partitions = self._lists[name] = list(topic.partitions)
            topics[name] = TopicImage(name, topic.topic_id, partitions)
        return partitions

    def _created(self, record: TopicRecord, _offset: int) -> None:
        topics = self.own("topics")
        if record.name in topics:
            raise ReplayError(f"topic {record.name} is created although it exists")
        partitions = self._lists[record.name] = []
        topics[record.name] = TopicImage(record.name, record.topic_id, partitions)
        self.own("topic_names")[record.topic_id] = record.name
        self.changed.setdefault(record.name, {})

    def _removed(self, record: RemoveTopicRecord, _offset: int) -> None:
        name = self._name_of(record.topic_id)
        del self.own("topic_names")[record.topic_id]
        removed = self.own("topics").pop(name)
        self._lists.pop(name, None)
        self.changed.pop(name, None)
        if record.topic_id in self._base_ids:
            self.deleted.append(removed)
        self._on_deleted(name)

    def _partition(self, record: PartitionRecord, _offset: int) -> None:
        name = self._name_of(record.topic_id)
        partitions = self._own_partitions(name)
        if record.partition_id != len(partitions):
            raise ReplayError(
                f"partition {record.partition_id} of topic {name} is created "
                f"when it has {len(partitions)}"
            )
        partitions.append(
            PartitionImage(
                record.replicas,
                record.isr,
                record.leader,
                record.leader_epoch,
                record.partition_epoch,
                record.removing_replicas,
                record.adding_replicas,
                record.elr,
                record.last_known_elr,
                record.leader_recovery_state,
                record.reason,
                record.directories,
                record.why,
                record.why_changed,
            )
        )
        self.changed.setdefault(name, {})[record.partition_id] = None

    def _partition_change(self, record: PartitionChangeRecord, _offset: int) -> None:
        name = self._name_of(record.topic_id)
        partitions = self._own_partitions(name)
        if record.partition_id >= len(partitions):
            raise ReplayError(f"partition {record.partition_id} of topic {name} does not exist")
        before = partitions[record.partition_id]
        after = changed_partition(before, record)
        partitions[record.partition_id] = after
        self.changed.setdefault(name, {})[record.partition_id] = None
        if record.leader is not None:
            self.elections.append(
                ElectionOutcome(
                    name,
                    record.partition_id,
                    before.leader,
                    after.leader,
                    after.leader_epoch,
                    before.isr,
                    after.isr,
                    after.reason,
                    is_unclean=after.leader_recovery_state == RECOVERING
                    and after.leader not in before.isr,
                )
            )

    REPLAYS: ClassVar = {
        TopicRecord: _created,
        RemoveTopicRecord: _removed,
        PartitionRecord: _partition,
        PartitionChangeRecord: _partition_change,
    }


_PARTITION_FIELDS = tuple(field.name for field in fields(PartitionImage))


def changed_partition(before: PartitionImage, change: PartitionChangeRecord) -> PartitionImage:
    """The partition after a change: None keeps a field, a leader bumps the leader epoch."""
    elected = change.leader is not None
    return PartitionImage(
        before.replicas if change.replicas is None else change.replicas,
        before.isr if change.isr is None else change.isr,
        before.leader if change.leader is None else change.leader,
        before.leader_epoch + 1 if elected else before.leader_epoch,
        before.partition_epoch + 1,
        _or(change.removing_replicas, before.removing_replicas),
        _or(change.adding_replicas, before.adding_replicas),
        _or(change.elr, before.elr),
        _or(change.last_known_elr, before.last_known_elr),
        before.leader_recovery_state
        if change.leader_recovery_state is None
        else change.leader_recovery_state,
        before.reason if change.reason is None else change.reason,
        _directories(before, change),
        before.why if change.why is None else change.why,
        before.why_changed if change.why_changed is None else change.why_changed,
    )


def _directories(before: PartitionImage, change: PartitionChangeRecord) -> tuple[bytes, ...]:
    """Each replica keeps its own; new ones have none yet."""
    if change.directories is not None:
        return change.directories
    if change.replicas is None or not before.directories:
        return before.directories
    return tuple(map(before.directory_of, change.replicas))


def _or(new: tuple[int, ...] | None, old: tuple[int, ...]) -> tuple[int, ...]:
    return old if new is None else new
