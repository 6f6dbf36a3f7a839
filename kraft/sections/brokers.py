"""Registered brokers: the process, its endpoints, and whether it may serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, cast

from raftka.kraft.records import (
    OFFSET_OF_THE_BATCH,
    BrokerCordonRecord,
    BrokerRegistrationChangeRecord,
    MetadataRecord,
    RegisterBrokerRecord,
    UnregisterBrokerRecord,
)
from raftka.kraft.sections.section import ReplayError, Section
from raftka.model.dataclass import dataclass
from raftka.model.ids import Endpoint
from raftka.model.named_tuple import NamedTuple
from raftka.model.reasons import Packed


class ListenerEndpoint(NamedTuple):
    """A broker's endpoint for one listener name."""

    name: str
    host: str
    port: int
    security_protocol: int


@dataclass(frozen=True, slots=True)
class BrokerImage:
    """A broker's registration."""

    broker_id: int
    incarnation_id: bytes
    epoch: int
    """The offset of its registration, which identifies this process of the broker."""
    endpoints: tuple[ListenerEndpoint, ...]
    features: tuple[tuple[str, int, int], ...] = ()
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    log_dirs: tuple[bytes, ...] = ()
    cordoned_log_dirs: tuple[bytes, ...] = ()
    """The directories that get no new replicas."""

    @property
    def is_cordoned(self) -> bool:
        """Whether all its log directories are cordoned: then it gets no new replicas (KIP-1066)."""
        return bool(self.log_dirs) and set(self.log_dirs) <= set(self.cordoned_log_dirs)

    @property
    def is_active(self) -> bool:
        """Whether it may lead partitions and join ISRs."""
        return not self.fenced and not self.in_controlled_shutdown

    def endpoint(self, listener: str) -> Endpoint | None:
        """The endpoint of the listener of that name, or None if it has none."""
        for each in self.endpoints:
            if each.name == listener:
                return Endpoint(each.host, each.port)
        return None


class Brokers(Section):
    """The section of brokers."""

    FIELDS = ("brokers",)
    __slots__ = (*FIELDS, "changed", "reasons")

    brokers: Mapping[int, BrokerImage]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[int, None] = {}
        """Brokers that were registered, changed or unregistered."""
        self.reasons: dict[int, Packed] = {}
        """Why a broker was fenced or unfenced, if the record has a reason (model/reasons.py)."""

    def records(self) -> Iterator[MetadataRecord]:
        for broker in self.brokers.values():
            yield RegisterBrokerRecord(
                broker_id=broker.broker_id,
                incarnation_id=broker.incarnation_id,
                broker_epoch=broker.epoch,
                endpoints=broker.endpoints,
                features=broker.features,
                rack=broker.rack,
                fenced=broker.fenced,
                in_controlled_shutdown=broker.in_controlled_shutdown,
                log_dirs=broker.log_dirs,
            )
            if broker.cordoned_log_dirs:
                yield BrokerCordonRecord(broker.broker_id, broker.epoch, broker.cordoned_log_dirs)

    def note_gone(self, before: Brokers) -> None:
        for broker_id in before.brokers:
            self.changed.setdefault(broker_id)

    def view(self) -> Mapping[str, Any]:
        return {
            str(broker.broker_id): {
                field.name: getattr(broker, field.name) for field in fields(broker)
            }
            for broker in self.brokers.values()
        }

    def _registered(self, record: RegisterBrokerRecord, offset: int) -> None:
        epoch = record.broker_epoch
        before = self.brokers.get(record.broker_id)
        self.own("brokers")[record.broker_id] = BrokerImage(
            broker_id=record.broker_id,
            incarnation_id=record.incarnation_id,
            epoch=offset if epoch == OFFSET_OF_THE_BATCH else epoch,
            endpoints=tuple(ListenerEndpoint(*each) for each in record.endpoints),
            features=record.features,
            rack=record.rack,
            fenced=record.fenced,
            in_controlled_shutdown=record.in_controlled_shutdown,
            log_dirs=record.log_dirs,
            # Until the new process has read the settings and reports others.
            cordoned_log_dirs=() if before is None else before.cordoned_log_dirs,
        )
        self.changed[record.broker_id] = None

    def _unregistered(self, record: UnregisterBrokerRecord, _offset: int) -> None:
        self.own("brokers").pop(record.broker_id, None)
        self.changed[record.broker_id] = None

    def _changed(self, broker_id: int, epoch: int) -> BrokerImage:
        """The broker process that a record changes. Raises ReplayError if it is another process."""
        broker = self.own("brokers").get(broker_id)
        if broker is None or broker.epoch != epoch:
            raise ReplayError(
                f"broker {broker_id} with epoch {epoch} is changed, "
                f"but {'it is not registered' if broker is None else f'has epoch {broker.epoch}'}"
            )
        self.changed[broker_id] = None
        return cast(BrokerImage, broker)

    def _cordoned(self, record: BrokerCordonRecord, _offset: int) -> None:
        broker = self._changed(record.broker_id, record.broker_epoch)
        self.own("brokers")[record.broker_id] = replace(
            broker, cordoned_log_dirs=record.cordoned_log_dirs
        )

    def _registration_changed(self, record: BrokerRegistrationChangeRecord, _offset: int) -> None:
        broker = self._changed(record.broker_id, record.broker_epoch)
        if record.fenced is not None:
            broker = replace(broker, fenced=record.fenced)
        if record.in_controlled_shutdown is not None:
            broker = replace(broker, in_controlled_shutdown=record.in_controlled_shutdown)
        if record.log_dirs is not None:
            broker = replace(broker, log_dirs=record.log_dirs)
        self.own("brokers")[record.broker_id] = broker
        if record.fenced is not None:
            self.reasons[record.broker_id] = record.why

    REPLAYS: ClassVar = {
        RegisterBrokerRecord: _registered,
        UnregisterBrokerRecord: _unregistered,
        BrokerRegistrationChangeRecord: _registration_changed,
        BrokerCordonRecord: _cordoned,
    }
