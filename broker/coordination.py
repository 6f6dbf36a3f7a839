"""Composes the coordinators of one broker, of groups, transactions and share-partitions, with their
clients.

Transaction coordinators send markers to partitions, and partitions ask coordinators whether they
are in a transaction. Each service is imported and created when it is first needed, by a request or
when this broker leads a partition of its topic: most nodes in tests never have a group, and its
imports would take an eighth of a node's start time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTION_TOPIC, TopicPartition
from raftka.model.internal_topics import SHARE_STATES
from raftka.model.key_hash import partition_of_key

if TYPE_CHECKING:
    import trio

    from raftka.broker.coordinators.group.service import GroupCoordinatorService
    from raftka.broker.coordinators.group.shard import GroupFigures
    from raftka.broker.coordinators.group.share.service import ShareGroupService
    from raftka.broker.coordinators.share.service import ShareCoordinatorService, ShareFigures
    from raftka.broker.coordinators.transaction.marker_sender import MarkerSender
    from raftka.broker.coordinators.transaction.service import TransactionCoordinatorService
    from raftka.broker.metadata_loader import Publisher
    from raftka.broker.metrics.transactions import TransactionFigures
    from raftka.broker.peers import Peers
    from raftka.broker.replication.joining import Joining
    from raftka.broker.replication.producer_ids import ProducerIds
    from raftka.broker.replication.replica import Replica
    from raftka.broker.replication.replica_manager import ReplicaManager
    from raftka.broker.replication.verifier import Verifier
    from raftka.broker.share.key import SharePartitionKey
    from raftka.broker.share.persister import Persister
    from raftka.broker.share.service import ShareService
    from raftka.broker.share.settings import ShareGroupSettings
    from raftka.model.internal_topics import InternalTopic
    from raftka.model.ports import Clock, Dice
    from raftka.model.rules import RulesOff
    from raftka.model.settings import Config
    from raftka.net.answers import Turn

_SHARE_PATIENCE_S = 10.0
"""How long a write of a share-partition's state is retried before its members get an error."""
_ANSWER_S = 5.0
"""How much later than the replication timeout a broker's answer may arrive."""


class Coordinators:
    """Where handlers, metadata publishers and replicas find a broker's coordinators."""

    def __init__(
        self,
        config: Config,
        replicas: ReplicaManager,
        peers: Peers,
        producer_ids: ProducerIds,
        *,
        clock: Clock,
        dice: Dice,
        turn: Turn,
        verifies: Callable[[], bool],
        ensure_topic: Callable[[InternalTopic], Awaitable[str]],
        create_topic: Callable[[str, Mapping[str, str]], Awaitable[str]],
        config_now: Callable[[], Config],
        rules_off: RulesOff,
    ) -> None:
        """`verifies`: whether partitions must verify transactions with the coordinator.
        `ensure_topic` creates an internal topic, or returns why it cannot; `create_topic` creates
        any topic at the defaults, with the given overrides."""
        self._config = config
        self._replicas = replicas
        self._peers = peers
        self._producer_ids = producer_ids
        self._clock = clock
        self._dice = dice
        self._turn = turn
        self._verifies = verifies
        self._ensure_topic = ensure_topic
        self._create_topic = create_topic
        self._config_now = config_now
        self._rules_off = rules_off
        self._answer_s = config.int("request.timeout.ms") / 1000 + _ANSWER_S
        self._image = EMPTY_IMAGE
        """The image that was last published, after the replicas had taken their roles."""
        self._tasks: trio.Nursery | None = None
        self._running: list[Callable[[], Awaitable[None]]] = []
        self._following: list[Publisher] = []
        replicas.role_listeners.append(self)

    # ---- the services, created when first needed

    @cached_property
    def groups(self) -> GroupCoordinatorService:
        """The coordinator of groups."""
        from raftka.broker.coordinators.group.config import GroupConfig
        from raftka.broker.coordinators.group.service import GroupCoordinatorService
        from raftka.broker.coordinators.replicated_log import ReplicatedLog

        groups = GroupCoordinatorService(
            GroupConfig.from_settings(self._config),
            ReplicatedLog(OFFSETS_TOPIC, self._replicas, self._clock),
            self._clock,
            self._dice,
            self._rules_off,
            lambda runtime, effect: self.share_groups.perform(runtime, effect),
        )
        self._begin(groups.run, groups.publish)
        return groups

    @cached_property
    def share_groups(self) -> ShareGroupService:
        """The service of share groups."""
        from raftka.broker.coordinators.group.share.lags import Ends
        from raftka.broker.coordinators.group.share.service import ShareGroupService

        ends = Ends(self._peers, lambda: self._replicas.index.image)
        share_groups = ShareGroupService(self.groups.host, self._persister, ends, self._clock)
        self._begin(share_groups.run)
        return share_groups

    @cached_property
    def transactions(self) -> TransactionCoordinatorService:
        """The coordinator of transactions."""
        from raftka.broker.coordinators.replicated_log import ReplicatedLog
        from raftka.broker.coordinators.transaction.config import TransactionConfig
        from raftka.broker.coordinators.transaction.service import TransactionCoordinatorService

        transactions = TransactionCoordinatorService(
            TransactionConfig.from_settings(self._config),
            ReplicatedLog(TRANSACTION_TOPIC, self._replicas, self._clock),
            self._clock,
            new_producer_id=self._producer_ids.allocate,
            send_markers=self._markers.send,
            rules_off=self._rules_off,
        )
        self._begin(transactions.run, transactions.publish)
        return transactions

    @cached_property
    def share_states(self) -> ShareCoordinatorService:
        """The share coordinator."""
        from raftka.broker.coordinators.replicated_log import ReplicatedLog
        from raftka.broker.coordinators.share.config import ShareStateConfig
        from raftka.broker.coordinators.share.service import ShareCoordinatorService

        share_states = ShareCoordinatorService(
            ShareStateConfig.from_settings(self._config),
            ReplicatedLog(SHARE_STATE_TOPIC, self._replicas, self._clock),
            self._clock,
            self._rules_off,
        )
        self._begin(share_states.run, share_states.publish)
        return share_states

    @cached_property
    def share(self) -> ShareService:
        """The share-partitions and share sessions of the partitions that this broker leads."""
        from raftka.broker.share.dead_letters import DeadLetters
        from raftka.broker.share.partitions import SharePartitions
        from raftka.broker.share.service import ShareService
        from raftka.broker.share.sessions import ShareSessions
        from raftka.broker.share.settings import settings_of

        index = self._replicas.index

        def settings(group_id: str) -> ShareGroupSettings:
            return settings_of(self._config_now(), index.image, group_id)

        dead_letters = DeadLetters(
            self._peers,
            self._clock,
            image=lambda: index.image,
            config=self._config_now,
            settings=settings,
            create_topic=self._create_topic,
            timeout_s=self._answer_s,
        )
        share = ShareService(
            ShareSessions(self._config.int("group.share.max.share.sessions")),
            SharePartitions(
                index, self._persister, self._clock, settings, dead_letters, self._rules_off
            ),
        )
        self._begin(share.run)
        self._begin(dead_letters.run)
        return share

    @cached_property
    def _persister(self) -> Persister:
        from raftka.broker.share.persister import Persister

        persister = Persister(
            self._peers,
            self._clock,
            coordinator=self._share_coordinator,
            patience_s=_SHARE_PATIENCE_S,
        )
        self._begin(persister.run)
        return persister

    async def _share_coordinator(self, key: SharePartitionKey) -> int:
        """The leader of the share-partition's partition of __share_group_state.

        Raises KafkaError COORDINATOR_NOT_AVAILABLE.
        """
        missing = await self._ensure_topic(SHARE_STATES)
        broker_id = self._leader(SHARE_STATE_TOPIC, str(key))
        if broker_id is None:
            words = missing or f"{SHARE_STATE_TOPIC} has no leader for {key}"
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, words)
        return broker_id

    @cached_property
    def _markers(self) -> MarkerSender:
        from raftka.broker.coordinators.transaction.marker_sender import MarkerSender

        markers = MarkerSender(
            self._peers,
            self._clock,
            timeout_s=self._answer_s,
            image=self._image,
            rules_off=self._rules_off,
        )
        self._begin(markers.run, markers.publish)
        return markers

    @cached_property
    def joining(self) -> Joining:
        """Asks transaction coordinators on behalf of this broker's partitions."""
        from raftka.broker.replication.joining import Joining, Retries

        retry_ms = self._config.int("add.partitions.to.txn.retry.backoff.ms")
        retry_max_ms = self._config.int("add.partitions.to.txn.retry.backoff.max.ms")
        joining = Joining(
            self._peers,
            self._clock,
            coordinator=self._coordinator,
            timeout_s=self._answer_s,
            retries=Retries(retry_ms / 1000, retry_max_ms / 1000),
        )
        self._begin(joining.run)
        return joining

    @cached_property
    def verifier(self) -> Verifier:
        """Holds transactional produce requests until they are verified."""
        from raftka.broker.replication.verifier import Verifier

        return Verifier(
            self.joining,
            self._replicas.index,
            self._clock,
            self._turn,
            self._verifies,
            self._rules_off,
        )

    async def delete_group(self, group_id: str) -> None:
        """Delete a group without members, with all its state. Raises KafkaError."""
        if self.groups.is_share_group(group_id):
            await self.share_groups.delete_state(group_id)
        await self.groups.delete_group(group_id)

    def group_figures(self) -> list[GroupFigures]:
        """The metrics of the groups that this broker coordinates."""
        return self.groups.figures() if "groups" in self.__dict__ else []

    def transaction_figures(self) -> TransactionFigures:
        """Metrics of transactions that this broker coordinates, or whose partitions it leads."""
        from raftka.broker.metrics.transactions import TransactionFigures

        made = self.__dict__
        joining: Joining | None = made.get("joining")
        return TransactionFigures(
            without_leader=self._markers.without_leader() if "_markers" in made else 0,
            without_record=self.transactions.without_record() if "transactions" in made else 0,
            refused=joining.refused_count if joining is not None else 0,
            asked=joining.asked_count if joining is not None else 0,
            asked_s=joining.asked_s if joining is not None else 0.0,
        )

    def loads(self) -> dict[str, Sequence[tuple[float, float]]]:
        """(monotonic time, duration in seconds) of the latest loads, by type of coordinator."""
        made = self.__dict__
        return {
            "group": self.groups.host.loads if "groups" in made else (),
            "transaction": self.transactions.loads if "transactions" in made else (),
        }

    def share_figures(self) -> list[ShareFigures]:
        """The metrics of the share-partitions whose state this broker holds."""
        return self.share_states.figures() if "share_states" in self.__dict__ else []

    def _coordinator(self, transactional_id: str) -> int | None:
        """The leader of the id's partition of __transaction_state, if known."""
        return self._leader(TRANSACTION_TOPIC, transactional_id)

    def _leader(self, internal: str, key: str) -> int | None:
        topic = self._replicas.index.image.topics.get(internal)
        if topic is None:
            return None
        partition = topic.partitions[partition_of_key(key, len(topic.partitions))]
        return partition.leader if partition.has_leader else None

    # ---- called by the broker

    def start(self, tasks: trio.Nursery) -> None:
        """Run the services in tasks of their own, including those that are created later."""
        self._tasks = tasks
        for run in self._running:
            tasks.start_soon(run)

    def _begin(self, run: Callable[[], Awaitable[None]], publish: Publisher | None = None) -> None:
        if publish is not None:
            publish(self._image, MetadataDelta(self._image))
            self._following.append(publish)
        self._running.append(run)
        if self._tasks is not None:
            self._tasks.start_soon(run)

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: call it after the replicas have taken their roles."""
        self._image = image
        for publish in self._following:
            publish(image, delta)

    def became_leader(self, replica: Replica) -> None:
        """ReplicaManager's role listener."""
        if (service := self._service(replica.topic)) is not None:
            service.became_leader(replica)
        elif "share" in self.__dict__:
            self.share.partitions.became_leader(replica)

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        """ReplicaManager's role listener."""
        if (service := self._service(topic_partition.topic)) is not None:
            service.resigned(topic_partition, leader_epoch)
        elif "share" in self.__dict__:
            self.share.partitions.resigned(topic_partition, leader_epoch)

    def _service(
        self, topic: str
    ) -> GroupCoordinatorService | TransactionCoordinatorService | ShareCoordinatorService | None:
        if topic == OFFSETS_TOPIC:
            return self.groups
        if topic == TRANSACTION_TOPIC:
            return self.transactions
        if topic == SHARE_STATE_TOPIC:
            return self.share_states
        return None


def import_all() -> None:
    """Import every service now: a simulated node must not read files while it runs."""
    from raftka.broker.coordinators.group import kinds, service  # noqa: F401
    from raftka.broker.coordinators.group.consumer import service as consumer  # noqa: F401
    from raftka.broker.coordinators.group.share import service as share_groups  # noqa: F401
    from raftka.broker.coordinators.group.streams import service as streams  # noqa: F401
    from raftka.broker.coordinators.share import service as share_states  # noqa: F401
    from raftka.broker.coordinators.transaction import marker_sender  # noqa: F401
    from raftka.broker.coordinators.transaction import service as transactions  # noqa: F401
    from raftka.broker.replication import verifier  # noqa: F401
    from raftka.broker.share import dead_letters, partitions, persister, settings  # noqa: F401
    from raftka.broker.share import service as share  # noqa: F401

    kinds.import_kinds()
