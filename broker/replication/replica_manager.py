"""All replicas that this broker hosts, according to the metadata.

The metadata log assigns partitions to brokers, with their leaders and epochs; `publish` applies
each change to roles, logs and fetches. Handlers look up replicas here, or get the error for a
missing one. When a disk fails, this module takes its replicas offline and informs the controller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from raftka.broker.replication.appender import Appender
from raftka.broker.replication.isr_keeper import IsrKeeper
from raftka.broker.replication.partition import PartitionState
from raftka.broker.replication.placements import Placements
from raftka.broker.replication.replica import Replica
from raftka.broker.replication.replica_index import ReplicaIndex
from raftka.broker.replication.strays import set_strays_aside
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import (
    BROKER_RESOURCE,
    EMPTY_IMAGE,
    TOPIC_RESOURCE,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from raftka.model.ids import TopicPartition, Uuid
from raftka.model.logs import get_logger
from raftka.model.ports import Clock
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.answers import Turn
from raftka.storage.config import LogConfig
from raftka.storage.failure import LogDirFailure

if TYPE_CHECKING:
    from raftka.storage.log_manager import LogManager

log = get_logger(__name__)


class Fetching(Protocol):
    """Copies partitions from their leaders (broker/replication/replica_fetchers.py)."""

    def follow(self, replica: Replica) -> None:
        """Fetch from the leader of the replica's current view."""
        ...

    def leave(self, topic_partition: TopicPartition) -> None:
        """Stop fetching it: this broker leads it, or has no replica of it."""
        ...

    def log_start_moved(self, topic_partition: TopicPartition) -> None:
        """Retention has deleted records at the start of its log."""
        ...

    def brokers_changed(self) -> None:
        """Brokers may have registered, unregistered, or changed their addresses."""
        ...


class RoleListener(Protocol):
    """Notified of the partitions that this broker leads; the coordinators implement it."""

    def became_leader(self, replica: Replica) -> None:
        """This broker leads it, in the epoch of the replica's current view."""
        ...

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        """This broker no longer leads it; `leader_epoch` is the newest that it knows."""
        ...


class ReplicaManager:
    """The replicas of one broker. `publish` is its view of the metadata log.

    `index` finds the replicas, `isr` proposes which are in sync; the manager gives each its role.
    """

    def __init__(
        self,
        node_id: int,
        logs: LogManager,
        clock: Clock,
        turn: Turn,
        *,
        lag_max_s: float,
        silence_s: float = 0.0,
        broker_epoch: Callable[[], int],
        log_defaults: Callable[[], LogConfig],
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self.node_id = node_id
        self.index = ReplicaIndex(node_id)
        self.isr = IsrKeeper(self.index, lag_max_s, silence_s)
        self.get = self.index.get
        self.find = self.index.find
        self.leader_hint = self.index.leader_hint
        self.check_serving = self.index.check_serving
        appender = Appender(self.index, clock)
        self.append = appender.append
        self.append_marker = appender.append_marker
        self.logs = logs
        self.fetching: Fetching | None = None
        self.placements: Placements | None = None
        """Reports to the controller which replica is in which log directory."""
        self.role_listeners: list[RoleListener] = []
        self.rules_off = rules_off
        self._clock = clock
        self._turn = turn
        self._broker_epoch = broker_epoch
        self._log_defaults = log_defaults
        """The settings of topics without overrides; they follow the broker's dynamic settings."""
        self._checkpoints: dict[TopicPartition, int] = {}
        """The high watermarks that the previous process has checkpointed."""
        self._written: dict[TopicPartition, int] = {}
        """The high watermarks of the last checkpoint."""
        self._on_failed_dir: list[Callable[[], None]] = []
        logs.failure_listeners.append(self._directory_failed)
        logs.corruption_listeners.append(lambda at, words: log.error(f"{at}: {words}"))

    def __iter__(self) -> Iterator[Replica]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)

    # ---- the metadata log

    async def prepare(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Create the logs that this change needs, in worker threads; `publish` comes next."""
        wanted = []
        for name, indexes in delta.topics.changed.items():
            topic = image.topics.get(name)
            if topic is None:
                continue
            config = self.logs.log_config(image.topic_config(name))
            wanted += [
                (TopicPartition(name, index), Uuid(topic.topic_id), config)
                for index in indexes
                if self.node_id in topic.partitions[index].replicas
                and (name, index) not in self.index
                and not self.index.has_failed(name, index)
                and not self._is_offline(topic.partitions[index])
            ]
        await self.logs.create_ahead(wanted)

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Apply a change of the metadata. The first delta must contain everything."""
        # One turn: waiting requests are answered when all of it is in effect.
        self._turn.begin()
        try:
            self._publish(image, delta)
        finally:
            self._turn.end()

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        first = self.index.image is EMPTY_IMAGE
        self.index.image = image
        now_s = self._clock.monotonic()
        if first:
            self._checkpoints = self.logs.high_watermarks()
            set_strays_aside(self.logs, image, self.node_id)
        for topic in delta.topics.deleted:
            for index in range(len(topic.partitions)):
                self._delete(topic.name, index, topic.topic_id)
        for name, indexes in delta.topics.changed.items():
            changed = image.topics.get(name)
            if changed is not None:
                for index in indexes:
                    self._apply(changed, index, changed.partitions[index], now_s)
        if delta.brokers.changed:
            if self.fetching is not None:
                self.fetching.brokers_changed()
            for replica in self:
                self.isr.let_in(replica, now_s)
        if not first:
            self._configs_changed(delta, now_s)

    def _configs_changed(self, delta: MetadataDelta, now_s: float) -> None:
        topics = self.index.image.topics
        changed = [
            topics[resource.name]
            for resource in delta.configs.changed
            if resource.type == TOPIC_RESOURCE and resource.name in topics
        ]
        if any(resource.type == BROKER_RESOURCE for resource in delta.configs.changed):
            defaults = self._log_defaults()
            if defaults != self.logs.defaults:
                self.logs.defaults = defaults
                changed = list(topics.values())
        for topic in changed:
            self._reconfigure(topic, now_s)

    def _apply(self, topic: TopicImage, index: int, view: PartitionImage, now_s: float) -> None:
        replica = self.get(topic.name, index)
        if replica is not None and replica.topic_id != topic.topic_id:
            self._delete(topic.name, index, replica.topic_id)
            replica = None
        if self.node_id not in view.replicas:
            self._delete(topic.name, index, topic.topic_id)
            return
        if replica is None:
            if self.index.has_failed(topic.name, index):
                # Its log is in an offline directory. A new one in another directory would be empty:
                # leading with it would lose the records that the other replicas have.
                return
            if self._is_offline(view):
                reasons = "; ".join(f"{path}: {why}" for path, why in self.logs.offline.items())
                words = f"{topic.name}-{index} is in a directory that is offline: {reasons}"
                self.index.failed(topic.name, index, words)
                return
            replica = self._create(topic, index)
            if replica is None:
                return
        if self.placements is not None:
            home = self.logs.directory_of(replica.topic_partition)
            self.placements.placed((topic.topic_id, index), home, view)
        try:
            if view.leader == self.node_id:
                self._lead(replica, view, now_s)
            else:
                self._follow(replica, view)
        except LogDirFailure as error:
            # The replica is gone by now, with all others of that directory.
            log.error(f"{replica.topic_partition} cannot take its role: {error}")

    def _is_offline(self, view: PartitionImage) -> bool:
        """Whether a replica that is not here is in a directory that was offline at the start."""
        offline = self.logs.offline
        return bool(offline) and (
            self.placements is not None and self.placements.is_offline(view, offline)
        )

    def _lead(self, replica: Replica, view: PartitionImage, now_s: float) -> None:
        state = replica.state
        is_new = not state.is_leader or state.view.leader_epoch != view.leader_epoch
        if is_new and self.fetching is not None:
            self.fetching.leave(replica.topic_partition)
        moved = state.become_leader(view, replica.log.log_end_offset, now_s)
        if is_new:
            replica.log.assign_epoch(view.leader_epoch, replica.log.log_end_offset)
            log.info(
                f"leading {replica.topic_partition} in epoch {view.leader_epoch} "
                f"from offset {state.log_end_offset}",
                isr=list(view.isr),
                high_watermark=state.high_watermark,
                reason=view.reason,
            )
            replica.role_changed()
            for listener in self.role_listeners:
                listener.became_leader(replica)
        if moved:
            replica.high_watermark_moved()
        self.isr.let_in(replica, now_s)

    def _follow(self, replica: Replica, view: PartitionImage) -> None:
        state = replica.state
        led = state.is_leader
        old_leader = state.view.leader
        changed = state.become_follower(view)
        if changed or view.leader != old_leader:
            if led:
                log.info(
                    f"following broker {view.leader} for {replica.topic_partition} "
                    f"in epoch {view.leader_epoch}",
                    log_end_offset=state.log_end_offset,
                    high_watermark=state.high_watermark,
                )
            replica.role_changed()
            if self.fetching is not None:
                self.fetching.follow(replica)
            if led:
                for listener in self.role_listeners:
                    listener.resigned(replica.topic_partition, view.leader_epoch)

    def _create(self, topic: TopicImage, index: int) -> Replica | None:
        topic_partition = TopicPartition(topic.name, index)
        config = self.logs.log_config(self.index.image.topic_config(topic.name))
        try:
            partition_log = self.logs.create(topic_partition, Uuid(topic.topic_id), config)
        except LogDirFailure as error:
            self.index.failed(topic.name, index, error.message)
            log.error(f"{topic_partition} cannot be hosted: {error}")
            return None
        state = PartitionState(
            topic_partition,
            self.node_id,
            high_watermark=max(
                self._checkpoints.pop(topic_partition, 0), partition_log.log_start_offset
            ),
            log_end_offset=partition_log.log_end_offset,
            min_isr=partition_log.config.min_insync_replicas,
            lag_max_s=self.isr.lag_max_s,
            eligible=self.isr.may_join_isr,
            local_broker_epoch=self._broker_epoch,
            rules_off=self.rules_off,
        )
        replica = Replica(topic.topic_id, state, partition_log)
        self.index.add(replica)
        return replica

    def _delete(self, name: str, index: int, topic_id: bytes) -> None:
        """The partition was deleted, or no longer has a replica here."""
        self.index.forget_failure(name, index)
        replica = self.get(name, index)
        if replica is None or replica.topic_id != topic_id:
            return
        self._drop(replica)
        try:
            self.logs.delete(replica.topic_partition)
        except LogDirFailure as error:
            log.error(f"the log of {replica.topic_partition} could not be deleted: {error}")

    def _drop(self, replica: Replica) -> None:
        led = replica.state.is_leader
        self.index.remove(replica)
        if self.fetching is not None:
            self.fetching.leave(replica.topic_partition)
        replica.state.retire()
        replica.hosted = False
        replica.role_changed()
        if led:
            for listener in self.role_listeners:
                listener.resigned(replica.topic_partition, replica.state.view.leader_epoch)

    def _reconfigure(self, topic: TopicImage, now_s: float) -> None:
        config = self.logs.log_config(self.index.image.topic_config(topic.name))
        for index in range(len(topic.partitions)):
            replica = self.get(topic.name, index)
            if replica is None:
                continue
            replica.log.config = config
            if replica.state.min_isr_changed(config.min_insync_replicas, now_s):
                replica.high_watermark_moved()

    # ---- disks

    def disk_failed(self, failure: LogDirFailure) -> None:
        """Take a log directory offline after an error outside of the storage layer."""
        self.logs.fail(failure.directory, failure.message)

    def _directory_failed(self, directory: str, reason: str) -> None:
        """A log directory went offline, with all its replicas.

        Nothing is acknowledged from there from now on: it is unknown what has reached the disk.
        """
        lost = [replica for replica in self if replica.log.directory.startswith(directory + "/")]
        for replica in lost:
            self._drop(replica)
            self.index.failed(
                replica.topic,
                replica.index,
                f"{replica.topic_partition} is in {directory}, which is offline: {reason}",
            )
        log.error(f"log directory {directory} is offline: {reason}", replicas=len(lost))
        for callback in self._on_failed_dir:
            callback()

    def on_failed_dir(self, callback: Callable[[], None]) -> None:
        """Set the callback that sends a heartbeat to the controller when a directory fails."""
        self._on_failed_dir.append(callback)

    async def checkpoint_high_watermarks(self) -> None:
        """Checkpoint all high watermarks, so that consumers may read up to them after a restart."""
        marks = {replica.topic_partition: replica.state.high_watermark for replica in self}
        if marks != self._written:
            await self.logs.checkpoint_high_watermarks(marks)
            self._written = marks
