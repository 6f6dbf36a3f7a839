"""A node's metadata as nested plain values, for `raftka metadata` and for JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from raftka.kraft.delta import SECTIONS, MetadataDelta
from raftka.kraft.image import MetadataImage
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
    """A value for JSON; 16 bytes become a uuid, others hexadecimal digits."""
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return uuid_text(data) if len(data) == 16 else data.hex()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def image_tree(image: MetadataImage) -> Tree:
    """The whole image, in the directories of Kafka's metadata shell."""
    sections = MetadataDelta(image)
    shown = {name: plain(getattr(sections, name).view()) for name in SECTIONS}
    return {"offset": image.offset, "epoch": image.epoch, **shown}


def at_path(tree: Tree, path: str) -> Any:
    """The value at /topics/songs/partitions/0. Raises KeyError with the path's existing prefix."""
    found: Any = tree
    walked = ""
    for name in filter(None, path.split("/")):
        walked += f"/{name}"
        if not isinstance(found, dict) or name not in found:
            raise KeyError(walked)
        found = found[name]
    return found
