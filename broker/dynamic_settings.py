"""The dynamic settings of the metadata, which override those of a node's file.

Settings with which a node could not run are refused when they are set
(model/settings/altering_brokers.py). The metadata may contain them anyway, written by another
release: the node ignores such a setting and logs a warning.
"""

from __future__ import annotations

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import TOPIC_RESOURCE, MetadataImage
from raftka.model.logs import get_logger
from raftka.model.settings import Config, with_dynamic
from raftka.model.settings.catalog import BROKER, TOPIC

log = get_logger(__name__)


def follow(config: Config, image: MetadataImage, node_id: int) -> Config:
    """The node's settings, with the overrides of an image."""
    found = with_dynamic(config, image.broker_config(node_id), image.broker_config(None))
    for problem in found.set_aside:
        if problem not in config.set_aside:
            log.warning(
                f"a dynamic setting is set aside, because no node could start with it: {problem}."
                " Remove it with kafka-configs --alter --delete-config"
            )
    return found


def warn_without_effect(delta: MetadataDelta) -> None:
    """Log why settings that have just changed have no effect here."""
    for resource in delta.configs.changed:
        before = delta.base.configs.get(resource, {})
        table = TOPIC if resource.type == TOPIC_RESOURCE else BROKER
        for name, text in delta.image.configs.get(resource, {}).items():
            setting = table.get(name)
            if setting is not None and setting.no_effect and before.get(name) != text:
                log.warning(
                    f"{name} was set, without effect: {setting.no_effect}",
                    resource=resource.name or "all brokers",
                )
