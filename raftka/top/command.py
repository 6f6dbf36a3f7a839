"""`raftka top --bootstrap-server H:P`: looks at the cluster every second until Ctrl-C."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Sequence
from datetime import datetime

import trio
from rich.console import Console
from rich.live import Live

from raftka.client.admin import Admin
from raftka.client.tools.options import Options, UsageError, admin_settings
from raftka.client.tools.running import run
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection
from raftka.top.sample import Sample, take
from raftka.top.screen import screen
from raftka.top.view import Election, view

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
options.number("--looks", help="End after so many looks; without it, at Ctrl-C.")


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
    console = Console()
    elections: deque[tuple[str, Election]] = deque(maxlen=_ELECTIONS_KEPT)
    before: Sample | None = None
    left = found.looks
    async with Admin(admin_settings(found)) as admin:
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                try:
                    now = await take(admin, trio.current_time())
                except (KafkaError, BrokenConnection) as error:
                    if before is None:
                        raise
                    live.console.print(f"the cluster does not answer: {error}", style="red")
                else:
                    seen = view(before, now)
                    time = datetime.now().strftime("%H:%M:%S")
                    elections.extend((time, each) for each in seen.elections)
                    before = now
                    rows = max(3, (console.height - _ROWS_OF_FRAME) // 4)
                    live.update(screen(seen, list(elections), rows), refresh=True)
                if left is not None:
                    left -= 1
                    if left == 0:
                        return
                await trio.sleep(found.interval_ms / 1000)
