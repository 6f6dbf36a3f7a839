"""The settings of the coordinator of share groups; a group may override them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.kraft.image import GROUP_RESOURCE, ConfigResource, MetadataImage
from raftka.model.dataclass import dataclass

if TYPE_CHECKING:
    from raftka.model.settings import Config


@dataclass(frozen=True, slots=True)
class ShareGroupConfig:
    """The broker's settings, with Kafka's defaults; times in milliseconds."""

    session_timeout_ms: int = 45_000
    session_timeout_bounds_ms: tuple[int, int] = (45_000, 60_000)
    heartbeat_interval_ms: int = 5_000
    heartbeat_interval_bounds_ms: tuple[int, int] = (5_000, 15_000)
    max_size: int = 200

    @classmethod
    def from_settings(cls, config: Config) -> ShareGroupConfig:
        def bounds(name: str) -> tuple[int, int]:
            return config.int(f"group.share.min.{name}"), config.int(f"group.share.max.{name}")

        return cls(
            session_timeout_ms=config.int("group.share.session.timeout.ms"),
            session_timeout_bounds_ms=bounds("session.timeout.ms"),
            heartbeat_interval_ms=config.int("group.share.heartbeat.interval.ms"),
            heartbeat_interval_bounds_ms=bounds("heartbeat.interval.ms"),
            max_size=config.int("group.share.max.size"),
        )

    def session_ms_of(self, image: MetadataImage, group_id: str) -> int:
        """The session timeout of the group's members, in ms."""
        name = "share.session.timeout.ms"
        return _of_group(
            image, group_id, name, self.session_timeout_ms, self.session_timeout_bounds_ms
        )

    def heartbeat_ms_of(self, image: MetadataImage, group_id: str) -> int:
        """The heartbeat interval of the group's members, in ms."""
        name = "share.heartbeat.interval.ms"
        return _of_group(
            image, group_id, name, self.heartbeat_interval_ms, self.heartbeat_interval_bounds_ms
        )


def _of_group(
    image: MetadataImage, group_id: str, name: str, default: int, bounds: tuple[int, int]
) -> int:
    own = image.configs.get(ConfigResource(GROUP_RESOURCE, group_id), {}).get(name)
    return default if own is None else min(max(int(own), bounds[0]), bounds[1])
