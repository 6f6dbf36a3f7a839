"""A node's metadata as nested plain values: what `raftka metadata` shows, and JSON can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from raftka.kraft.image import BROKER_RESOURCE, CLUSTER_DEFAULT, MetadataImage, PartitionImage
from raftka.kraft.records import MetadataRecord
from raftka.model.ids import uuid_text

Tree = dict[str, Any]


def record_fields(record: MetadataRecord) -> Tree:
    """A metadata record: its type, then its fields."""
    fields = {
        field.name: plain(getattr(record, field.name))
        for field in dataclasses.fields(record)
        if getattr(record, field.name) is not None
    }
    return {"type": type(record).__name__, **fields}


def plain(value: object) -> Any:
    """Something that JSON can hold; 16 bytes are a uuid, others are shown in hexadecimal."""
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return uuid_text(data) if len(data) == 16 else data.hex()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def image_tree(image: MetadataImage) -> Tree:
    """The whole image, in directories as Kafka's metadata shell has them."""
    return {
        "offset": image.offset,
        "epoch": image.epoch,
        "features": dict(image.features),
        "brokers": {
            str(broker.broker_id): {
                field.name: plain(getattr(broker, field.name))
                for field in dataclasses.fields(broker)
            }
            for broker in image.brokers.values()
        },
        "topics": {
            topic.name: {
                "id": uuid_text(topic.topic_id),
                "partitions": {
                    str(index): _partition(partition)
                    for index, partition in enumerate(topic.partitions)
                },
            }
            for topic in image.topics.values()
        },
        "configs": _configs(image),
        "producer_ids": {"next": image.next_producer_id},
    }


def _partition(partition: PartitionImage) -> Tree:
    return {
        field.name: plain(getattr(partition, field.name)) for field in dataclasses.fields(partition)
    }


def _configs(image: MetadataImage) -> Tree:
    found: Tree = {"brokers": {}, "topics": {}}
    for resource, entries in image.configs.items():
        kind = "brokers" if resource.type == BROKER_RESOURCE else "topics"
        name = resource.name if resource.name != CLUSTER_DEFAULT else "default"
        found[kind][name] = dict(entries)
    return found


def at_path(tree: Tree, path: str) -> Any:
    """What is at /topics/songs/partitions/0. Raises KeyError with the path as far as it leads."""
    found: Any = tree
    walked = ""
    for name in filter(None, path.split("/")):
        walked += f"/{name}"
        if not isinstance(found, dict) or name not in found:
            raise KeyError(walked)
        found = found[name]
    return found
