"""A process of Kafka's own: Streams, Connect, MirrorMaker, by the script of a real Kafka."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType


class Runtime:
    """Where Kafka's classes are: `script class NAME ARGS...` runs one of them."""

    def __init__(self, script: str, libraries: Sequence[str] = ()) -> None:
        """`libraries`: a class path instead of the script's, for classes that it does not have."""
        self._command = [script, "class", *(("-cp", ":".join(libraries)) if libraries else ())]

    def start(self, name: str, main: str, folder: Path, *arguments: str) -> JavaProcess:
        """Run a main class; what it prints goes to a file of that name in `folder`."""
        return JavaProcess([*self._command, main, *arguments], folder / f"{name}.out")


class JavaProcess:
    """A main class that runs between `with` and its end."""

    def __init__(self, command: Sequence[str], printed: Path) -> None:
        self._command = command
        self._printed = printed
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> JavaProcess:
        environment = {**os.environ}
        environment.setdefault("KAFKA_TOOL_HEAP_OPTS", "-Xmx384m")
        with self._printed.open("ab") as printed:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for a process that takes longer than half a minute to end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def printed(self) -> str:
        """Everything that it has printed."""
        return self._printed.read_text(errors="replace")


def write_properties(path: Path, settings: Mapping[str, object]) -> str:
    """Write a properties file; returns its path."""
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return str(path)
