"""The child of storage/apart.py: runs slow file operations step by step, with low priority.

It imports no event loop, which would take longer than cleaning a small log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any, Final, cast

from raftka.model.errors import KafkaError
from raftka.model.ports import Disk, Values
from raftka.storage.posix_files import PosixFiles

NICENESS: Final = 10
"""The broker gets ten times the child's share of a contended core; at 19 the child starved."""


def serve_steps(disk: Disk, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Read the work from the first line, then run a step for each further line."""
    order: dict[str, Any] = json.loads(requests.readline())
    module, _, name = order["work"].partition(":")
    steps: Iterator[Values] = getattr(import_module(module), name)(disk, order["arguments"])
    while requests.readline():
        answer: Values
        try:
            answer = {"step": next(steps, None)}
        except KafkaError as error:
            answer = {"error": {"code": int(error.code), "words": error.message}}
        except OSError as error:
            answer = {"error": {"errno": error.errno or 0, "words": str(error)}}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def main() -> None:
    """Serve the steps that are requested on stdin until it ends."""
    os.nice(NICENESS)
    # The work consists of steps: it offloads nothing.
    serve_steps(cast(Disk, PosixFiles()), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
