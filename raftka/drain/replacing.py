"""The command `raftka replace OLD NEW`: a drain in which one broker receives everything."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.tools.options import Options, UsageError
from raftka.client.tools.running import run
from raftka.drain.command import checked, common_options, ids_of, work
from raftka.drain.moving import Wish

options = Options(
    "raftka replace",
    "Move every replica of one broker, alive or dead, to another. The state is in the cluster: run"
    " it again after any interruption.",
)
options.add_argument("old", metavar="OLD", nargs="?", help="The broker that leaves.")
options.add_argument("new", metavar="NEW", nargs="?", help="The broker that takes its replicas.")
common_options(options)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if found.new is None:
        raise UsageError("give both brokers, as: raftka replace 3 7")
    old, new = ids_of((found.old,))[0], ids_of((found.new,))[0]
    if old == new:
        raise UsageError(f"broker {old} cannot replace itself")
    found.cancel = False
    found.wish = Wish((old,), successors={old: new}, throttle=found.throttle)
    return checked(found)
