"""The output of the verifiable tools: each event as a line of JSON, with the time in ms."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

from raftka.client.settings import Setting
from raftka.client.tools.options import known_settings, read_properties
from raftka.model.text import decode_text
from raftka.net.clock import system_clock


def event(name: str, **fields: object) -> None:
    """Print an event; `fields` follow the time and the name, in their order."""
    line = {"timestamp": system_clock().wall_ms(), "name": name, **fields}
    sys.stdout.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def text(data: bytes | None) -> str | None:
    """A key or a value as JSON."""
    return None if data is None else decode_text(data)


def settings_from(
    found: argparse.Namespace, table: Mapping[str, Setting], *older: str
) -> dict[str, object]:
    """The settings in the file of --command-config, and in those of its older names."""
    given: dict[str, str] = {}
    for name in (*older, "command_config"):
        given |= read_properties(found.__dict__[name])
    return known_settings(table, given)


def counts(
    offsets: Mapping[tuple[str, int], Sequence[int]], *, spans: bool
) -> list[dict[str, object]]:
    """For each partition, the number and offsets of its records."""
    return [
        {
            "topic": topic,
            "partition": partition,
            "count": len(some),
            **(
                {"minOffset": min(some), "maxOffset": max(some)}
                if spans
                else {"offsets": list(some)}
            ),
        }
        for (topic, partition), some in offsets.items()
    ]
