"""Ports that no other test run on this machine takes, now or later.

Binding port 0, reading the number and closing it invites a clash: until the node binds it, the
kernel may assign the number to any outgoing connection, or to another test worker. So numbers come
from below the kernel's ephemeral range, and a lock file for each number, held until this process
ends, keeps workers apart (pytest-xdist, several checkouts). The kernel drops a lock with its
process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final

_FIRST: Final = 15_000
_LAST: Final = 32_000
"""The ephemeral range begins at 32768 on Linux (ip_local_port_range), at 49152 on macOS and BSD."""


_DICE: Final = random.Random(os.urandom(16))
_LOCKS: Final[list[int]] = []
"""Descriptors of lock files, open until this process ends."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are ours until this process ends. Raises OSError if few are left."""
    folder = Path(tempfile.gettempdir()) / f"raftka-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    taken: list[int] = []
    for _ in range(5000):
        if len(taken) == count:
            return taken
        port = _DICE.randrange(_FIRST, _LAST)
        if _lock(folder / str(port), port):
            taken.append(port)
    raise OSError(f"no {count} free ports between {_FIRST} and {_LAST} on 127.0.0.1")


def _lock(path: Path, port: int) -> bool:
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            # As servers bind it: an old connection in TIME_WAIT must not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        os.close(lock)
        return False
    _LOCKS.append(lock)
    return True
