"""Brokers: registration, heartbeats, fencing, controlled shutdown (KIP-631, KIP-841, KIP-966).

    registered (fenced) --caught up--> active --asks to stop--> controlled shutdown --> fenced
              ^----------- session lost, or it asks to be fenced -----------'

Whether a broker's session is alive is soft state of the active controller
(broker/controller/sessions.py) and comes in as an argument.

A broker may have more partitions than fit into a batch. What its end changes in them comes first,
then its own record, with the last batch: a controller that dies in between leaves a broker that
looks as if nothing had happened to it yet, so that the next controller, or the broker's next
request, does the rest. (Apache Kafka has the same order.) A broker that is back is unfenced first,
and leads then.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from functools import partial

from raftka.kraft.controller.leaders import changes_after_broker, lead_what_waited
from raftka.kraft.controller.log_directories import directories_failed, newly_offline
from raftka.kraft.controller.result import Result, Rules, in_batches
from raftka.kraft.image import BrokerImage, ListenerEndpoint, MetadataImage, PartitionImage
from raftka.kraft.records import (
    OFFSET_OF_THE_BATCH,
    RAFTKA_VERSION,
    BrokerCordonRecord,
    BrokerRegistrationChangeRecord,
    MetadataRecord,
    RegisterBrokerRecord,
    UnregisterBrokerRecord,
)
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import UNASSIGNED_DIRECTORY, uuid_text
from raftka.model.reasons import Why
from raftka.model.rules import Rule


@dataclass(frozen=True, slots=True)
class Registration:
    """The fields of a broker's registration."""

    broker_id: int
    incarnation_id: bytes
    endpoints: tuple[ListenerEndpoint, ...]
    features: tuple[tuple[str, int, int], ...] = ()
    rack: str | None = None
    log_dirs: tuple[bytes, ...] = ()
    previous_broker_epoch: int = -1
    """The broker's epoch before its last clean shutdown, or -1."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The fields of a heartbeat."""

    broker_id: int
    broker_epoch: int
    metadata_offset: int
    """The last batch that it has replayed."""
    want_fence: bool = False
    want_shut_down: bool = False
    offline_log_dirs: tuple[bytes, ...] = ()
    cordoned_log_dirs: tuple[bytes, ...] | None = None
    """The directories that must get no new replicas (KIP-1066); None if unknown yet."""


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """The controller's answer."""

    is_caught_up: bool
    is_fenced: bool
    should_shut_down: bool


class BrokerState(enum.Enum):
    """The state of a registered broker."""

    FENCED = "fenced"
    ACTIVE = "active"
    CONTROLLED_SHUTDOWN = "controlled shutdown"
    SHUTDOWN_NOW = "shut down"


def register(
    image: MetadataImage, rules: Rules, request: Registration, *, other_is_alive: bool
) -> Result[int]:
    """Register a broker process; it starts fenced.

    `other_is_alive`: the process that has this id now has a live session. The response is the
    broker epoch; OFFSET_OF_THE_BATCH if that is the offset of the commit. Raises KafkaError:
    DUPLICATE_BROKER_REGISTRATION, UNSUPPORTED_VERSION, INVALID_REGISTRATION.
    """
    existing = image.brokers.get(request.broker_id)
    same_process = existing is not None and existing.incarnation_id == request.incarnation_id
    if existing is not None and not same_process and other_is_alive:
        raise KafkaError(
            ErrorCode.DUPLICATE_BROKER_REGISTRATION,
            f"Another live process is registered as broker {request.broker_id} (incarnation "
            f"{uuid_text(existing.incarnation_id)}). Give every broker its own node.id; after a "
            "restart this resolves itself when the old session ends.",
        )
    if not request.endpoints:
        words = f"Broker {request.broker_id} registered without any listener."
        raise KafkaError(ErrorCode.INVALID_REGISTRATION, words)
    _check_features(image, request)
    epoch = existing.epoch if existing and same_process else OFFSET_OF_THE_BATCH
    registration = RegisterBrokerRecord(
        broker_id=request.broker_id,
        incarnation_id=request.incarnation_id,
        broker_epoch=epoch,
        endpoints=request.endpoints,
        features=request.features,
        rack=request.rack,
        fenced=existing.fenced if existing and same_process else True,
        in_controlled_shutdown=bool(existing and same_process and existing.in_controlled_shutdown),
        log_dirs=request.log_dirs,
    )
    if same_process:
        return Result([registration], epoch)
    changes = _shutdown_changes(image, rules, existing, request)
    if Rule.REGISTERED_AFTER_CHANGES in rules.off:
        rest = Result(list(changes), None)
        return Result([registration], epoch, lambda _: rest, answered_first=True)
    again = partial(register, rules=rules, request=request, other_is_alive=other_is_alive)
    return in_batches(rules, changes, [registration], epoch, again)


def _check_features(image: MetadataImage, request: Registration) -> None:
    supported = {name: (low, high) for name, low, high in request.features}
    for name, level in sorted(image.features.items()):
        low, high = supported.get(name, (0, 0))
        if not low <= level <= high:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"Broker {request.broker_id} supports {name} {low} to {high}, "
                f"but the cluster is at {level}.",
            )


def _shutdown_changes(
    image: MetadataImage, rules: Rules, existing: BrokerImage | None, request: Registration
) -> Iterable[MetadataRecord]:
    """The changes due to the previous process's shutdown, which only its successor reports."""
    broker_id = request.broker_id
    wiped = existing is not None and not _same_disks(existing, request)
    clean = existing is not None and existing.epoch == request.previous_broker_epoch and not wiped
    if Rule.LOST_LOG_IS_NOT_ELIGIBLE in rules.off:
        clean, wiped = True, False

    def is_wiped(partition: PartitionImage) -> bool:
        # A replica in a known directory is not elected until that directory is back, nor after it
        # was placed in another one (log_directories.py): until then it keeps its claim.
        return wiped and partition.directory_of(broker_id) == UNASSIGNED_DIRECTORY

    if clean:
        cause = Why("broker-restarted", broker=broker_id)
        return changes_after_broker(image, rules, cause, leaving=broker_id)
    code = "broker-has-another-disk" if wiped else "broker-restarted-uncleanly"
    cause = Why(code, broker=broker_id)
    return changes_after_broker(
        image, rules, cause, leaving=broker_id, unclean=broker_id, wiped=is_wiped
    )


def _same_disks(existing: BrokerImage, request: Registration) -> bool:
    """Whether every previous log directory is present again; unknown ones count as present."""
    return not request.log_dirs or set(existing.log_dirs) <= set(request.log_dirs)


def registered(image: MetadataImage, broker_id: int, broker_epoch: int) -> BrokerImage:
    """Return the broker if this is the registered process.

    Raises KafkaError: BROKER_ID_NOT_REGISTERED, STALE_BROKER_EPOCH.
    """
    broker = image.brokers.get(broker_id)
    if broker is None:
        words = f"Broker {broker_id} is not registered."
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, words)
    if broker.epoch != broker_epoch:
        raise KafkaError(
            ErrorCode.STALE_BROKER_EPOCH,
            f"Broker {broker_id} has epoch {broker.epoch}; {broker_epoch} is another process's.",
        )
    return broker


def current_state(broker: BrokerImage) -> BrokerState:
    """The broker's state in the image."""
    if broker.fenced:
        return BrokerState.FENCED
    return BrokerState.CONTROLLED_SHUTDOWN if broker.in_controlled_shutdown else BrokerState.ACTIVE


def next_state(
    broker: BrokerImage, beat: Heartbeat, *, leads_anything: bool, others_know: bool
) -> BrokerState:
    """The broker's state after a heartbeat.

    `leads_anything` and `others_know` (the live brokers know that it no longer leads anything) only
    matter if the broker wants to shut down.
    """
    state = current_state(broker)
    if state is BrokerState.FENCED:
        if beat.want_shut_down:
            return BrokerState.SHUTDOWN_NOW
        caught_up = beat.metadata_offset >= broker.epoch
        return BrokerState.ACTIVE if caught_up and not beat.want_fence else state
    if beat.want_fence:
        return BrokerState.SHUTDOWN_NOW if beat.want_shut_down else BrokerState.FENCED
    if state is BrokerState.ACTIVE and not beat.want_shut_down:
        return state
    if leads_anything:
        return BrokerState.CONTROLLED_SHUTDOWN
    if state is BrokerState.CONTROLLED_SHUTDOWN and not others_know:
        return state
    return BrokerState.SHUTDOWN_NOW


def heartbeat(
    image: MetadataImage, rules: Rules, beat: Heartbeat, state: BrokerState
) -> Result[HeartbeatAnswer]:
    """Move a broker to `state`, the result of `next_state`, or record its offline directories. No
    records if nothing has changed."""
    broker = registered(image, beat.broker_id, beat.broker_epoch)
    if state is BrokerState.ACTIVE and broker.fenced:
        moved = unfence(rules, broker)
    elif state is BrokerState.CONTROLLED_SHUTDOWN and not broker.in_controlled_shutdown:
        moved = start_controlled_shutdown(image, rules, broker)
    elif state in (BrokerState.FENCED, BrokerState.SHUTDOWN_NOW) and not broker.fenced:
        ended = state is BrokerState.SHUTDOWN_NOW
        code = "broker-shut-down" if ended else "broker-asked"
        moved = fence(image, rules, broker, Why(code, broker=broker.broker_id))
    elif failed := newly_offline(broker, beat.offline_log_dirs):
        moved = directories_failed(image, rules, broker, frozenset(failed))
    else:
        moved = Result((), None)
    records = list(moved.records)
    if is_newly_cordoned(image, broker, beat):
        cordoned = beat.cordoned_log_dirs or ()
        records.append(BrokerCordonRecord(broker.broker_id, broker.epoch, cordoned))
    answer = HeartbeatAnswer(
        is_caught_up=beat.metadata_offset >= broker.epoch,
        is_fenced=state in (BrokerState.FENCED, BrokerState.SHUTDOWN_NOW),
        should_shut_down=state is BrokerState.SHUTDOWN_NOW,
    )
    return Result(records, answer, moved.then, moved.answered_first)


def has_news(
    image: MetadataImage, broker: BrokerImage, beat: Heartbeat, state: BrokerState
) -> bool:
    """Whether a heartbeat that moves the broker to `state` changes the image."""
    moves = state is not current_state(broker)
    failed = newly_offline(broker, beat.offline_log_dirs)
    return moves or bool(failed) or is_newly_cordoned(image, broker, beat)


def is_newly_cordoned(image: MetadataImage, broker: BrokerImage, beat: Heartbeat) -> bool:
    """Whether the cordoned log directories differ from the image.

    Not while nodes may run that do not know the record: an upgrade ends with raftka.version.
    """
    wished = beat.cordoned_log_dirs
    differs = wished is not None and set(wished) != set(broker.cordoned_log_dirs)
    return differs and image.features.get(RAFTKA_VERSION, 0) > 0


def fence(image: MetadataImage, rules: Rules, broker: BrokerImage, why: Why) -> Result[None]:
    """Remove a broker from all ISRs and leaderships."""
    fencing = BrokerRegistrationChangeRecord(
        broker.broker_id,
        broker.epoch,
        fenced=True,
        in_controlled_shutdown=False if broker.in_controlled_shutdown else None,
        why=why.packed(),
    )
    changes = changes_after_broker(image, rules, why, leaving=broker.broker_id)
    again = partial(fence, rules=rules, broker=broker, why=why)
    return in_batches(rules, changes, [fencing], None, again)


def unfence(rules: Rules, broker: BrokerImage) -> Result[None]:
    """Let a broker serve; it may lead leaderless partitions that waited for it."""
    why = Why("broker-back", broker=broker.broker_id)
    unfencing = BrokerRegistrationChangeRecord(
        broker.broker_id, broker.epoch, fenced=False, why=why.packed()
    )
    # The broker accepts clients once it is answered, and leads from the first batch on.
    return Result(
        [unfencing],
        None,
        partial(lead_what_waited, rules=rules, broker_id=broker.broker_id),
        answered_first=True,
    )


def start_controlled_shutdown(
    image: MetadataImage, rules: Rules, broker: BrokerImage
) -> Result[None]:
    """Move leadership and ISR membership away from a broker that will shut down."""
    cause = Why("broker-shutting-down", broker=broker.broker_id)
    leaving = BrokerRegistrationChangeRecord(
        broker.broker_id, broker.epoch, in_controlled_shutdown=True, why=cause.packed()
    )
    changes = changes_after_broker(image, rules, cause, leaving=broker.broker_id)
    again = partial(start_controlled_shutdown, rules=rules, broker=broker)
    return in_batches(rules, changes, [leaving], None, again)


def unregister(image: MetadataImage, rules: Rules, broker_id: int) -> Result[None]:
    """Unregister a broker (UnregisterBroker). Its replicas stay assigned until they are moved.

    If the id registers again, the records on its disks are not trusted: it is a new replica. Raises
    KafkaError BROKER_ID_NOT_REGISTERED.
    """
    broker = image.brokers.get(broker_id)
    if broker is None:
        words = f"Broker {broker_id} is not registered."
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, words)
    cause = Why("broker-unregistered", broker=broker_id)
    changes = changes_after_broker(
        image, rules, cause, leaving=broker_id, unclean=broker_id, wiped=lambda _: True
    )
    again = partial(unregister, rules=rules, broker_id=broker_id)
    return in_batches(
        rules, changes, [UnregisterBrokerRecord(broker_id, broker.epoch)], None, again
    )
