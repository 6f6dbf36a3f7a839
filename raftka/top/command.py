"""`raftka top --bootstrap-server H:P`: samples the cluster every second until q or Ctrl-C."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import trio
from rich.console import Console, RenderableType
from rich.live import Live

from raftka.client.admin import Admin
from raftka.client.tools.options import Options, UsageError, admin_settings
from raftka.client.tools.running import run
from raftka.console import OutputConsole
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection
from raftka.top import keys
from raftka.top.sample import Sample, take
from raftka.top.screen import screen
from raftka.top.view import Election, View, view

Show = Callable[[RenderableType], None]

_ELECTIONS_KEPT = 100
_ROWS_OF_FRAME = 14
"""Lines of a screen that are titles and headings."""

options = Options(
    "raftka top",
    "A cluster as it is now: brokers, the controller, rates, lag, under-replicated partitions, and"
    " the elections that happen while you look.",
)
options.servers()
options.number("--interval-ms", help="Time between two looks (default: 1000).", default=1000)
options.number("--looks", help="End after so many looks; without it, at q or Ctrl-C.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if found.bootstrap_server is None:
        raise UsageError("--bootstrap-server is missing")
    if found.interval_ms < 100:
        raise UsageError("--interval-ms is at least 100")
    if found.looks is not None and found.looks < 1:
        raise UsageError("--looks is at least 1")
    return found


async def _work(found: argparse.Namespace) -> None:
    console = OutputConsole()
    async with Admin(admin_settings(found)) as admin, trio.open_nursery() as nursery:
        with _display(console) as show, keys.unechoed() as keyboard:
            if keyboard is not None:
                nursery.start_soon(_await_quit, keyboard, nursery.cancel_scope)
            await _look(found, admin, console, show)
            nursery.cancel_scope.cancel()


async def _await_quit(keyboard: int, scope: trio.CancelScope) -> None:
    await keys.quit_pressed(keyboard)
    scope.cancel()


async def _look(found: argparse.Namespace, admin: Admin, console: Console, show: Show) -> None:
    """Sample and show, as often as requested. Raises the error of the first sample."""
    elections: deque[tuple[str, Election]] = deque(maxlen=_ELECTIONS_KEPT)
    before: Sample | None = None
    seen: View | None = None
    left = found.looks
    while True:
        trouble = None
        try:
            now = await take(admin, trio.current_time())
        except (KafkaError, BrokenConnection) as error:
            if seen is None:
                raise
            trouble = f"{_time()} the cluster does not answer: {error}"
        else:
            seen = view(before, now)
            elections.extend((_time(), each) for each in seen.elections)
            before = now
        rows = max(3, (console.height - _ROWS_OF_FRAME) // 4)
        show(screen(seen, list(elections), rows, trouble))
        if left is not None:
            left -= 1
            if left == 0:
                return
        await trio.sleep(found.interval_ms / 1000)


def _time() -> str:
    return datetime.now().strftime("%H:%M:%S")


@contextmanager
def _display(console: Console) -> Iterator[Show]:
    """Shows samples: in place on a capable terminal, one below the other elsewhere."""
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            yield lambda look: live.update(look, refresh=True)
        return

    def append(look: RenderableType) -> None:
        console.print(look)
        console.print()
        console.file.flush()

    yield append
