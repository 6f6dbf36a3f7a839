"""The server's side of `raftka learn --bridge`: it sends all pages' requests to the process with
the virtual brokers, one after the other (bridge.py has the requests).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import trio

from raftka.learn.teacher import LINE_MAX

_ANSWER_S = 30.0


class BridgeFailed(Exception):
    """The virtual brokers' ports could not be opened; the message says why."""


class Bridging:
    """One bridge, from `start` until it is cancelled."""

    def __init__(self, port: int, save: Path | None = None) -> None:
        self.port = port
        self._save = save
        self._process: trio.Process | None = None
        self._is_ready = False
        self._kept = bytearray()
        self._turn = trio.Lock()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve clients until cancelled; the session is saved then. Raises BridgeFailed."""
        command = [sys.executable, "-m", "raftka.learn.bridge", str(self.port)]
        self._process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            try:
                first = json.loads(await self._line())
            except trio.BrokenResourceError:
                raise BridgeFailed(f"--bridge {self.port}: its process did not start") from None
            if "failed" in first:
                raise BridgeFailed(f"--bridge {self.port}: {first['failed']}: name another port")
            self._is_ready = True
            task_status.started()
            await self._process.wait()
            raise BridgeFailed(f"--bridge {self.port}: its process has ended; the session is lost")
        finally:
            with trio.CancelScope(shield=True):
                try:
                    if self._save is not None and self._is_ready and self._process.poll() is None:
                        await self._keep(self._save)
                finally:
                    if self._process.poll() is None:
                        self._process.kill()
                        await self._process.wait()

    async def _keep(self, file: Path) -> None:
        """Raises BridgeFailed."""
        answer = json.loads(await self.ask('{"op":"session"}'))
        if not answer["ok"]:
            why = answer["error"]["message"]
            raise BridgeFailed(f"--bridge {self.port}: the session was not saved: {why}")
        await trio.Path(file).write_text(json.dumps(answer["session"]) + "\n")

    async def ask(self, line: str) -> str:
        """The answer to one request, both lines of JSON."""
        assert self._process is not None and self._process.stdin is not None
        async with self._turn:
            # Shielded: a cancelled caller would leave its answer for the next request.
            deadline = trio.current_time() + _ANSWER_S
            with trio.CancelScope(shield=True, deadline=deadline) as scope:
                try:
                    await self._process.stdin.send_all(line.replace("\n", " ").encode() + b"\n")
                    return await self._line()
                except trio.BrokenResourceError:
                    pass
            if scope.cancelled_caught:
                self._process.kill()  # A late answer would go to the next request.
        error: dict[str, Any] = {"code": "ended", "message": "the bridge has ended"}
        return json.dumps({"id": _id_of(line), "ok": False, "error": error})

    async def _line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        while b"\n" not in self._kept:
            chunk = await self._process.stdout.receive_some(LINE_MAX)
            if not chunk:
                raise trio.BrokenResourceError
            self._kept += chunk
        line, _, rest = self._kept.partition(b"\n")
        self._kept = bytearray(rest)
        return line.decode()


def _id_of(line: str) -> str | int | float | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    id_ = request.get("id") if isinstance(request, dict) else None
    return id_ if isinstance(id_, str | int | float) else None
