"""A controller without a quorum: decisions are committed and replayed at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from raftka.kraft.controller import brokers, features, leaders
from raftka.kraft.controller.brokers import Registration
from raftka.kraft.controller.election import Election
from raftka.kraft.controller.leaders import elect_leaders
from raftka.kraft.controller.result import Result, Rules
from raftka.kraft.controller.topics import CreatedTopic, NewTopic, create_topics
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, ConfigResource, ListenerEndpoint, PartitionImage
from raftka.kraft.records import MetadataRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Dice
from raftka.model.reasons import Why

R = TypeVar("R")

SUPPORTED = features.supported_features()


class AnySetting:
    """A ConfigSchema that knows two lists and refuses the setting "wrong"."""

    def check(self, resource: ConfigResource, entries: Mapping[str, str]) -> None:
        if "wrong" in entries:
            raise KafkaError(ErrorCode.INVALID_CONFIG, "wrong is not a setting")

    def is_list(self, resource: ConfigResource, name: str) -> bool:
        return name in ("cleanup.policy", "items")

    def default(self, resource: ConfigResource, name: str) -> str:
        return "delete" if name == "cleanup.policy" else ""


class ControllerOnPaper:
    """The metadata images after each decision."""

    def __init__(self, dice: Dice, rules: Rules | None = None) -> None:
        self.dice = dice
        self.rules = rules or Rules()
        self.schema = AnySetting()
        self.image = EMPTY_IMAGE
        self.reasons: list[str] = []
        self.incarnations = 0
        self.dies: Callable[[], bool] = lambda: False
        """Called between the batches of one operation: whether the controller dies there and
        another takes over.
        """
        self.commit(Result(features.bootstrap_records(self.image), None))

    def commit(self, result: Result[R]) -> R:
        """Replay a decision, batch by batch; returns its response."""
        self.replay(list(result.records))
        then = result.then
        while then is not None:
            if self.dies():
                self.commit(leaders.finish_returns(self.image, self.rules))
                break
            more = then(self.image)
            self.replay(list(more.records))
            then = more.then
        return result.response

    def replay(self, records: list[MetadataRecord]) -> None:
        if records:
            offset = self.image.offset + 1
            delta = MetadataDelta(self.image)
            delta.replay_all(records, offset)
            self.image = delta.finish(offset, 1)
            self.reasons += [each.reason for each in delta.topics.elections]

    def register(
        self,
        broker_id: int,
        *,
        rack: str | None = None,
        clean_epoch: int = -1,
        disk: bytes = b"",
        log_dirs: tuple[bytes, ...] = (),
        other_is_alive: bool = False,
    ) -> int:
        """A new process of the broker registers; its epoch."""
        self.incarnations += 1
        request = Registration(
            broker_id=broker_id,
            incarnation_id=self.incarnations.to_bytes(16, "big"),
            endpoints=(ListenerEndpoint("PLAINTEXT", f"host{broker_id}", 9092, 0),),
            features=SUPPORTED,
            rack=rack,
            log_dirs=log_dirs or (disk or broker_id.to_bytes(16, "big"),),
            previous_broker_epoch=clean_epoch,
        )
        self.commit(
            brokers.register(self.image, self.rules, request, other_is_alive=other_is_alive)
        )
        return self.image.brokers[broker_id].epoch

    def unfence(self, *broker_ids: int) -> None:
        for broker_id in broker_ids:
            self.commit(brokers.unfence(self.rules, self.image.brokers[broker_id]))

    def fence(self, *broker_ids: int) -> None:
        for broker_id in broker_ids:
            why = Why("broker-silent", broker=broker_id, timeout_ms=9000)
            self.commit(brokers.fence(self.image, self.rules, self.image.brokers[broker_id], why))

    def shut_down(self, broker_id: int) -> None:
        """A controlled shutdown, to its end."""
        while not (broker := self.image.brokers[broker_id]).in_controlled_shutdown:
            self.commit(brokers.start_controlled_shutdown(self.image, self.rules, broker))
        why = Why("broker-shut-down", broker=broker_id)
        while not (broker := self.image.brokers[broker_id]).fenced:
            self.commit(brokers.fence(self.image, self.rules, broker, why))

    def start(
        self, *broker_ids: int, rack: str | None = None, log_dirs: tuple[bytes, ...] = ()
    ) -> None:
        """Brokers register and are unfenced."""
        for broker_id in broker_ids:
            self.register(broker_id, rack=rack, log_dirs=log_dirs)
            self.unfence(broker_id)

    def create(self, wish: NewTopic) -> CreatedTopic | KafkaError:
        response = self.commit(
            create_topics(self.image, self.rules, self.schema, self.dice, [wish])
        )
        return response[wish.name]

    def create_with(self, name: str, *replicas: int, min_isr: int | None = None) -> None:
        """A topic of one partition on these brokers."""
        configs: dict[str, str | None] = (
            {} if min_isr is None else {"min.insync.replicas": str(min_isr)}
        )
        made = self.create(NewTopic(name, assignments={0: replicas}, configs=configs))
        assert isinstance(made, CreatedTopic), made

    def partition(self, topic: str, index: int = 0) -> PartitionImage:
        return self.image.topics[topic].partitions[index]

    def elect(self, election: Election, *topics: str) -> list[KafkaError | None]:
        """ElectLeaders for partition 0 of the topics."""
        which = [TopicPartition(each, 0) for each in topics]
        answers = self.commit(elect_leaders(self.image, self.rules, election, which))
        return [failure for _, failure in answers]
