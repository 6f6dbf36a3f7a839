"""`python -m raftka.processes.child`: one node under `raftka server --processes N`.

Its standard input is a socket to the supervisor, which writes the node's settings as one line of
JSON and keeps it open: when it ends, the supervisor is gone, and the node shuts down as after
SIGTERM. The node writes a byte to it when it serves.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys

from raftka import logs, server_command
from raftka.configuration import make_config
from raftka.model.ports import Disk, Network
from raftka.model.settings import WrongSettings


class Supervised:
    """A node's real machine, for as long as there is a supervisor."""

    def disk(self, disk: Disk) -> Disk:
        """The disk itself."""
        return disk

    def network(self, network: Network) -> Network:
        """The network itself."""
        return network

    def serving(self) -> None:
        """Report it to the supervisor; `obey` notices when the supervisor is gone."""
        with contextlib.suppress(OSError):
            os.write(sys.stdin.fileno(), b"!")

    async def obey(self) -> None:
        """Shut down when the supervisor is gone."""
        import trio

        while True:
            await trio.lowlevel.wait_readable(sys.stdin)
            if not os.read(sys.stdin.fileno(), 1):
                os.kill(os.getpid(), signal.SIGTERM)
                return


def main() -> int:
    """Run the node; its exit code."""
    # Unbuffered, so that the end of the stream is not consumed early.
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(sys.stdin.fileno(), 65536)
        if not more:
            return 1
        line += more
    order = json.loads(line)
    try:
        logs.configure(order["log_level"])
        config = make_config(order["settings"])
        logs.use_format(config.text("raftka.log.format"))
        logs.name_node(config.int("node.id"))
    except WrongSettings as error:
        return server_command.failed("these settings are wrong:\n  " + str(error))
    server_command.tell_notices(config)
    return server_command.run(config, format_first=order["format"], around=Supervised())


if __name__ == "__main__":
    sys.exit(main())
