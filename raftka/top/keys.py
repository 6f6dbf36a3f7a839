"""The keyboard of `raftka top`: what is typed is read at once and not printed over the tables."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

_QUIT: Final = (b"q", b"Q")
_BYTES_MAX: Final = 64


@contextmanager
def unechoed() -> Iterator[int | None]:
    """The terminal's descriptor, read key by key until the block ends.

    None where standard input is no terminal or is closed, and in the background, where a change of
    the terminal would stop the process.
    """
    try:
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
        in_front = os.tcgetpgrp(keyboard) == os.getpgrp()
    except (termios.error, OSError, ValueError, AttributeError):
        in_front = False
    if not in_front:
        yield None
        return
    tty.setcbreak(keyboard)
    try:
        yield keyboard
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


async def quit_pressed(keyboard: int) -> None:
    """Wait until q is pressed, or the terminal is gone."""
    while True:
        await trio.lowlevel.wait_readable(keyboard)
        typed = os.read(keyboard, _BYTES_MAX)
        if not typed or any(key in typed for key in _QUIT):
            return
