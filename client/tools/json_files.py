"""The JSON files with lists of partitions that the tools read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from raftka.client.tools.options import ToolError, reason_of, whole_number
from raftka.model.ids import TopicPartition


def read_json(path: str) -> dict[str, Any]:
    """The object in a file. Raises ToolError."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ToolError(f"{path} cannot be read as JSON: {reason_of(error)}") from error
    if not isinstance(found, dict):
        raise ToolError(f"{path}: it must be a JSON object")
    version = found.get("version", 1)
    if version != 1:
        raise ToolError(f"{path}: not supported version field value {version}; it must be 1")
    return found


def partition_entries(path: str) -> list[tuple[TopicPartition, Mapping[str, Any]]]:
    """The entries of "partitions", with what they name. Raises ToolError."""
    return entries_of(read_json(path), path)


def entries_of(
    document: Mapping[str, Any], where: str
) -> list[tuple[TopicPartition, Mapping[str, Any]]]:
    """The same for a parsed document."""
    entries = document.get("partitions")
    if not isinstance(entries, list):
        raise ToolError(f'{where}: there is no list of "partitions"')
    found: list[tuple[TopicPartition, Mapping[str, Any]]] = []
    seen: set[TopicPartition] = set()
    for entry in entries:
        try:
            target = TopicPartition(str(entry["topic"]), whole_number(str(entry["partition"])))
        except (KeyError, TypeError, ValueError):
            raise ToolError(f"{where}: {entry!r} does not name a topic and a partition") from None
        if target in seen:
            raise ToolError(f"{where}: {target} is there more than once")
        seen.add(target)
        found.append((target, entry))
    return found


def compact(document: object) -> str:
    """JSON without spaces, as the tools print it."""
    return json.dumps(document, separators=(",", ":"))
