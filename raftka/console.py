"""rich's console, as the commands that draw use it."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class OutputConsole(Console):
    """Standard output. Where its reader has gone, writing raises BrokenPipeError as print does."""

    def on_broken_pipe(self) -> None:
        """Instead of rich's SystemExit, which tears a trio run apart with a traceback."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
