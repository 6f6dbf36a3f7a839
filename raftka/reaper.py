"""Cleans up after a killed test run: its processes and folders.

A test process that is killed with SIGKILL cannot stop its nodes. So each cluster has a reaper: a
small process in a session of its own, which no signal to the test run's process group reaches. The
test process writes to the reaper's stdin what to clean up; when the pipe ends, for whatever reason,
the reaper kills the processes, even paused ones, and removes the folders.

The protocol is one line per message: `+PID`, `-PID` (it was waited for), `folder PATH`.
The reaper imports almost nothing: it starts with -I -S and is ready in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable


class Reaper:
    """The side of the test process. Safe to close twice."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Ask the reaper to kill this child process when this process is gone."""
        self._say(f"+{pid}")

    def forget(self, pid: int) -> None:
        """Release a child that has ended and was waited for: the system may reuse its id."""
        self._say(f"-{pid}")

    def own_folder(self, path: os.PathLike[str]) -> None:
        """Ask the reaper to remove this folder when this process is gone."""
        self._say(f"folder {os.fspath(path)}")

    def close(self) -> None:
        """Let the reaper clean up now, and wait for it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(
                "the process that cleans up after this test run was killed; nodes that were"
                " started may outlive the run. Do not kill processes by name while tests run"
            ) from None


def reap(lines: Iterable[str]) -> None:
    """The reaper's side: follow the lines, and clean up after the last one."""
    processes: dict[int, int | None] = {}
    folders: dict[str, None] = {}
    for line in lines:
        word, _, path = line.rstrip("\n").partition(" ")
        if word.startswith("+"):
            processes[int(word)] = _handle(int(word))
        elif word.startswith("-"):
            handle = processes.pop(-int(word), None)
            if handle is not None:
                os.close(handle)
        elif word == "folder":
            folders[path] = None
    for pid, handle in processes.items():
        with contextlib.suppress(ProcessLookupError):
            if handle is not None:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


def _handle(pid: int) -> int | None:
    """A handle that refers to this process only, where the system has such handles (Linux)."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


if __name__ == "__main__":
    # Only the end of the pipe ends a reaper.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    reap(sys.stdin)
