"""Types that every layer uses: topic partitions, endpoints, uuids, offsets."""

from __future__ import annotations

import base64
import binascii
from typing import Final, NewType

from raftka.model.named_tuple import NamedTuple

Uuid = NewType("Uuid", bytes)
"""16 bytes. Kafka writes a uuid as unpadded URL-safe base64 (22 characters)."""

ZERO_UUID: Final = Uuid(bytes(16))
METADATA_TOPIC_UUID: Final = Uuid(bytes(15) + b"\x01")
"""The id of __cluster_metadata; never given to another topic."""

UNASSIGNED_DIRECTORY: Final = Uuid(bytes(16))
"""The directory of a replica whose broker has not reported its log directory (KIP-858)."""
LOST_DIRECTORY: Final = Uuid(bytes(15) + b"\x01")
"""The directory of a replica whose log directory is gone."""

OFFSETS_TOPIC: Final = "__consumer_offsets"
"""Stores the state of groups; a group's coordinator leads one of its partitions."""
TRANSACTION_TOPIC: Final = "__transaction_state"
"""Stores the state of transactional ids."""
SHARE_STATE_TOPIC: Final = "__share_group_state"
"""Stores the delivery state of share groups. All settings: model/internal_topics.py."""

NO_OFFSET: Final = -1
NO_EPOCH: Final = -1
NO_TIMESTAMP: Final = -1
NO_BROKER: Final = -1
NO_PRODUCER_ID: Final = -1


class TopicPartition(NamedTuple):
    """A partition by name, as clients and directories on disk know it."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Endpoint(NamedTuple):
    """The address of a listener."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def uuid_text(value: bytes) -> str:
    """A uuid as Kafka's tools and files write it, in 22 characters."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def parse_uuid(text: str) -> Uuid:
    """Parse a uuid.

    Raises ValueError unless `text` is 22 characters of URL-safe base64.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "==")
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r} is not a uuid in URL-safe base64") from error
    if len(raw) != 16 or len(text) != 22:
        raise ValueError(f"{text!r} is not a uuid: it must be 22 characters of URL-safe base64")
    return Uuid(raw)
