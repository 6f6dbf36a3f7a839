"""The child of `apart`: a process that does slow work on a disk, step by step, at low priority."""

from __future__ import annotations

import os
import sys

from raftka.storage.apart import NICENESS, serve_steps
from raftka.storage.posix import PosixDisk


def main() -> None:
    """Serve the steps that come in on stdin until it ends."""
    os.nice(NICENESS)
    serve_steps(PosixDisk(), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
