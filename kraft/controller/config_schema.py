"""The controller's port for knowledge about settings; broker/controller/ implements it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from raftka.kraft.image import ConfigResource


class ConfigSchema(Protocol):
    """Knowledge about settings."""

    def check(self, resource: ConfigResource, entries: Mapping[str, str]) -> None:
        """Raise KafkaError (INVALID_CONFIG) unless the resource may have exactly these settings."""
        ...

    def is_list(self, resource: ConfigResource, name: str) -> bool:
        """Whether values are lists, so that items can be appended and subtracted."""
        ...

    def default(self, resource: ConfigResource, name: str) -> str:
        """The value without an override; "" if there is none."""
        ...
