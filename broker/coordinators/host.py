"""A coordinator on a broker: the shards of all partitions of its topic that this broker leads.

When this broker becomes the leader of a partition, it first replays the log; requests are answered
COORDINATOR_LOAD_IN_PROGRESS until the whole log is committed. When it resigns, it drops the shard,
and waiting callers are answered NOT_COORDINATOR.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

import trio

from raftka.broker.coordinators.hosted_partition import HostedPartition
from raftka.broker.coordinators.runtime import CoordinatorLog, ShardRuntime, perform_nothing
from raftka.broker.coordinators.shard import STRING_BYTES_MAX, CoordinatorTopic, Shard
from raftka.broker.replication.replica import Replica
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.key_hash import partition_of_key
from raftka.model.ports import Clock
from raftka.net.router import Pending

S = TypeVar("S", bound=Shard)
T = TypeVar("T")

_LOADS_KEPT: Final = 200
_AS_COORDINATOR_ERROR = {
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.FENCED_LEADER_EPOCH: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
}
"""The log's errors, mapped for a coordinator's client: find the coordinator again, or retry."""


def coordinator_error(error: KafkaError) -> KafkaError:
    """The log's error, mapped for a coordinator's client."""
    return KafkaError(_AS_COORDINATOR_ERROR.get(error.code, error.code), error.message)


class PendingAnswer(Pending):
    """A request that waits for its shard or for the log, and its API's way to answer an error."""

    __slots__ = ("_refusal",)

    def __init__(self, refusal: Callable[[int], object]) -> None:
        super().__init__()
        self._refusal = refusal

    def fail(self, error: KafkaError) -> None:
        self.resolve(self._refusal(coordinator_error(error).code))


class CoordinatorHost(Generic[S]):
    """Elects, loads, runs and drops shards, and finds the shard of a key.

    `make_shard` makes the empty shard of a partition in a leader epoch. `perform` executes the
    effects of shards once their records are committed.
    """

    def __init__(
        self,
        topic: CoordinatorTopic,
        coordinator_log: CoordinatorLog,
        clock: Clock,
        *,
        make_shard: Callable[[int, int], S],
        perform: Callable[[ShardRuntime[S], object], None] = perform_nothing,
        key: str,
        invalid_key: ErrorCode,
        may_be_empty: bool = True,
    ) -> None:
        self.image: MetadataImage = EMPTY_IMAGE
        """The newest metadata; a shard gets it when it is loaded."""
        self.loads: deque[tuple[float, float]] = deque(maxlen=_LOADS_KEPT)
        """(monotonic time, duration in seconds) of the latest loads of shards."""
        self._topic = topic
        self._log = coordinator_log
        self._clock = clock
        self._make_shard = make_shard
        self._perform = perform
        self._key = key
        """The name of a key in messages: "group"."""
        self._invalid_key = invalid_key
        self._may_be_empty = may_be_empty
        """Whether the empty key is valid, as it is for groups."""
        self._hosted: dict[int, HostedPartition[S]] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Load and run shards until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for hosted in self._hosted.values():
                self._nursery.start_soon(hosted.run)
            await trio.sleep_forever()

    # ---- elections and metadata

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Apply new metadata, and notify every loaded shard."""
        self.image = image
        for hosted in self._hosted.values():
            runtime = hosted.runtime
            if runtime is not None:
                runtime.shard.metadata_changed(image, delta, runtime.now())
                runtime.settle()

    def became_leader(self, replica: Replica) -> None:
        """ReplicaManager's role listener: this broker leads the partition in a new epoch."""
        if replica.topic == self._topic.name:
            self.on_partition_elected(replica.index, replica.state.view.leader_epoch)

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        """ReplicaManager's role listener: another broker leads the partition now, or none does."""
        if topic_partition.topic == self._topic.name:
            self.on_partition_resigned(topic_partition.partition)

    def on_partition_elected(self, partition: int, leader_epoch: int) -> None:
        """Load the partition's shard and serve it."""
        self.on_partition_resigned(partition)
        hosted = HostedPartition(
            partition,
            leader_epoch,
            topic=self._topic,
            make_shard=lambda: self._make_shard(partition, leader_epoch),
            perform=self._perform,
            image=lambda: self.image,
            coordinator_log=self._log,
            clock=self._clock,
            was_loaded=self._was_loaded,
        )
        self._hosted[partition] = hosted
        if self._nursery is not None:
            self._nursery.start_soon(hosted.run)

    def _was_loaded(self, seconds: float) -> None:
        self.loads.append((self._clock.monotonic(), seconds))

    def on_partition_resigned(self, partition: int) -> None:
        """Drop the partition's shard."""
        hosted = self._hosted.pop(partition, None)
        if hosted is not None:
            hosted.stop()

    # ---- for the coordinator's API

    def partition_of(self, key: str) -> int | None:
        """The partition of a key; None while the topic does not exist."""
        topic = self.image.topics.get(self._topic.name)
        return None if topic is None else partition_of_key(key, len(topic.partitions))

    def runtime_of(self, key: str, *, writing: bool = True) -> ShardRuntime[S]:
        """The shard of a key.

        Raises KafkaError as `runtime_at` does, and for an invalid key.
        """
        if not key and not self._may_be_empty:
            raise KafkaError(self._invalid_key, f"the {self._key} id is empty")
        if len(key) > STRING_BYTES_MAX or len(key.encode()) > STRING_BYTES_MAX:
            raise KafkaError(self._invalid_key, f"the {self._key} id is too long")
        return self.runtime_at(self.partition_of(key), f"{self._key} {key!r}", writing=writing)

    def runtime_at(
        self, partition: int | None, who: str, *, writing: bool = True
    ) -> ShardRuntime[S]:
        """The shard of a partition, on behalf of `who`.

        Raises KafkaError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, and
        COORDINATOR_NOT_AVAILABLE if the log would refuse an append.
        """
        hosted = None if partition is None else self._hosted.get(partition)
        if partition is None or hosted is None:
            raise KafkaError(ErrorCode.NOT_COORDINATOR, f"{who} is coordinated by another broker")
        if hosted.runtime is None:
            raise KafkaError(
                ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
                f"{self._topic.name}-{partition} with {who} is being loaded",
            )
        try:
            self._log.check(partition, writing=writing)
        except KafkaError as error:
            raise coordinator_error(error) from error
        return hosted.runtime

    def runtimes(self) -> Iterator[ShardRuntime[S]]:
        """All shards, by partition. Raises KafkaError COORDINATOR_LOAD_IN_PROGRESS."""
        for partition, hosted in sorted(self._hosted.items()):
            if hosted.runtime is None:
                raise KafkaError(
                    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
                    f"{self._topic.name}-{partition} is being loaded",
                )
            yield hosted.runtime

    def loaded(self) -> Iterator[ShardRuntime[S]]:
        """The loaded shards, by partition."""
        for _, hosted in sorted(self._hosted.items()):
            if hosted.runtime is not None:
                yield hosted.runtime

    def answer_later(
        self,
        answer: PendingAnswer,
        key: str,
        operation: Callable[[ShardRuntime[S]], None],
        *,
        writing: bool = True,
    ) -> None:
        """Run an operation that answers by itself; answer with the KafkaError that it raises, if
        any."""
        try:
            runtime = self.runtime_of(key, writing=writing)
        except KafkaError as error:
            answer.fail(error)
            return
        try:
            operation(runtime)
        except KafkaError as error:
            answer.fail(error)
        runtime.settle()


async def when_committed(runtime: ShardRuntime[S], answer: T) -> T:
    """Return `answer` once everything that it may depend on is committed. Raises KafkaError."""
    runtime.settle()
    try:
        await runtime.committed()
    except KafkaError as error:
        raise coordinator_error(error) from error
    return answer
