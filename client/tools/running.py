"""How a console tool runs: exit code 0 or 1, results on stdout, problems on stderr."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from raftka.client.tools.options import Options, ToolError, UsageError
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection

P = TypeVar("P")

INTERRUPTED = 128 + signal.SIGINT


def run(
    options: Options,
    argv: Sequence[str],
    prepare: Callable[[Sequence[str]], P],
    work: Callable[[P], Awaitable[int | None]],
    *,
    failure: str = "Error: ",
) -> int:
    """Read the command line with `prepare`, then do the `work`; the exit code.

    `failure` goes in front of what went wrong in it.
    """
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="[%(asctime)s] %(levelname)s %(message)s"
    )
    if not argv:
        print(f"{options.description}\n", file=sys.stderr)
        options.print_help(sys.stderr)
        return 1
    try:
        prepared = prepare(argv)
    except UsageError as error:
        print(f"{error}\n", file=sys.stderr)
        options.print_usage(sys.stderr)
        print("       --help lists the options", file=sys.stderr)
        return 1
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    except SystemExit as stop:
        return int(stop.code or 0)
    return execute(lambda: work(prepared), failure)


def execute(work: Callable[[], Awaitable[int | None]], failure: str) -> int:
    """Run `work`, and put what goes wrong into words."""
    try:
        code = trio.run(_guarded, work, failure)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from complaining, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


async def _guarded(work: Callable[[], Awaitable[int | None]], failure: str) -> int:
    try:
        return await work() or 0
    except (KafkaError, BrokenConnection, ToolError) as error:
        print(f"{failure}{words(error)}", file=sys.stderr)
    except UsageError as error:
        print(error, file=sys.stderr)
    return 1


def words(error: Exception) -> str:
    """What a person reads: the broker's own words, without the code's name."""
    return error.message if isinstance(error, KafkaError) else str(error)
