"""Settings of topics and brokers: IncrementalAlterConfigs (KIP-339) and AlterConfigs.

The `ConfigSchema` argument knows the names and valid values of settings, and which may change at
run time; the records only contain text. A broker validates its own settings first
(broker/altering.py), because only it knows its file.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from raftka.kraft.controller.config_schema import ConfigSchema
from raftka.kraft.controller.election import PartitionPlan
from raftka.kraft.controller.leaders import elect_uncleanly_where_allowed
from raftka.kraft.controller.result import (
    MIN_INSYNC_REPLICAS,
    UNCLEAN_LEADER_ELECTION,
    Result,
    Rules,
)
from raftka.kraft.controller.topics import check_name
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    CLUSTER_DEFAULT,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
)
from raftka.kraft.records import ConfigRecord, MetadataRecord
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.reasons import Why
from raftka.model.text import java_int


class Op(enum.IntEnum):
    """The operation on a setting, numbered as in the protocol."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True)
class Alteration:
    """One change of one setting."""

    name: str
    op: int
    """One of Op; other numbers are refused."""
    value: str | None = None


Answers = list[tuple[ConfigResource, KafkaError | None]]
Present = Mapping[str, str]
Wanted = Callable[[Present], dict[str, str]]
"""Maps a resource's settings to the new ones. Raises KafkaError."""


def alter_incrementally(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    wishes: Sequence[tuple[ConfigResource, Sequence[Alteration]]],
) -> Result[Answers]:
    """Change the named settings of each resource; the others keep their values."""
    changes = [(each, partial(altered, schema, each, alterations)) for each, alterations in wishes]
    return _alter(image, rules, schema, changes)


def replace_all(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    wishes: Sequence[tuple[ConfigResource, Sequence[tuple[str, str | None]]]],
) -> Result[Answers]:
    """Give each resource exactly these settings (AlterConfigs, the older request)."""
    changes = [(each, partial(replaced, entries)) for each, entries in wishes]
    return _alter(image, rules, schema, changes)


def _alter(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    changes: Sequence[tuple[ConfigResource, Wanted]],
) -> Result[Answers]:
    records: list[MetadataRecord] = []
    answers: Answers = []
    repeated = repeats([resource for resource, _ in changes])
    for resource, change in changes:
        present = image.configs.get(resource, {})
        try:
            if resource in repeated:
                words = "Each resource must appear at most once."
                raise KafkaError(ErrorCode.INVALID_REQUEST, words)
            _check_resource(image, resource)
            wanted = change(present)
            schema.check(resource, wanted)
            _check_min_isr_stays(resource, present, wanted)
        except KafkaError as error:
            answers.append((resource, error))
            continue
        records += _difference(resource, present, wanted)
        answers.append((resource, None))
    changed = _after(image, records)
    if changed is None:
        return Result(records, answers)
    elrs = list(islice(_smaller_isr_suffices(changed, rules, records), rules.changes_at_once))
    if len(elrs) == rules.changes_at_once:
        # The changes do not fit into one batch. ELRs may end first: the ISR has all committed
        # records until the leaders learn the lower minimum, which is in the last batch.
        return Result(elrs, answers, partial(_alter, rules=rules, schema=schema, changes=changes))
    willing = _affected(changed, records, UNCLEAN_LEADER_ELECTION)
    then = partial(elect_uncleanly_where_allowed, rules=rules, topics=set(willing))
    return Result([*records, *elrs], answers, then if willing else None)


def repeats(resources: Sequence[ConfigResource]) -> set[ConfigResource]:
    """The names that occur more than once."""
    return {resource for resource, count in Counter(resources).items() if count > 1}


def altered(
    schema: ConfigSchema,
    resource: ConfigResource,
    alterations: Sequence[Alteration],
    present: Present,
) -> dict[str, str]:
    """A resource's settings after the alterations. Raises KafkaError."""
    check_names([(each.name, each.value, each.op == Op.DELETE) for each in alterations])
    entries = dict(present)
    for each in alterations:
        if each.op not in tuple(Op):
            # The codes are Kafka's, the texts are not.
            is_broker = resource.type == BROKER_RESOURCE
            code = ErrorCode.INVALID_REQUEST if is_broker else ErrorCode.UNKNOWN_SERVER_ERROR
            words = f"Operation {each.op} on {each.name} does not exist: use 0 (set), 1 (delete),"
            raise KafkaError(code, f"{words} 2 (append), 3 (subtract)")
        if each.op == Op.DELETE:
            entries.pop(each.name, None)
        elif each.op == Op.SET:
            entries[each.name] = each.value or ""
        elif not schema.is_list(resource, each.name):
            words = f"Can't {Op(each.op).name} to key {each.name} because its type is not LIST."
            raise KafkaError(ErrorCode.INVALID_CONFIG, words)
        else:
            before = entries.get(each.name)
            items = _items(schema.default(resource, each.name) if before is None else before)
            given = _items(each.value or "")
            if each.op == Op.APPEND:
                items += [item for item in given if item not in items]
            else:
                items = [item for item in items if item not in given]
            entries[each.name] = ",".join(items)
    return entries


def replaced(entries: Sequence[tuple[str, str | None]], present: Present) -> dict[str, str]:
    """Exactly these settings, in place of all previous ones. Raises KafkaError."""
    check_names([(name, value, False) for name, value in entries])
    return {name: value or "" for name, value in entries}


def check_names(entries: Sequence[tuple[str, str | None, bool]]) -> None:
    """Raise KafkaError unless each name occurs once, and has a value if it needs one.

    Each entry is (name, value, whether the value may be missing).
    """
    if nulls := [name for name, value, may_lack in entries if value is None and not may_lack]:
        words = f"Null value not supported for : {','.join(nulls)}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    if len({name for name, _, _ in entries}) < len(entries):
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _check_resource(image: MetadataImage, resource: ConfigResource) -> None:
    if resource.type == TOPIC_RESOURCE:
        if not resource.name:
            words = "Default topic resources are not allowed."
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
        check_name(resource.name)
        if resource.name not in image.topics:
            words = f"The topic '{resource.name}' does not exist."
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
    elif resource.type == BROKER_RESOURCE:
        if resource.name != CLUSTER_DEFAULT:
            try:
                java_int(resource.name)
            except ValueError:
                words = f"Node id must be an integer, but it is: {resource.name}"
                raise KafkaError(ErrorCode.INVALID_REQUEST, words) from None
    elif resource.type == GROUP_RESOURCE:
        if not resource.name:
            words = "Default group resources are not allowed."
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    elif resource.type == CLIENT_METRICS_RESOURCE:
        if not resource.name:
            words = "Subscription name can't be empty"
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    else:
        words = f"Resources of type {resource.type} have no settings here."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)


def _check_min_isr_stays(resource: ConfigResource, before: Present, after: Present) -> None:
    """Forbid deleting the cluster's minimum, which would restore the value in each node's file:
    files may differ, but the controller's elections and the leaders' commits rely on one value
    (KIP-966)."""
    if (
        resource == ConfigResource(BROKER_RESOURCE, CLUSTER_DEFAULT)
        and MIN_INSYNC_REPLICAS in before
        and MIN_INSYNC_REPLICAS not in after
    ):
        words = f"Cluster-level {MIN_INSYNC_REPLICAS} cannot be removed while ELR is enabled."
        raise KafkaError(ErrorCode.INVALID_CONFIG, words)


def _difference(
    resource: ConfigResource, before: Mapping[str, str], after: Mapping[str, str]
) -> list[MetadataRecord]:
    records: list[MetadataRecord] = [
        ConfigRecord(resource.type, resource.name, name, None)
        for name in before
        if name not in after
    ]
    for name, value in after.items():
        if before.get(name) != value:
            records.append(ConfigRecord(resource.type, resource.name, name, value))
    return records


def _after(image: MetadataImage, records: Sequence[MetadataRecord]) -> MetadataImage | None:
    """The image with the changed settings; None if they cannot affect partitions."""
    names = {record.name for record in records if isinstance(record, ConfigRecord)}
    if not names & {MIN_INSYNC_REPLICAS, UNCLEAN_LEADER_ELECTION}:
        return None
    delta = MetadataDelta(image)
    delta.replay_all(records, image.offset)
    return delta.image


def _affected(image: MetadataImage, records: Sequence[MetadataRecord], name: str) -> list[str]:
    """The topics for which a setting of that name has, or may have, changed."""
    changed = [r for r in records if isinstance(r, ConfigRecord) and r.name == name]
    if any(record.resource_type == BROKER_RESOURCE for record in changed):
        return list(image.topics)
    return [record.resource_name for record in changed]


def _smaller_isr_suffices(
    image: MetadataImage, rules: Rules, records: Sequence[MetadataRecord]
) -> Iterator[MetadataRecord]:
    """ELRs that end because min.insync.replicas is lowered to the size of the ISR (KIP-966).

    They end in the same batch, or before: as soon as a leader knows the new minimum, it commits
    records that the ELR does not have.
    """
    for name in _affected(image, records, MIN_INSYNC_REPLICAS):
        topic = image.topics[name]
        min_isr = rules.min_isr(image, name)
        for index, partition in enumerate(topic.partitions):
            if not partition.elr:
                continue
            cause = Why("min-isr-changed", min_isr=min_isr)
            change = PartitionPlan(
                topic.topic_id,
                index,
                partition,
                partial(image.may_lead, partition),
                min_isr,
                cause,
            ).record()
            if change is not None:
                yield change
