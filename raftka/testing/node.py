"""`python -m raftka.testing.node DESCRIPTOR ...`: `raftka server ...` with faults for tests.

DESCRIPTOR is the inherited socket by which the test sends faults (faults.py).
"""

from __future__ import annotations

import socket
import sys

from raftka import server_command
from raftka.quick_trio import import_trio


def main(arguments: list[str]) -> int:
    """Run the node; its exit code."""
    import_trio()
    from raftka.testing.faults import Faults

    control = socket.socket(fileno=int(arguments[0]))
    return server_command.main(arguments[1:], around=Faults(control))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
