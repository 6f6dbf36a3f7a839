"""Leadership of many partitions: after a broker's change, on request, and periodically."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from raftka.kraft.controller.election import Election, PartitionPlan
from raftka.kraft.controller.result import Result, Rules, in_batches
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import MetadataRecord, PartitionChangeRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.reasons import Why

MAX_REBALANCED_AT_ONCE = 1000
"""The limit of elections in one round of the preferred leader rebalance, as in Apache Kafka."""


def changes_after_broker(
    image: MetadataImage,
    rules: Rules,
    cause: Why,
    *,
    leaving: int | None = None,
    returning: int | None = None,
    unclean: int | None = None,
    wiped: Callable[[PartitionImage], bool] = lambda _: False,
) -> Iterator[PartitionChangeRecord]:
    """The changes in all partitions that follow from a broker's change.

    `leaving`: it is fenced or shuts down, and leaves ISRs and leadership. `returning`: it is
    unfenced, and may lead leaderless partitions. `unclean`: it registered after an unclean shutdown
    and may have lost unflushed records; if `wiped` is true for a partition, also flushed ones.

    Partitions in the same state share one decision: fencing a broker with ten thousand partitions
    takes as many records, and the controller must answer its quorum meanwhile.
    """
    unclean_set = frozenset() if unclean is None else frozenset((unclean,))
    decided: dict[object, PartitionChangeRecord | None] = {}

    def is_live(partition: PartitionImage, replica: int) -> bool:
        if replica == returning:
            return image.has_online_directory(partition, replica)
        return replica not in (leaving, unclean) and image.may_lead(partition, replica)

    for topic in image.topics.values():
        min_isr: int | None = None
        for index, partition in enumerate(topic.partitions):
            if not _concerned(partition, leaving, returning, unclean):
                continue
            if min_isr is None:
                min_isr = rules.min_isr(image, topic.name)
                allows_unclean = rules.allows_unclean_election(image, topic.name)
            may_lead = partial(is_live, partition)
            live = tuple(map(may_lead, partition.replicas))
            is_wiped = bool(unclean_set) and wiped(partition)
            state = (*_state(partition), live, min_isr, allows_unclean, is_wiped)
            if state in decided:
                change = decided[state]
            else:
                plan = PartitionPlan(topic.topic_id, index, partition, may_lead, min_isr, cause)
                if leaving is not None:
                    plan.isr = tuple(each for each in partition.isr if each != leaving)
                plan.unclean_shutdown = unclean_set
                plan.wiped = unclean_set if is_wiped else frozenset()
                if allows_unclean:
                    plan.election = Election.UNCLEAN
                change = decided[state] = plan.record()
            if change is not None:
                yield change.of(topic.topic_id, index)


def _state(partition: PartitionImage) -> tuple[object, ...]:
    """The state of a partition that a `PartitionPlan` depends on, apart from liveness."""
    return (
        partition.replicas, partition.isr, partition.leader, partition.elr,
        partition.last_known_elr, partition.adding_replicas, partition.removing_replicas,
        partition.leader_recovery_state,
    )  # fmt: skip


def _concerned(
    partition: PartitionImage, leaving: int | None, returning: int | None, unclean: int | None
) -> bool:
    if returning is not None:
        return not partition.has_leader and returning in partition.replicas
    if leaving is not None and (leaving in partition.isr or leaving == partition.leader):
        return True
    return unclean is not None and (
        unclean in partition.isr or unclean in partition.elr or unclean in partition.last_known_elr
    )


def lead_what_waited(image: MetadataImage, rules: Rules, broker_id: int) -> Result[None]:
    """A returning broker leads leaderless partitions that waited for it; no change for others."""
    if not image.is_active(broker_id):
        return Result((), None)
    cause = Why("broker-back", broker=broker_id)
    changes = changes_after_broker(image, rules, cause, returning=broker_id)
    again = partial(lead_what_waited, rules=rules, broker_id=broker_id)
    return in_batches(rules, changes, (), None, again)


def finish_returns(image: MetadataImage, rules: Rules) -> Result[None]:
    """Finish an earlier controller's work: live brokers lead the partitions that wait for them."""
    waiting = {
        replica
        for _, _, partition in image.partitions()
        if not partition.has_leader
        for replica in partition.replicas
    }
    for broker_id in sorted(waiting):
        led = lead_what_waited(image, rules, broker_id)
        if led.records:
            return Result(led.records, None, partial(finish_returns, rules=rules))
    return Result((), None)


def leads_anything(image: MetadataImage, broker_id: int) -> bool:
    """Whether the broker leads any partition."""
    return any(partition.leader == broker_id for _, _, partition in image.partitions())


def elect_leaders(
    image: MetadataImage,
    rules: Rules,
    election: Election,
    partitions: Sequence[TopicPartition] | None,
) -> Result[list[tuple[TopicPartition, KafkaError | None]]]:
    """The ElectLeaders request (KIP-183, KIP-460): preferred or unclean, for some or all.

    For all partitions (None) the answer has only those that needed an election.
    """
    records: list[MetadataRecord] = []
    answers: list[tuple[TopicPartition, KafkaError | None]] = []
    for each in _all(image) if partitions is None else partitions:
        topic = image.topics.get(each.topic)
        partition = topic.partition(each.partition) if topic is not None else None
        if topic is None or partition is None:
            error = KafkaError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no partition {each}."
            )
            answers.append((each, error))
            continue
        record, failure = _elect(image, rules, election, topic, each.partition, partition)
        if record is not None:
            records.append(record)
        needless = failure is not None and failure.code is ErrorCode.ELECTION_NOT_NEEDED
        if partitions is not None or not needless:
            answers.append((each, failure))
    return Result(records, answers)


def _all(image: MetadataImage) -> Iterator[TopicPartition]:
    for topic, index, _ in image.partitions():
        yield TopicPartition(topic.name, index)


def _elect(
    image: MetadataImage,
    rules: Rules,
    election: Election,
    topic: TopicImage,
    index: int,
    partition: PartitionImage,
) -> tuple[PartitionChangeRecord | None, KafkaError | None]:
    preferred = partition.preferred_leader
    if election is Election.PREFERRED and partition.leader == preferred:
        words = f"The preferred replica {preferred} leads already."
        return None, KafkaError(ErrorCode.ELECTION_NOT_NEEDED, words)
    if election is Election.UNCLEAN and partition.has_leader:
        words = f"Broker {partition.leader} leads; an unclean election is not needed."
        return None, KafkaError(ErrorCode.ELECTION_NOT_NEEDED, words)
    unclean = election is Election.UNCLEAN
    cause = Why("asked-unclean") if unclean else Why("asked-preferred")
    plan = _plan(image, rules, topic, index, partition, cause)
    plan.election = election
    record = plan.record()
    elected = partition.leader if record is None or record.leader is None else record.leader
    if election is Election.PREFERRED and elected != preferred:
        words = (
            f"The preferred replica {preferred} cannot lead: "
            + (
                "it is not in the ISR"
                if image.may_lead(partition, preferred)
                else "its broker is not alive, or its log directory offline"
            )
            + f" (ISR {list(partition.isr)})."
        )
        return None, KafkaError(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, words)
    if elected == partition.leader:
        words = f"None of the replicas {list(partition.replicas)} is alive."
        return None, KafkaError(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, words)
    return record, None


def _plan(
    image: MetadataImage,
    rules: Rules,
    topic: TopicImage,
    index: int,
    partition: PartitionImage,
    cause: Why,
) -> PartitionPlan:
    min_isr = rules.min_isr(image, topic.name)
    may_lead = partial(image.may_lead, partition)
    return PartitionPlan(topic.topic_id, index, partition, may_lead, min_isr, cause)


def rebalance_preferred(image: MetadataImage, rules: Rules) -> Result[bool]:
    """Return leadership to in-sync preferred replicas (auto.leader.rebalance.enable).

    The response is whether there may be more to do at once.
    """
    cause = Why("rebalance")
    wanting = _each(image, lambda p: p.leader != p.preferred_leader and p.preferred_leader in p.isr)
    records: list[MetadataRecord] = []
    for topic, index, partition in wanting:
        plan = _plan(image, rules, topic, index, partition, cause)
        plan.election = Election.PREFERRED
        record = plan.record()
        if record is not None:
            records.append(record)
            if len(records) == MAX_REBALANCED_AT_ONCE:
                return Result(records, True)
    return Result(records, False)


def elect_uncleanly_where_allowed(
    image: MetadataImage, rules: Rules, topics: AbstractSet[str] | None = None
) -> Result[None]:
    """Unclean elections for partitions without a leader whose topics allow them.

    Checks all topics, or after unclean.leader.election.enable was set only the named ones.
    """
    changes = _unclean_elections(image, rules, topics)
    again = partial(elect_uncleanly_where_allowed, rules=rules, topics=topics)
    return in_batches(rules, changes, (), None, again)


def _unclean_elections(
    image: MetadataImage, rules: Rules, topics: AbstractSet[str] | None
) -> Iterator[PartitionChangeRecord]:
    for topic, index, partition in _each(image, lambda p: not p.has_leader):
        if topics is not None and topic.name not in topics:
            continue
        if not rules.allows_unclean_election(image, topic.name):
            continue
        cause = Why("unclean-allowed")
        plan = _plan(image, rules, topic, index, partition, cause)
        plan.election = Election.UNCLEAN
        record = plan.record()
        if record is not None:
            yield record


def _each(
    image: MetadataImage, wanted: Callable[[PartitionImage], bool]
) -> Iterable[tuple[TopicImage, int, PartitionImage]]:
    return (each for each in image.partitions() if wanted(each[2]))
