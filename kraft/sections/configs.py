"""Dynamic settings, by resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from raftka.kraft.records import ConfigRecord, MetadataRecord
from raftka.kraft.sections.section import Section
from raftka.model.named_tuple import NamedTuple

TOPIC_RESOURCE: Final = 2
BROKER_RESOURCE: Final = 4
CLIENT_METRICS_RESOURCE: Final = 16
GROUP_RESOURCE: Final = 32
"""Kafka's numbers of resource types."""

CLUSTER_DEFAULT: Final = ""
"""As a broker's name in a ConfigResource: the default of all brokers."""


class ConfigResource(NamedTuple):
    """The owner of a setting: topic, group, broker, all brokers, or client metrics subscription."""

    type: int
    name: str


class Configs(Section):
    """The section of dynamic settings."""

    FIELDS = ("configs",)
    __slots__ = (*FIELDS, "changed")

    configs: Mapping[ConfigResource, Mapping[str, str]]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[ConfigResource, None] = {}

    def records(self) -> Iterator[MetadataRecord]:
        for resource, entries in self.configs.items():
            for name, value in entries.items():
                yield ConfigRecord(resource.type, resource.name, name, value)

    def note_gone(self, before: Configs) -> None:
        for resource in before.configs:
            self.changed.setdefault(resource)

    def view(self) -> Mapping[str, Any]:
        kinds = {
            BROKER_RESOURCE: "brokers",
            TOPIC_RESOURCE: "topics",
            GROUP_RESOURCE: "groups",
            CLIENT_METRICS_RESOURCE: "client-metrics",
        }
        found: dict[str, dict[str, Mapping[str, str]]] = {each: {} for each in kinds.values()}
        for resource, entries in self.configs.items():
            kind = kinds[resource.type]
            name = resource.name if resource.name != CLUSTER_DEFAULT else "default"
            found[kind][name] = entries
        return found

    def forget_topic(self, name: str) -> None:
        """Remove a deleted topic's settings."""
        resource = ConfigResource(TOPIC_RESOURCE, name)
        if resource in self.configs:
            del self.own("configs")[resource]
            self.changed[resource] = None

    def _altered(self, record: ConfigRecord, _offset: int) -> None:
        configs = self.own("configs")
        resource = ConfigResource(record.resource_type, record.resource_name)
        entries = dict(configs.get(resource, {}))
        if record.value is None:
            entries.pop(record.name, None)
        else:
            entries[record.name] = record.value
        if entries:
            configs[resource] = entries
        else:
            configs.pop(resource, None)
        self.changed[resource] = None

    REPLAYS: ClassVar = {ConfigRecord: _altered}
