"""The settings of a share group: its own, or else the broker's.

A group's own settings are clamped to the broker's bounds, as Apache Kafka does when the bounds
change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.broker.share.terms import ShareLimits
from raftka.kraft.image import GROUP_RESOURCE, ConfigResource
from raftka.model.dataclass import dataclass
from raftka.model.settings.group import LATEST

if TYPE_CHECKING:
    from raftka.kraft.image import MetadataImage
    from raftka.model.settings import Config


SHARE_VERSION: Final = "share.version"
DEAD_LETTERS_FROM: Final = 2
"""The lowest share.version in which groups may have dead letter queues (KIP-1191)."""


@dataclass(frozen=True, slots=True)
class ShareGroupSettings:
    """The settings of one share group, for the leaders of its partitions."""

    limits: ShareLimits
    lock_ms: int
    """share.record.lock.duration.ms."""
    reads_committed: bool
    """share.isolation.level is read_committed: the group does not get aborted records."""
    offset_reset: str
    """share.auto.offset.reset: where a share-partition without state starts."""
    dead_letter_topic: str
    """errors.deadletterqueue.topic.name; empty without one, or if share.version is below 2."""
    copies_dead: bool
    """errors.deadletterqueue.copy.record.enable: whether dead letters have key and value."""


def settings_of(config: Config, image: MetadataImage, group_id: str) -> ShareGroupSettings:
    """The current settings of a group."""
    own = image.configs.get(ConfigResource(GROUP_RESOURCE, group_id), {})

    def bounded(name: str) -> int:
        found = own.get(f"share.{name}")
        if found is None:
            return config.int(f"group.share.{name}")
        least = config.int(f"group.share.min.{name}")
        most = config.int(f"group.share.max.{name}")
        return min(max(int(found), least), most)

    has_queues = image.features.get(SHARE_VERSION, 0) >= DEAD_LETTERS_FROM
    dead_letter_topic = own.get("errors.deadletterqueue.topic.name", "") if has_queues else ""
    lock_ms = bounded("record.lock.duration.ms")
    return ShareGroupSettings(
        ShareLimits(
            lock_s=lock_ms / 1000,
            deliveries=bounded("delivery.count.limit"),
            records=bounded("partition.max.record.locks"),
            renews=own.get("share.renew.acknowledge.enable", "true").lower() == "true",
            buries=bool(dead_letter_topic),
        ),
        lock_ms,
        reads_committed=own.get("share.isolation.level") == "read_committed",
        offset_reset=own.get("share.auto.offset.reset", LATEST),
        dead_letter_topic=dead_letter_topic,
        copies_dead=own.get("errors.deadletterqueue.copy.record.enable", "").lower() == "true",
    )
