"""`raftka trace NODE ...`: prints the flight recorders of nodes as a trace.

NODE is the address of a running node, or the log directory, server.properties or a copy of the
recorder's file of any node. The recorders of several nodes are merged into one trace.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from raftka.client.admin.recorders import RecorderContent, recorder_contents
from raftka.client.settings import ConfigError, parse_endpoints
from raftka.client.tools.options import ToolError, admin_settings
from raftka.configuration import Unreadable, make_config, read_file
from raftka.model.ids import Endpoint
from raftka.model.settings import WrongSettings
from raftka.tracing import flight_file
from raftka.tracing.flight_file import Recording, entry_of
from raftka.tracing.lines import line_of
from raftka.tracing.recordings import merge

_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^/:]+):[0-9]{1,5}")


class NoRecording(ValueError):
    """There is no recorder at the given place; the message says what to name instead."""


def main(argv: list[str]) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        merged = merge(recordings(options.node, admin_settings(options)))
    except (ConfigError, NoRecording, ToolError, Unreadable, WrongSettings, OSError) as error:
        print(f"raftka trace: {error}", file=sys.stderr)
        return 1
    for event in merged.events:
        print(line_of(event))
    return 0


def recordings(names: Sequence[str], settings: Mapping[str, object]) -> list[Recording]:
    """The recordings of the nodes, in their order; `settings`: a client's, for nodes by address.

    Raises NoRecording, ConfigError, Unreadable, WrongSettings, OSError.
    """
    addresses = [name for name in names if is_address(name)]
    endpoints: dict[str, Endpoint] = {}
    answers: dict[Endpoint, RecorderContent | str] = {}
    if addresses:
        endpoints = dict(zip(addresses, parse_endpoints("NODE", addresses), strict=True))
        answers = trio.run(recorder_contents, settings, list(endpoints.values()))
    found: list[Recording] = []
    for name in names:
        if name not in endpoints:
            found.append(recording(Path(name)))
            continue
        answer = answers[endpoints[name]]
        if isinstance(answer, str):
            raise NoRecording(answer)
        found.append(recording_of(answer))
    ids = [each.node_id for each in found]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise NoRecording(f"node {twice} is named twice; name each node once")
    return found


def is_address(name: str) -> bool:
    """Whether a node is given by host and port; a file of that name wins."""
    return _ADDRESS.fullmatch(name) is not None and not Path(name).exists()


def recording_of(content: RecorderContent) -> Recording:
    """The recording in a node's answer; slots that are not JSON are left out."""
    events, samples = (
        [each for slot in slots if (each := entry_of(*slot)) is not None]
        for slots in (content.events, content.samples)
    )
    return Recording(content.node_id, events, samples)


def recording(path: Path) -> Recording:
    """The recording in a log directory, one named by server.properties, or a recorder's file."""
    if path.suffix == ".properties":
        path = Path(make_config(read_file(str(path))).text("metadata.log.dir"))
    candidates = (path, path / flight_file.NAME, path.parent / flight_file.NAME)
    file = next((each for each in candidates if each.is_file()), None)
    if file is None:
        raise NoRecording(
            f"{path} has no {flight_file.NAME}; name a node's address (HOST:PORT), its log"
            " directory (metadata.log.dir, by default the first of log.dirs) or its"
            " server.properties"
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
        help="the address of a node that runs (HOST:PORT, of brokers or controllers; takes DESCRIBE"
        " on the cluster), or a log directory or server.properties, whose node may run or not",
    )
    parser.add_argument(
        "--command-config", metavar="FILE", help="a properties file for the client (TLS, SASL)"
    )
    parser.set_defaults(bootstrap_server=None)
    return parser
