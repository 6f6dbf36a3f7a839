"""A process that is started again whenever it ends by an error, as a service manager does."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType

_PAUSE_S = 0.2


class Supervised:
    """`python -m ...` between `with` and its end."""

    def __init__(self, command: Sequence[str]) -> None:
        self.restarts = 0
        self.complaints: list[str] = []
        """The last output of each process that ended by an error."""
        self._command = [sys.executable, "-m", *command]
        self._stopping = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Supervised:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping = True
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping:
            with subprocess.Popen(
                self._command, stderr=subprocess.PIPE, text=True, errors="replace"
            ) as process:
                self._process = process
                assert process.stderr is not None
                *_, last = ["", *process.stderr.read().splitlines()]
            if self._stopping:
                return
            self.restarts += 1
            self.complaints.append(last[:200])
            time.sleep(_PAUSE_S)
