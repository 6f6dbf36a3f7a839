"""Long file operations in a process of their own, which does not share the broker's interpreter.

The parent writes one line of JSON that describes the work, then an empty line for each step; the
child answers each with a line: the step's result, an error, or the end. So the parent sets the
pace, and a child whose parent has exited reads the end of its input and exits. The child has a
higher nice value than the broker, which gets ten times its share if both compete for a core.

Why a process: measured on a busy machine, a task that sleeps for 1 ms was late by 0.3 ms (median;
99th percentile: 11 ms) while nothing else ran, by 5.2 ms (52 ms) while a thread cleaned a log,
which holds the interpreter for Python's switch interval each time, and by 0.3 ms (18 ms) while a
process did.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

import trio

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Disk, Values

Steps = Callable[[Disk, Values], Iterator[Values]]

_MAX_LINE: Final = 1 << 20


class ProcessWork:
    """The parent's side; the child starts with the first step."""

    def __init__(self, steps: Steps, arguments: Values) -> None:
        self._order: Values = {
            "work": f"{steps.__module__}:{steps.__qualname__}",
            "arguments": arguments,
        }
        self.process: trio.Process | None = None
        """The child process, while there is one."""
        self._received = bytearray()

    async def step(self) -> Values | None:
        """Implements the port. Also raises OSError if the child dies."""
        process = self.process
        if process is None:
            process = self.process = await self._start()
        assert process.stdin is not None
        try:
            await process.stdin.send_all(b"\n")
        except trio.BrokenResourceError:
            raise OSError(f"the process for {self._order['work']} has died") from None
        answer = json.loads(await self._line(process))
        if "error" in answer:
            raise _error_of(answer["error"])
        step: Values | None = answer["step"]
        return step

    async def _start(self) -> trio.Process:
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "raftka.storage.apart_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert process.stdin is not None
        await process.stdin.send_all(json.dumps(self._order).encode() + b"\n")
        return process

    async def _line(self, process: trio.Process) -> bytes:
        assert process.stdout is not None
        while b"\n" not in self._received:
            data = await process.stdout.receive_some()
            if not data or len(self._received) > _MAX_LINE:
                raise OSError(f"the process for {self._order['work']} ended without an answer")
            self._received += data
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    async def close(self) -> None:
        """Implements the port."""
        process, self.process = self.process, None
        if process is not None:
            with trio.CancelScope(shield=True):
                process.kill()
                await process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        await stream.aclose()


def _error_of(error: Values) -> Exception:
    if "code" in error:
        return KafkaError(ErrorCode(error["code"]), error["words"])
    return OSError(error["errno"], error["words"])
