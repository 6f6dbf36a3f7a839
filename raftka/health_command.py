"""`raftka health`: checks that the node with these settings answers on all its listeners.

A container's HEALTHCHECK runs it: it sends ApiVersions to each listener and reads the answer.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
from typing import Final

from raftka.configuration import Unreadable, gather, make_config
from raftka.model.ids import Endpoint
from raftka.model.settings import WrongSettings
from raftka.model.settings.listeners import ANYWHERE, listeners

_API_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""A whole request: its size, ApiVersions version 0, correlation id 1, no client id."""
_HEAD: Final = struct.Struct(">iih")
_TIMEOUT_S: Final = 3.0


def main(argv: list[str]) -> int:
    """Ask each listener; 0 when all answer, 1 when one does not."""
    options = _parser().parse_args(argv)
    try:
        config = make_config(gather(options.file, options.override, os.environ))
    except (Unreadable, WrongSettings, ValueError) as error:
        print(f"raftka health: {error}", file=sys.stderr)
        return 1
    for each in listeners(config):
        problem = asked(each.bind)
        if problem is not None:
            print(f"{each.name} on {each.bind}: {problem}", file=sys.stderr)
            return 1
    print("healthy")
    return 0


def asked(where: Endpoint) -> str | None:
    """Why the node at an address does not answer ApiVersions; None when it does."""
    host = "localhost" if not where.host or where.host in ANYWHERE else where.host
    try:
        with socket.create_connection((host, where.port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(_API_VERSIONS)
            head = connection.recv(_HEAD.size, socket.MSG_WAITALL)
    except OSError as error:
        return error.strerror or str(error)
    if len(head) < _HEAD.size:
        return "the connection was closed without an answer"
    _, correlation_id, code = _HEAD.unpack(head)
    return None if (correlation_id, code) == (1, 0) else f"it answers with error {code}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raftka health",
        description="Ask the node that runs with these settings whether it serves; exit code 1"
        " when one of its listeners does not answer.",
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="server.properties of the node")
    parser.add_argument(
        "--override", metavar="NAME=VALUE", action="append", default=[], help="as of raftka server"
    )
    return parser
