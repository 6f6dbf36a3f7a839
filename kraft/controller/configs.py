"""Settings of topics and brokers: IncrementalAlterConfigs (KIP-339) and AlterConfigs.

What a setting is called, which values it takes and which may change at run time is known to
`ConfigSchema`, an implementation of which is handed in; the records only carry text.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from raftka.kraft.controller.election import PartitionPlan
from raftka.kraft.controller.leaders import elect_uncleanly_where_allowed
from raftka.kraft.controller.result import (
    MIN_INSYNC_REPLICAS,
    UNCLEAN_LEADER_ELECTION,
    Result,
    Rules,
)
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLUSTER_DEFAULT,
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
)
from raftka.kraft.records import ConfigRecord, MetadataRecord
from raftka.model.errors import ErrorCode, KafkaError


class ConfigSchema(Protocol):
    """What the controller has to know about settings."""

    def check(self, resource: ConfigResource, entries: Mapping[str, str]) -> None:
        """Raise KafkaError (INVALID_CONFIG) unless the resource may have exactly these."""
        ...

    def is_list(self, resource: ConfigResource, name: str) -> bool:
        """Whether values are lists, so that items can be appended and subtracted."""
        ...

    def default(self, resource: ConfigResource, name: str) -> str:
        """What holds while the resource itself says nothing; "" when that is nothing."""
        ...


class Op(enum.IntEnum):
    """What to do to a setting, numbered as in the protocol."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True)
class Alteration:
    """One change of one setting."""

    name: str
    op: Op
    value: str | None = None


Answers = list[tuple[ConfigResource, KafkaError | None]]


def alter_incrementally(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    wishes: Sequence[tuple[ConfigResource, Sequence[Alteration]]],
) -> Result[Answers]:
    """Change the settings that are named, resource by resource; the others stay."""
    return _alter(
        image,
        rules,
        schema,
        [(resource, _altered(image, schema, resource, each)) for resource, each in wishes],
    )


def replace_all(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    wishes: Sequence[tuple[ConfigResource, Mapping[str, str | None]]],
) -> Result[Answers]:
    """Give each resource exactly these settings (AlterConfigs, the older request)."""
    return _alter(
        image,
        rules,
        schema,
        [(resource, _replaced(resource, each)) for resource, each in wishes],
    )


def _alter(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    wishes: Sequence[tuple[ConfigResource, dict[str, str] | KafkaError]],
) -> Result[Answers]:
    records: list[MetadataRecord] = []
    answers: Answers = []
    seen: set[ConfigResource] = set()
    for resource, wanted in wishes:
        try:
            if resource in seen:
                words = f"{describe(resource)} is named more than once in the request."
                raise KafkaError(ErrorCode.INVALID_REQUEST, words)
            seen.add(resource)
            _check_resource(image, resource)
            if isinstance(wanted, KafkaError):
                raise wanted
            schema.check(resource, wanted)
        except KafkaError as error:
            answers.append((resource, error))
            continue
        records += _difference(resource, image.configs.get(resource, {}), wanted)
        answers.append((resource, None))
    return Result([*records, *_consequences(image, rules, records)], answers)


def _altered(
    image: MetadataImage,
    schema: ConfigSchema,
    resource: ConfigResource,
    alterations: Sequence[Alteration],
) -> dict[str, str] | KafkaError:
    """The resource's settings after the alterations, or why they are refused."""
    entries = dict(image.configs.get(resource, {}))
    seen: set[str] = set()
    for each in alterations:
        if each.name in seen:
            words = f"{each.name} is altered more than once for {describe(resource)}."
            return KafkaError(ErrorCode.INVALID_REQUEST, words)
        seen.add(each.name)
        if each.op is Op.DELETE:
            entries.pop(each.name, None)
            continue
        if each.value is None:
            words = f"{each.name} of {describe(resource)} is given no value."
            return KafkaError(ErrorCode.INVALID_CONFIG, words)
        if each.op is Op.SET:
            entries[each.name] = each.value
            continue
        if not schema.is_list(resource, each.name):
            words = f"Can't {each.op.name} to {each.name}: it is not a list."
            return KafkaError(ErrorCode.INVALID_CONFIG, words)
        present = entries.get(each.name)
        items = _items(schema.default(resource, each.name) if present is None else present)
        given = _items(each.value)
        if each.op is Op.APPEND:
            items += [item for item in given if item not in items]
        else:
            items = [item for item in items if item not in given]
        entries[each.name] = ",".join(items)
    return entries


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _replaced(
    resource: ConfigResource, wanted: Mapping[str, str | None]
) -> dict[str, str] | KafkaError:
    entries: dict[str, str] = {}
    for name, value in wanted.items():
        if value is None:
            words = f"{name} of {describe(resource)} is given no value."
            return KafkaError(ErrorCode.INVALID_CONFIG, words)
        entries[name] = value
    return entries


def _check_resource(image: MetadataImage, resource: ConfigResource) -> None:
    if resource.type == TOPIC_RESOURCE:
        if resource.name not in image.topics:
            words = f"The topic '{resource.name}' does not exist."
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
    elif resource.type == BROKER_RESOURCE:
        if resource.name != CLUSTER_DEFAULT and not resource.name.isdecimal():
            words = f"'{resource.name}' is no node id; leave it empty for all brokers."
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    else:
        words = f"Resources of type {resource.type} have no settings here."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)


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


def _consequences(
    image: MetadataImage, rules: Rules, records: Sequence[MetadataRecord]
) -> list[MetadataRecord]:
    """What changed settings mean for partitions, in the same batch."""
    names = {record.name for record in records if isinstance(record, ConfigRecord)}
    if not names & {MIN_INSYNC_REPLICAS, UNCLEAN_LEADER_ELECTION}:
        return []
    delta = MetadataDelta(image)
    delta.replay_all(records, image.offset)
    consequences = _smaller_isr_suffices(
        delta.image, rules, _affected(delta.image, records, MIN_INSYNC_REPLICAS)
    )
    delta.replay_all(consequences, image.offset)
    willing = _affected(delta.image, records, UNCLEAN_LEADER_ELECTION)
    if willing:
        elected = elect_uncleanly_where_allowed(delta.image, rules, set(willing))
        consequences += elected.records
    return consequences


def _affected(image: MetadataImage, records: Sequence[MetadataRecord], name: str) -> list[str]:
    """The topics for which a setting of that name was changed, or may have been."""
    changed = [r for r in records if isinstance(r, ConfigRecord) and r.name == name]
    if any(record.resource_type == BROKER_RESOURCE for record in changed):
        return list(image.topics)
    return [record.resource_name for record in changed]


def _smaller_isr_suffices(
    image: MetadataImage, rules: Rules, topics: Sequence[str]
) -> list[MetadataRecord]:
    """ELRs that end because min.insync.replicas goes down to what the ISR has (KIP-966).

    They end in the same batch: as soon as a leader knows the new minimum, it commits records
    that the ELR does not have.
    """
    changes: list[MetadataRecord] = []
    for name in topics:
        topic = image.topics[name]
        min_isr = rules.min_isr(image, name)
        for index, partition in enumerate(topic.partitions):
            if not partition.elr:
                continue
            cause = f"{MIN_INSYNC_REPLICAS} is now {min_isr}"
            change = PartitionPlan(
                topic.topic_id, index, partition, image.is_active, min_isr, cause
            ).record()
            if change is not None:
                changes.append(change)
    return changes


def describe(resource: ConfigResource) -> str:
    """The resource in words."""
    if resource.type == TOPIC_RESOURCE:
        return f"topic '{resource.name}'"
    if resource.name == CLUSTER_DEFAULT:
        return "the default of all brokers"
    return f"broker {resource.name}"
