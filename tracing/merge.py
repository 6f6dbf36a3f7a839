"""`raftka trace-merge FILE...`: merges the traces of several nodes, to standard output.

Events are ordered by the nodes' wall clocks and renumbered, and a receive event names the send
event of the other node as its cause. `t` counts from the first event of all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from raftka.tracing.lines import line_of

Event = dict[str, Any]


def read(lines: Iterable[str], source: int) -> Iterator[tuple[float, int, Event]]:
    """(wall clock in seconds, source, event) of one node's file, whose node may have restarted."""
    began = 0.0
    for line in lines:
        if not line.endswith("\n"):
            continue  # The node was killed while it wrote this line.
        event = json.loads(line)
        began = event.get("unix_s", began)
        yield began + event["t"], source, event


def merge(files: Iterable[Iterable[str]]) -> Iterator[Event]:
    """All events in order, as one trace."""
    found = [each for source, lines in enumerate(files) for each in read(lines, source)]
    found.sort(key=lambda each: (each[0], each[1], each[2]["id"]))
    if not found:
        return
    numbers = {
        (source, event["id"]): number for number, (_, source, event) in enumerate(found, start=1)
    }
    sent = {
        _message(event, event["node"]): numbers[source, event["id"]]
        for _, source, event in found
        if event["kind"] == "message-sent"
    }
    start = found[0][0]
    for number, (at, source, event) in enumerate(found, start=1):
        event["t"] = round(at - start, 6)
        if "cause" in event:
            event["cause"] = numbers[source, event["cause"]]
        if "after" in event:
            event["after"] = [numbers[source, each] for each in event["after"]]
        if event["kind"] == "message-received":
            sending = sent.get(_message(event, event["from"]))
            if sending is not None:
                event["cause"] = sending
        event["id"] = number
        yield event


def _message(event: Event, sender: str) -> tuple[Any, ...]:
    """The key under which both sides find a message. It needs no node ids."""
    way = event["side"] if event["protocol"] == "kafka" else sender
    return event["connection"], event["number"], way


def main(argv: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="raftka trace-merge",
        description="Merge the files that nodes wrote for raftka.trace.file into one trace.",
    )
    parser.add_argument("file", nargs="+", type=Path)
    options = parser.parse_args(argv)
    files = [path.read_text(encoding="utf-8").splitlines(keepends=True) for path in options.file]
    for event in merge(files):
        print(line_of(event))
    return 0
