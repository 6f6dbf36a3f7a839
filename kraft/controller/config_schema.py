"""What the controller has to know about settings: a port, implemented in broker/controller/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from raftka.kraft.image import ConfigResource


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
