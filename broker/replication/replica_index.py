"""The replicas that a broker hosts, by name and by topic id, and the errors for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from raftka.broker.replication.fetch_session import PartitionKey
from raftka.broker.replication.replica import Replica
from raftka.broker.replication.traffic import Traffic
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError

_MOVED = frozenset({ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH})


class ReplicaIndex:
    """Finds replicas for requests, and checks whether they may be used."""

    def __init__(self, node_id: int) -> None:
        self.node_id = node_id
        self.image: MetadataImage = EMPTY_IMAGE
        self.lease_until_s = float("inf")
        """From then on (monotonic seconds) the controller may have elected other leaders."""
        self._by_name: dict[tuple[str, int], Replica] = {}
        self._by_id: dict[tuple[bytes, int], Replica] = {}
        self.traffic = Traffic()
        """The traffic of the replicas, by topic."""
        self._topic_counts: Counter[str] = Counter()
        self._offline: dict[tuple[str, int], str] = {}
        """Replicas that are assigned to this broker but cannot be used, and the reasons."""

    def __iter__(self) -> Iterator[Replica]:
        return iter(tuple(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._by_name

    def add(self, replica: Replica) -> None:
        """Host a replica."""
        self._by_name[replica.topic, replica.index] = replica
        self._by_id[replica.topic_id, replica.index] = replica
        self._topic_counts[replica.topic] += 1
        replica.traffic = self.traffic.of(replica.topic)
        self.forget_failure(replica.topic, replica.index)

    def remove(self, replica: Replica) -> None:
        """Stop hosting a replica. Later requests learn from the metadata which brokers have it."""
        del self._by_name[replica.topic, replica.index]
        self._by_id.pop((replica.topic_id, replica.index), None)
        self._topic_counts[replica.topic] -= 1
        if not self._topic_counts[replica.topic]:
            del self._topic_counts[replica.topic]
            self.traffic.forget(replica.topic)

    def has_failed(self, topic: str, index: int) -> bool:
        """Whether a replica that is assigned to this broker cannot be used."""
        return (topic, index) in self._offline

    def failed(self, topic: str, index: int, reason: str) -> None:
        """An assigned replica cannot be used; its requests are answered with `reason`."""
        self._offline[topic, index] = reason

    def forget_failure(self, topic: str, index: int) -> None:
        """A failed replica is no longer assigned to this broker, or works again."""
        self._offline.pop((topic, index), None)

    def get(self, topic: str, index: int) -> Replica | None:
        """The replica, or None if this broker has none that works."""
        return self._by_name.get((topic, index))

    def find(self, key: PartitionKey) -> Replica:
        """The replica by name or by topic id.

        Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID if there is no such
        partition, NOT_LEADER_OR_FOLLOWER if only other brokers have it, KAFKA_STORAGE_ERROR if its
        disk has failed.
        """
        topic, index = key
        by_id = not isinstance(topic, str)
        replica = self._by_id.get(key) if by_id else self._by_name.get(key)  # type: ignore[arg-type]
        if replica is not None:
            return replica
        name = self.image.topic_names.get(bytes(topic)) if not isinstance(topic, str) else topic
        if name is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        if (name, index) in self._offline:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, self._offline[name, index])
        if self.image.partition(name, index) is None:
            raise KafkaError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no partition {name}-{index}"
            )
        raise KafkaError(
            ErrorCode.NOT_LEADER_OR_FOLLOWER,
            f"broker {self.node_id} has no replica of {name}-{index}",
        )

    def leader_hint(self, key: PartitionKey, code: int) -> tuple[int, int] | None:
        """(leader, its epoch) for the answer if this broker is the wrong one (KIP-951)."""
        if code not in _MOVED:
            return None
        topic, index = key
        name = topic if isinstance(topic, str) else self.image.topic_names.get(bytes(topic))
        view = None if name is None else self.image.partition(name, index)
        return None if view is None else (view.leader, view.leader_epoch)

    def check_serving(self, replica: Replica, now_s: float) -> None:
        """Refuse to act as leader if the controller may have fenced this broker.

        Raises KafkaError NOT_LEADER_OR_FOLLOWER. Checks the clock instead of a timer: a process
        that was stopped and continued must notice before its first answer. A follower may continue:
        everything below its high watermark stays committed, whichever replica leads (KIP-392).
        """
        if now_s > self.lease_until_s and replica.state.is_leader:
            raise KafkaError(
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                f"broker {self.node_id} has no contact with the controller and may no longer lead "
                f"{replica.topic_partition}",
            )

    @property
    def offline_count(self) -> int:
        """The number of assigned replicas that cannot be used."""
        return len(self._offline)

    @property
    def leader_count(self) -> int:
        """The number of partitions that this broker leads."""
        return sum(replica.state.is_leader for replica in self)

    @property
    def under_replicated_count(self) -> int:
        """The number of partitions that this broker leads and whose ISR lacks replicas."""
        return sum(replica.under_replicated for replica in self)
