"""`raftka trace NODE ...`: what the flight recorders of nodes hold, as a trace on standard output.

A node is named by its log directory (or its server.properties, or a copy of the recorder's file),
running or not. Those of several nodes are merged into one trace.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from raftka.configuration import Unreadable, make_config, read_file
from raftka.model.settings import WrongSettings
from raftka.tracing import flight_file
from raftka.tracing.flight_file import Recording
from raftka.tracing.lines import line_of
from raftka.tracing.recordings import merge


class NoRecording(ValueError):
    """There is none where one was named; the message says what to name instead."""


def main(argv: list[str]) -> int:
    """The exit code."""
    options = _parser().parse_args(argv)
    try:
        merged = merge(recordings(options.node))
    except (NoRecording, Unreadable, WrongSettings) as error:
        print(f"raftka trace: {error}", file=sys.stderr)
        return 1
    for event in merged.events:
        print(line_of(event))
    return 0


def recordings(names: Sequence[str]) -> list[Recording]:
    """Those of the nodes. Raises NoRecording, Unreadable, WrongSettings, OSError."""
    found = [recording(Path(name)) for name in names]
    ids = [each.node_id for each in found]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise NoRecording(f"node {twice} is named twice; name each node once")
    return found


def recording(path: Path) -> Recording:
    """Of a log directory, a server.properties or a recorder's file."""
    if path.suffix == ".properties":
        path = Path(make_config(read_file(str(path))).text("metadata.log.dir"))
    candidates = (path, path / flight_file.NAME, path.parent / flight_file.NAME)
    file = next((each for each in candidates if each.is_file()), None)
    if file is None:
        raise NoRecording(
            f"{path} has no {flight_file.NAME}; name a node's log directory (metadata.log.dir, by"
            " default the first of log.dirs) or its server.properties"
        )
    try:
        return flight_file.read(file.read_bytes())
    except flight_file.Unreadable as error:
        raise NoRecording(f"{file}: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raftka trace",
        description="Write what the flight recorders of nodes hold as a trace (docs/trace.md), one"
        " JSON object a line: the last 10,000 events of control of each, merged.",
    )
    parser.add_argument(
        "node",
        nargs="+",
        metavar="NODE",
        help="a node's log directory or server.properties; the node may run or not",
    )
    return parser
