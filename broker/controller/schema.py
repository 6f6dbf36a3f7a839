"""Adapts model/settings to the controller's port for settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raftka.kraft.controller.result import MIN_INSYNC_REPLICAS
from raftka.kraft.image import (
    CLIENT_METRICS_RESOURCE,
    CLUSTER_DEFAULT,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings import Config, with_dynamic
from raftka.model.settings.altering import is_list, validate_topic_configs
from raftka.model.settings.altering_brokers import validate_broker_names, validate_rules
from raftka.model.settings.catalog import BROKER
from raftka.model.settings.describe import Description, describe_topic
from raftka.model.settings.group import GROUP, validate_group_configs
from raftka.model.settings.setting import Type, to_text


class SettingsSchema:
    """Implements kraft.controller.configs.ConfigSchema."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._dynamic: Mapping[str, str] | None = None
        self._defaults: list[Description] = []

    def check(self, resource: ConfigResource, entries: Mapping[str, str]) -> None:
        """Raise KafkaError (INVALID_CONFIG, for brokers INVALID_REQUEST) for invalid settings.

        For other brokers only names and values are checked: their files are not known here.
        """
        if resource.type == TOPIC_RESOURCE:
            validate_topic_configs(entries)
            return
        if resource.type == GROUP_RESOURCE:
            validate_group_configs(self._config, entries)
            return
        if resource.type == CLIENT_METRICS_RESOURCE:
            from raftka.model.settings.client_metrics import validate_client_metrics

            validate_client_metrics(entries)
            return
        everywhere = resource.name == CLUSTER_DEFAULT
        validate_broker_names(entries, cluster_wide=everywhere)
        if MIN_INSYNC_REPLICAS in entries and not everywhere:
            words = (
                f"Broker-level {MIN_INSYNC_REPLICAS} cannot be altered while ELR is enabled:"
                " elections depend on it, so it is one value for the cluster, or a topic's own."
            )
            raise KafkaError(ErrorCode.INVALID_CONFIG, words)
        if everywhere or resource.name == str(self._config.int("node.id")):
            validate_rules(self._config, entries, cluster_wide=everywhere)

    def is_list(self, resource: ConfigResource, name: str) -> bool:
        """Whether items can be appended and subtracted."""
        if resource.type == GROUP_RESOURCE:
            return name in GROUP and GROUP[name].type is Type.LIST
        if resource.type == CLIENT_METRICS_RESOURCE:
            return name in ("match", "metrics")
        return is_list(name, topic=resource.type == TOPIC_RESOURCE)

    def default(self, resource: ConfigResource, name: str) -> str:
        """The value without an override; "" if there is none."""
        if resource.type == TOPIC_RESOURCE:
            return self._config.topic_default(name) or ""
        if resource.type == GROUP_RESOURCE:
            broker_name = GROUP[name].broker_name if name in GROUP else None
            return "" if broker_name is None else to_text(self._config.value(broker_name)) or ""
        if resource.type == CLIENT_METRICS_RESOURCE:
            return ""
        return to_text(self._config.value(name)) or "" if name in BROKER else ""

    def describe_topic(
        self, overrides: Mapping[str, str], image: MetadataImage
    ) -> Sequence[Description]:
        """All settings of a topic, for the answer to its creation.

        Most topics are created without overrides, and many at a time: those share one list.
        """
        dynamic = image.broker_config(None)
        if dynamic is not self._dynamic:
            self._dynamic = dynamic
            self._defaults = describe_topic(with_dynamic(self._config, {}, dynamic), {})
        if not overrides:
            return self._defaults
        own = {each.name: each for each in describe_topic(self._config, overrides, set(overrides))}
        return [own.get(each.name, each) for each in self._defaults]
